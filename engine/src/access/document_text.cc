#include "access/document_text.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace orbitalreg::engine {
namespace {

namespace json = boost::json;

bool is_plain(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"._-@+$"}.find(c) != std::string_view::npos;
}

const json::array* array_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_array() ? &value->get_array() : nullptr;
}

// An empty list means no limit: one of which a part was not understood must not become one.
bool is_whole(const json::object& object, std::string_view name, std::size_t understood) {
    const auto* array = array_of(object, name);
    return array == nullptr ? !object.contains(name) : array->size() == understood;
}

std::optional<Grant> read_grant(const json::value& value) {
    if (!value.is_object()) return std::nullopt;
    const auto& object = value.get_object();
    const auto role = parse_role(text_of(object, "role"));
    if (!role) return std::nullopt;
    Grant grant{text_of(object, "project"), *role, texts_of(object, "repositories"),
                actions_of(object, "actions"), text_of(object, "origin")};
    const bool whole = is_whole(object, "repositories", grant.patterns.size()) &&
                       is_whole(object, "actions", grant.only.size());
    return whole && !grant.project.empty() ? std::optional{std::move(grant)} : std::nullopt;
}

}  // namespace

std::vector<std::byte> to_document(const json::object& object) {
    const auto text = json::serialize(object);
    const auto bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

std::optional<json::object> from_document(ByteView bytes) {
    boost::system::error_code ec;
    auto value = json::parse(as_text(bytes), ec);
    if (ec || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

std::string text_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string{value->get_string()}
                                                  : std::string{};
}

std::int64_t number_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

bool flag_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_bool() && value->get_bool();
}

json::array to_array(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts) array.emplace_back(text);
    return array;
}

std::vector<std::string> texts_of(const json::object& object, std::string_view name) {
    std::vector<std::string> texts;
    if (const auto* array = array_of(object, name)) {
        for (const auto& value : *array) {
            if (value.is_string()) texts.emplace_back(value.get_string());
        }
    }
    return texts;
}

json::array to_array(const std::vector<Action>& actions) {
    json::array array;
    for (const auto action : actions) array.emplace_back(to_string(action));
    return array;
}

std::vector<Action> actions_of(const json::object& object, std::string_view name) {
    std::vector<Action> actions;
    for (const auto& text : texts_of(object, name)) {
        if (const auto action = parse_action(text)) actions.push_back(*action);
    }
    return actions;
}

json::array to_array(const std::vector<Grant>& grants) {
    json::array array;
    for (const auto& grant : grants) {
        json::object object{{"project", grant.project}, {"role", to_string(grant.role)}};
        if (!grant.patterns.empty()) object["repositories"] = to_array(grant.patterns);
        if (!grant.only.empty()) object["actions"] = to_array(grant.only);
        if (!grant.origin.empty()) object["origin"] = grant.origin;
        array.push_back(std::move(object));
    }
    return array;
}

std::vector<Grant> grants_of(const json::object& object, std::string_view name) {
    std::vector<Grant> grants;
    if (const auto* array = array_of(object, name)) {
        for (const auto& value : *array) {
            if (auto grant = read_grant(value)) grants.push_back(std::move(*grant));
        }
    }
    return grants;
}

json::object to_object(const Restriction& limit) {
    json::object object;
    if (!limit.patterns.empty()) object["repositories"] = to_array(limit.patterns);
    if (!limit.only.empty()) object["actions"] = to_array(limit.only);
    return object;
}

std::optional<Restriction> restriction_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_object()) return std::nullopt;
    const auto& members = value->get_object();
    Restriction limit{texts_of(members, "repositories"), actions_of(members, "actions")};
    const bool whole = is_whole(members, "repositories", limit.patterns.size()) &&
                       is_whole(members, "actions", limit.only.size());
    return whole ? std::optional{std::move(limit)} : std::nullopt;
}

std::string name_part(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string name;
    for (const char c : text) {
        if (is_plain(c)) {
            name += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        name += '%';
        name += kHex[byte >> 4];
        name += kHex[byte & 15];
    }
    return name;
}

}  // namespace orbitalreg::engine
