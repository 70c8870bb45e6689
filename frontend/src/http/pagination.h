#pragma once
// Pages of listings: `n` and `last` in, a Link to the next page out (DIST-LIST-03 to 09, DIST-CAT-02, DIST-REF-11).

#include "http/target.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orbitalreg::frontend {

struct PageRequest {
    bool valid = true;  // false: `n` is not a number, 400
    std::optional<std::uint64_t> count;
    std::string after;
};
PageRequest parse_page(const Query& query);

// `<path?…&last=…>; rel="next"`: a path, so that it stays on the origin whoever stands in between; the request's other
// parameters survive.
std::string next_link(std::string_view prefix, std::string_view path, const Query& query,
                      std::string_view last);

}  // namespace orbitalreg::frontend
