// A piece of a checkpoint, as if its checksum had agreed: refused, or read so that writing it again gives the same bytes.
// The input is the kind of piece in its first byte, then the piece.

#include "base/assert.h"
#include "format/checkpoint_file.h"
#include "format/page_buffer.h"

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace orbitalreg;
using namespace orbitalreg::cas;

namespace {

constexpr std::uint64_t kId = 3;

std::uint64_t seed_of(const AddressSeed& seed, std::uint64_t offset) {
    return seed.at(AddressKind::checkpoint, kId, offset);
}

void check_header(const PageBuffer& page, const StoreUuid& uuid, const AddressSeed& seed) {
    std::copy(uuid.begin(), uuid.end(), page.data() + 32);
    store_le(page.data() + 8, checksum64(page.bytes().subspan(16), seed_of(seed, 0)));
    const auto header = decode_checkpoint_header(page.bytes(), kId, uuid, seed);
    if (!header) return;
    const PageBuffer again{kPageSize};
    encode_checkpoint_header(header.value(), seed, again.bytes());
    ORB_ASSERT(std::ranges::equal(again.bytes(), page.bytes()));
}

void check_footer(const PageBuffer& page, const StoreUuid& uuid, const AddressSeed& seed) {
    std::copy(uuid.begin(), uuid.end(), page.data() + 16);
    const std::uint64_t index_offset = load_le<std::uint64_t>(page.data() + 64) % (1ULL << 40);
    const std::uint64_t index_bytes = load_le<std::uint64_t>(page.data() + 72) % (1ULL << 40);
    const std::uint64_t offset = index_offset + round_up(index_bytes, kPageSize);
    store_le(page.data() + 8, checksum64(page.bytes().subspan(16), seed_of(seed, offset)));
    const auto footer = decode_checkpoint_footer(page.bytes(), kId, offset, uuid, seed);
    if (!footer) return;
    const PageBuffer again{kPageSize};
    encode_checkpoint_footer(footer.value(), offset, seed, again.bytes());
    ORB_ASSERT(std::ranges::equal(again.bytes(), page.bytes()));
}

void check_block(const PageBuffer& page, const AddressSeed& seed) {
    CheckpointIndexEntry entry;
    entry.offset = kPageSize;
    entry.stored_bytes = load_le<std::uint32_t>(page.data() + 8);
    entry.raw_bytes = load_le<std::uint32_t>(page.data() + 12);
    const auto number = load_le<std::uint32_t>(page.data() + 16);
    if (entry.size_bytes() != kPageSize) return;
    store_le(page.data() + 32, std::uint64_t{0});
    store_le(page.data() + 40, std::uint64_t{0});
    entry.checksum = checksum128(page.bytes(), seed_of(seed, entry.offset));
    store_le(page.data() + 32, entry.checksum.low);
    store_le(page.data() + 40, entry.checksum.high);
    const auto header = decode_checkpoint_block(page.bytes(), entry, number, kId, seed);
    if (!header) return;
    ORB_ASSERT(header.value().size_bytes() == kPageSize);
    const std::vector<std::byte> before{page.bytes().begin(), page.bytes().end()};
    ORB_ASSERT(seal_checkpoint_block(header.value(), kId, entry.offset, seed, page.bytes()) ==
               entry.checksum);
    ORB_ASSERT(std::ranges::equal(before, page.bytes()));
}

void check_index(const PageBuffer& page, const AddressSeed& seed) {
    CheckpointFooter footer;
    footer.id = kId;
    footer.lsn = 1;
    footer.blocks = 1 + load_le<std::uint32_t>(page.data()) % 128;
    footer.index_bytes = std::uint64_t{footer.blocks} * kCheckpointIndexEntrySize;
    footer.index_offset = load_le<std::uint64_t>(page.data() + kPageSize - 8);
    footer.index_checksum = checksum128(page.bytes(), seed_of(seed, footer.index_offset));
    const auto entries = decode_checkpoint_index(page.bytes(), footer, seed);
    if (!entries) return;
    ORB_ASSERT(entries.value().size() == footer.blocks);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    StoreUuid uuid;
    uuid.fill(std::byte{1});
    const AddressSeed seed;
    const PageBuffer page{kPageSize};
    const auto input = std::as_bytes(std::span{data, size}).subspan(1);
    std::copy_n(input.begin(), std::min(input.size(), kPageSize), page.data());
    switch (data[0] % 4) {
        case 0:
            check_header(page, uuid, seed);
            break;
        case 1:
            check_footer(page, uuid, seed);
            break;
        case 2:
            check_block(page, seed);
            break;
        default:
            check_index(page, seed);
    }
    return 0;
}
