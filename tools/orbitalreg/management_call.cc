#include "management_call.h"

#include "exit_codes.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <iostream>

namespace orbitalreg::program {
namespace {

constexpr std::string_view kRoot = "/api/v1";
constexpr const char* kPageSize = "1000";

// Everything but the unreserved characters of RFC 3986.
std::string percent_encoded(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool plain = letter || (c >= '0' && c <= '9') ||
                           std::string_view{"-._~"}.find(c) != std::string_view::npos;
        if (plain) {
            encoded += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        encoded += '%';
        encoded += kHex[byte >> 4];
        encoded += kHex[byte & 15];
    }
    return encoded;
}

// The query of the next page, as the server wrote it; empty on the last one.
std::string next_query(std::string_view link) {
    const auto end = link.find(">; rel=\"next\"");
    const auto query = link.find('?');
    if (end == link.npos || query == link.npos || query > end) return {};
    return std::string{link.substr(query, end - query)};
}

}  // namespace

void add_management_options(CLI::App& command, ManagementPlace& place) {
    add_server_options(command, place.server);
    command.add_flag("--json", place.json, "What the server answers, as it is");
}

std::string api_path(std::initializer_list<std::string_view> segments) {
    std::string path{kRoot};
    for (const auto segment : segments) path += '/' + percent_encoded(segment);
    return path;
}

std::string with_query(const std::string& path,
                       const std::vector<std::pair<std::string_view, std::string>>& parameters) {
    std::string target = path;
    char separator = '?';
    for (const auto& [name, value] : parameters) {
        if (value.empty()) continue;
        target += separator + std::string{name} + '=' + percent_encoded(value);
        separator = '&';
    }
    return target;
}

ServerClient::Answer send(const ServerClient& client, const ManagementCall& call) {
    const bool bodied = !call.body.empty() || call.method == "POST" || call.method == "PUT" ||
                        call.method == "PATCH";
    return client.send(call.method, call.path, bodied ? json::serialize(call.body) : std::string{});
}

int print(const ManagementPlace& place, std::string_view answer, const DescribeObject& describe) {
    if (place.json) {
        if (!answer.empty()) std::cout << answer << (answer.ends_with('\n') ? "" : "\n");
        return exit_clean;
    }
    const auto object = answer.empty() ? json::object{} : parse_object(answer);
    if (!object) return could_not_run("the answer is none of this API: is there OrbitalReg?");
    std::cout << describe(*object);
    return exit_clean;
}

int call(const ManagementPlace& place, const ServerClient& client, const ManagementCall& call,
         const DescribeObject& describe) {
    const auto answer = send(client, call);
    if (!answer.ok()) return could_not_run(answer.trouble);
    return print(place, answer.body, describe);
}

int call(const ManagementPlace& place, const ManagementCall& request,
         const DescribeObject& describe) {
    const auto client = find_server(place.server);
    return client ? call(place, *client, request, describe) : exit_could_not_run;
}

std::optional<json::object> read_list(const ServerClient& client, const std::string& path,
                                      std::string& trouble) {
    json::array items;
    std::string query = std::string{"?page_size="} + kPageSize;
    for (std::size_t pages = 0; !query.empty() && pages < kPagesMax; ++pages) {
        const auto answer = client.get(path + query);
        if (!answer.ok()) {
            trouble = answer.trouble;
            return std::nullopt;
        }
        const auto page = parse_object(answer.body);
        const json::value* found = page ? page->if_contains("items") : nullptr;
        if (found == nullptr || !found->is_array()) {
            trouble = "the answer is no list of this API: is there OrbitalReg?";
            return std::nullopt;
        }
        items.insert(items.end(), found->as_array().begin(), found->as_array().end());
        query = next_query(answer.link);
    }
    return json::object{{"items", std::move(items)}};
}

int show_list(const ManagementPlace& place, const ServerClient& client, const std::string& path,
              const DescribeObject& describe) {
    std::string trouble;
    const auto list = read_list(client, path, trouble);
    if (!list) return could_not_run(trouble);
    return print(place, json::serialize(*list), describe);
}

int show_list(const ManagementPlace& place, const std::string& path,
              const DescribeObject& describe) {
    const auto client = find_server(place.server);
    return client ? show_list(place, *client, path, describe) : exit_could_not_run;
}

bool is_on(const std::string& text) { return text == "on"; }

}  // namespace orbitalreg::program
