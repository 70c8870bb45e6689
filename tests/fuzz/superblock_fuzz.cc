// A superblock copy whose checksum is right (it is set here: no input would pass otherwise) decodes
// to what encodes to the same bytes, or is refused.

#include "format/superblock.h"

#include "base/assert.h"
#include "format/page_buffer.h"

#include <algorithm>
#include <cstdint>

using namespace orbitalreg;
using namespace orbitalreg::cas;

namespace {

constexpr std::size_t kChecksummed = 32;

bool unknown_features(const Superblock& s) {
    return s.format_version != kFormatVersion || s.compat_features != 0 ||
           s.ro_compat_features != 0 || s.incompat_features != 0;
}

}  // namespace

// The input is the page from its copy number on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const PageBuffer page{kPageSize};
    const auto input = std::as_bytes(std::span{data, size}).first(std::min(size, kPageSize - 16));
    std::copy(input.begin(), input.end(), page.data() + 16);
    const unsigned copy = load_le<std::uint16_t>(page.data() + 16);
    static_cast<void>(decode_superblock(page.bytes(), copy));
    const Checksum128 checksum = checksum128(page.bytes().subspan(kChecksummed));
    store_le(page.data(), checksum.low);
    store_le(page.data() + 8, checksum.high);
    const auto decoded = decode_superblock(page.bytes(), copy);
    if (!decoded) return 0;
    static_cast<void>(check_superblock_supported(decoded.value(), true));
    if (copy >= kSuperblockCopies || unknown_features(decoded.value())) return 0;
    const PageBuffer again{kPageSize};
    ORB_ASSERT(encode_superblock(decoded.value(), copy, again.bytes()) == checksum);
    ORB_ASSERT(std::ranges::equal(again.bytes(), page.bytes()));
    return 0;
}
