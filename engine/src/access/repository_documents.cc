#include "access/repository_documents.h"

#include "access/document_text.h"

namespace orbitalreg::engine {
namespace {

namespace json = boost::json;

json::array to_array(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts) array.emplace_back(text);
    return array;
}

std::vector<std::string> texts_of(const json::object& object, std::string_view key) {
    std::vector<std::string> texts;
    const auto* found = object.if_contains(key);
    if (found == nullptr || !found->is_array()) return texts;
    for (const auto& entry : found->get_array()) {
        if (const auto* text = entry.if_string()) texts.emplace_back(text->data(), text->size());
    }
    return texts;
}

json::object to_json(const RemoteSettings& remote) {
    json::object object{{"url", remote.url},
                        {"username", remote.username},
                        {"password", remote.password},
                        {"ca_file", remote.ca_file},
                        {"insecure_skip_verify", remote.insecure_skip_verify},
                        {"proxy", remote.proxy},
                        {"allow_networks", to_array(remote.allow_networks)},
                        {"auth_hosts", to_array(remote.auth_hosts)},
                        {"revalidate_after_ms", remote.revalidate_after_ms},
                        {"stale_if_error", remote.stale_if_error},
                        {"max_stale_ms", remote.max_stale_ms},
                        {"negative_ttl_ms", remote.negative_ttl_ms},
                        {"offline", remote.offline},
                        {"prefetch", remote.prefetch},
                        {"cache_bytes", remote.cache_bytes},
                        {"connect_timeout_ms", remote.connect_timeout_ms},
                        {"idle_timeout_ms", remote.idle_timeout_ms},
                        {"min_rate_bytes", remote.min_rate_bytes},
                        {"connections_max", remote.connections_max}};
    if (remote.library_prefix) object["library_prefix"] = *remote.library_prefix;
    return object;
}

RemoteSettings remote_of(const json::object& object) {
    RemoteSettings remote;
    remote.url = text_of(object, "url");
    remote.username = text_of(object, "username");
    remote.password = text_of(object, "password");
    remote.ca_file = text_of(object, "ca_file");
    remote.insecure_skip_verify = flag_of(object, "insecure_skip_verify");
    remote.proxy = text_of(object, "proxy");
    remote.allow_networks = texts_of(object, "allow_networks");
    remote.auth_hosts = texts_of(object, "auth_hosts");
    if (object.contains("library_prefix"))
        remote.library_prefix = flag_of(object, "library_prefix");
    remote.revalidate_after_ms = number_of(object, "revalidate_after_ms");
    remote.stale_if_error = flag_of(object, "stale_if_error");
    remote.max_stale_ms = number_of(object, "max_stale_ms");
    remote.negative_ttl_ms = number_of(object, "negative_ttl_ms");
    remote.offline = flag_of(object, "offline");
    remote.prefetch = flag_of(object, "prefetch");
    remote.cache_bytes = static_cast<std::uint64_t>(number_of(object, "cache_bytes"));
    remote.connect_timeout_ms = number_of(object, "connect_timeout_ms");
    remote.idle_timeout_ms = number_of(object, "idle_timeout_ms");
    remote.min_rate_bytes = static_cast<std::uint64_t>(number_of(object, "min_rate_bytes"));
    remote.connections_max = static_cast<std::uint32_t>(number_of(object, "connections_max"));
    return remote;
}

json::object to_json(const VirtualSettings& settings) {
    json::array members;
    for (const auto& member : settings.members) {
        json::array rewrite;
        for (const auto& rule : member.rewrite)
            rewrite.push_back(json::object{{"from", rule.from}, {"to", rule.to}});
        members.push_back(json::object{{"repository", member.repository},
                                       {"include", to_array(member.include)},
                                       {"exclude", to_array(member.exclude)},
                                       {"rewrite", std::move(rewrite)},
                                       {"owns_names", member.owns_names}});
    }
    return {{"members", std::move(members)}, {"deploy_to", settings.deploy_to}};
}

VirtualSettings members_of(const json::object& object) {
    VirtualSettings settings;
    settings.deploy_to = text_of(object, "deploy_to");
    const auto* members = object.if_contains("members");
    if (members == nullptr || !members->is_array()) return settings;
    for (const auto& entry : members->get_array()) {
        const auto* member = entry.if_object();
        if (member == nullptr) continue;
        VirtualMember made{text_of(*member, "repository"),
                           texts_of(*member, "include"),
                           texts_of(*member, "exclude"),
                           {},
                           flag_of(*member, "owns_names")};
        const auto* rewrite = member->if_contains("rewrite");
        if (rewrite != nullptr && rewrite->is_array()) {
            for (const auto& rule : rewrite->get_array()) {
                if (const auto* one = rule.if_object())
                    made.rewrite.push_back({text_of(*one, "from"), text_of(*one, "to")});
            }
        }
        settings.members.push_back(std::move(made));
    }
    return settings;
}

}  // namespace

std::vector<std::byte> encode(const RepositorySettings& settings) {
    json::object object{{"project", settings.project},
                        {"name", settings.name},
                        {"sparse_index", settings.sparse_index_allowed},
                        {"description", settings.description}};
    if (settings.open_to_all) object["public"] = *settings.open_to_all;
    if (settings.remote) object["remote"] = to_json(*settings.remote);
    if (settings.members) object["virtual"] = to_json(*settings.members);
    return to_document(object);
}

std::optional<RepositorySettings> decode_repository(ByteView bytes) {
    const auto object = from_document(bytes);
    if (!object) return std::nullopt;
    RepositorySettings settings;
    settings.project = text_of(*object, "project");
    settings.name = text_of(*object, "name");
    settings.sparse_index_allowed = flag_of(*object, "sparse_index");
    if (object->contains("public")) settings.open_to_all = flag_of(*object, "public");
    settings.description = text_of(*object, "description");
    if (const auto* remote = object->if_contains("remote");
        remote != nullptr && remote->is_object()) {
        settings.type = RepositoryType::remote;
        settings.remote = std::make_shared<const RemoteSettings>(remote_of(remote->get_object()));
    }
    if (const auto* members = object->if_contains("virtual");
        members != nullptr && members->is_object()) {
        settings.type = RepositoryType::virtual_members;
        settings.members =
            std::make_shared<const VirtualSettings>(members_of(members->get_object()));
    }
    return settings.name.empty() ? std::nullopt : std::optional{std::move(settings)};
}

}  // namespace orbitalreg::engine
