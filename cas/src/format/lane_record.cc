#include "format/lane_record.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "cas/errors.h"

#include <algorithm>
#include <cstring>

namespace orbitalreg::cas {
namespace {

// Magic numbers are eight ASCII characters.
constexpr std::string_view kLaneMagic = "ORBLANE1";
constexpr std::string_view kRecordMagic = "ORBLREC1";
constexpr std::string_view kDescriptorMagic = "ORBLEND1";

// Every page but table pages starts alike:
//
//   offset  size  field
//        0     8  magic
//        8     8  XXH3-64 of bytes 16..4095, seed addr(lane, lane id, offset of the page in the
//        lane)
//       16    16  store UUID
//       32     4  lane id
constexpr std::size_t kChecksumOffset = 8;
constexpr std::size_t kCoveredOffset = 16;
constexpr std::size_t kUuidOffset = 16;
constexpr std::size_t kLaneOffset = 32;

// Lane header, page 0 of the file:
//
//       36     4  version, 1
//       40     8  incarnation that made the file
//       48  4048  zero
namespace lane_header {
constexpr std::size_t kVersion = 36;
constexpr std::size_t kIncarnation = 40;
constexpr std::size_t kEnd = 48;
}  // namespace lane_header

// Record header, at the base page:
//
//       36     4  base page
//       40     8  uid
//       48     4  base page of the record before it in the lane, 0: none
//       52     4  zero
//       56    16  session id, zeros without one
//       72     8  incarnation
//       80     8  store time in ms
//       88  4008  zero
namespace record_header {
constexpr std::size_t kBasePage = 36;
constexpr std::size_t kUid = 40;
constexpr std::size_t kPrevious = 48;
constexpr std::size_t kZero = 52;
constexpr std::size_t kSession = 56;
constexpr std::size_t kIncarnation = 72;
constexpr std::size_t kStoreTime = 80;
constexpr std::size_t kEnd = 88;
}  // namespace record_header

// Descriptor, the last page of a record:
//
//       36     4  base page
//       40     8  uid
//       48     8  payload bytes
//       56     1  digest algorithm, 1 sha256, 2 sha512
//       57     3  zero
//       60     4  table pages
//       64    64  digest; sha256 fills the first 32, the rest is zero
//      128     4  number of chunk sums of the record
//      132   380  zero
//      512  3584  the first 448 sums, 8 bytes each, then zeros
namespace descriptor {
constexpr std::size_t kBasePage = 36;
constexpr std::size_t kUid = 40;
constexpr std::size_t kSize = 48;
constexpr std::size_t kAlgorithm = 56;
constexpr std::size_t kZero = 57;
constexpr std::size_t kTables = 60;
constexpr std::size_t kDigest = 64;
constexpr std::size_t kSumCount = 128;
constexpr std::size_t kZero2 = 132;
constexpr std::size_t kSums = 512;
}  // namespace descriptor
static_assert(descriptor::kSums + 8 * kDescriptorSumsMax == kPageSize);

// Table page:
//
//   offset  size  field
//        0     8  uid
//        8     4  number of the table page in its record, from 0
//       12     4  number of sums
//       16  4072  sums, 8 bytes each, then zeros
//     4088     8  XXH3-64 of bytes 0..4087, seed mix(~uid, table page number)
namespace table {
constexpr std::size_t kUid = 0;
constexpr std::size_t kNumber = 8;
constexpr std::size_t kCount = 12;
constexpr std::size_t kSums = 16;
constexpr std::size_t kChecksum = 4088;
}  // namespace table
static_assert(table::kSums + 8 * kTableSumsMax == table::kChecksum);
static_assert(table::kChecksum + 8 == kPageSize);

template <class T>
T get(PageView page, std::size_t offset) noexcept {
    return load_le<T>(page.data() + offset);
}

template <class T>
void put(MutablePageView page, std::size_t offset, T value) noexcept {
    store_le(page.data() + offset, value);
}

void put_bytes(MutablePageView page, std::size_t offset, ByteView bytes) noexcept {
    std::memcpy(page.data() + offset, bytes.data(), bytes.size());
}

std::uint64_t page_checksum(PageView page, std::uint32_t lane, std::uint64_t page_number,
                            const StoreIdentity& store) noexcept {
    const std::uint64_t seed = store.seed.at(AddressKind::lane, lane, page_number * kPageSize);
    return checksum64(page.subspan(kCoveredOffset), seed);
}

void begin_page(std::string_view magic, std::uint32_t lane, const StoreIdentity& store,
                MutablePageView to) noexcept {
    std::fill(to.begin(), to.end(), std::byte{0});
    put_bytes(to, 0, as_bytes(magic));
    put_bytes(to, kUuidOffset, store.uuid);
    put<std::uint32_t>(to, kLaneOffset, lane);
}

void end_page(std::uint32_t lane, std::uint64_t page_number, const StoreIdentity& store,
              MutablePageView to) noexcept {
    put<std::uint64_t>(to, kChecksumOffset, page_checksum(to, lane, page_number, store));
}

// What all pages with a magic have in common. The UUID is looked at before the checksum, whose seed
// is the store's: another store's page would otherwise only look damaged.
Result<void> check_page(std::string_view magic, PageView page, std::uint32_t lane,
                        std::uint64_t page_number, const StoreIdentity& store) noexcept {
    if (as_text(page.first(magic.size())) != magic) return fail(Errc::bad_format);
    const bool ours =
        std::memcmp(page.data() + kUuidOffset, store.uuid.data(), store.uuid.size()) == 0;
    if (!ours) return fail(Errc::wrong_store);
    if (get<std::uint64_t>(page, kChecksumOffset) !=
        page_checksum(page, lane, page_number, store)) {
        return fail(Errc::bad_format);
    }
    if (get<std::uint32_t>(page, kLaneOffset) != lane) return fail(Errc::bad_format);
    return ok();
}

void put_sums(std::span<const std::uint64_t> sums, MutablePageView to,
              std::size_t offset) noexcept {
    for (const std::uint64_t sum : sums) {
        put<std::uint64_t>(to, offset, sum);
        offset += 8;
    }
}

}  // namespace

std::string lane_path(std::uint32_t lane) {
    std::string path = "lane/0000000000000000.olane";
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (std::size_t at = 20; lane != 0; --at, lane >>= 4) path[at] = kDigits[lane & 15];
    return path;
}

std::uint32_t lane_of_name(std::string_view name) noexcept {
    constexpr std::string_view kSuffix = ".olane";
    if (name.size() != 16 + kSuffix.size() || !name.ends_with(kSuffix)) return 0;
    std::uint64_t lane = 0;
    for (const char c : name.substr(0, 16)) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return 0;
        lane = lane << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
    return lane <= UINT32_MAX ? static_cast<std::uint32_t>(lane) : 0;
}

void encode_lane_header(const LaneHeader& header, const StoreIdentity& store,
                        MutablePageView to) noexcept {
    begin_page(kLaneMagic, header.lane, store, to);
    put<std::uint32_t>(to, lane_header::kVersion, kLaneVersion);
    put<std::uint64_t>(to, lane_header::kIncarnation, header.incarnation);
    end_page(header.lane, 0, store, to);
}

Result<LaneHeader> decode_lane_header(PageView page, std::uint32_t lane,
                                      const StoreIdentity& store) noexcept {
    ORB_TRY(check_page(kLaneMagic, page, lane, 0, store));
    const auto version = get<std::uint32_t>(page, lane_header::kVersion);
    if (version > kLaneVersion) return fail(Errc::version_unsupported);
    if (version == 0 || !all_zero(page.subspan(lane_header::kEnd))) return fail(Errc::bad_format);
    return LaneHeader{.lane = lane,
                      .incarnation = get<std::uint64_t>(page, lane_header::kIncarnation)};
}

void encode_record_header(const RecordHeader& header, const StoreIdentity& store,
                          MutablePageView to) noexcept {
    begin_page(kRecordMagic, header.lane, store, to);
    put<std::uint32_t>(to, record_header::kBasePage, header.base_page);
    put<std::uint64_t>(to, record_header::kUid, header.uid);
    put<std::uint32_t>(to, record_header::kPrevious, header.previous_base_page);
    put_bytes(to, record_header::kSession, header.session);
    put<std::uint64_t>(to, record_header::kIncarnation, header.incarnation);
    put<std::uint64_t>(to, record_header::kStoreTime, header.store_time_ms);
    end_page(header.lane, header.base_page, store, to);
}

Result<RecordHeader> decode_record_header(PageView page, std::uint32_t lane,
                                          std::uint32_t base_page,
                                          const StoreIdentity& store) noexcept {
    ORB_TRY(check_page(kRecordMagic, page, lane, base_page, store));
    RecordHeader header;
    header.lane = lane;
    header.base_page = get<std::uint32_t>(page, record_header::kBasePage);
    header.uid = get<std::uint64_t>(page, record_header::kUid);
    header.previous_base_page = get<std::uint32_t>(page, record_header::kPrevious);
    std::memcpy(header.session.data(), page.data() + record_header::kSession,
                header.session.size());
    header.incarnation = get<std::uint64_t>(page, record_header::kIncarnation);
    header.store_time_ms = get<std::uint64_t>(page, record_header::kStoreTime);
    const bool sound = header.base_page == base_page && header.previous_base_page < base_page &&
                       get<std::uint32_t>(page, record_header::kZero) == 0 &&
                       all_zero(page.subspan(record_header::kEnd));
    if (!sound) return fail(Errc::bad_format);
    return header;
}

void encode_descriptor(const RecordDescriptor& record, std::span<const std::uint64_t> sums,
                       const StoreIdentity& store, MutablePageView to) noexcept {
    ORB_ASSERT(sums.size() == descriptor_sums(record.size_bytes));
    begin_page(kDescriptorMagic, record.lane, store, to);
    put<std::uint32_t>(to, descriptor::kBasePage, record.base_page);
    put<std::uint64_t>(to, descriptor::kUid, record.uid);
    put<std::uint64_t>(to, descriptor::kSize, record.size_bytes);
    to[descriptor::kAlgorithm] = static_cast<std::byte>(record.digest.algorithm());
    put<std::uint32_t>(to, descriptor::kTables,
                       static_cast<std::uint32_t>(table_pages(record.size_bytes)));
    put_bytes(to, descriptor::kDigest, record.digest.hash());
    put<std::uint32_t>(to, descriptor::kSumCount,
                       static_cast<std::uint32_t>(chunk_count(record.size_bytes)));
    put_sums(sums, to, descriptor::kSums);
    end_page(record.lane, descriptor_page_number(record.base_page, record.size_bytes), store, to);
}

Result<RecordDescriptor> decode_descriptor(PageView page, std::uint32_t lane,
                                           std::uint64_t page_number,
                                           const StoreIdentity& store) noexcept {
    ORB_TRY(check_page(kDescriptorMagic, page, lane, page_number, store));
    RecordDescriptor record;
    record.lane = lane;
    record.base_page = get<std::uint32_t>(page, descriptor::kBasePage);
    record.uid = get<std::uint64_t>(page, descriptor::kUid);
    record.size_bytes = get<std::uint64_t>(page, descriptor::kSize);
    const auto algorithm = std::to_integer<std::uint8_t>(page[descriptor::kAlgorithm]);
    if (algorithm != 1 && algorithm != 2) return fail(Errc::bad_format);
    const auto named = static_cast<DigestAlgorithm>(algorithm);
    const std::size_t digest_size = digest_size_bytes(named);
    record.digest = Digest{named, page.subspan(descriptor::kDigest, digest_size)};
    // A size of at most 2^44 keeps the sums below from overflowing.
    const bool sound =
        record.size_bytes <= std::uint64_t{1} << 44 && record.base_page != 0 &&
        descriptor_page_number(record.base_page, record.size_bytes) == page_number &&
        get<std::uint32_t>(page, descriptor::kTables) == table_pages(record.size_bytes) &&
        get<std::uint32_t>(page, descriptor::kSumCount) == chunk_count(record.size_bytes) &&
        all_zero(page.subspan(descriptor::kZero, 3)) &&
        all_zero(page.subspan(descriptor::kDigest + digest_size, 64 - digest_size)) &&
        all_zero(page.subspan(descriptor::kZero2, descriptor::kSums - descriptor::kZero2));
    if (!sound) return fail(Errc::bad_format);
    return record;
}

std::uint64_t descriptor_sum(PageView page, std::uint32_t index) noexcept {
    ORB_ASSERT(index < kDescriptorSumsMax);
    return get<std::uint64_t>(page, descriptor::kSums + 8 * std::size_t{index});
}

void encode_table_page(std::uint64_t uid, std::uint32_t number, std::span<const std::uint64_t> sums,
                       MutablePageView to) noexcept {
    ORB_ASSERT(!sums.empty());
    ORB_ASSERT(sums.size() <= kTableSumsMax);
    std::fill(to.begin(), to.end(), std::byte{0});
    put<std::uint64_t>(to, table::kUid, uid);
    put<std::uint32_t>(to, table::kNumber, number);
    put<std::uint32_t>(to, table::kCount, static_cast<std::uint32_t>(sums.size()));
    put_sums(sums, to, table::kSums);
    put<std::uint64_t>(to, table::kChecksum,
                       checksum64(to.first(table::kChecksum), mix64(~uid, number)));
}

Result<std::uint32_t> decode_table_page(PageView page, std::uint64_t uid, std::uint32_t number,
                                        std::uint64_t size_bytes) noexcept {
    const std::uint64_t first = kDescriptorSumsMax + std::uint64_t{number} * kTableSumsMax;
    const std::uint64_t sums = chunk_count(size_bytes);
    if (number >= table_pages(size_bytes)) return fail(Errc::bad_format);
    const auto expected = std::min<std::uint64_t>(kTableSumsMax, sums - first);
    const bool sound = get<std::uint64_t>(page, table::kChecksum) ==
                           checksum64(page.first(table::kChecksum), mix64(~uid, number)) &&
                       get<std::uint64_t>(page, table::kUid) == uid &&
                       get<std::uint32_t>(page, table::kNumber) == number &&
                       get<std::uint32_t>(page, table::kCount) == expected;
    if (!sound) return fail(Errc::bad_format);
    return static_cast<std::uint32_t>(expected);
}

std::uint64_t table_sum(PageView page, std::uint32_t index) noexcept {
    ORB_ASSERT(index < kTableSumsMax);
    return get<std::uint64_t>(page, table::kSums + 8 * std::size_t{index});
}

}  // namespace orbitalreg::cas
