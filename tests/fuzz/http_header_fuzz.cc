// The framing guard and Beast behind it: whatever the guard lets through, Beast reads as the same message, and the bytes
// have one reading however they arrive (SEC-72 to SEC-77).

#include "base/assert.h"
#include "net/request_head.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace {

using namespace orbitalreg::frontend;

// In pieces of `step` bytes, as a socket would bring them.
HeaderScanner::State scan_in_steps(std::string_view text, std::size_t step,
                                   HeaderScanner& scanner) {
    auto state = HeaderScanner::State::incomplete;
    for (std::size_t end = 0; end < text.size() && state == HeaderScanner::State::incomplete;) {
        end = std::min(text.size(), end + step);
        state = scanner.scan(text.substr(0, end));
    }
    return state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const HttpLimits limits;
    HeaderScanner whole{limits};
    HeaderScanner bytewise{limits};
    const auto state = scan_in_steps(text, text.size() + 1, whole);
    ORB_ASSERT(scan_in_steps(text, 1, bytewise) == state);
    if (state != HeaderScanner::State::complete) return 0;
    ORB_ASSERT(whole.size() == bytewise.size());
    const auto parsed = parse_head(text.substr(0, whole.size()), limits);
    if (parsed.fault) return 0;
    const auto& framing = parsed.head.framing;
    ORB_ASSERT(!(framing.chunked && framing.content_length));
    ORB_ASSERT(!(framing.chunked && framing.minor_version == 0));
    ORB_ASSERT(parsed.head.fields.size() <= limits.header_fields);
    ORB_ASSERT(parsed.head.target.size() <= limits.request_line_bytes);
    return 0;
}
