// The chunked decoder: the same body in one piece or byte by byte, and never a byte more than came (SEC-75, SEC-76).

#include "base/assert.h"
#include "net/chunked_decoder.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace orbitalreg;
using namespace orbitalreg::frontend;

struct Outcome {
    std::string body;
    std::size_t consumed = 0;
    bool done = false;
    bool malformed = false;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome decode(ByteView text, std::size_t step) {
    const HttpLimits limits;
    ChunkedDecoder decoder{limits};
    Outcome outcome;
    while (outcome.consumed < text.size() && !decoder.done() && !outcome.malformed) {
        const auto piece =
            text.subspan(outcome.consumed, std::min(step, text.size() - outcome.consumed));
        std::vector<std::byte> buffer(piece.begin(), piece.end());
        const auto result = decoder.decode(buffer);
        ORB_ASSERT(result.body_bytes <= result.consumed && result.consumed <= buffer.size());
        ORB_ASSERT(result.consumed == buffer.size() || decoder.done() || result.malformed);
        outcome.body.append(as_text(ByteView{buffer}.first(result.body_bytes)));
        outcome.consumed += result.consumed;
        outcome.malformed = result.malformed;
    }
    outcome.done = decoder.done();
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView text{reinterpret_cast<const std::byte*>(data), size};
    const auto whole = decode(text, size + 1);
    ORB_ASSERT(whole == decode(text, 1));
    ORB_ASSERT(whole == decode(text, 7));
    return 0;
}
