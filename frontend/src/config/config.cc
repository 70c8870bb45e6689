#include "frontend/config.h"

#include "config/oidc_section.h"
#include "config/reading.h"
#include "config/repository_section.h"
#include "config/schema.h"
#include "engine/names.h"
#include "engine/projects.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kFileBytesMax = 4_MiB;
constexpr std::size_t kExternalUrlSizeMax = 255;
constexpr std::string_view kPoliciesPath = "retention.policies";
constexpr std::string_view kEnvironmentPrefix = "ORBITALREG_";
// No settings: subcommands that ask a server read them.
constexpr std::array<std::string_view, 2> kVariablesOfClients{"ORBITALREG_CA", "ORBITALREG_SERVER"};
constexpr std::string_view kToCome = "not there yet in this version: leave it out";

std::string join_path(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + '.' + key;
}

std::string scalar_or_empty(const YAML::Node& node) {
    return node.IsScalar() ? node.Scalar() : std::string{};
}

// Takes no note of what a document holds.
class IgnoredEvents final : public YAML::EventHandler {
public:
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

// Looks for a second one and no further: of some broken text YAML::LoadAll() makes documents without end.
bool holds_several_documents(const std::string& text) {
    std::istringstream stream{text};
    YAML::Parser parser{stream};
    IgnoredEvents events;
    return parser.HandleNextDocument(events) && parser.HandleNextDocument(events);
}

// ConfigReader walks one file or the environment into a configuration and collects what is wrong.
class ConfigReader {
public:
    ConfigReader(std::string file, LoadedConfig& loaded)
        : loaded_{loaded}, file_{std::move(file)} {}

    void read_text(std::string_view text);
    void read_environment(const std::map<std::string, std::string>& environment);

private:
    void error(const YAML::Node& at, const std::string& path, const std::string& message) {
        loaded_.errors.push_back({file_, at.Mark().line + 1, path, message});
    }
    void read_map(const YAML::Node& map, const std::string& path);
    void read_entry(const YAML::Node& key_node, const YAML::Node& value, const std::string& path);
    void read_value(const Key& key, const YAML::Node& value);
    void read_projects(const YAML::Node& list);
    ProjectConfig read_project(const YAML::Node& node, const std::string& path);
    MemberConfig read_member(const YAML::Node& node, const std::string& path);
    std::string read_name(const YAML::Node& node, const std::string& path);
    std::string read_choice(const YAML::Node& node, const std::string& path,
                            const std::set<std::string>& choices);

    LoadedConfig& loaded_;
    std::string file_;
    std::string_view text_;
};

std::optional<std::string> apply(const Key& key, Config& config, const std::string& text) {
    if (key.apply != nullptr) return key.apply(config, text);
    if (text == key.fallback) return std::nullopt;
    return std::string{kToCome} + ", or at `" + std::string{key.fallback} + '`';
}

// A scalar as it was written; an empty list is what a list to come may be.
std::optional<std::string> scalar_text(const YAML::Node& value) {
    if (value.IsScalar()) return value.Scalar();
    if (value.IsNull()) return std::string{};
    if (value.IsSequence() && value.size() == 0) return "[]";
    return std::nullopt;
}

// The values of a list with commas between them; nothing when one of them is no scalar.
std::optional<std::string> list_text(const YAML::Node& value) {
    if (!value.IsSequence()) return scalar_text(value);
    std::string text;
    for (const auto& entry : value) {
        if (!entry.IsScalar()) return std::nullopt;
        text.append(text.empty() ? "" : ",").append(entry.Scalar());
    }
    return text;
}

void ConfigReader::read_value(const Key& key, const YAML::Node& value) {
    const std::string path{key.path};
    const auto text = key.list ? list_text(value) : scalar_text(value);
    if (!text) {
        const std::string wanted = key.list ? "takes a list of values" : "takes a single value";
        error(value, path, key.apply == nullptr ? std::string{kToCome} : wanted);
    } else if (const auto trouble = apply(key, loaded_.config, *text)) {
        error(value, path, *trouble);
    }
}

void ConfigReader::read_entry(const YAML::Node& key_node, const YAML::Node& value,
                              const std::string& path) {
    if (path == "projects") {
        read_projects(value);
    } else if (path == "oidc") {
        read_oidc_section(value, file_, loaded_);
    } else if (path == kPoliciesPath) {
        // Read with its own rules, once all is known; a later file's list replaces it.
        loaded_.config.retention.inline_policies = {
            {file_, std::string{text_}, std::string{kPoliciesPath}}};
    } else if (const Key* key = find_key(path)) {
        read_value(*key, value);
    } else if (is_section(path)) {
        read_map(value, path);
    } else {
        error(key_node, path, is_section_to_come(path) ? std::string{kToCome} : "unknown key");
    }
}

void ConfigReader::read_map(const YAML::Node& map, const std::string& path) {
    if (map.IsNull()) return;
    if (!map.IsMap()) {
        error(map, path, "must be a section with keys");
        return;
    }
    std::set<std::string> seen;
    for (const auto& entry : map) {
        const auto name = scalar_or_empty(entry.first);
        if (name.empty()) {
            error(entry.first, path, "a key must be a word");
        } else if (!seen.insert(name).second) {
            error(entry.first, join_path(path, name), "given twice");
        } else {
            read_entry(entry.first, entry.second, join_path(path, name));
        }
    }
}

std::string ConfigReader::read_name(const YAML::Node& node, const std::string& path) {
    auto text = scalar_or_empty(node);
    const auto name = engine::ImageName::parse(text);
    if (!name || name.value().component_count() != 1) {
        error(node, path, '`' + text + "` is not one component of a name");
    }
    return text;
}

std::string ConfigReader::read_choice(const YAML::Node& node, const std::string& path,
                                      const std::set<std::string>& choices) {
    auto text = scalar_or_empty(node);
    if (choices.contains(text)) return text;
    std::string names;
    for (const std::string& choice : choices) names += (names.empty() ? "" : ", ") + choice;
    error(node, path, '`' + text + "` is not one of: " + names);
    return text;
}

// `{ user: alice, role: developer, repositories: ["acme/app/**"] }`, or a `group`.
MemberConfig ConfigReader::read_member(const YAML::Node& node, const std::string& path) {
    MemberConfig member;
    if (!node.IsMap()) error(node, path, "must be a section with keys");
    for (const auto& entry : node) {
        const auto key = scalar_or_empty(entry.first);
        const auto at = join_path(path, key);
        if (key == "user" || key == "group") {
            if (!member.name.empty()) error(entry.first, at, "a member is one user or one group");
            member.group = key == "group";
            member.name = scalar_or_empty(entry.second);
            if (!engine::parse_member(key + ':' + member.name))
                error(entry.second, at, '`' + member.name + "` is not the name of a " + key);
        } else if (key == "role") {
            member.role = scalar_or_empty(entry.second);
            if (!engine::parse_role(member.role)) {
                error(
                    entry.second, at,
                    '`' + member.role +
                        "` is not one of: limited, guest, developer, maintainer, admin, security");
            }
        } else if (key == "repositories" && entry.second.IsSequence()) {
            for (const auto& pattern : entry.second)
                member.patterns.push_back(scalar_or_empty(pattern));
            // An empty list would mean all of them.
            const auto& all = member.patterns;
            if (all.empty() || std::find(all.begin(), all.end(), "") != all.end())
                error(entry.second, at, "must name at least one pattern, and no empty one");
        } else {
            error(entry.first, at, key == "repositories" ? "must be a list" : "unknown key");
        }
    }
    if (node.IsMap() && (member.name.empty() || member.role.empty()))
        error(node, path, "needs `user` or `group`, and `role`");
    return member;
}

ProjectConfig ConfigReader::read_project(const YAML::Node& node, const std::string& path) {
    ProjectConfig project;
    for (const auto& entry : node) {
        const auto key = scalar_or_empty(entry.first);
        const auto at = join_path(path, key);
        if (key == "name") {
            project.name = read_name(entry.second, at);
        } else if (key == "auto_create") {
            project.auto_create = read_choice(entry.second, at, {"true", "false"}) == "true";
        } else if (key == "public") {
            project.open_to_all = read_choice(entry.second, at, {"true", "false"}) == "true";
        } else if (key == "members" && (entry.second.IsSequence() || entry.second.IsNull())) {
            for (std::size_t i = 0; i < entry.second.size(); ++i) {
                project.members.push_back(
                    read_member(entry.second[i], at + '[' + std::to_string(i) + ']'));
            }
        } else if (key == "repositories" && (entry.second.IsSequence() || entry.second.IsNull())) {
            for (std::size_t i = 0; i < entry.second.size(); ++i) {
                project.repositories.push_back(read_repository_section(
                    entry.second[i], at + '[' + std::to_string(i) + ']', file_, loaded_));
            }
        } else {
            error(entry.first, at,
                  key == "repositories" || key == "members" ? "must be a list" : "unknown key");
        }
    }
    if (project.name.empty()) error(node, path, "needs a `name`");
    return project;
}

void ConfigReader::read_projects(const YAML::Node& list) {
    loaded_.config.projects.clear();
    if (!list.IsSequence() && !list.IsNull()) {
        error(list, "projects", "must be a list");
        return;
    }
    std::set<std::string> names;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto path = "projects[" + std::to_string(i) + ']';
        if (!list[i].IsMap()) {
            error(list[i], path, "must be a section with keys");
            continue;
        }
        auto project = read_project(list[i], path);
        if (!names.insert(project.name).second)
            error(list[i], path, "the project is declared twice");
        loaded_.config.projects.push_back(std::move(project));
    }
}

void ConfigReader::read_text(std::string_view text) {
    text_ = text;
    try {
        if (holds_several_documents(std::string{text})) {
            loaded_.errors.push_back({file_, 0, {}, "holds more than one document"});
        } else {
            read_map(YAML::Load(std::string{text}), {});
        }
    } catch (const YAML::Exception& exception) {
        const int line = exception.mark.line + 1;
        loaded_.errors.push_back({file_, line, {}, "is not YAML: " + exception.msg});
    }
}

void read_file(const std::string& file, LoadedConfig& loaded) {
    std::ifstream in{file, std::ios::binary};
    const std::string text(std::istreambuf_iterator<char>{in}, {});
    if (!in) {
        loaded.errors.push_back(
            {file, 0, {}, "cannot be read: is it there, and may this user read it?"});
    } else if (text.size() > kFileBytesMax) {
        loaded.errors.push_back({file, 0, {}, "is larger than 4 MiB"});
    } else {
        read_config_text(file, text, loaded);
    }
}

void ConfigReader::read_environment(const std::map<std::string, std::string>& environment) {
    std::set<std::string> known;
    for (const Key& key : keys()) {
        const auto name = environment_name(key.path);
        known.insert(name);
        const auto given = environment.find(name);
        if (given == environment.end()) continue;
        if (const auto trouble = apply(key, loaded_.config, given->second)) {
            loaded_.errors.push_back({name, 0, std::string{key.path}, *trouble});
        }
    }
    for (const auto& [name, value] : environment) {
        if (known.contains(name)) continue;
        // A warning: other programs may use the prefix for themselves.
        loaded_.warnings.push_back({name, 0, {}, "is the name of no key and is ignored"});
    }
}

// Where tokens are asked for, nothing comes into being by itself unless that is said.
void choose_defaults(Config& config) {
    if (!config.server.auth.on) return;
    if (!config.auto_create_projects_said) config.auto_create_projects = false;
    if (!config.default_project_said) config.default_project.clear();
}

// Policies of retention: those in the configuration, then those of its files.
void read_policies(LoadedConfig& loaded) {
    auto& retention = loaded.config.retention;
    retention.texts = retention.inline_policies;
    for (const auto& file : retention.files) {
        std::ifstream in{file, std::ios::binary};
        std::string text(std::istreambuf_iterator<char>{in}, {});
        if (!in) {
            loaded.errors.push_back({file, 0, "retention.files",
                                     "cannot be read: is it there, and may this user read it?"});
            continue;
        }
        retention.texts.push_back({file, std::move(text), {}});
    }
    const auto read = engine::read_retention_policies(retention.texts);
    for (const auto& error : read.errors)
        loaded.errors.push_back({error.file, error.line, error.path, error.message});
    const auto trash = std::chrono::hours{retention.trash_hours};
    if (trash > loaded.config.gc.grace) {
        loaded.errors.push_back(
            {"", 0, "retention.trash_hours",
             "is longer than gc.grace, after which there is nothing to restore"});
    }
}

// What no single key can be wrong about.
void check_whole(LoadedConfig& loaded) {
    choose_defaults(loaded.config);
    read_policies(loaded);
    const auto& server = loaded.config.server;
    if (server.address == server.admin_address && !server.address.ends_with(":0")) {
        loaded.errors.push_back({"", 0, "admin.addr", "is the same as http.addr"});
    }
    const auto& tls = server.tls;
    if (tls.certificate.empty() != tls.key.empty()) {
        loaded.errors.push_back({"", 0, "http.tls", "needs both `certificate` and `key`"});
    }
    if (!tls.enabled() && (!tls.address.empty() || !tls.client_ca.empty())) {
        loaded.errors.push_back(
            {"", 0, "http.tls", "is without effect: it names no `certificate`"});
    }
    if (tls.client_certificate_required && tls.client_ca.empty()) {
        loaded.errors.push_back(
            {"", 0, "http.tls.client_certificate", "is `required`, and no `client_ca` is named"});
    }
    if (server.external_url.size() > kExternalUrlSizeMax) {
        loaded.errors.push_back({"", 0, "http.external_url", "is longer than 255 characters"});
    }
    for (const auto& project : loaded.config.projects) check_repositories(project, loaded);
    for (const auto& finding : check_oidc(loaded.config.oidc, loaded.config.server.auth.offline)) {
        auto& list = finding.warning ? loaded.warnings : loaded.errors;
        list.push_back({finding.place.file, finding.place.line, finding.path, finding.message});
    }
}

}  // namespace

std::string ConfigFinding::text() const {
    std::string out = file;
    if (line > 0) out += ':' + std::to_string(line);
    if (!path.empty()) out += (out.empty() ? "" : ": ") + path;
    return out + ": " + message;
}

void read_config_text(const std::string& file, std::string_view text, LoadedConfig& loaded) {
    ConfigReader{file, loaded}.read_text(text);
}

LoadedConfig load_config(const std::vector<std::string>& files,
                         const std::map<std::string, std::string>& environment) {
    LoadedConfig loaded;
    for (const std::string& file : files) read_file(file, loaded);
    ConfigReader{{}, loaded}.read_environment(environment);
    check_whole(loaded);
    return loaded;
}

std::map<std::string, std::string> config_environment(char** environment) {
    std::map<std::string, std::string> found;
    for (char** entry = environment; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const auto equals = text.find('=');
        if (!text.starts_with(kEnvironmentPrefix) || equals == std::string_view::npos) continue;
        const auto name = text.substr(0, equals);
        if (std::find(kVariablesOfClients.begin(), kVariablesOfClients.end(), name) !=
            kVariablesOfClients.end())
            continue;
        found.emplace(name, text.substr(equals + 1));
    }
    return found;
}

namespace {

// The loaded options but for what a reload takes: the files of a server that speaks TLS already.
ServerOptions with_tls_files_of(const ServerOptions& running, const ServerOptions& loaded) {
    ServerOptions options = loaded;
    if (!running.tls.enabled() || !loaded.tls.enabled()) return options;
    options.tls = running.tls;
    options.tls.address = loaded.tls.address;
    return options;
}

}  // namespace

std::vector<std::string> restart_needed(const Config& running, const Config& loaded) {
    std::vector<std::string> paths;
    const auto note = [&paths](bool same, std::string_view path) {
        if (!same) paths.emplace_back(path);
    };
    note(running.log_format == loaded.log_format, "log.format");
    note(running.log_gather == loaded.log_gather, "log.gather");
    note(running.storage == loaded.storage, "storage");
    note(running.server == with_tls_files_of(running.server, loaded.server) &&
             running.insecure == loaded.insecure && running.threads == loaded.threads &&
             running.stop_grace == loaded.stop_grace,
         "http, admin");
    note(running.uploads == loaded.uploads, "uploads");
    note(running.compaction == loaded.compaction, "compaction");
    note(running.scrub == loaded.scrub, "scrub");
    note(running.gc == loaded.gc, "gc");
    note(running.audit == loaded.audit, "audit");
    note(running.auto_create_projects == loaded.auto_create_projects &&
             running.default_project == loaded.default_project,
         "defaults");
    note(running.projects == loaded.projects, "projects");
    note(running.oidc == loaded.oidc, "oidc");
    return paths;
}

}  // namespace orbitalreg::frontend
