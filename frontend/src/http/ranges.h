#pragma once
// Ranges of bytes: what a Range header asks of a blob, and what a Content-Range says of an upload's chunk.
// SEC-84, DIST-BLOB-07 to 17, DIST-UPL-20 to 29.

#include "frontend/options.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

struct RangeRequest {
    enum class Kind : std::uint8_t {
        whole,          // no range, or one that is to be ignored: 200
        parts,          // 206; more than one is multipart, in the order asked
        unsatisfiable,  // 416
    };
    Kind kind = Kind::whole;
    std::vector<ByteRange> parts;
};

// `value` is the header's; `size` that of the whole blob.
RangeRequest parse_range(std::string_view value, std::uint64_t size, const HttpLimits& limits);

// `<start>-<end>` of a chunk; `bytes 0-99/200` and `bytes=0-99` are read too.
struct ChunkRange {
    enum class Kind : std::uint8_t {
        valid,
        malformed,   // 400
        impossible,  // end before start, or numbers beyond 64 bits: 416
    };
    Kind kind = Kind::valid;
    std::uint64_t start = 0;
    std::uint64_t size = 0;
};
ChunkRange parse_chunk_range(std::string_view value) noexcept;

}  // namespace orbitalreg::frontend
