#include "grant_text.h"

#include "engine/access.h"

#include <algorithm>

namespace orbitalreg::program {
namespace {

std::string grant_text(const json::object& grant) {
    std::string line = text(grant, "role");
    if (const auto project = text(grant, "project"); !project.empty()) line += " of " + project;
    if (const auto patterns = joined(grant, "repositories"); !patterns.empty())
        line += " on " + patterns;
    if (const auto actions = joined(grant, "actions"); !actions.empty())
        line += " (only " + actions + ')';
    if (const auto origin = text(grant, "origin"); !origin.empty()) line += " by " + origin;
    return line;
}

std::optional<json::object> parse_grant(const std::string& typed, const std::string& project,
                                        std::string& trouble) {
    auto parts = split(typed, ':');
    // A robot of a project may be told the project again.
    const bool led = project.empty() || (parts.size() > 1 && parts[0] == project &&
                                         engine::parse_role(parts[1]).has_value());
    const std::string named = led ? parts[0] : std::string{};
    if (led) parts.erase(parts.begin());
    const bool formed = (parts.size() == 1 || parts.size() == 2) && !(led && named.empty());
    if (!formed || !engine::parse_role(parts[0])) {
        trouble = typed + ": a grant looks like " +
                  (project.empty()
                       ? "acme:developer or acme:developer:acme/app,acme/web/**"
                       : "developer or developer:" + project + "/app," + project + "/web/**") +
                  ", with one of the roles " + kRoleNames;
        return std::nullopt;
    }
    const auto patterns = parts.size() == 2 ? split(parts[1], ',') : std::vector<std::string>{};
    if (std::find(patterns.begin(), patterns.end(), std::string{}) != patterns.end()) {
        trouble = typed + ": there is a pattern that is empty";
        return std::nullopt;
    }
    auto body = grant_body(parts[0], patterns);
    if (project.empty()) body["project"] = named;
    return body;
}

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == text.npos) return parts;
        text.remove_prefix(end + 1);
    }
}

json::array string_array(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts) array.emplace_back(text);
    return array;
}

json::object grant_body(const std::string& role, const std::vector<std::string>& patterns) {
    json::object grant{{"role", role}};
    if (!patterns.empty()) grant["repositories"] = string_array(patterns);
    return grant;
}

std::optional<json::array> parse_grants(const std::vector<std::string>& texts,
                                        const std::string& project, std::string& trouble) {
    json::array grants;
    for (const auto& typed : texts) {
        auto grant = parse_grant(typed, project, trouble);
        if (!grant) return std::nullopt;
        grants.push_back(std::move(*grant));
    }
    return grants;
}

std::string grants_text(const json::object& object, std::string_view name) {
    std::string line;
    for (const auto& grant : objects(object, name))
        line += (line.empty() ? "" : "; ") + grant_text(grant);
    return line;
}

}  // namespace orbitalreg::program
