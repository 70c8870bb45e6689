#include "registry/repository_rules.h"

namespace orbitalreg::engine {

namespace {

Answer<void> check_type(const RepositoryObject& object) {
    if (object.type == RepositoryType::local) return ok();
    return refuse(
        {Errc::unsupported, "only local repositories are offered so far: " + object.name.text()});
}

}  // namespace

RepositoryRules::RepositoryRules(RegistryStore& store, const RegistryOptions& options,
                                 Projects* projects)
    : store_{store}, options_{options}, kept_{projects} {
    for (const auto& declared : options.projects) {
        auto& project = projects_[declared.name];
        project.auto_create = declared.auto_create;
        for (const auto& repository : declared.repositories) {
            project.repositories[repository.name] = {
                {declared.name, repository.name}, repository.type, repository.sparse_index_allowed};
        }
    }
}

const RepositoryObject* RepositoryRules::find_declared(const RepositoryName& name) const {
    const auto project = projects_.find(name.project);
    if (project == projects_.end()) return nullptr;
    const auto repository = project->second.repositories.find(name.repository);
    return repository == project->second.repositories.end() ? nullptr : &repository->second;
}

Awaitable<Answer<Project>> RepositoryRules::find_kept(std::string name) const {
    if (kept_ == nullptr) co_return refuse(Errc::document_unknown);
    co_return co_await kept_->find(std::move(name));
}

Awaitable<Answer<RepositoryObject>> RepositoryRules::find_kept_repository(
    RepositoryName name) const {
    if (kept_ == nullptr) co_return refuse(Errc::document_unknown);
    const auto found = co_await kept_->find_repository(name.project, name.repository);
    if (!found) co_return refuse(found.error());
    co_return RepositoryObject{std::move(name), RepositoryType::local,
                               found.value().sparse_index_allowed};
}

Awaitable<Answer<PushTarget>> RepositoryRules::target_of(ImageName image) const {
    ORB_CO_TRY(auto name, ruling_repository(image, options_.default_project));
    if (const auto* declared = find_declared(name)) {
        ORB_CO_TRY(check_type(*declared));
        co_return PushTarget{std::move(image), *declared, false};
    }
    auto settings = co_await find_kept_repository(name);
    if (settings) co_return PushTarget{std::move(image), std::move(settings).value(), false};
    if (settings.error().code != Errc::document_unknown) co_return refuse(settings.error());
    const auto project = projects_.find(name.project);
    bool may_be_made = options_.auto_create_projects;
    if (project != projects_.end()) {
        may_be_made = project->second.auto_create;
    } else {
        const auto kept = co_await find_kept(name.project);
        if (!kept && kept.error().code != Errc::document_unknown) co_return refuse(kept.error());
        if (!kept && !options_.auto_create_projects)
            co_return refuse({Errc::name_unknown, "no project " + name.project});
        if (kept) may_be_made = kept.value().auto_create;
    }
    const auto made = co_await store_.find_repository(name);
    if (made) {
        ORB_CO_TRY(check_type(made.value()));
        co_return PushTarget{std::move(image), made.value(), false};
    }
    if (!may_be_made) co_return refuse({Errc::name_unknown, "no repository " + name.text()});
    co_return PushTarget{std::move(image),
                         RepositoryObject{std::move(name), RepositoryType::local, false}, true};
}

Answer<void> RepositoryRules::check_readable(const ImageName& image) const {
    ORB_TRY(auto name, ruling_repository(image, options_.default_project));
    const auto* declared = find_declared(name);
    return declared == nullptr ? Answer<void>{ok()} : check_type(*declared);
}

}  // namespace orbitalreg::engine
