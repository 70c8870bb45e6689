#include "rebuild/lane_salvage.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kPieceSize = 1_MiB;

}  // namespace

LaneSalvage::LaneSalvage(Io& io, const StoreIdentity& store)
    : io_{io}, store_{store}, check_{io, store, kPieceSize}, piece_{kPieceSize} {}

// Pages from `first` on; what cannot be read is zeros. Returns the page behind them.
std::uint32_t LaneSalvage::read_piece(File& file, std::uint32_t first, std::uint32_t end) {
    const auto pages =
        std::min<std::uint32_t>(end - first, static_cast<std::uint32_t>(kPieceSize / kPageSize));
    const MutableByteView bytes = piece_.first(std::size_t{pages} * kPageSize);
    const auto read = file.read(std::uint64_t{first} * kPageSize, bytes);
    if (read && read.value() == bytes.size()) return first + pages;
    for (std::uint32_t i = 0; i < pages; ++i) {
        const MutableByteView page = piece_.subspan(std::size_t{i} * kPageSize, kPageSize);
        const auto one = file.read((std::uint64_t{first} + i) * kPageSize, page);
        if (!one || one.value() != kPageSize) std::ranges::fill(page, std::byte{0});
    }
    return first + pages;
}

void LaneSalvage::look_at(PageView page, std::uint32_t number, SalvagedLane& result,
                          const Wanted& wanted, const Found& found) {
    if (result.empty && !all_zero(page)) result.empty = false;
    const auto descriptor = decode_descriptor(page, result.lane, number, store_);
    if (!descriptor) return;
    const RecordDescriptor& record = descriptor.value();
    result.last_base_page = std::max(result.last_base_page, record.base_page);
    last_uid_ = std::max(last_uid_, record.uid);
    if (!wanted(record.digest)) return;
    BlobView blob;
    blob.digest = record.digest;
    blob.extent = {true, result.lane, record.base_page, record.size_bytes, record.uid};
    check_.begin(blob, true);
    ExtentVerdict verdict = ExtentVerdict::more;
    while (verdict == ExtentVerdict::more) verdict = check_.step();
    if (verdict == ExtentVerdict::sound) {
        found(blob);
    } else {
        ++unsound_;
    }
}

SalvagedLane LaneSalvage::run(std::uint32_t lane, const Extents& known, const Wanted& wanted,
                              const Found& found) {
    SalvagedLane result{.lane = lane};
    const auto file = io_.open(lane_path(lane), {.direct = true});
    const auto stat = file ? file.value()->stat() : fail(file.error());
    if (!stat) return result;
    if (!known.empty()) result.last_base_page = known.rbegin()->first;
    result.pages = static_cast<std::uint32_t>(stat.value().size_bytes / kPageSize);
    if (!known.empty()) result.empty = false;
    auto next = known.begin();
    for (std::uint32_t first = 0; first < result.pages;) {
        while (next != known.end() && next->second <= first) ++next;
        if (next != known.end() && next->first <= first) {
            first = next->second;
            continue;
        }
        const std::uint32_t stop =
            next == known.end() ? result.pages : std::min(result.pages, next->first);
        const std::uint32_t end = read_piece(*file.value(), first, stop);
        for (std::uint32_t number = first; number < end; ++number) {
            const PageView page{piece_.subspan(std::size_t{number - first} * kPageSize, kPageSize)};
            if (number == 0) {
                result.header_valid = decode_lane_header(page, lane, store_).has_value();
            } else {
                look_at(page, number, result, wanted, found);
            }
        }
        first = end;
    }
    return result;
}

}  // namespace orbitalreg::cas
