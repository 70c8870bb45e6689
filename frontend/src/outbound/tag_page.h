#pragma once
// TagPage is one answer to `tags/list`, cut to what was asked for.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

struct TagPage {
    std::vector<std::string> tags;
    bool cut = false;  // there were more than asked for
};

// Nothing where the text is no such list. What stands before and with `last` is left out where `last` is in it: an upstream that
// knows no pages begins anew each time.
std::optional<TagPage> parse_tag_page(std::string_view text, std::string_view last,
                                      std::size_t count);

}  // namespace orbitalreg::frontend
