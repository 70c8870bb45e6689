#include "config/oidc_section.h"

#include "config/quantities.h"
#include "http/ascii.h"

#include <yaml-cpp/yaml.h>

#include <functional>
#include <set>

namespace orbitalreg::frontend {
namespace {

using std::chrono::milliseconds;

// OidcReader walks the section. A method of it reads one node, whose path is given for findings.
class OidcReader {
public:
    OidcReader(const std::string& file, LoadedConfig& loaded) : file_{file}, loaded_{loaded} {}

    void read(const YAML::Node& section);

private:
    using ReadEntry = std::function<bool(const std::string& key, const YAML::Node& value,
                                         const std::string& path)>;
    using ReadElement = std::function<void(const YAML::Node& value, const std::string& path)>;

    void error(const YAML::Node& at, const std::string& path, const std::string& message) {
        loaded_.errors.push_back({file_, at.Mark().line + 1, path, message});
    }
    // `read` says whether it knows the key.
    void read_map(const YAML::Node& map, const std::string& path, const ReadEntry& read);
    void read_list(const YAML::Node& list, const std::string& path, const ReadElement& read);

    std::string text(const YAML::Node& node, const std::string& path);
    std::vector<std::string> texts(const YAML::Node& node, const std::string& path);
    // One value, or a list of them.
    std::vector<std::string> text_or_texts(const YAML::Node& node, const std::string& path);
    bool boolean(const YAML::Node& node, const std::string& path);
    milliseconds duration(const YAML::Node& node, const std::string& path);
    std::int64_t seconds(const YAML::Node& node, const std::string& path);

    OidcIssuer read_issuer(const YAML::Node& node, const std::string& path);
    bool read_issuer_time(OidcIssuer& issuer, const std::string& key, const YAML::Node& value,
                          const std::string& path);
    OidcKeyOptions read_keys(const YAML::Node& node, const std::string& path);
    std::vector<SignatureAlgorithm> algorithms(const YAML::Node& node, const std::string& path);
    OidcRule read_rule(const YAML::Node& node, const std::string& path);
    void read_claim(std::vector<OidcMatcher>& matchers, const std::string& claim,
                    const YAML::Node& node, const std::string& path);
    OidcGrant read_grant(const YAML::Node& node, const std::string& path);

    const std::string& file_;
    LoadedConfig& loaded_;
};

void OidcReader::read_map(const YAML::Node& map, const std::string& path, const ReadEntry& read) {
    if (map.IsNull()) return;
    if (!map.IsMap()) {
        error(map, path, "must be a section with keys");
        return;
    }
    std::set<std::string> seen;
    for (const auto& entry : map) {
        const auto key = entry.first.IsScalar() ? entry.first.Scalar() : std::string{};
        const auto at = path + '.' + key;
        if (key.empty()) {
            error(entry.first, path, "a key must be a word");
        } else if (!seen.insert(key).second) {
            error(entry.first, at, "given twice");
        } else if (!read(key, entry.second, at)) {
            error(entry.first, at, "unknown key");
        }
    }
}

void OidcReader::read_list(const YAML::Node& list, const std::string& path,
                           const ReadElement& read) {
    if (list.IsNull()) return;
    if (!list.IsSequence()) {
        error(list, path, "must be a list");
        return;
    }
    for (std::size_t i = 0; i < list.size(); ++i)
        read(list[i], path + '[' + std::to_string(i) + ']');
}

std::string OidcReader::text(const YAML::Node& node, const std::string& path) {
    if (node.IsScalar()) return node.Scalar();
    error(node, path, "takes a single value");
    return {};
}

std::vector<std::string> OidcReader::texts(const YAML::Node& node, const std::string& path) {
    std::vector<std::string> list;
    read_list(node, path, [&](const YAML::Node& value, const std::string& at) {
        list.push_back(text(value, at));
    });
    return list;
}

std::vector<std::string> OidcReader::text_or_texts(const YAML::Node& node,
                                                   const std::string& path) {
    if (node.IsSequence()) return texts(node, path);
    return {text(node, path)};
}

bool OidcReader::boolean(const YAML::Node& node, const std::string& path) {
    const auto value = node.IsScalar() ? parse_bool(node.Scalar()) : std::nullopt;
    if (!value) error(node, path, "is not true or false");
    return value.value_or(false);
}

milliseconds OidcReader::duration(const YAML::Node& node, const std::string& path) {
    const auto value = node.IsScalar() ? parse_duration(node.Scalar()) : std::nullopt;
    if (!value || value->count() == 0) error(node, path, "is not a duration such as 24h or 30s");
    return value.value_or(milliseconds{1});
}

std::int64_t OidcReader::seconds(const YAML::Node& node, const std::string& path) {
    const auto written = node.IsScalar() ? node.Scalar() : std::string{};
    if (const auto number = parse_decimal(written); number && *number <= 1'000'000)
        return static_cast<std::int64_t>(*number);
    if (const auto value = parse_duration(written)) return value->count() / 1000;
    error(node, path, "is not a number of seconds or a duration such as 10m");
    return kOidcTtlMinSeconds;
}

std::vector<SignatureAlgorithm> OidcReader::algorithms(const YAML::Node& node,
                                                       const std::string& path) {
    std::vector<SignatureAlgorithm> list;
    read_list(node, path, [&](const YAML::Node& value, const std::string& at) {
        const auto name = text(value, at);
        if (const auto algorithm = parse_signature_algorithm(name)) {
            list.push_back(*algorithm);
        } else {
            error(value, at, '`' + name + "` is not one of: RS256, PS256, ES256, ES384, EdDSA");
        }
    });
    return list;
}

OidcKeyOptions OidcReader::read_keys(const YAML::Node& node, const std::string& path) {
    OidcKeyOptions keys;
    read_map(node, path, [&](const auto& key, const auto& value, const auto& at) {
        if (key == "mode") {
            const auto mode = text(value, at);
            keys.source = mode == "file" ? OidcKeySource::file : OidcKeySource::discovery;
            if (mode != "file" && mode != "discovery")
                error(value, at, '`' + mode + "` is not one of: discovery, file");
        } else if (key == "path") {
            keys.path = text(value, at);
        } else if (key == "refresh") {
            keys.refresh = duration(value, at);
        } else if (key == "min_refetch") {
            keys.refetch_min = duration(value, at);
        } else if (key == "max_stale") {
            keys.stale_max = duration(value, at);
        } else if (key == "ca_file") {
            if (!value.IsNull()) keys.ca_file = text(value, at);
        } else {
            return false;
        }
        return true;
    });
    return keys;
}

bool OidcReader::read_issuer_time(OidcIssuer& issuer, const std::string& key,
                                  const YAML::Node& value, const std::string& path) {
    if (key == "max_token_life") {
        issuer.token_life_max = duration(value, path);
    } else if (key == "max_token_age") {
        issuer.token_age_max = duration(value, path);
    } else {
        return false;
    }
    return true;
}

OidcIssuer OidcReader::read_issuer(const YAML::Node& node, const std::string& path) {
    OidcIssuer issuer;
    issuer.place = {file_, node.Mark().line + 1};
    read_map(node, path, [&](const auto& key, const auto& value, const auto& at) {
        if (key == "name") {
            issuer.name = text(value, at);
        } else if (key == "issuer") {
            issuer.issuer = text(value, at);
        } else if (key == "audiences") {
            issuer.audiences = texts(value, at);
        } else if (key == "algorithms") {
            issuer.algorithms = algorithms(value, at);
        } else if (key == "jwks") {
            issuer.keys = read_keys(value, at);
        } else if (key == "allow_networks") {
            issuer.allow_networks = texts(value, at);
        } else if (key == "jwks_hosts") {
            issuer.jwks_hosts = texts(value, at);
        } else if (key == "password_login") {
            issuer.password_login = boolean(value, at);
        } else if (key == "groups_claim") {
            issuer.groups_claim = text(value, at);
        } else {
            return read_issuer_time(issuer, key, value, at);
        }
        return true;
    });
    return issuer;
}

void OidcReader::read_claim(std::vector<OidcMatcher>& matchers, const std::string& claim,
                            const YAML::Node& node, const std::string& path) {
    using Kind = OidcMatcher::Kind;
    if (!node.IsMap()) {
        matchers.push_back({claim, Kind::equal, text_or_texts(node, path)});
        return;
    }
    if (node.size() == 0) error(node, path, "must not be empty");
    read_map(node, path, [&](const auto& key, const auto& value, const auto& at) {
        if (key == "glob") {
            matchers.push_back({claim, Kind::glob, text_or_texts(value, at)});
        } else if (key == "regex") {
            matchers.push_back({claim, Kind::regex, text_or_texts(value, at)});
        } else if (key == "not_in") {
            matchers.push_back({claim, Kind::not_in, text_or_texts(value, at)});
        } else if (key == "present") {
            if (!boolean(value, at))
                error(value, at, "can be true only: a missing claim never matches");
            matchers.push_back({claim, Kind::present, {}});
        } else {
            return false;
        }
        return true;
    });
}

OidcGrant OidcReader::read_grant(const YAML::Node& node, const std::string& path) {
    OidcGrant grant;
    read_map(node, path, [&](const auto& key, const auto& value, const auto& at) {
        if (key == "projects") {
            grant.projects = texts(value, at);
        } else if (key == "repositories") {
            grant.repositories = texts(value, at);
            // A list that somebody emptied must not come to mean everything.
            if (grant.repositories.empty())
                error(value, at, "must not be empty; leave it out to mean the whole project");
        } else if (key == "role") {
            grant.role = text(value, at);
        } else if (key == "actions") {
            grant.actions = texts(value, at);
            if (grant.actions.empty())
                error(value, at, "must not be empty; leave it out to mean all of the role");
        } else {
            return false;
        }
        return true;
    });
    return grant;
}

OidcRule OidcReader::read_rule(const YAML::Node& node, const std::string& path) {
    OidcRule rule;
    rule.place = {file_, node.Mark().line + 1};
    read_map(node, path, [&](const auto& key, const auto& value, const auto& at) {
        if (key == "name") {
            rule.name = text(value, at);
        } else if (key == "issuer") {
            rule.issuer = text(value, at);
        } else if (key == "claims") {
            read_map(value, at, [&](const auto& claim, const auto& wanted, const auto& claim_at) {
                read_claim(rule.claims, claim, wanted, claim_at);
                return true;
            });
        } else if (key == "grant") {
            read_list(value, at, [&](const YAML::Node& entry, const std::string& grant_at) {
                rule.grants.push_back(read_grant(entry, grant_at));
            });
        } else if (key == "ttl") {
            rule.ttl_s = seconds(value, at);
        } else {
            return false;
        }
        return true;
    });
    return rule;
}

void OidcReader::read(const YAML::Node& section) {
    auto& oidc = loaded_.config.oidc;
    read_map(section, "oidc", [&](const auto& key, const auto& value, const auto& at) {
        if (key == "issuers") {
            oidc.issuers.clear();
            read_list(value, at, [&](const YAML::Node& entry, const std::string& path) {
                oidc.issuers.push_back(read_issuer(entry, path));
            });
        } else if (key == "rules") {
            oidc.rules.clear();
            read_list(value, at, [&](const YAML::Node& entry, const std::string& path) {
                oidc.rules.push_back(read_rule(entry, path));
            });
        } else {
            return false;
        }
        return true;
    });
}

}  // namespace

void read_oidc_section(const YAML::Node& section, const std::string& file, LoadedConfig& loaded) {
    OidcReader{file, loaded}.read(section);
}

}  // namespace orbitalreg::frontend
