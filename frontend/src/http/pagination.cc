#include "http/pagination.h"

#include "http/ascii.h"

#include <algorithm>
#include <limits>

namespace orbitalreg::frontend {

PageRequest parse_page(const Query& query) {
    PageRequest page;
    if (const auto text = query.get("n")) {
        page.valid = !text->empty() && std::all_of(text->begin(), text->end(), is_digit);
        // Beyond 64 bits is a large number all the same: the registry clamps it.
        page.count = parse_decimal(*text).value_or(std::numeric_limits<std::uint64_t>::max());
    }
    page.after = query.get("last").value_or("");
    return page;
}

std::string next_link(std::string_view prefix, std::string_view path, const Query& query,
                      std::string_view last) {
    std::string link = "<" + std::string{prefix} + std::string{path};
    char separator = '?';
    for (const auto& [name, value] : query.parameters()) {
        if (name == "last") continue;
        link += separator + percent_encode(name) + '=' + percent_encode(value);
        separator = '&';
    }
    return link + separator + "last=" + percent_encode(last) + ">; rel=\"next\"";
}

}  // namespace orbitalreg::frontend
