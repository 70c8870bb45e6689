#pragma once
// RequestHead is a request's header, parsed and owned: what every decision about the request is made from. It is taken
// before the first byte of the body, so that nothing in the body or its trailer can change it (SEC-75).

#include "net/framing_guard.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options, other };

std::string_view to_string(Method method) noexcept;

struct RequestHead {
    struct Field {
        std::string name;
        std::string value;
    };

    Method method = Method::other;
    std::string method_text;
    std::string target;
    std::vector<Field> fields;
    Framing framing;

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

}  // namespace orbitalreg::frontend
