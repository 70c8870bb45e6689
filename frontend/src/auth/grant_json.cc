#include "auth/grant_json.h"

#include <boost/json/object.hpp>

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;

constexpr std::size_t kPatternSizeMax = 255;
constexpr std::size_t kListMax = 100;

std::string_view text_of(const json::value& value) noexcept {
    return {value.get_string().data(), value.get_string().size()};
}

// The strings of a list; nothing for anything else, and for an empty one.
std::optional<std::vector<std::string_view>> read_list(const json::value& value) {
    if (!value.is_array() || value.get_array().empty() || value.get_array().size() > kListMax)
        return std::nullopt;
    std::vector<std::string_view> texts;
    for (const auto& each : value.get_array()) {
        if (!each.is_string() || each.get_string().empty() ||
            each.get_string().size() > kPatternSizeMax)
            return std::nullopt;
        texts.push_back(text_of(each));
    }
    return texts;
}

bool read_patterns(const json::value& value, std::vector<std::string>& patterns) {
    const auto texts = read_list(value);
    if (texts) patterns.assign(texts->begin(), texts->end());
    return texts.has_value();
}

bool read_actions(const json::value& value, std::vector<engine::Action>& actions) {
    const auto texts = read_list(value);
    if (!texts) return false;
    for (const auto text : *texts) {
        const auto action = engine::parse_action(text);
        if (!action) return false;
        actions.push_back(*action);
    }
    return true;
}

bool read_member(const json::key_value_pair& member, engine::Grant& grant, bool& has_role) {
    const std::string_view key{member.key().data(), member.key().size()};
    const auto& value = member.value();
    if (key == "repositories") return read_patterns(value, grant.patterns);
    if (key == "actions") return read_actions(value, grant.only);
    if (!value.is_string()) return false;
    if (key == "project") {
        grant.project = text_of(value);
        return true;
    }
    if (key == "origin") {
        grant.origin = text_of(value);
        return true;
    }
    if (key != "role") return false;
    const auto role = engine::parse_role(text_of(value));
    if (role) grant.role = *role;
    has_role = role.has_value();
    return has_role;
}

template <class T>
void add_limits(json::object& object, const T& patterns, const std::vector<engine::Action>& only) {
    if (!patterns.empty()) object["repositories"] = json::array(patterns.begin(), patterns.end());
    if (only.empty()) return;
    json::array actions;
    for (const auto action : only) actions.emplace_back(engine::to_string(action));
    object["actions"] = std::move(actions);
}

}  // namespace

json::array to_json(const std::vector<engine::Grant>& grants) {
    json::array array;
    for (const auto& grant : grants) {
        json::object object{{"project", grant.project}, {"role", engine::to_string(grant.role)}};
        add_limits(object, grant.patterns, grant.only);
        if (!grant.origin.empty()) object["origin"] = grant.origin;
        array.push_back(std::move(object));
    }
    return array;
}

std::optional<std::vector<engine::Grant>> grants_from_json(const json::value& value) {
    if (!value.is_array() || value.get_array().size() > kListMax) return std::nullopt;
    std::vector<engine::Grant> grants;
    for (const auto& each : value.get_array()) {
        if (!each.is_object()) return std::nullopt;
        engine::Grant grant;
        bool has_role = false;
        for (const auto& member : each.get_object()) {
            if (!read_member(member, grant, has_role)) return std::nullopt;
        }
        if (!has_role) return std::nullopt;
        grants.push_back(std::move(grant));
    }
    return grants;
}

json::object to_json(const engine::Restriction& limit) {
    json::object object;
    add_limits(object, limit.patterns, limit.only);
    return object;
}

std::optional<engine::Restriction> restriction_from_json(const json::value& value) {
    if (!value.is_object()) return std::nullopt;
    engine::Restriction limit;
    for (const auto& member : value.get_object()) {
        const std::string_view key{member.key().data(), member.key().size()};
        const bool read = key == "repositories" ? read_patterns(member.value(), limit.patterns)
                          : key == "actions"    ? read_actions(member.value(), limit.only)
                                                : false;
        if (!read) return std::nullopt;
    }
    return limit;
}

}  // namespace orbitalreg::frontend
