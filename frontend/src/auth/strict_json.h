#pragma once
// JSON on which something is decided. A tree of Boost.JSON's own would take the last of two equal keys without a word, and
// two readers of one token could then believe different things (SEC-40).

#include <boost/json/value.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace orbitalreg::frontend {

// One value and nothing behind it; nothing for invalid UTF-8, a key that an object has twice, a number that no double holds,
// or more than `depth_max` levels. A number with a fraction or an exponent is exact to the last place or two, so nothing may
// be decided on one.
// Work and memory are linear in the size of `text`, which the caller has limited.
std::optional<boost::json::value> parse_strict_json(std::string_view text, std::size_t depth_max);

}  // namespace orbitalreg::frontend
