#include "engine/projects.h"

#include "access/project_documents.h"
#include "access/repository_documents.h"

namespace orbitalreg::engine {
namespace {

namespace json = boost::json;

constexpr int kTriesMax = 8;
constexpr std::uint32_t kPage = 500;
constexpr std::size_t kPushRulesMax = 65'536;  // remembered, some 200 bytes each

std::string project_document(std::string_view name) { return "project/" + name_part(name); }

std::string repository_document(std::string_view project, std::string_view name) {
    return folder("repository", project) + name_part(name);
}

std::string visibility_document(std::string_view project, std::string_view name) {
    return folder("visibility", project) + name_part(name);
}

bool is_component(std::string_view text) {
    const auto name = ImageName::parse(text);
    return name && name.value().component_count() == 1;
}

std::vector<std::byte> encode(const Project& project) {
    return to_document({{"name", project.name},
                        {"public", project.open_to_all},
                        {"auto_create", project.auto_create},
                        {"description", project.description},
                        {"created", project.created_s}});
}

std::optional<Project> decode_project(ByteView bytes) {
    const auto object = from_document(bytes);
    if (!object) return std::nullopt;
    Project project{text_of(*object, "name"),        flag_of(*object, "public"),
                    flag_of(*object, "auto_create"), false,
                    text_of(*object, "description"), number_of(*object, "created")};
    return project.name.empty() ? std::nullopt : std::optional{std::move(project)};
}

std::vector<std::byte> encode_visibility(const RepositorySettings& settings) {
    return to_document({{"name", settings.name}, {"public", settings.open_to_all.value_or(false)}});
}

}  // namespace

Projects::Projects(DocumentStore& documents, Random& random, const Clock& clock,
                   const std::vector<ProjectDeclaration>& declared, std::string default_project,
                   ProjectLimits limits)
    : epoch_{std::make_shared<std::atomic<std::uint64_t>>(1)},
      documents_{documents},
      random_{random},
      clock_{clock},
      default_project_{std::move(default_project)},
      limits_{limits} {
    for (const auto& declaration : declared) declare(declaration);
    for (const char* prefix : {"project/", "repository/"}) {
        watches_.push_back(documents_.watch(prefix, [epoch = epoch_](const std::string&) {
            epoch->fetch_add(1, std::memory_order_release);
        }));
    }
}

void Projects::declare(const ProjectDeclaration& declaration) {
    Declared made;
    made.project = {
        declaration.name, declaration.open_to_all, declaration.auto_create, true, {}, 0};
    for (const auto& repository : declaration.repositories) {
        made.repositories[repository.name] = {declaration.name,
                                              repository.name,
                                              repository.sparse_index_allowed,
                                              repository.open_to_all,
                                              true,
                                              {},
                                              repository.type};
        auto& settings = made.repositories[repository.name];
        if (repository.type == RepositoryType::remote)
            settings.remote = std::make_shared<const RemoteSettings>(repository.remote);
        if (repository.type == RepositoryType::virtual_members)
            settings.members = std::make_shared<const VirtualSettings>(repository.members);
    }
    for (const auto& member : declaration.members) {
        Member entry{declaration.name,
                     member.group ? Member::Kind::group : Member::Kind::user,
                     member.name,
                     {},
                     {},
                     true};
        auto& known = made.members.try_emplace(entry.text(), entry).first->second;
        known.grants.push_back({declaration.name,
                                member.role,
                                member.patterns,
                                {},
                                "member " + entry.text() + " (configuration)"});
    }
    declared_[declaration.name] = std::move(made);
}

const Projects::Declared* Projects::declared(std::string_view project) const {
    const auto found = declared_.find(project);
    return found == declared_.end() ? nullptr : &found->second;
}

Awaitable<Answer<std::uint64_t>> Projects::write(std::string name, std::vector<std::byte> bytes,
                                                 DocumentExpectation expected) {
    const auto id = RequestId::make(random_);
    DocumentWrite write{std::move(name), std::move(bytes), expected, 0};
    co_return co_await documents_.put(id, std::move(write));
}

Awaitable<Answer<void>> Projects::remove_document(std::string name) {
    const auto id = RequestId::make(random_);
    co_return co_await documents_.remove(id, std::move(name), DocumentExpectation::anything());
}

Awaitable<Answer<void>> Projects::remove_all(std::string prefix) {
    for (;;) {
        const auto page = co_await documents_.list(prefix, {}, kPage);
        if (!page) co_return refuse(page.error());
        if (page.value().documents.empty()) co_return ok();
        for (const auto& document : page.value().documents) {
            const auto removed = co_await remove_document(document.name);
            if (!removed && removed.error().code != Errc::document_unknown)
                co_return refuse(removed.error());
        }
    }
}

// --- projects ---

Awaitable<Answer<Project>> Projects::find(std::string name) {
    if (const auto* known = declared(name)) co_return known->project;
    const auto document = co_await documents_.get(project_document(name));
    if (!document) {
        // As much work as for one that is there, so that nobody can tell them apart by time (SEC-32).
        static const auto any = encode(Project{"any", false, false, false, {}, 1});
        static_cast<void>(decode_project(any));
        co_return refuse(document.error());
    }
    auto project = decode_project(document.value().bytes);
    if (!project) co_return refuse(broken(document.value().name));
    co_return std::move(*project);
}

Awaitable<Answer<Project>> Projects::create(Project project) {
    if (!is_component(project.name))
        co_return refuse({Errc::name_invalid, "the project's name is not one component of a name"});
    if (declared(project.name) != nullptr) co_return refuse(Errc::exists);
    if (project.description.size() > limits_.description_bytes)
        co_return refuse({Errc::too_large, "the description is too long"});
    project.created_s = clock_.wall_ns() / 1'000'000'000;
    const auto written = co_await write(project_document(project.name), encode(project),
                                        DocumentExpectation::absent());
    if (!written) co_return refuse(written.error());
    co_return project;
}

Awaitable<Answer<Project>> Projects::change(std::string name, ProjectChange change) {
    if (declared(name) != nullptr) co_return refuse(is_declared("the project"));
    if (change.description && change.description->size() > limits_.description_bytes)
        co_return refuse({Errc::too_large, "the description is too long"});
    for (int tries = 1;; ++tries) {
        const auto document = co_await documents_.get(project_document(name));
        if (!document) co_return refuse(document.error());
        auto project = decode_project(document.value().bytes);
        if (!project) co_return refuse(broken(document.value().name));
        if (change.open_to_all) project->open_to_all = *change.open_to_all;
        if (change.auto_create) project->auto_create = *change.auto_create;
        if (change.description) project->description = *change.description;
        const auto written =
            co_await write(document.value().name, encode(*project),
                           DocumentExpectation::at_version(document.value().version));
        if (written) co_return std::move(*project);
        if (written.error().code != Errc::precondition_failed || tries == kTriesMax)
            co_return refuse(written.error());
    }
}

Awaitable<Answer<void>> Projects::remove(std::string name) {
    if (declared(name) != nullptr) co_return refuse(is_declared("the project"));
    // Rights go first: a project that is made anew under the name has none that were granted before.
    for (const auto* kind : {"member", "visibility", "repository"}) {
        const auto removed = co_await remove_all(folder(kind, name));
        if (!removed) co_return refuse(removed.error());
    }
    forget_fetching(name, {});
    const auto robots = co_await remove_all("account/robot/" + name_part(name) + '/');
    if (!robots) co_return refuse(robots.error());
    co_return co_await remove_document(project_document(name));
}

Awaitable<Answer<AccountPage<Project>>> Projects::list(std::string after, std::uint32_t count) {
    std::string from;
    if (!after.empty()) from = project_document(after);
    const auto page = co_await documents_.list("project/", from, count);
    if (!page) co_return refuse(page.error());
    AccountPage<Project> stored{{}, page.value().more};
    for (const auto& document : page.value().documents) {
        if (auto project = decode_project(document.bytes))
            stored.items.push_back(std::move(*project));
    }
    std::map<std::string, Project> known;
    for (const auto& [name, each] : declared_) known.emplace(name, each.project);
    co_return with_declared(known, std::move(stored), from, count,
                            [](const Project& each) { return project_document(each.name); });
}

// --- repositories ---

void Projects::note_fetching(const RepositorySettings& settings) {
    if (settings.type == RepositoryType::local) return;
    const std::unique_lock lock{fetching_mutex_};
    fetching_[{settings.project, settings.name}] =
        std::make_shared<const RepositorySettings>(settings);
}

void Projects::forget_fetching(const std::string& project, const std::string& name) {
    const std::unique_lock lock{fetching_mutex_};
    if (!name.empty()) {
        fetching_.erase({project, name});
    } else {
        std::erase_if(fetching_, [&](const auto& entry) { return entry.first.project == project; });
    }
}

Awaitable<Answer<void>> Projects::load() {
    std::string after;
    for (;;) {
        const auto page = co_await documents_.list("repository/", after, kPage);
        if (!page) co_return refuse(page.error());
        for (const auto& document : page.value().documents) {
            after = document.name;
            if (const auto settings = decode_repository(document.bytes)) note_fetching(*settings);
        }
        if (!page.value().more || page.value().documents.empty()) co_return ok();
    }
}

std::shared_ptr<const RepositorySettings> Projects::find_fetching(
    const RepositoryName& name) const {
    const std::shared_lock lock{fetching_mutex_};
    const auto found = fetching_.find(name);
    return found == fetching_.end() ? nullptr : found->second;
}

Projects::Fetching Projects::fetching() const {
    const std::shared_lock lock{fetching_mutex_};
    return fetching_;
}

Awaitable<Answer<RepositorySettings>> Projects::find_repository(std::string project,
                                                                std::string name) {
    if (const auto* known = declared(project)) {
        const auto found = known->repositories.find(name);
        if (found != known->repositories.end()) co_return found->second;
    }
    const auto document = co_await documents_.get(repository_document(project, name));
    if (!document) co_return refuse(document.error());
    auto settings = decode_repository(document.value().bytes);
    if (!settings) co_return refuse(broken(document.value().name));
    co_return std::move(*settings);
}

std::optional<PushRules> Projects::known_push_rules(const RepositoryName& name) const {
    const std::shared_lock lock{push_rules_mutex_};
    if (push_rules_epoch_ != epoch_->load(std::memory_order_acquire)) return std::nullopt;
    const auto found = push_rules_.find(name);
    return found == push_rules_.end() ? std::nullopt : std::optional{found->second};
}

Awaitable<Answer<PushRules>> Projects::find_push_rules(RepositoryName name) {
    const auto epoch = epoch_->load(std::memory_order_acquire);
    PushRules rules;
    const auto repository = co_await find_repository(name.project, name.repository);
    if (repository) rules.sparse_index_allowed = repository.value().sparse_index_allowed;
    if (!repository && repository.error().code != Errc::document_unknown)
        co_return refuse(repository.error());
    const auto project = co_await find(name.project);
    if (project) rules.auto_create = project.value().auto_create;
    if (!project && project.error().code != Errc::document_unknown)
        co_return refuse(project.error());
    const std::unique_lock lock{push_rules_mutex_};
    // A document that has changed meanwhile began another epoch: what was read is good for this one push.
    if (push_rules_epoch_ < epoch || push_rules_.size() >= kPushRulesMax) push_rules_.clear();
    push_rules_epoch_ = std::max(push_rules_epoch_, epoch);
    if (push_rules_epoch_ == epoch) push_rules_.insert_or_assign(std::move(name), rules);
    co_return rules;
}

// Beside the settings, so that a view of a project reads no more than what differs from it.
Awaitable<Answer<void>> Projects::write_visibility(const RepositorySettings& settings) {
    const auto name = visibility_document(settings.project, settings.name);
    if (!settings.open_to_all) {
        const auto removed = co_await remove_document(name);
        if (!removed && removed.error().code != Errc::document_unknown)
            co_return refuse(removed.error());
        co_return ok();
    }
    const auto written =
        co_await write(name, encode_visibility(settings), DocumentExpectation::anything());
    if (!written) co_return refuse(written.error());
    co_return ok();
}

Awaitable<Answer<RepositorySettings>> Projects::create_repository(RepositorySettings settings) {
    if (!is_component(settings.name))
        co_return refuse(
            {Errc::name_invalid, "the repository's name is not one component of a name"});
    if (const auto* known = declared(settings.project);
        known != nullptr && known->repositories.contains(settings.name))
        co_return refuse(Errc::exists);
    const auto project = co_await find(settings.project);
    if (!project) co_return refuse(project.error());
    if (settings.description.size() > limits_.description_bytes)
        co_return refuse({Errc::too_large, "the description is too long"});
    const auto written = co_await write(repository_document(settings.project, settings.name),
                                        encode(settings), DocumentExpectation::absent());
    if (!written) co_return refuse(written.error());
    const auto visible = co_await write_visibility(settings);
    if (!visible) co_return refuse(visible.error());
    note_fetching(settings);
    co_return settings;
}

Awaitable<Answer<RepositorySettings>> Projects::change_repository(std::string project,
                                                                  std::string name,
                                                                  RepositoryChange change) {
    if (const auto* known = declared(project);
        known != nullptr && known->repositories.contains(name))
        co_return refuse(is_declared("the repository"));
    for (int tries = 1;; ++tries) {
        const auto document = co_await documents_.get(repository_document(project, name));
        if (!document) co_return refuse(document.error());
        auto settings = decode_repository(document.value().bytes);
        if (!settings) co_return refuse(broken(document.value().name));
        if (change.sparse_index_allowed)
            settings->sparse_index_allowed = *change.sparse_index_allowed;
        if (change.open_to_all) settings->open_to_all = *change.open_to_all;
        if (change.description) settings->description = *change.description;
        if (change.remote || change.members) {
            const bool fits = (change.remote == nullptr || settings->remote) &&
                              (change.members == nullptr || settings->members);
            if (!fits) co_return refuse({Errc::unsupported, "the repository is of another type"});
            if (change.remote) settings->remote = change.remote;
            if (change.members) settings->members = change.members;
        }
        const auto written =
            co_await write(document.value().name, encode(*settings),
                           DocumentExpectation::at_version(document.value().version));
        if (!written && (written.error().code != Errc::precondition_failed || tries == kTriesMax))
            co_return refuse(written.error());
        if (!written) continue;
        const auto visible = co_await write_visibility(*settings);
        if (!visible) co_return refuse(visible.error());
        note_fetching(*settings);
        co_return std::move(*settings);
    }
}

Awaitable<Answer<void>> Projects::remove_repository(std::string project, std::string name) {
    if (const auto* known = declared(project);
        known != nullptr && known->repositories.contains(name))
        co_return refuse(is_declared("the repository"));
    // First, so that what is left half way is as closed as its project.
    RepositorySettings closed;
    closed.project = project;
    closed.name = name;
    const auto visible = co_await write_visibility(closed);
    if (!visible) co_return refuse(visible.error());
    const auto removed = co_await remove_document(repository_document(project, name));
    if (removed) forget_fetching(project, name);
    co_return removed;
}

Awaitable<Answer<AccountPage<RepositorySettings>>> Projects::list_repositories(
    std::string project, std::string after, std::uint32_t count) {
    std::string from;
    if (!after.empty()) from = repository_document(project, after);
    const auto page = co_await documents_.list(folder("repository", project), from, count);
    if (!page) co_return refuse(page.error());
    AccountPage<RepositorySettings> stored{{}, page.value().more};
    for (const auto& document : page.value().documents) {
        if (auto settings = decode_repository(document.bytes))
            stored.items.push_back(std::move(*settings));
    }
    const auto* known = declared(project);
    if (known == nullptr) co_return stored;
    co_return with_declared(
        known->repositories, std::move(stored), from, count,
        [&](const RepositorySettings& each) { return repository_document(project, each.name); });
}

}  // namespace orbitalreg::engine
