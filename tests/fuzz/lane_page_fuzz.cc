// A page of a lane, as if its checksum had agreed: refused, or read so that writing it again gives
// the same bytes. The input is the kind of page in its first byte, then the page.

#include "base/assert.h"
#include "base/checksum.h"
#include "format/lane_record.h"

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace orbitalreg;
using namespace orbitalreg::cas;

namespace {

constexpr std::uint32_t kLane = 5;
constexpr std::uint32_t kBasePage = 9;
constexpr std::uint64_t kUid = 77;

void put_uuid_and_checksum(Page& page, std::uint64_t page_number, const StoreIdentity& store) {
    std::copy(store.uuid.begin(), store.uuid.end(), page.bytes.begin() + 16);
    const std::uint64_t seed = store.seed.at(AddressKind::lane, kLane, page_number * kPageSize);
    store_le(page.bytes.data() + 8, checksum64(ByteView{page.bytes}.subspan(16), seed));
}

void check_headers(Page& page, const StoreIdentity& store) {
    Page again;
    put_uuid_and_checksum(page, 0, store);
    if (const auto header = decode_lane_header(page, kLane, store)) {
        encode_lane_header(header.value(), store, again);
        ORB_ASSERT(again.bytes == page.bytes);
    }
    put_uuid_and_checksum(page, kBasePage, store);
    if (const auto header = decode_record_header(page, kLane, kBasePage, store)) {
        encode_record_header(header.value(), store, again);
        ORB_ASSERT(again.bytes == page.bytes);
    }
}

void check_descriptor(Page& page, const StoreIdentity& store) {
    // The page number follows from what the page says; any other is refused.
    const auto base = load_le<std::uint32_t>(page.bytes.data() + 36);
    const std::uint64_t size = load_le<std::uint64_t>(page.bytes.data() + 48) % (1ULL << 45);
    const std::uint64_t number = descriptor_page_number(base, size);
    put_uuid_and_checksum(page, number, store);
    const auto descriptor = decode_descriptor(page, kLane, number, store);
    if (!descriptor) return;
    std::vector<std::uint64_t> sums(descriptor_sums(descriptor.value().size_bytes));
    for (std::uint32_t i = 0; i < sums.size(); ++i) sums[i] = descriptor_sum(page, i);
    Page again;
    encode_descriptor(descriptor.value(), sums, store, again);
    ORB_ASSERT(decode_descriptor(again, kLane, number, store).value() == descriptor.value());
}

void check_table(Page& page) {
    const auto number = load_le<std::uint32_t>(page.bytes.data() + 8);
    const std::uint64_t size = (kDescriptorSumsMax + 3 * std::uint64_t{kTableSumsMax}) * kChunkSize;
    store_le(page.bytes.data() + 4088,
             checksum64(ByteView{page.bytes}.first(4088), mix64(~kUid, number)));
    const auto count = decode_table_page(page, kUid, number, size);
    if (!count) return;
    ORB_ASSERT(count.value() >= 1 && count.value() <= kTableSumsMax);
    static_cast<void>(table_sum(page, count.value() - 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    StoreIdentity store;
    store.uuid.fill(std::byte{1});
    Page page;
    const auto input = std::as_bytes(std::span{data, size}).subspan(1);
    std::copy_n(input.begin(), std::min(input.size(), kPageSize), page.bytes.begin());
    switch (data[0] % 3) {
        case 0:
            check_headers(page, store);
            break;
        case 1:
            check_descriptor(page, store);
            break;
        default:
            check_table(page);
    }
    return 0;
}
