#pragma once
// ManagementCall is one call of the management API, and what is printed of its answer: for people, or as it came.
//
// Errors   what the server refused, and why it was not reached, is told on stderr: exit_could_not_run.
// Limits   a list is read page by page, kPagesMax of them.

#include "report_text.h"
#include "server_place.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbitalreg::program {

inline constexpr std::size_t kPagesMax = 10'000;

struct ManagementPlace {
    ServerPlace server;
    bool json = false;
};
void add_management_options(CLI::App& command, ManagementPlace& place);

// /api/v1/users/alice of {"users", "alice"}; what no segment may hold is percent-encoded.
std::string api_path(std::initializer_list<std::string_view> segments);
// Parameters with an empty value are left out.
std::string with_query(const std::string& path,
                       const std::vector<std::pair<std::string_view, std::string>>& parameters);

struct ManagementCall {
    std::string_view method;
    std::string path;
    json::object body;  // sent where it is not empty, and with POST, PUT and PATCH always
};

// In words; of an empty object where the answer has no body.
using DescribeObject = std::function<std::string(const json::object&)>;

ServerClient::Answer send(const ServerClient& client, const ManagementCall& call);
int call(const ManagementPlace& place, const ManagementCall& call, const DescribeObject& describe);
int call(const ManagementPlace& place, const ServerClient& client, const ManagementCall& call,
         const DescribeObject& describe);
// All pages, as {"items":[...]}. Nothing, with `trouble`.
std::optional<json::object> read_list(const ServerClient& client, const std::string& path,
                                      std::string& trouble);
int show_list(const ManagementPlace& place, const std::string& path,
              const DescribeObject& describe);
int show_list(const ManagementPlace& place, const ServerClient& client, const std::string& path,
              const DescribeObject& describe);
int print(const ManagementPlace& place, std::string_view answer, const DescribeObject& describe);

// on or off, as options take it; anything else is a mistake of the command line.
bool is_on(const std::string& text);
inline const CLI::IsMember kOnOff{{"on", "off"}};

}  // namespace orbitalreg::program
