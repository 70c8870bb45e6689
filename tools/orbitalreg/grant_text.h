#pragma once
// Grants as they are typed and shown: `developer`, `developer:acme/app,acme/web/**`, with the project before it where it is
// not clear from elsewhere: `acme:developer:acme/app`.

#include "report_text.h"

#include <boost/json/array.hpp>

#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::program {

// Bodies of the management API for what was typed; of a robot of `project`, or with a project each where it is empty. Nothing,
// with `trouble`.
std::optional<json::array> parse_grants(const std::vector<std::string>& texts,
                                        const std::string& project, std::string& trouble);
// A grant of a role over `patterns`, or over the whole project where there are none.
json::object grant_body(const std::string& role, const std::vector<std::string>& patterns);

// `developer of acme on acme/app, acme/web/**: pull, push`; all of the array, with `; ` between them.
std::string grants_text(const json::object& object, std::string_view name = "grants");

json::array string_array(const std::vector<std::string>& texts);
// The parts between `separator`; those that are empty too.
std::vector<std::string> split(std::string_view text, char separator);

// What roles there are, as option descriptions say it.
inline constexpr const char* kRoleNames =
    "limited, guest, developer, maintainer, admin or security";

}  // namespace orbitalreg::program
