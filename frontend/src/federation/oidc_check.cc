#include "engine/access.h"
#include "engine/names.h"
#include "federation/claim_rules.h"
#include "frontend/http_client.h"
#include "frontend/oidc.h"
#include "http/ascii.h"
#include "http/forwarded.h"

#include <algorithm>
#include <array>
#include <set>

namespace orbitalreg::frontend {
namespace {

using Kind = OidcMatcher::Kind;

constexpr std::size_t kNameSizeMax = 64;

// What names one repository or project of a provider; without one of these a rule speaks of everybody there (SEC-56).
constexpr std::array<std::string_view, 7> kIdentityClaims{
    "sub",          "repository", "repository_id", "repository_owner_id",
    "project_path", "project_id", "namespace_id"};
// Given out once and never again; names change hands.
constexpr std::array<std::string_view, 4> kLastingClaims{"repository_id", "repository_owner_id",
                                                         "project_id", "namespace_id"};

// Audiences that many services share: a token for one of them would be taken by all (SEC-55).
constexpr std::array<std::string_view, 14> kGenericAudiences{"sigstore",
                                                             "api://AzureADTokenExchange",
                                                             "sts.amazonaws.com",
                                                             "https://github.com",
                                                             "https://gitlab.com",
                                                             "https://kubernetes.default.svc",
                                                             "kubernetes",
                                                             "https://vault.example.com",
                                                             "vault",
                                                             "pypi",
                                                             "npm:registry.npmjs.org",
                                                             "api://default",
                                                             "account",
                                                             "default"};

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& list) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

bool is_plain_name(std::string_view text) {
    return !text.empty() && text.size() <= kNameSizeMax &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_lower(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
           });
}

bool is_pattern(Kind kind) noexcept { return kind == Kind::glob || kind == Kind::regex; }

// Where the owner ends in the beginning that all values of a claim share: `acme/`, `repo:acme/`, `system:`. Nothing where it is
// not written out.
std::optional<std::string_view> owner_in(std::string_view claim, std::string_view beginning) {
    constexpr std::array<std::string_view, 2> kPathSubjects{"repo:", "project_path:"};
    std::size_t skipped = 0;
    bool path = claim != "sub";
    for (const auto prefix : kPathSubjects) {
        if (path || !beginning.starts_with(prefix)) continue;
        skipped = prefix.size();
        path = true;
    }
    const auto end = beginning.find_first_of(path ? "/" : "/:", skipped);
    if (end == beginning.npos || end == skipped) return std::nullopt;
    return beginning.substr(0, end + 1);
}

// Whether all that a pattern accepts belongs to one owner: `acme/*` does; `*/app`, `acme*/app` and `repo:.*` do not.
bool has_one_owner(const OidcMatcher& matcher, const std::string& pattern) {
    if (is_one_of(matcher.claim, kLastingClaims)) return false;  // ids have no families
    const auto range = texts_of_pattern(matcher.kind, pattern);
    if (!range) return false;
    const auto owner = owner_in(matcher.claim, range->first);
    if (!owner) return false;
    std::string behind{*owner};  // the first text that does not begin so
    ++behind.back();
    return range->last <= behind;
}

// Whether a claim of one owner's must be there for the matcher to accept.
bool constrains(const OidcMatcher& matcher) {
    if (!is_one_of(matcher.claim, kIdentityClaims)) return false;
    if (matcher.kind == Kind::equal) return true;
    return is_pattern(matcher.kind) &&
           std::all_of(matcher.values.begin(), matcher.values.end(),
                       [&matcher](const auto& pattern) { return has_one_owner(matcher, pattern); });
}

// Whether what it compares is given to somebody else when its owner is renamed or goes.
bool is_lasting(const OidcMatcher& matcher) {
    if (matcher.kind != Kind::equal) return false;
    if (is_one_of(matcher.claim, kLastingClaims)) return true;
    // The subjects of GitHub and GitLab are made of names; those of others are ids.
    return matcher.claim == "sub" &&
           std::none_of(matcher.values.begin(), matcher.values.end(), [](const auto& value) {
               return value.starts_with("repo:") || value.starts_with("project_path:");
           });
}

class OidcChecker {
public:
    OidcChecker(const OidcOptions& options, bool offline) : options_{options}, offline_{offline} {}

    std::vector<OidcFinding> check();

private:
    void error(const std::string& key, std::string message) {
        findings_.push_back({false, place_, path_ + key, std::move(message)});
    }
    void warn(const std::string& key, std::string message) {
        findings_.push_back({true, place_, path_ + key, std::move(message)});
    }

    void check_issuer(const OidcIssuer& issuer);
    void check_issuer_url(const std::string& text);
    void check_audience(const OidcIssuer& issuer, const std::string& audience);
    void check_keys(const OidcIssuer& issuer);
    void check_times(const OidcIssuer& issuer);
    void check_rule(const OidcRule& rule);
    void check_matcher(const OidcMatcher& matcher);
    void check_identity(const OidcRule& rule);
    void check_grant(const OidcGrant& grant, const std::string& key);
    void check_projects(const OidcGrant& grant, const std::string& key);
    void check_actions(const OidcGrant& grant, engine::Role role, const std::string& key);

    const OidcOptions& options_;
    const bool offline_;
    std::vector<OidcFinding> findings_;
    OidcPlace place_;  // of what is being looked at
    std::string path_;
};

void OidcChecker::check_issuer_url(const std::string& text) {
    const auto url = parse_http_url(text);
    if (!url || text.find('?') != text.npos) {
        error(".issuer", '`' + text + "` is not a URL without user, query and fragment");
    } else if (url->scheme != "https" && !is_loopback_host(url->host)) {
        error(".issuer", "must be https; http only on this machine, for tests");
    }
}

void OidcChecker::check_audience(const OidcIssuer& issuer, const std::string& audience) {
    const bool generic = is_one_of(audience, kGenericAudiences) || audience == issuer.issuer ||
                         audience.starts_with("https://github.com/");
    if (audience.empty() || audience.find('*') != audience.npos) {
        error(".audiences", "must be the exact name of this registry");
    } else if (generic) {
        error(".audiences",
              '`' + audience +
                  "` is an audience that many services share; tokens must be made for "
                  "this registry alone");
    }
}

void OidcChecker::check_keys(const OidcIssuer& issuer) {
    const auto& keys = issuer.keys;
    if (keys.source == OidcKeySource::file) {
        if (keys.path.empty()) error(".jwks", "needs a `path` with mode file");
        if (!keys.ca_file.empty()) error(".jwks.ca_file", "is without effect with mode file");
        return;
    }
    if (offline_) {
        error(".jwks",
              "mode discovery asks the issuer over the network, and auth.offline is set: "
              "use mode file");
    }
    if (!keys.path.empty()) error(".jwks.path", "is without effect with mode discovery");
    if (keys.stale_max < keys.refresh)
        error(".jwks.max_stale", "must not be smaller than `refresh`");
}

void OidcChecker::check_times(const OidcIssuer& issuer) {
    using std::chrono::hours;
    using std::chrono::minutes;
    if (issuer.token_life_max < minutes{1} || issuer.token_life_max > hours{24})
        error(".max_token_life", "must be from 1m to 24h");
    if (issuer.token_age_max < minutes{1} || issuer.token_age_max > hours{24})
        error(".max_token_age", "must be from 1m to 24h");
}

void OidcChecker::check_issuer(const OidcIssuer& issuer) {
    if (!is_plain_name(issuer.name))
        error(".name", "must be 1 to 64 of a-z, 0-9, `.`, `_` and `-`");
    check_issuer_url(issuer.issuer);
    if (issuer.audiences.empty()) error("", "needs `audiences`");
    for (const auto& audience : issuer.audiences) check_audience(issuer, audience);
    if (issuer.algorithms.empty()) error(".algorithms", "must not be empty");
    check_keys(issuer);
    check_times(issuer);
    for (const auto& network : issuer.allow_networks) {
        if (!parse_network(network))
            error(".allow_networks", '`' + network + "` is no network such as 192.0.2.0/24");
    }
    for (const auto& host : issuer.jwks_hosts) {
        const auto url = parse_http_url("https://" + host + '/');
        if (!url || url->host != host) error(".jwks_hosts", '`' + host + "` is no host name");
    }
}

void OidcChecker::check_matcher(const OidcMatcher& matcher) {
    const auto key = ".claims." + matcher.claim;
    if (matcher.claim.empty()) error(".claims", "a claim needs a name");
    if (matcher.kind != Kind::present && matcher.values.empty()) error(key, "must not be empty");
    if (matcher.values.size() > kOidcValuesMax) error(key, "has too many values");
    for (const auto& value : matcher.values) {
        if (value.empty()) error(key, "an empty value or pattern is refused");
        if (is_pattern(matcher.kind) && value.size() > kOidcPatternSizeMax)
            error(key, "a pattern is longer than 512 characters");
    }
    if (!is_pattern(matcher.kind)) return;
    const ClaimMatcher compiled{matcher};
    if (!compiled.fault().empty()) error(key, "is no regular expression: " + compiled.fault());
}

void OidcChecker::check_identity(const OidcRule& rule) {
    if (std::none_of(rule.claims.begin(), rule.claims.end(), constrains)) {
        std::string names;
        for (const auto name : kIdentityClaims)
            names.append(names.empty() ? "" : ", ").append(name);
        error(".claims",
              "must say whose tokens it means, by one of: " + names +
                  "; not by a pattern that anybody's would fit, and a glob must write the "
                  "owner out");
    } else if (std::none_of(rule.claims.begin(), rule.claims.end(), is_lasting)) {
        warn(".claims",
             "compares names only, which can be taken over by others after a renaming; "
             "add repository_owner_id, repository_id, project_id or namespace_id");
    }
}

void OidcChecker::check_actions(const OidcGrant& grant, engine::Role role, const std::string& key) {
    for (const auto& name : grant.actions) {
        const auto action = engine::parse_action(name);
        if (!action) {
            error(key + ".actions", '`' + name + "` is no action");
        } else if (!engine::role_allows(role, *action)) {
            error(key + ".actions", "the role " + grant.role + " does not allow `" + name + '`');
        }
    }
}

void OidcChecker::check_projects(const OidcGrant& grant, const std::string& key) {
    if (grant.projects.empty()) error(key, "needs `projects`");
    for (const auto& project : grant.projects) {
        const auto claims = template_claims(project);
        const auto name = engine::ImageName::parse(project);
        if (!claims) {
            error(key + ".projects", '`' + project + "` is not of the form `{{claims.NAME}}`");
        } else if (claims->empty() && (!name || name.value().component_count() != 1)) {
            error(key + ".projects", '`' + project + "` is no name of a project");
        } else if (!claims->empty() && grant.role == to_string(engine::Role::project_admin)) {
            error(key + ".projects",
                  "a project that a token names cannot be granted with role admin");
        }
    }
}

void OidcChecker::check_grant(const OidcGrant& grant, const std::string& key) {
    const auto role = engine::parse_role(grant.role);
    if (role) {
        check_actions(grant, *role, key);
    } else if (grant.role.find("system") != grant.role.npos || grant.role == "administrator") {
        error(key + ".role", "nobody administers the system by a token from outside");
    } else {
        error(key + ".role", '`' + grant.role +
                                 "` is not one of: limited, guest, developer, maintainer, admin, "
                                 "security");
    }
    check_projects(grant, key);
    for (const auto& pattern : grant.repositories) {
        if (pattern.empty()) error(key + ".repositories", "an empty pattern is refused");
        if (pattern.find_first_of("{}") != pattern.npos)
            error(key + ".repositories", "values of claims may stand in `projects` only");
    }
}

void OidcChecker::check_rule(const OidcRule& rule) {
    if (!is_plain_name(rule.name)) error(".name", "must be 1 to 64 of a-z, 0-9, `.`, `_` and `-`");
    const bool known =
        std::any_of(options_.issuers.begin(), options_.issuers.end(),
                    [&rule](const auto& issuer) { return issuer.name == rule.issuer; });
    if (!known) error(".issuer", '`' + rule.issuer + "` is the name of no issuer");
    for (const auto& matcher : rule.claims) check_matcher(matcher);
    check_identity(rule);
    if (rule.grants.empty()) error("", "needs a `grant`");
    for (std::size_t i = 0; i < rule.grants.size(); ++i)
        check_grant(rule.grants[i], ".grant[" + std::to_string(i) + ']');
    if (rule.ttl_s < kOidcTtlMinSeconds || rule.ttl_s > kOidcTtlMaxSeconds)
        error(".ttl", "must be from 60 to 900 seconds");
}

std::vector<OidcFinding> OidcChecker::check() {
    std::set<std::string_view> names;
    std::set<std::string_view> urls;
    for (std::size_t i = 0; i < options_.issuers.size(); ++i) {
        const auto& issuer = options_.issuers[i];
        place_ = issuer.place;
        path_ = "oidc.issuers[" + std::to_string(i) + ']';
        check_issuer(issuer);
        if (!names.insert(issuer.name).second) error(".name", "is given twice");
        if (!urls.insert(issuer.issuer).second) error(".issuer", "is given twice");
    }
    names.clear();
    for (std::size_t i = 0; i < options_.rules.size(); ++i) {
        const auto& rule = options_.rules[i];
        place_ = rule.place;
        path_ = "oidc.rules[" + std::to_string(i) + ']';
        check_rule(rule);
        if (!names.insert(rule.name).second) error(".name", "is given twice");
    }
    place_ = {};
    path_ = "oidc";
    if (options_.issuers.size() > kOidcIssuersMax) error(".issuers", "are more than 32");
    if (options_.rules.size() > kOidcRulesMax) error(".rules", "are more than 1000");
    return std::move(findings_);
}

}  // namespace

std::vector<OidcFinding> check_oidc(const OidcOptions& options, bool offline) {
    return OidcChecker{options, offline}.check();
}

}  // namespace orbitalreg::frontend
