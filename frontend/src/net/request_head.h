#pragma once
// RequestHead is a request's header, parsed and owned: what every decision about the request is made from. It is taken
// before the first byte of the body, so that nothing in the body or its trailer can change it (SEC-75).

#include "net/framing_guard.h"

#include <boost/container/small_vector.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace orbitalreg::frontend {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options, other };

std::string_view to_string(Method method) noexcept;

struct RequestHead {
    struct Field {
        std::string_view name;
        std::string_view value;
    };

    Method method = Method::other;
    // Views, as those of the fields, of `block` or of what whoever fills it keeps.
    std::string_view method_text;
    std::string_view target;
    boost::container::small_vector<Field, 12> fields;
    Framing framing;
    std::shared_ptr<const char[]> block;

    // The first field of that name, whatever its case.
    std::optional<std::string_view> field(std::string_view name) const noexcept;
    bool has_body() const noexcept {
        return framing.chunked || (framing.content_length && *framing.content_length > 0);
    }
};

// Guard first, then Boost.Beast; where they disagree about the framing the request is refused.
struct ParsedHead {
    FramingFault fault;
    RequestHead head;
};
ParsedHead parse_head(std::string_view block, const HttpLimits& limits);
// The same of a block that HeaderScanner has just found complete.
ParsedHead parse_scanned_head(std::string_view block, const HttpLimits& limits);

}  // namespace orbitalreg::frontend
