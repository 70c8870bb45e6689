// A frame header whose checksum is right (it is set here) is refused or within all bounds, and is
// written as it was read.

#include "format/frame.h"

#include "base/assert.h"
#include "format/log_segment_header.h"
#include "format/page_buffer.h"

#include <algorithm>
#include <cstdint>

using namespace orbitalreg;
using namespace orbitalreg::cas;

namespace {

constexpr std::uint64_t kOffset = kFirstFrameOffset;

AddressSeed golden_seed() {
    AddressSeed::Secret secret;
    for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::byte>(0x40 + i);
    return AddressSeed{secret};
}

StoreUuid golden_uuid() {
    StoreUuid uuid;
    for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = static_cast<std::byte>(0x10 + i);
    return uuid;
}

void check_frame(const AddressSeed& seed, std::uint64_t offset, MutableByteView page) {
    store_le(page.data() + 8, checksum64(page.subspan(16, kFrameHeaderSize - 16),
                                         seed.at(AddressKind::log, 1, offset)));
    const auto decoded = decode_frame_header(page, 1, offset, golden_uuid(), seed);
    if (!decoded) return;
    FrameHeader header = decoded.value();
    ORB_ASSERT(header.size_bytes() <= kFrameSizeMax);
    ORB_ASSERT(header.record_count != 0 || header.kind != FrameKind::data);
    static_cast<void>(frame_payload_intact(header, page));
    if (header.size_bytes() != page.size()) return;
    std::fill(page.begin() + kFrameHeaderSize + header.payload_bytes, page.end(), std::byte{0});
    const PageBuffer again{page.size()};
    std::copy(page.begin(), page.end(), again.data());
    seal_frame(header, seed, offset, again.bytes());
    const auto reread = decode_frame_header(again.bytes(), 1, offset, golden_uuid(), seed);
    ORB_ASSERT(reread.has_value());
    ORB_ASSERT(reread.value() == header);
    ORB_ASSERT(frame_payload_intact(reread.value(), again.bytes()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const PageBuffer page{kPageSize};
    const auto input = std::as_bytes(std::span{data, size}).first(std::min(size, kPageSize));
    std::copy(input.begin(), input.end(), page.data());
    const AddressSeed seed = golden_seed();
    static_cast<void>(decode_frame_header(page.bytes(), 1, kOffset, golden_uuid(), seed));
    static_cast<void>(decode_log_segment_header(page.bytes(), 1, golden_uuid(), seed));
    check_frame(seed, kOffset, page.bytes());
    return 0;
}
