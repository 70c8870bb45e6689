#include "registry/repository_rules.h"

namespace orbitalreg::engine {

namespace {

Refusal takes_no_pushes(const Ruling& ruling) {
    const auto name = ruling.object.name.text();
    if (ruling.remote)
        return {Errc::unsupported,
                name + " is a remote repository: what it has comes from its upstream"};
    return {Errc::unsupported,
            name + " is a virtual repository without deploy_to: push to a member"};
}

}  // namespace

RepositoryRules::RepositoryRules(RegistryStore& store, const RegistryOptions& options,
                                 Projects* projects)
    : store_{store}, options_{options}, kept_{projects} {
    for (const auto& declared : options.projects) {
        auto& project = projects_[declared.name];
        project.auto_create = declared.auto_create;
        for (const auto& repository : declared.repositories) {
            Ruling ruling{{{declared.name, repository.name},
                           repository.type,
                           repository.sparse_index_allowed}};
            if (repository.type == RepositoryType::remote)
                ruling.remote = std::make_shared<const RemoteSettings>(repository.remote);
            if (repository.type == RepositoryType::virtual_members)
                ruling.members = std::make_shared<const VirtualSettings>(repository.members);
            project.repositories[repository.name] = std::move(ruling);
        }
    }
}

const Ruling* RepositoryRules::find_declared(const RepositoryName& name) const {
    const auto project = projects_.find(name.project);
    if (project == projects_.end()) return nullptr;
    const auto repository = project->second.repositories.find(name.repository);
    return repository == project->second.repositories.end() ? nullptr : &repository->second;
}

Awaitable<Answer<PushTarget>> RepositoryRules::target_of(ImageName image) const {
    ORB_CO_TRY(image, changeable(image));
    ORB_CO_TRY(auto name, ruling_repository(image, options_.default_project));
    if (const auto* declared = find_declared(name))
        co_return PushTarget{std::move(image), declared->object, false};
    PushRules kept;
    if (kept_ != nullptr) {
        if (const auto known = kept_->known_push_rules(name)) {
            kept = *known;
        } else {
            ORB_CO_TRY(kept, co_await kept_->find_push_rules(name));
        }
    }
    if (kept.sparse_index_allowed) {
        co_return PushTarget{
            std::move(image),
            RepositoryObject{std::move(name), RepositoryType::local, *kept.sparse_index_allowed},
            false};
    }
    const auto project = projects_.find(name.project);
    const auto says =
        project == projects_.end() ? kept.auto_create : std::optional{project->second.auto_create};
    if (!says && !options_.auto_create_projects)
        co_return refuse({Errc::name_unknown, "no project " + name.project});
    const bool may_be_made = says.value_or(options_.auto_create_projects);
    const auto made = co_await store_.find_repository(name);
    if (made) co_return PushTarget{std::move(image), made.value(), false};
    if (!may_be_made) co_return refuse({Errc::name_unknown, "no repository " + name.text()});
    co_return PushTarget{std::move(image),
                         RepositoryObject{std::move(name), RepositoryType::local, false}, true};
}

Ruling RepositoryRules::ruling_of(const RepositoryName& name) const {
    if (const auto* declared = find_declared(name)) return *declared;
    Ruling ruling{{name, RepositoryType::local, false}};
    const auto settings = kept_ == nullptr ? nullptr : kept_->find_fetching(name);
    if (settings == nullptr) return ruling;
    ruling.object.type = settings->type;
    ruling.remote = settings->remote;
    ruling.members = settings->members;
    return ruling;
}

Answer<Ruling> RepositoryRules::ruling_of(const ImageName& image) const {
    ORB_TRY(auto name, ruling_repository(image, options_.default_project));
    return ruling_of(name);
}

Answer<ImageName> RepositoryRules::changeable(const ImageName& image) const {
    ORB_TRY(const auto ruling, ruling_of(image));
    if (ruling.object.type == RepositoryType::local) return image;
    if (!ruling.members || ruling.members->deploy_to.empty())
        return refuse(takes_no_pushes(ruling));
    const RepositoryName target{ruling.object.name.project, ruling.members->deploy_to};
    if (ruling_of(target).object.type != RepositoryType::local)
        return refuse({Errc::unsupported,
                       "deploy_to of " + ruling.object.name.text() + " is not a local repository"});
    auto there = name_in(target, rest_of(image));
    if (!there) return refuse(there.error());
    return std::move(there).value();
}

std::vector<Ruling> RepositoryRules::virtual_repositories() const {
    std::vector<Ruling> all;
    for (const auto& [name, project] : projects_) {
        for (const auto& [repository, ruling] : project.repositories) {
            if (ruling.members) all.push_back(ruling);
        }
    }
    if (kept_ == nullptr) return all;
    for (const auto& [name, settings] : kept_->fetching()) {
        if (settings->members && find_declared(name) == nullptr) all.push_back(ruling_of(name));
    }
    return all;
}

}  // namespace orbitalreg::engine
