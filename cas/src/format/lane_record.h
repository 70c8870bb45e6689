#pragma once
// The pages that cas writes around bulk bytes: header of a lane, header of a record, table pages,
// descriptor. docs/on-disk-format.md, section "Lanes", is normative.
//
// A lane is a header page and then records. A record is a header page, the payload from a page
// boundary and padded with zeros to one, table pages for the chunk sums from number 448 on, and the
// descriptor page, with the first 448 of them, last. How many pages that is follows from the
// payload's size alone.

#include "base/digest.h"
#include "base/result.h"
#include "cas/io.h"
#include "cas/store.h"
#include "format/address.h"
#include "index/extent.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace orbitalreg::cas {

inline constexpr std::uint64_t kChunkSize = 64_KiB;
inline constexpr std::uint32_t kDescriptorSumsMax = 448;  // of the first 28 MiB of payload
inline constexpr std::uint32_t kTableSumsMax = 509;       // a table page vouches for 31.8 MiB more
inline constexpr std::uint32_t kLaneVersion = 1;

using PageView = std::span<const std::byte, kPageSize>;
using MutablePageView = std::span<std::byte, kPageSize>;

// A page on the stack or the heap that O_DIRECT accepts.
struct alignas(kPageSize) Page {
    std::array<std::byte, kPageSize> bytes{};
    operator PageView() const noexcept { return PageView{bytes}; }
    operator MutablePageView() noexcept { return MutablePageView{bytes}; }
};
static_assert(sizeof(Page) == kPageSize);

// `lane/` and 16 hex digits and `.olane`.
std::string lane_path(std::uint32_t lane);
// The id in a file's name, 0 when it is no lane's name.
std::uint32_t lane_of_name(std::string_view name) noexcept;

constexpr std::uint64_t chunk_count(std::uint64_t size_bytes) noexcept {
    return (size_bytes + kChunkSize - 1) / kChunkSize;
}
constexpr std::uint64_t payload_pages(std::uint64_t size_bytes) noexcept {
    return (size_bytes + kPageSize - 1) / kPageSize;
}
// Of these, the first kDescriptorSumsMax are in the descriptor.
constexpr std::uint32_t descriptor_sums(std::uint64_t size_bytes) noexcept {
    const std::uint64_t sums = chunk_count(size_bytes);
    return sums < kDescriptorSumsMax ? static_cast<std::uint32_t>(sums) : kDescriptorSumsMax;
}
constexpr std::uint64_t table_pages(std::uint64_t size_bytes) noexcept {
    const std::uint64_t sums = chunk_count(size_bytes);
    return sums <= kDescriptorSumsMax
               ? 0
               : (sums - kDescriptorSumsMax + kTableSumsMax - 1) / kTableSumsMax;
}
// The whole record: header, payload, tables, descriptor.
constexpr std::uint64_t record_pages(std::uint64_t size_bytes) noexcept {
    return 1 + payload_pages(size_bytes) + table_pages(size_bytes) + 1;
}
// Page numbers in the lane of a record at `base_page`.
constexpr std::uint64_t table_page_number(std::uint64_t base_page, std::uint64_t size_bytes,
                                          std::uint64_t table) noexcept {
    return base_page + 1 + payload_pages(size_bytes) + table;
}
constexpr std::uint64_t descriptor_page_number(std::uint64_t base_page,
                                               std::uint64_t size_bytes) noexcept {
    return base_page + record_pages(size_bytes) - 1;
}

// What all pages of one store are bound to.
struct StoreIdentity {
    StoreUuid uuid{};
    AddressSeed seed;
};

struct LaneHeader {
    std::uint32_t lane = 0;
    std::uint64_t incarnation = 0;
    friend bool operator==(const LaneHeader&, const LaneHeader&) = default;
};

struct RecordHeader {
    std::uint32_t lane = 0;
    std::uint32_t base_page = 0;
    std::uint64_t uid = 0;
    std::uint32_t previous_base_page = 0;  // 0: none
    SessionId session{};                   // zeros without a session
    std::uint64_t incarnation = 0;
    std::uint64_t store_time_ms = 0;
    friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

struct RecordDescriptor {
    std::uint32_t lane = 0;
    std::uint32_t base_page = 0;
    std::uint64_t uid = 0;
    std::uint64_t size_bytes = 0;
    Digest digest;
    friend bool operator==(const RecordDescriptor&, const RecordDescriptor&) = default;
};

// encode_* fill the whole page. `sums` of a descriptor are the first kDescriptorSumsMax, or all.
void encode_lane_header(const LaneHeader& header, const StoreIdentity& store,
                        MutablePageView to) noexcept;
void encode_record_header(const RecordHeader& header, const StoreIdentity& store,
                          MutablePageView to) noexcept;
void encode_descriptor(const RecordDescriptor& descriptor, std::span<const std::uint64_t> sums,
                       const StoreIdentity& store, MutablePageView to) noexcept;
// `sums`: 1 to kTableSumsMax of them.
void encode_table_page(std::uint64_t uid, std::uint32_t table, std::span<const std::uint64_t> sums,
                       MutablePageView to) noexcept;

// decode_* check magic, version, checksum under the seed of the place, and every range.
// Errc::bad_format for bytes that are no such page of this place; Errc::wrong_store for another
// store's.
Result<LaneHeader> decode_lane_header(PageView page, std::uint32_t lane,
                                      const StoreIdentity& store) noexcept;
Result<RecordHeader> decode_record_header(PageView page, std::uint32_t lane,
                                          std::uint32_t base_page,
                                          const StoreIdentity& store) noexcept;
// The page number follows from base page and size, which the caller knows from the row.
Result<RecordDescriptor> decode_descriptor(PageView page, std::uint32_t lane,
                                           std::uint64_t page_number,
                                           const StoreIdentity& store) noexcept;
// Sum number `index` (counted in the page) of a page that decoded.
std::uint64_t descriptor_sum(PageView page, std::uint32_t index) noexcept;
// The number of sums in the page: what `size_bytes` demands, else Errc::bad_format.
Result<std::uint32_t> decode_table_page(PageView page, std::uint64_t uid, std::uint32_t table,
                                        std::uint64_t size_bytes) noexcept;
std::uint64_t table_sum(PageView page, std::uint32_t index) noexcept;

}  // namespace orbitalreg::cas
