#include "handlers/management/repository_json.h"

#include "config/quantities.h"
#include "frontend/upstreams.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <map>
#include <optional>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using Read = std::function<bool(const json::value&)>;

std::string duration_text(std::int64_t ms) {
    constexpr std::int64_t kDay = 86'400'000;
    constexpr std::int64_t kHour = 3'600'000;
    constexpr std::int64_t kMinute = 60'000;
    if (ms % kDay == 0 && ms > 0) return std::to_string(ms / kDay) + 'd';
    if (ms % kHour == 0 && ms > 0) return std::to_string(ms / kHour) + 'h';
    if (ms % kMinute == 0 && ms > 0) return std::to_string(ms / kMinute) + 'm';
    if (ms % 1000 == 0) return std::to_string(ms / 1000) + 's';
    return std::to_string(ms) + "ms";
}

json::array to_array(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts) array.emplace_back(text);
    return array;
}

std::optional<std::string> text_of(const json::value& value) {
    const auto* text = value.if_string();
    if (text == nullptr) return std::nullopt;
    return std::string{text->data(), text->size()};
}

Read text(std::string& to) {
    return [&to](const json::value& value) {
        const auto read = text_of(value);
        if (read) to = *read;
        return read.has_value();
    };
}

Read texts(std::vector<std::string>& to) {
    return [&to](const json::value& value) {
        if (!value.is_array()) return false;
        to.clear();
        for (const auto& entry : value.get_array()) {
            const auto read = text_of(entry);
            if (!read || read->empty()) return false;
            to.push_back(*read);
        }
        return true;
    };
}

Read flag(bool& to) {
    return [&to](const json::value& value) {
        if (value.is_bool()) to = value.get_bool();
        return value.is_bool();
    };
}

Read duration(std::int64_t& to) {
    return [&to](const json::value& value) {
        const auto read = text_of(value);
        const auto parsed = read ? parse_duration(*read) : std::nullopt;
        if (parsed) to = parsed->count();
        return parsed.has_value();
    };
}

// A number of bytes, or 64MiB.
Read size(std::uint64_t& to) {
    return [&to](const json::value& value) {
        const auto read = text_of(value);
        const auto parsed = read ? parse_size(*read) : std::nullopt;
        if (parsed) to = *parsed;
        if (value.is_int64() && value.get_int64() >= 0) {
            to = static_cast<std::uint64_t>(value.get_int64());
            return true;
        }
        return parsed.has_value();
    };
}

std::string read_all(const json::object& object, const std::map<std::string, Read>& keys,
                     const std::string& where) {
    for (const auto& [key, value] : object) {
        const auto found = keys.find(std::string{key});
        if (found == keys.end()) return '`' + where + std::string{key} + "` is not known here";
        if (!found->second(value))
            return '`' + where + std::string{key} + "` has a value that it cannot have";
    }
    return {};
}

std::string read_member(const json::value& value, engine::VirtualMember& member) {
    if (const auto name = text_of(value)) {
        member.repository = *name;
        return {};
    }
    if (!value.is_object()) return "a member is a name or an object";
    const auto rewrite = [&member](const json::value& list) {
        if (!list.is_array()) return false;
        for (const auto& entry : list.get_array()) {
            engine::VirtualMember::Rewrite rule;
            if (!entry.is_object()) return false;
            const auto wrong = read_all(entry.get_object(),
                                        {{"from", text(rule.from)}, {"to", text(rule.to)}}, {});
            if (!wrong.empty()) return false;
            member.rewrite.push_back(std::move(rule));
        }
        return true;
    };
    return read_all(value.get_object(),
                    {{"name", text(member.repository)},
                     {"include", texts(member.include)},
                     {"exclude", texts(member.exclude)},
                     {"owns_names", flag(member.owns_names)},
                     {"rewrite", rewrite}},
                    "members.");
}

}  // namespace

json::object to_json(const engine::RemoteSettings& remote) {
    json::object object{{"url", remote.url},
                        {"username", remote.username},
                        {"password_set", !remote.password.empty()},
                        {"ca_file", remote.ca_file},
                        {"insecure_skip_verify", remote.insecure_skip_verify},
                        {"proxy", remote.proxy},
                        {"allow_networks", to_array(remote.allow_networks)},
                        {"auth_hosts", to_array(remote.auth_hosts)},
                        {"revalidate_after", duration_text(remote.revalidate_after_ms)},
                        {"stale_if_error", remote.stale_if_error},
                        {"max_stale", duration_text(remote.max_stale_ms)},
                        {"negative_ttl", duration_text(remote.negative_ttl_ms)},
                        {"offline", remote.offline},
                        {"prefetch", remote.prefetch},
                        {"cache_bytes", remote.cache_bytes},
                        {"connect_timeout", duration_text(remote.connect_timeout_ms)},
                        {"idle_timeout", duration_text(remote.idle_timeout_ms)},
                        {"min_rate", remote.min_rate_bytes},
                        {"connections_max", remote.connections_max}};
    if (remote.library_prefix) object["library_prefix"] = *remote.library_prefix;
    return object;
}

std::string read_remote(const json::object& object, engine::RemoteSettings& remote) {
    std::uint64_t connections = remote.connections_max;
    const auto wrong = read_all(object,
                                {{"url", text(remote.url)},
                                 {"username", text(remote.username)},
                                 {"password", text(remote.password)},
                                 {"ca_file", text(remote.ca_file)},
                                 {"insecure_skip_verify", flag(remote.insecure_skip_verify)},
                                 {"proxy", text(remote.proxy)},
                                 {"allow_networks", texts(remote.allow_networks)},
                                 {"auth_hosts", texts(remote.auth_hosts)},
                                 {"library_prefix",
                                  [&remote](const json::value& value) {
                                      if (value.is_bool()) remote.library_prefix = value.get_bool();
                                      return value.is_bool();
                                  }},
                                 {"revalidate_after", duration(remote.revalidate_after_ms)},
                                 {"stale_if_error", flag(remote.stale_if_error)},
                                 {"max_stale", duration(remote.max_stale_ms)},
                                 {"negative_ttl", duration(remote.negative_ttl_ms)},
                                 {"offline", flag(remote.offline)},
                                 {"prefetch", flag(remote.prefetch)},
                                 {"cache_bytes", size(remote.cache_bytes)},
                                 {"connect_timeout", duration(remote.connect_timeout_ms)},
                                 {"idle_timeout", duration(remote.idle_timeout_ms)},
                                 {"min_rate", size(remote.min_rate_bytes)},
                                 {"connections_max", size(connections)}},
                                "remote.");
    if (!wrong.empty()) return wrong;
    if (connections < 1 || connections > 1'000) return "`remote.connections_max` is 1 to 1000";
    remote.connections_max = static_cast<std::uint32_t>(connections);
    return check_remote(remote);
}

json::object to_json(const engine::VirtualSettings& settings) {
    json::array members;
    for (const auto& member : settings.members) {
        json::array rewrite;
        for (const auto& rule : member.rewrite)
            rewrite.push_back(json::object{{"from", rule.from}, {"to", rule.to}});
        members.push_back(json::object{{"name", member.repository},
                                       {"include", to_array(member.include)},
                                       {"exclude", to_array(member.exclude)},
                                       {"owns_names", member.owns_names},
                                       {"rewrite", std::move(rewrite)}});
    }
    return {{"members", std::move(members)}, {"deploy_to", settings.deploy_to}};
}

std::string read_virtual(const json::object& object, engine::VirtualSettings& settings) {
    std::string trouble;
    const auto members = [&](const json::value& list) {
        if (!list.is_array()) return false;
        settings.members.clear();
        for (const auto& entry : list.get_array()) {
            engine::VirtualMember member;
            trouble = read_member(entry, member);
            if (trouble.empty() && member.repository.empty()) trouble = "a member needs a `name`";
            if (!trouble.empty()) return false;
            settings.members.push_back(std::move(member));
        }
        return true;
    };
    const auto wrong = read_all(
        object, {{"members", members}, {"deploy_to", text(settings.deploy_to)}}, "virtual.");
    if (!trouble.empty()) return trouble;
    if (!wrong.empty()) return wrong;
    return settings.members.empty() ? "`virtual.members` is missing" : std::string{};
}

}  // namespace orbitalreg::frontend
