#include "http/conditions.h"

#include "http/ascii.h"

namespace orbitalreg::frontend {

std::string entity_tag(const Digest& digest) { return '"' + digest.to_string() + '"'; }

bool names_entity(std::string_view list, const Digest& digest) {
    const auto wanted = digest.to_string();
    while (!list.empty()) {
        const auto comma = list.find(',');
        auto tag = trim_blanks(list.substr(0, comma));
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
        if (tag == "*") return true;
        if (tag.starts_with("W/")) tag.remove_prefix(2);
        if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"')
            tag = tag.substr(1, tag.size() - 2);
        if (tag == wanted) return true;
    }
    return false;
}

Condition check_conditions(const RequestHead& head, const Digest& digest) {
    if (const auto expected = head.field("If-Match");
        expected && !names_entity(*expected, digest)) {
        return Condition::failed;
    }
    if (const auto known = head.field("If-None-Match"); known && names_entity(*known, digest)) {
        return Condition::not_modified;
    }
    return Condition::proceed;
}

bool range_applies(const RequestHead& head, const Digest& digest) {
    const auto validator = head.field("If-Range");
    return !validator || *validator == entity_tag(digest);
}

}  // namespace orbitalreg::frontend
