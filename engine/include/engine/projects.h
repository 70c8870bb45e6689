#pragma once
// Projects is which projects and repositories there are besides those that pushes make, who belongs to a project, and who may
// see it. What the configuration declares comes first and cannot be changed here (Errc::unsupported); the rest are documents.
//
// Durable  a call that answered with success. Threads  any reactor.
// Limits   ProjectLimits; lists are pages.
// Errors   Errc::document_unknown for what is not there, exists, name_invalid, unsupported, in_use; the store's own.

#include "base/asio.h"
#include "base/clock.h"
#include "base/random.h"
#include "engine/access.h"
#include "engine/accounts.h"
#include "engine/document_store.h"
#include "engine/errors.h"
#include "engine/options.h"

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

namespace orbitalreg::engine {

struct ProjectLimits {
    std::size_t grants_per_member = 50;
    std::size_t description_bytes = 256;
};

struct Project {
    std::string name;
    bool open_to_all = false;  // anybody may pull
    bool auto_create = false;  // an unknown repository becomes a local one at the first push
    bool declared = false;     // by the configuration
    std::string description;
    std::int64_t created_s = 0;
};

struct ProjectChange {
    std::optional<bool> open_to_all;
    std::optional<bool> auto_create;
    std::optional<std::string> description;
};

// Settings of one repository of a project.
struct RepositorySettings {
    std::string project;
    std::string name;
    bool sparse_index_allowed = false;
    std::optional<bool> open_to_all;  // other than its project
    bool declared = false;
    std::string description;
    RepositoryType type = RepositoryType::local;
    std::shared_ptr<const RemoteSettings> remote{};    // of a remote one, never empty there
    std::shared_ptr<const VirtualSettings> members{};  // of a virtual one, never empty there
};

// What is kept about pushes to one image name.
struct PushRules {
    std::optional<bool> sparse_index_allowed;  // none: no settings of the repository are kept
    std::optional<bool> auto_create;           // none: there is no such project
};

struct RepositoryChange {
    // Of a repository of that type; its type never changes.
    std::shared_ptr<const RemoteSettings> remote{};
    std::shared_ptr<const VirtualSettings> members{};
    std::optional<bool> sparse_index_allowed;
    std::optional<std::optional<bool>> open_to_all;
    std::optional<std::string> description;
};

// Somebody's part in a project: one role, or several for different repositories.
struct Member {
    enum class Kind : std::uint8_t { user, group };

    std::string project;
    Kind kind = Kind::user;
    std::string name;
    std::string
        account_id;  // of a user that was there when it was written; empty: declared, by name alone
    std::vector<Grant> grants;
    bool declared = false;

    // `user:alice`, `group:developers`
    std::string text() const { return (kind == Kind::user ? "user:" : "group:") + name; }
};
// Nothing for what Member::text() does not give.
std::optional<std::pair<Member::Kind, std::string>> parse_member(std::string_view text);

// All that decides about one project for somebody: made once, good until Accounts::epoch() grows.
struct ProjectView {
    Rights rights;
    bool open_to_all = false;
    std::map<std::string, bool, std::less<>>
        repositories;  // open to all or not, other than the project

    bool is_open(std::string_view repository) const;
};

class Projects {
public:
    // All outlive it. `default_project` rules image names of one component.
    Projects(DocumentStore& documents, Random& random, const Clock& clock,
             const std::vector<ProjectDeclaration>& declared, std::string default_project,
             ProjectLimits limits = {});

    // --- projects ---
    Awaitable<Answer<Project>> find(std::string name);
    Awaitable<Answer<Project>> create(Project project);
    Awaitable<Answer<Project>> change(std::string name, ProjectChange change);
    // Its members and settings go with it. The caller has seen that no image is left.
    Awaitable<Answer<void>> remove(std::string name);
    // Declared ones and others, by name.
    Awaitable<Answer<AccountPage<Project>>> list(std::string after, std::uint32_t count);

    // --- repositories ---
    Awaitable<Answer<RepositorySettings>> find_repository(std::string project, std::string name);
    Awaitable<Answer<RepositorySettings>> create_repository(RepositorySettings settings);
    Awaitable<Answer<RepositorySettings>> change_repository(std::string project, std::string name,
                                                            RepositoryChange change);
    Awaitable<Answer<void>> remove_repository(std::string project, std::string name);
    Awaitable<Answer<AccountPage<RepositorySettings>>> list_repositories(std::string project,
                                                                         std::string after,
                                                                         std::uint32_t count);

    // Asked at every push: answers are remembered until a project or a repository changes.
    Awaitable<Answer<PushRules>> find_push_rules(RepositoryName name);
    std::optional<PushRules> known_push_rules(const RepositoryName& name) const;

    // Remote and virtual ones that are kept here: asked at every pull, so they are in memory. load() before the first request;
    // the other calls keep it true.
    using Fetching = std::map<RepositoryName, std::shared_ptr<const RepositorySettings>>;
    Awaitable<Answer<void>> load();
    std::shared_ptr<const RepositorySettings> find_fetching(const RepositoryName& name) const;
    Fetching fetching() const;

    // --- members ---
    Awaitable<Answer<Member>> find_member(std::string project, Member::Kind kind, std::string name);
    // Replaces what the member had.
    Awaitable<Answer<void>> put_member(Member member);
    Awaitable<Answer<void>> remove_member(std::string project, Member::Kind kind, std::string name);
    Awaitable<Answer<AccountPage<Member>>> list_members(std::string project, std::string after,
                                                        std::uint32_t count);

    // What `user` (with its id; empty: nobody) and `groups` are granted in the project, and who may see it.
    Awaitable<Answer<ProjectView>> view(std::string project, std::string user, std::string user_id,
                                        std::vector<std::string> groups);

    const std::string& default_project() const noexcept { return default_project_; }

private:
    struct Declared {
        Project project;
        std::map<std::string, RepositorySettings, std::less<>> repositories;
        std::map<std::string, Member, std::less<>> members;  // by Member::text()
    };
    const Declared* declared(std::string_view project) const;
    Awaitable<Answer<std::uint64_t>> write(std::string name, std::vector<std::byte> bytes,
                                           DocumentExpectation expected);
    Awaitable<Answer<void>> remove_document(std::string name);
    Awaitable<Answer<void>> remove_all(std::string prefix);
    Awaitable<Answer<void>> write_visibility(const RepositorySettings& settings);
    Awaitable<Answer<void>> read_visibility(std::string project, ProjectView* view);
    void declare(const ProjectDeclaration& declaration);
    void note_fetching(const RepositorySettings& settings);
    void forget_fetching(const std::string& project, const std::string& name);

    std::shared_ptr<std::atomic<std::uint64_t>> epoch_;  // grows when a document of one changes
    std::vector<std::shared_ptr<void>> watches_;
    mutable std::shared_mutex push_rules_mutex_;
    std::map<RepositoryName, PushRules> push_rules_;
    std::uint64_t push_rules_epoch_ = 0;  // in which they were read
    mutable std::shared_mutex fetching_mutex_;
    Fetching fetching_;
    DocumentStore& documents_;
    Random& random_;
    const Clock& clock_;
    const std::string default_project_;
    const ProjectLimits limits_;
    std::map<std::string, Declared, std::less<>> declared_;
};

}  // namespace orbitalreg::engine
