#pragma once
// What collection says, for people. The JSON is that of engine::Upkeep, from a server or from a data directory.

#include <string>
#include <string_view>

namespace orbitalreg::program {

// Several lines each; `json` must be what to_json() of the struct gives, else the text is the JSON itself.
std::string describe_round(std::string_view json);
std::string describe_status(std::string_view json);
std::string describe_explanation(std::string_view json);

// The member `name` of the JSON object; empty when it is none.
std::string text_member(std::string_view json, std::string_view name);

}  // namespace orbitalreg::program
