#include "config/repository_section.h"

#include "config/quantities.h"
#include "engine/names.h"
#include "frontend/upstreams.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <set>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kSecretBytesMax = 16_KiB;

class RepositoryReader {
public:
    RepositoryReader(const std::string& file, LoadedConfig& loaded)
        : file_{file}, loaded_{loaded} {}

    RepositoryConfig read(const YAML::Node& node, const std::string& path);

private:
    using Apply = std::function<void(const YAML::Node&, const std::string&)>;

    void error(const YAML::Node& at, const std::string& path, const std::string& message) {
        loaded_.errors.push_back({file_, at.Mark().line + 1, path, message});
    }
    std::map<std::string, Apply> keys_of_all(RepositoryConfig& repository);
    std::map<std::string, Apply> keys_of_remote(engine::RemoteSettings& remote);
    std::map<std::string, Apply> keys_of_virtual(engine::VirtualSettings& settings);
    engine::RepositoryType read_type(const YAML::Node& node, const std::string& path);
    engine::VirtualMember read_member(const YAML::Node& node, const std::string& path);
    void read_rewrite(const YAML::Node& node, const std::string& path,
                      engine::VirtualMember& member);
    void read_keys(const YAML::Node& node, const std::string& path,
                   const std::map<std::string, Apply>& keys, const std::set<std::string>& passed,
                   const std::string& hint);
    std::string read_secret(const YAML::Node& node, const std::string& path);

    static std::string text(const YAML::Node& node) {
        return node.IsScalar() ? node.Scalar() : std::string{};
    }
    Apply text_into(std::string& value);
    Apply texts_into(std::vector<std::string>& values);
    Apply flag_into(bool& value);
    Apply duration_into(std::int64_t& value_ms, std::int64_t least_ms);
    Apply size_into(std::uint64_t& value);

    const std::string& file_;
    LoadedConfig& loaded_;
};

RepositoryReader::Apply RepositoryReader::text_into(std::string& value) {
    return [this, &value](const YAML::Node& node, const std::string& path) {
        if (!node.IsScalar() && !node.IsNull()) return error(node, path, "takes a single value");
        value = text(node);
    };
}

RepositoryReader::Apply RepositoryReader::texts_into(std::vector<std::string>& values) {
    return [this, &values](const YAML::Node& node, const std::string& path) {
        if (!node.IsSequence()) return error(node, path, "must be a list");
        values.clear();
        for (const auto& entry : node) {
            if (text(entry).empty())
                error(entry, path, "must be a list of texts, none of them empty");
            values.push_back(text(entry));
        }
    };
}

RepositoryReader::Apply RepositoryReader::flag_into(bool& value) {
    return [this, &value](const YAML::Node& node, const std::string& path) {
        const auto flag = parse_bool(text(node));
        if (!flag) return error(node, path, '`' + text(node) + "` is not one of: false, true");
        value = *flag;
    };
}

RepositoryReader::Apply RepositoryReader::duration_into(std::int64_t& value_ms,
                                                        std::int64_t least_ms) {
    return [this, &value_ms, least_ms](const YAML::Node& node, const std::string& path) {
        const auto duration = parse_duration(text(node));
        if (!duration)
            return error(node, path, '`' + text(node) + "` is no duration such as 5m or 30d");
        if (duration->count() < least_ms)
            return error(node, path, "must be at least " + std::to_string(least_ms) + "ms");
        value_ms = duration->count();
    };
}

RepositoryReader::Apply RepositoryReader::size_into(std::uint64_t& value) {
    return [this, &value](const YAML::Node& node, const std::string& path) {
        const auto size = parse_size(text(node));
        if (!size) return error(node, path, '`' + text(node) + "` is no size such as 64MiB");
        value = *size;
    };
}

std::string RepositoryReader::read_secret(const YAML::Node& node, const std::string& path) {
    if (text(node).empty()) return {};
    std::ifstream stream{text(node), std::ios::binary};
    std::string secret(kSecretBytesMax, '\0');
    stream.read(secret.data(), static_cast<std::streamsize>(secret.size()));
    secret.resize(static_cast<std::size_t>(stream.gcount()));
    while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
    if (secret.empty()) error(node, path, "the file cannot be read, or is empty");
    return secret;
}

std::map<std::string, RepositoryReader::Apply> RepositoryReader::keys_of_all(
    RepositoryConfig& repository) {
    return {
        {"name",
         [this, &repository](const YAML::Node& node, const std::string& path) {
             repository.name = text(node);
             const auto name = engine::ImageName::parse(repository.name);
             if (!name || name.value().component_count() != 1)
                 error(node, path, '`' + repository.name + "` is not one component of a name");
         }},
        {"public",
         [this, &repository](const YAML::Node& node, const std::string& path) {
             bool open = false;
             flag_into(open)(node, path);
             repository.open_to_all = open;
         }},
        {"sparse_index",
         [this, &repository](const YAML::Node& node, const std::string& path) {
             if (text(node) != "allow" && text(node) != "refuse")
                 return error(node, path, '`' + text(node) + "` is not one of: allow, refuse");
             repository.sparse_index_allowed = text(node) == "allow";
         }},
    };
}

std::map<std::string, RepositoryReader::Apply> RepositoryReader::keys_of_remote(
    engine::RemoteSettings& remote) {
    return {
        {"url", text_into(remote.url)},
        {"username", text_into(remote.username)},
        {"password_file",
         [this, &remote](const YAML::Node& node, const std::string& path) {
             remote.password = read_secret(node, path);
         }},
        {"ca_file", text_into(remote.ca_file)},
        {"insecure_skip_verify", flag_into(remote.insecure_skip_verify)},
        {"proxy", text_into(remote.proxy)},
        {"allow_networks", texts_into(remote.allow_networks)},
        {"auth_hosts", texts_into(remote.auth_hosts)},
        {"library_prefix",
         [this, &remote](const YAML::Node& node, const std::string& path) {
             bool prefix = false;
             flag_into(prefix)(node, path);
             remote.library_prefix = prefix;
         }},
        {"revalidate_after", duration_into(remote.revalidate_after_ms, 0)},
        {"stale_if_error", flag_into(remote.stale_if_error)},
        {"max_stale", duration_into(remote.max_stale_ms, 0)},
        {"negative_ttl", duration_into(remote.negative_ttl_ms, 0)},
        {"offline", flag_into(remote.offline)},
        {"prefetch", flag_into(remote.prefetch)},
        {"cache_bytes", size_into(remote.cache_bytes)},
        {"connect_timeout", duration_into(remote.connect_timeout_ms, 100)},
        {"idle_timeout", duration_into(remote.idle_timeout_ms, 1'000)},
        {"min_rate", size_into(remote.min_rate_bytes)},
        {"connections_max",
         [this, &remote](const YAML::Node& node, const std::string& path) {
             std::uint64_t count = 0;
             size_into(count)(node, path);
             if (count < 1 || count > 1'000) return error(node, path, "must be 1 to 1000");
             remote.connections_max = static_cast<std::uint32_t>(count);
         }},
    };
}

void RepositoryReader::read_rewrite(const YAML::Node& node, const std::string& path,
                                    engine::VirtualMember& member) {
    if (!node.IsSequence()) return error(node, path, "must be a list of `{ from: …, to: … }`");
    for (const auto& entry : node) {
        engine::VirtualMember::Rewrite rule;
        if (!entry.IsMap()) {
            error(entry, path, "must be `{ from: …, to: … }`");
            continue;
        }
        read_keys(entry, path, {{"from", text_into(rule.from)}, {"to", text_into(rule.to)}}, {},
                  {});
        member.rewrite.push_back(std::move(rule));
    }
}

engine::VirtualMember RepositoryReader::read_member(const YAML::Node& node,
                                                    const std::string& path) {
    engine::VirtualMember member;
    if (node.IsScalar()) {
        member.repository = node.Scalar();
        return member;
    }
    if (!node.IsMap()) {
        error(node, path, "must be the name of a repository, or a section with keys");
        return member;
    }
    read_keys(
        node, path,
        {{"name", text_into(member.repository)},
         {"include", texts_into(member.include)},
         {"exclude", texts_into(member.exclude)},
         {"owns_names", flag_into(member.owns_names)},
         {"rewrite", [this, &member](const YAML::Node& list,
                                     const std::string& at) { read_rewrite(list, at, member); }}},
        {}, {});
    if (member.repository.empty()) error(node, path, "needs a `name`");
    return member;
}

std::map<std::string, RepositoryReader::Apply> RepositoryReader::keys_of_virtual(
    engine::VirtualSettings& settings) {
    return {
        {"members",
         [this, &settings](const YAML::Node& node, const std::string& path) {
             if (!node.IsSequence()) return error(node, path, "must be a list");
             settings.members.clear();
             for (std::size_t i = 0; i < node.size(); ++i) {
                 settings.members.push_back(
                     read_member(node[i], path + '[' + std::to_string(i) + ']'));
             }
         }},
        {"deploy_to", text_into(settings.deploy_to)},
    };
}

void RepositoryReader::read_keys(const YAML::Node& node, const std::string& path,
                                 const std::map<std::string, Apply>& keys,
                                 const std::set<std::string>& passed, const std::string& hint) {
    for (const auto& entry : node) {
        const auto key = text(entry.first);
        const auto at = path + '.' + key;
        const auto found = keys.find(key);
        if (found != keys.end()) {
            found->second(entry.second, at);
        } else if (!passed.contains(key)) {
            error(entry.first, at, "unknown key" + hint);
        }
    }
}

engine::RepositoryType RepositoryReader::read_type(const YAML::Node& node,
                                                   const std::string& path) {
    const auto type = node["type"];
    if (!type) return engine::RepositoryType::local;
    if (text(type) == "remote") return engine::RepositoryType::remote;
    if (text(type) == "virtual") return engine::RepositoryType::virtual_members;
    if (text(type) != "local")
        error(type, path + ".type", '`' + text(type) + "` is not one of: local, remote, virtual");
    return engine::RepositoryType::local;
}

RepositoryConfig RepositoryReader::read(const YAML::Node& node, const std::string& path) {
    RepositoryConfig repository;
    if (!node.IsMap()) {
        error(node, path, "must be a section with keys");
        return repository;
    }
    repository.type = read_type(node, path);
    auto keys = keys_of_all(repository);
    std::string hint = " of a local repository";
    if (repository.type == engine::RepositoryType::remote) {
        keys.merge(keys_of_remote(repository.remote));
        hint = " of a remote repository";
    } else if (repository.type == engine::RepositoryType::virtual_members) {
        keys.merge(keys_of_virtual(repository.members));
        hint = " of a virtual repository";
    }
    read_keys(node, path, keys, {"type"}, hint);
    if (repository.name.empty()) error(node, path, "needs a `name`");
    if (repository.type == engine::RepositoryType::remote) {
        const auto wrong = check_remote(repository.remote);
        if (!wrong.empty()) error(node, path, wrong);
    }
    if (repository.type == engine::RepositoryType::virtual_members &&
        repository.members.members.empty())
        error(node, path, "needs `members`");
    return repository;
}

}  // namespace

RepositoryConfig read_repository_section(const YAML::Node& node, const std::string& path,
                                         const std::string& file, LoadedConfig& loaded) {
    return RepositoryReader{file, loaded}.read(node, path);
}

void check_repositories(const ProjectConfig& project, LoadedConfig& loaded) {
    std::map<std::string, const RepositoryConfig*> known;
    for (const auto& repository : project.repositories) known[repository.name] = &repository;
    const auto wrong = [&](const RepositoryConfig& repository, const std::string& message) {
        loaded.errors.push_back(
            {"", 0, "projects", project.name + '/' + repository.name + ": " + message});
    };
    for (const auto& repository : project.repositories) {
        if (repository.remote.insecure_skip_verify) {
            loaded.warnings.push_back({"", 0, "projects",
                                       project.name + '/' + repository.name +
                                           ": no certificate of its upstream is checked"});
        }
        std::set<std::string> seen;
        for (const auto& member : repository.members.members) {
            const auto found = known.find(member.repository);
            if (found == known.end()) {
                wrong(repository,
                      "member `" + member.repository + "` is no repository of the project");
            } else if (found->second->type == engine::RepositoryType::virtual_members) {
                wrong(repository, "member `" + member.repository + "` is virtual itself");
            }
            if (!seen.insert(member.repository).second)
                wrong(repository, "member `" + member.repository + "` is named twice");
        }
        const auto& target = repository.members.deploy_to;
        if (target.empty()) continue;
        const auto found = known.find(target);
        const bool local = found != known.end() &&
                           found->second->type == engine::RepositoryType::local &&
                           seen.contains(target);
        if (!local) wrong(repository, "deploy_to: `" + target + "` is no local member");
    }
}

}  // namespace orbitalreg::frontend
