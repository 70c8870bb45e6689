#include "outbound/tag_page.h"

#include "auth/strict_json.h"
#include "engine/names.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kTagsDepthMax = 8;

}  // namespace

std::optional<TagPage> parse_tag_page(std::string_view text, std::string_view last,
                                      std::size_t count) {
    const auto document = parse_strict_json(text, kTagsDepthMax);
    if (!document || !document->is_object()) return std::nullopt;
    const auto* list = document->as_object().if_contains("tags");
    if (list == nullptr) return std::nullopt;
    TagPage page;
    if (list->is_null()) return page;
    if (!list->is_array()) return std::nullopt;
    const auto& items = list->as_array();
    auto first = items.begin();
    if (!last.empty()) {
        const auto found = std::find_if(items.begin(), items.end(), [last](const auto& item) {
            return item.is_string() && std::string_view{item.as_string()} == last;
        });
        if (found != items.end()) first = found + 1;
    }
    for (; first != items.end(); ++first) {
        if (!first->is_string()) return std::nullopt;
        const std::string_view tag{first->as_string()};
        if (!engine::Tag::parse(tag)) continue;
        if (page.tags.size() == count) {
            page.cut = true;
            break;
        }
        page.tags.emplace_back(tag);
    }
    return page;
}

}  // namespace orbitalreg::frontend
