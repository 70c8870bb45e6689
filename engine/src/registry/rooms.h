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

struct Registry::Rooms {
    Rooms(RegistryStore& registry_store, Random& random_source, Log& log_sink,
          RegistryOptions registry_options, Projects* projects)
        : store{registry_store},
          random{random_source},
          log{log_sink},
          options{std::move(registry_options)},
          rules{store, options, projects},
          tokens{store.derive_key(SessionTokens::kKeyLabel)},
          held{options.limits.uploads_per_principal_max, options.limits.uploads_idle_expiry_ms} {}

    RegistryStore& store;
    Random& random;
    Log& log;
    const RegistryOptions options;
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
