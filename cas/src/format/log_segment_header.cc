#include "format/log_segment_header.h"

#include "base/assert.h"
#include "cas/errors.h"
#include "format/magic.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kMagic = magic("ORBLOGSG");
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kChecksum = 8;
constexpr std::size_t kCovered = 16;
constexpr std::size_t kVersionAt = 16;
constexpr std::size_t kZero = 18;
constexpr std::size_t kSegment = 20;
constexpr std::size_t kIncarnation = 24;
constexpr std::size_t kUuid = 32;
constexpr std::size_t kPages = 48;
constexpr std::size_t kEnd = 52;
static_assert(kUuid + sizeof(StoreUuid) == kPages && kEnd <= kPageSize);

constexpr std::string_view kSuffix = ".olog";
constexpr std::size_t kDigits = 16;

std::uint64_t checksum_of(ByteView page, std::uint32_t segment, const AddressSeed& seed) noexcept {
    return checksum64(page.subspan(kCovered), seed.at(AddressKind::log, segment, 0));
}

}  // namespace

void encode_log_segment_header(const LogSegmentHeader& header, const AddressSeed& seed,
                               MutableByteView page) noexcept {
    ORB_ASSERT(page.size() == kPageSize);
    ORB_ASSERT(header.segment != 0);
    std::byte* const p = page.data();
    std::fill(page.begin(), page.end(), std::byte{0});
    store_le(p, kMagic);
    store_le(p + kVersionAt, kVersion);
    store_le(p + kSegment, header.segment);
    store_le(p + kIncarnation, header.incarnation);
    std::copy(header.uuid.begin(), header.uuid.end(), p + kUuid);
    store_le(p + kPages, header.size_pages);
    store_le(p + kChecksum, checksum_of(page, header.segment, seed));
}

Result<LogSegmentHeader> decode_log_segment_header(ByteView page, std::uint32_t segment,
                                                   const StoreUuid& uuid,
                                                   const AddressSeed& seed) noexcept {
    if (page.size() != kPageSize) return fail(Errc::bad_format);
    const std::byte* const p = page.data();
    if (load_le<std::uint64_t>(p) != kMagic) return fail(Errc::bad_format);
    LogSegmentHeader header;
    std::copy_n(p + kUuid, header.uuid.size(), header.uuid.begin());
    // Before the checksum: another store's secret makes that fail, and this answer says more.
    if (header.uuid != uuid) return fail(Errc::wrong_store);
    if (load_le<std::uint64_t>(p + kChecksum) != checksum_of(page, segment, seed)) {
        return fail(Errc::bad_format);
    }
    if (load_le<std::uint16_t>(p + kVersionAt) != kVersion) return fail(Errc::version_unsupported);
    header.segment = load_le<std::uint32_t>(p + kSegment);
    header.incarnation = load_le<std::uint64_t>(p + kIncarnation);
    header.size_pages = load_le<std::uint32_t>(p + kPages);
    const bool sane = header.segment == segment && load_le<std::uint16_t>(p + kZero) == 0 &&
                      header.size_pages >= kSegmentPagesMin &&
                      header.size_pages <= kSegmentPagesMax && all_zero(page.subspan(kEnd));
    if (!sane) return fail(Errc::bad_format);
    return header;
}

std::string log_segment_path(std::uint32_t segment) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string path = "log/";
    for (int shift = 60; shift >= 0; shift -= 4) {
        path += kHex[static_cast<std::uint64_t>(segment) >> shift & 0xf];
    }
    path += kSuffix;
    return path;
}

std::uint32_t parse_log_segment_name(std::string_view name) noexcept {
    if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return 0;
    const std::string_view digits = name.substr(0, kDigits);
    const bool lower_hex = std::all_of(digits.begin(), digits.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    if (!lower_hex) return 0;
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (value > std::numeric_limits<std::uint32_t>::max()) return 0;
    return static_cast<std::uint32_t>(value);
}

}  // namespace orbitalreg::cas
