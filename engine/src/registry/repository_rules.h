#pragma once
// RepositoryRules says which repository object rules an image name, and what that allows: what the
// configuration declares first, then what pushes have made, then what a project lets be made.

#include "engine/options.h"
#include "engine/projects.h"
#include "engine/registry_store.h"

#include <map>
#include <string>

namespace orbitalreg::engine {

class RepositoryRules {
public:
    // All outlive it; `projects` may be null.
    RepositoryRules(RegistryStore& store, const RegistryOptions& options, Projects* projects);

    // Where a push to this image name goes. Errc::name_unknown, Errc::unsupported.
    Awaitable<Answer<PushTarget>> target_of(ImageName image) const;
    // Whether this registry can answer for the image name at all; not whether it holds anything.
    Answer<void> check_readable(const ImageName& image) const;

private:
    struct DeclaredProject {
        bool auto_create = false;
        std::map<std::string, RepositoryObject, std::less<>> repositories;
    };
    const RepositoryObject* find_declared(const RepositoryName& name) const;
    // Of projects that are kept as documents. Errc::document_unknown.
    Awaitable<Answer<Project>> find_kept(std::string name) const;
    Awaitable<Answer<RepositoryObject>> find_kept_repository(RepositoryName name) const;

    RegistryStore& store_;
    const RegistryOptions& options_;
    Projects* const kept_;
    std::map<std::string, DeclaredProject, std::less<>> projects_;
};

}  // namespace orbitalreg::engine
