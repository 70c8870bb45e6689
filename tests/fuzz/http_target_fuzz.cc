// Targets, queries, ranges and routes: what is accepted has no separator, dot or control byte left in a segment (SEC-02),
// what is escaped comes back, and no range leaves the blob (SEC-84).

#include "base/assert.h"
#include "http/pagination.h"
#include "http/ranges.h"
#include "http/route_table.h"
#include "http/target.h"

#include <cstdint>
#include <string_view>

namespace {

using namespace orbitalreg::frontend;

void check_segments(const Target& target) {
    for (const auto& segment : target.segments) {
        ORB_ASSERT(segment != "." && segment != "..");
        for (const char c : segment) ORB_ASSERT(c > 0x1f && c < 0x7f && c != '/' && c != '\\');
    }
}

void check_ranges(std::string_view text, std::uint64_t size) {
    const HttpLimits limits;
    const auto request = parse_range(text, size, limits);
    std::uint64_t sum = 0;
    for (const auto& part : request.parts) {
        ORB_ASSERT(part.size > 0 && part.offset < size && part.size <= size - part.offset);
        sum += part.size;
    }
    ORB_ASSERT(request.kind != RangeRequest::Kind::parts || request.parts.size() == 1 ||
               sum <= size * limits.range_excess);
    const auto chunk = parse_chunk_range(text);
    ORB_ASSERT(chunk.kind != ChunkRange::Kind::valid || chunk.size > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto target = parse_target(text);
    if (target.fault == Target::Fault::none) check_segments(target);
    match_registry(target);
    match_admin(target);
    const auto query = Query::parse(text, 64);
    ORB_ASSERT(query.parameters().size() <= 64);
    parse_page(query);
    next_link("", "/v2/a/tags/list", query, text);
    ORB_ASSERT(percent_decode(percent_encode(text)) == text);
    check_ranges(text, 1000);
    check_ranges(text, 0);
    check_ranges(text, std::uint64_t{1} << 50);
    return 0;
}
