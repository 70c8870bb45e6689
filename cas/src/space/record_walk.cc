#include "space/record_walk.h"

#include <algorithm>

namespace orbitalreg::cas {

RecordWalk::RecordWalk(File& file, std::uint32_t lane, const StoreIdentity& store,
                       const BlobTable& blobs, Pacer& pacer)
    : file_{file},
      lane_{lane},
      store_{store},
      blobs_{blobs},
      pacer_{pacer},
      piece_{std::size_t{kPiecePages} * kPageSize} {}

// Pieces are aligned to their size; what lies behind the end of the file reads as zeros.
Result<PageView> RecordWalk::page(std::uint32_t number) {
    if (number < loaded_.begin || number >= loaded_.end) {
        loaded_ = {};
        const std::uint32_t begin = number - number % kPiecePages;
        ORB_TRY(const std::size_t read,
                file_.read(std::uint64_t{begin} * kPageSize, piece_.bytes()));
        std::ranges::fill(piece_.bytes().subspan(read), std::byte{0});
        loaded_ = {begin, begin + kPiecePages};
    }
    const std::size_t at = std::size_t{number - loaded_.begin} * kPageSize;
    return PageView{piece_.bytes().subspan(at, kPageSize)};
}

// The end of what is not zero in the range; its begin when all of it is.
Result<std::uint32_t> RecordWalk::skip_zeros(PageRange range) {
    std::uint32_t end = range.end;
    for (; end > range.begin; --end) {
        ORB_TRY(const PageView bytes, page(end - 1));
        if (std::ranges::any_of(bytes, [](std::byte b) { return b != std::byte{0}; })) break;
    }
    return end;
}

Result<std::optional<RecordDescriptor>> RecordWalk::descriptor_at(std::uint32_t number) {
    ORB_TRY(const PageView bytes, page(number));
    const auto descriptor = decode_descriptor(bytes, lane_, number, store_);
    if (!descriptor) return std::nullopt;
    const std::uint64_t pages = record_pages(descriptor.value().size_bytes);
    if (descriptor.value().base_page + pages != std::uint64_t{number} + 1) return std::nullopt;
    return descriptor.value();
}

Result<std::optional<std::uint32_t>> RecordWalk::previous_base(std::uint32_t base) {
    ORB_TRY(const PageView bytes, page(base));
    const auto header = decode_record_header(bytes, lane_, base, store_);
    if (!header || header.value().previous_base_page >= base) return std::nullopt;
    return header.value().previous_base_page;
}

bool RecordWalk::is_live(const RecordDescriptor& descriptor) const {
    const auto blob = blobs_.find(descriptor.digest);
    return blob && blob->extent.in_lane && blob->extent.file == lane_ &&
           blob->extent.position == descriptor.base_page;
}

Awaitable<Result<std::optional<std::uint32_t>>> RecordWalk::sweep(PageRange range) {
    for (std::uint32_t number = range.begin; number < range.end; ++number) {
        if (number % kPiecePages == 0) co_await pacer_.take(piece_.size());
        ORB_CO_TRY(const auto descriptor, descriptor_at(number));
        if (descriptor && is_live(*descriptor)) co_return descriptor->base_page;
    }
    co_return std::nullopt;
}

Awaitable<Result<std::optional<std::uint32_t>>> RecordWalk::find_live(
    PageRange range, std::optional<std::uint32_t> last_base) {
    std::uint32_t end = range.end;
    std::optional<std::uint32_t> hint = last_base;
    while (end > range.begin) {
        ORB_CO_TRY(end, skip_zeros({range.begin, end}));
        if (end == range.begin) break;
        if (hint && *hint >= end) hint.reset();  // punched before, or not of this chain
        ORB_CO_TRY(const auto descriptor, descriptor_at(end - 1));
        if (descriptor) {
            const std::uint32_t base = descriptor->base_page;
            // A record that begins before the range is not dead as a whole, whatever the index says.
            if (base < range.begin || is_live(*descriptor)) co_return base;
            ORB_CO_TRY(hint, previous_base(base));
            end = base;
            continue;
        }
        if (hint && *hint < range.begin) break;  // no record that a frame named begins here
        const std::uint32_t begin = hint ? *hint : range.begin;
        ORB_CO_TRY(const auto live, co_await sweep({begin, end}));
        if (live) co_return live;
        if (hint) {
            ORB_CO_TRY(hint, previous_base(begin));
        }
        end = begin;
    }
    co_return std::nullopt;
}

}  // namespace orbitalreg::cas
