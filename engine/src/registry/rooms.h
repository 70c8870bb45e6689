#pragma once
// What the rooms behind Registry share: push/ and pull/ hold its functions by topic.

#include "engine/registry.h"
#include "push/held_sessions.h"
#include "push/running_uploads.h"
#include "push/session_token.h"
#include "registry/repository_rules.h"

#include <algorithm>
#include <vector>

namespace orbitalreg::engine {

// Whether a member is asked for a name, by its patterns. virtual/resolution.cc.
bool asks_for(const VirtualMember& member, std::string_view rest);

struct Registry::Rooms {
    Rooms(RegistryStore& registry_store, Random& random_source, Log& log_sink,
          RegistryOptions registry_options, Projects* projects, Remotes* remote_content)
        : store{registry_store},
          random{random_source},
          log{log_sink},
          options{std::move(registry_options)},
          remotes{remote_content},
          rules{store, options, projects},
          tokens{store.derive_key(SessionTokens::kKeyLabel)},
          held{options.limits.uploads_per_principal_max, options.limits.uploads_idle_expiry_ms} {}

    RegistryStore& store;
    Random& random;
    Log& log;
    const RegistryOptions options;
    Remotes* const remotes;
    const RepositoryRules rules;
    const SessionTokens tokens;
    HeldSessions held;
    RunningUploads running{held};
    std::vector<Gate*> gates;
    std::vector<ManifestObserver*> observers;
    PullObserver* pull_observer = nullptr;

    const RegistryLimits& limits() const noexcept { return options.limits; }
    RequestId new_request() noexcept { return RequestId::make(random); }

    // What somebody may see of a name in the catalog.
    enum class Listing : std::uint8_t { shown, hidden, skip_project };
    // `seen_project`: the last one of which something may be seen; outlives the call.
    Awaitable<Listing> may_list(std::shared_ptr<const RequestAccess> access, std::string name,
                                std::string* seen_project);
    // Where something was found: its name there, which is that of a member where a virtual repository was asked.
    struct LocatedManifest {
        FoundManifest found;
        ImageName image;
    };
    struct LocatedBlob {
        FoundBlob found;
        ImageName image;
    };
    // `whole`: it will be read. pull/resolve.cc and virtual/resolution.cc.
    Awaitable<Answer<LocatedManifest>> locate(ImageName image, Reference reference, bool whole,
                                              PullExplanation* explanation = nullptr);
    struct LocatedContent {
        OpenedBlob opened;
        ImageName image;
    };
    Awaitable<Answer<LocatedBlob>> locate_blob(const Ruling& ruling, ImageName image,
                                               Digest digest);
    Awaitable<Answer<LocatedContent>> open_located(const Ruling& ruling, ImageName image,
                                                   Digest digest);
    // In a local or a remote repository.
    Awaitable<Answer<FoundManifest>> find_in(const Ruling& ruling, ImageName image,
                                             Reference reference, bool whole);
    Awaitable<Answer<FoundBlob>> stat_in(const Ruling& ruling, ImageName image, Digest digest);
    Awaitable<Answer<OpenedBlob>> open_in(const Ruling& ruling, ImageName image, Digest digest);
    Awaitable<Answer<Page<std::string>>> list_tags_in(const Ruling& ruling, ImageName image,
                                                      std::string after, std::uint32_t count);
    Awaitable<Answer<Page<Referrer>>> list_referrers_in(const Ruling& ruling, ImageName image,
                                                        ReferrersQuery query);
    // Image names, those that are seen through virtual repositories among them.
    Awaitable<Answer<Page<std::string>>> list_names(std::string after, std::uint32_t count) const;
    // Of one member, as they are called in the virtual repository.
    Awaitable<Answer<Page<std::string>>> list_member_names(const Ruling& ruling,
                                                           const VirtualMember& member,
                                                           std::string after,
                                                           std::uint32_t count) const;
    Answer<RemotePlace> place_of(const Ruling& ruling, const ImageName& image) const;

    // A member of a virtual repository that is asked for an image name, in order: local ones first.
    struct MemberStep {
        const VirtualMember* member = nullptr;
        Ruling ruling;
        std::optional<ImageName> image;  // none: it is not asked
        std::string why_not;
    };
    std::vector<MemberStep> steps_of(const Ruling& ruling, const ImageName& image) const;
    // Whether an image name that a local member has not found may be asked of remote ones (SEC-70).
    Awaitable<bool> is_owned_by(const MemberStep& step) const;
    // Those that are asked for the name, those that hold it first: for what is named by its digest, and for lists.
    Awaitable<std::vector<MemberStep>> asked_steps(const Ruling& ruling, ImageName image) const;
    Awaitable<bool> holds_name(ImageName image) const;

    // Asks the gates in order. `request` outlives the call.
    Awaitable<Answer<void>> admit(const PullRequest& request);
    // Errc::upload_unknown for a token that is not genuine.
    Answer<SessionClaims> check_token(const Principal& principal, const ImageName& image,
                                      const std::string& token) const;
    // Whether a session that stands like this may still be used: open, or never heard of and young.
    Answer<void> check_usable(const SessionClaims& claims, const UploadStatus& status) const;
    bool is_expired(const SessionClaims& claims) const noexcept;
};

}  // namespace orbitalreg::engine
