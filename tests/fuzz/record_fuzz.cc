// The payload of a frame, as if its checksum had agreed: refused, or records that lie inside it,
// whose bodies pass or fail their verifier without a step beyond, and that are written as they were
// read. The input is the payload behind two bytes that say how many records the header claims.

#include "format/record.h"

#include "base/assert.h"
#include "format/page_buffer.h"

#include <algorithm>
#include <cstdint>

using namespace orbitalreg;
using namespace orbitalreg::cas;

namespace {

constexpr std::size_t kInputMax = 64_KiB;
constexpr std::uint64_t kOffset = 2 * kPageSize;

void check_views(const std::vector<FrameRecord>& records, ByteView frame) {
    for (const FrameRecord& found : records) {
        for (const ByteView view : {found.record.body, found.record.raw}) {
            ORB_ASSERT(view.empty() || view.data() >= frame.data());
            ORB_ASSERT(view.empty() || view.data() + view.size() <= frame.data() + frame.size());
        }
        ORB_ASSERT(found.record.raw_offset % kRawAlignment == 0);
        if (found.record.owner != RecordOwner::cas) continue;
        // A copy of exactly that size: a sanitizer sees a step beyond it.
        const std::vector<std::byte> body{found.record.body.begin(), found.record.body.end()};
        static_cast<void>(verify_cas_body(static_cast<RecordType>(found.record.type), body));
    }
}

// Writes the groups again: the format leaves no choice, so the bytes are the same.
void check_rewritten(const std::vector<FrameRecord>& records, ByteView frame,
                     std::uint32_t payload_bytes) {
    const PageBuffer again{frame.size()};
    PayloadWriter writer{again.bytes()};
    std::vector<GroupRecord> group;
    for (const FrameRecord& found : records) {
        if (found.ignorable) return;  // this version writes none
        group.push_back({found.record.type,
                         found.record.owner,
                         found.record.blob,
                         found.record.uid,
                         {found.record.body.begin(), found.record.body.end()},
                         {found.record.raw.begin(), found.record.raw.end()}});
        if (!found.last_of_group) continue;
        if (!writer.fits(encoded_size_max(group))) return;  // the bound is wider than the bytes
        writer.add(group);
        group.clear();
    }
    writer.finish();
    ORB_ASSERT(writer.payload_bytes() == payload_bytes);
    ORB_ASSERT(std::ranges::equal(again.bytes().subspan(kFrameHeaderSize),
                                  frame.subspan(kFrameHeaderSize)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto payload =
        std::as_bytes(std::span{data, size}).subspan(2).first(std::min(size - 2, kInputMax));
    FrameHeader header;
    header.segment = 1;
    header.record_count = static_cast<std::uint32_t>(data[0] | data[1] << 8);
    header.payload_bytes = static_cast<std::uint32_t>(payload.size());
    const PageBuffer frame{static_cast<std::size_t>(header.size_bytes())};
    std::copy(payload.begin(), payload.end(), frame.data() + kFrameHeaderSize);
    const auto records = decode_records(header, kOffset, frame.bytes());
    if (!records) return 0;
    check_views(records.value(), frame.bytes());
    check_rewritten(records.value(), frame.bytes(), header.payload_bytes);
    return 0;
}
