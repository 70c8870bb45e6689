#pragma once
// RepositoryRules says which repository object rules an image name, and what that allows: what the
// configuration declares first, then what pushes have made, then what a project lets be made.

#include "engine/options.h"
#include "engine/projects.h"
#include "engine/registry_store.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace orbitalreg::engine {

// Ruling is what a repository is: its type, and what belongs to that.
struct Ruling {
    RepositoryObject object;
    std::shared_ptr<const RemoteSettings> remote{};    // of a remote one
    std::shared_ptr<const VirtualSettings> members{};  // of a virtual one
};

class RepositoryRules {
public:
    // All outlive it; `projects` may be null.
    RepositoryRules(RegistryStore& store, const RegistryOptions& options, Projects* projects);

    // Where a push to this image name goes. Errc::name_unknown, Errc::unsupported.
    Awaitable<Answer<PushTarget>> target_of(ImageName image) const;
    // What rules the image name, whether it holds anything or not. Errc::name_unknown.
    Answer<Ruling> ruling_of(const ImageName& image) const;
    Ruling ruling_of(const RepositoryName& name) const;
    // Errc::unsupported unless the image name is in a local repository, or in a virtual one that takes pushes: its name there.
    Answer<ImageName> changeable(const ImageName& image) const;
    // Those that are declared or kept as virtual.
    std::vector<Ruling> virtual_repositories() const;

private:
    struct DeclaredProject {
        bool auto_create = false;
        std::map<std::string, Ruling, std::less<>> repositories;
    };
    const Ruling* find_declared(const RepositoryName& name) const;

    RegistryStore& store_;
    const RegistryOptions& options_;
    Projects* const kept_;
    std::map<std::string, DeclaredProject, std::less<>> projects_;
};

}  // namespace orbitalreg::engine
