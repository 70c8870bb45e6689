#include "scrub/scrub_window.h"

#include "base/assert.h"

#include <algorithm>

namespace orbitalreg::cas {

ScrubWindow::ScrubWindow(ScrubPlace from, std::size_t entries_max)
    : from_{from}, entries_max_{entries_max} {
    ORB_ASSERT(entries_max > 0);
}

void ScrubWindow::add(const BlobView& blob) {
    const ScrubPlace place{!blob.extent.in_lane, blob.extent.file, blob.extent.position};
    if (place < from_ || (bound_ && *bound_ < place)) return;
    entries_.push_back({place, blob.id, blob.extent.uid, blob.extent.size_bytes});
    if (entries_.size() >= 2 * entries_max_) cut();
}

void ScrubWindow::cut() {
    if (entries_.size() <= entries_max_) return;
    const auto last = entries_.begin() + static_cast<std::ptrdiff_t>(entries_max_ - 1);
    std::ranges::nth_element(entries_, last, {}, &ScrubEntry::place);
    entries_.resize(entries_max_);
    bound_ = entries_.back().place;
}

std::vector<ScrubEntry> ScrubWindow::take() {
    cut();
    std::ranges::sort(entries_, {}, &ScrubEntry::place);
    return std::move(entries_);
}

}  // namespace orbitalreg::cas
