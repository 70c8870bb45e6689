#include "lane/clock_cache.h"

namespace orbitalreg::cas {

ClockCache::Bytes ClockCache::find(Key key) {
    const std::lock_guard lock{mutex_};
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    Entry& entry = entries_[found->second];
    entry.used = true;
    return entry.bytes;
}

// The last entry takes the place of the one that goes.
bool ClockCache::evict_one() {
    if (entries_.empty()) return false;
    for (;;) {
        if (hand_ >= entries_.size()) hand_ = 0;
        if (!std::exchange(entries_[hand_].used, false)) break;
        ++hand_;
    }
    index_.erase(entries_[hand_].key);
    if (hand_ + 1 != entries_.size()) {
        entries_[hand_] = std::move(entries_.back());
        index_[entries_[hand_].key] = hand_;
    }
    entries_.pop_back();
    return true;
}

void ClockCache::insert(Key key, Bytes bytes) {
    const std::uint64_t cost = bytes->size() + kEntryCost;
    const std::lock_guard lock{mutex_};
    if (index_.contains(key) || cost > ledger_.limit(share_)) return;
    Reservation reservation{ledger_, share_, cost};
    while (!reservation) {
        if (!evict_one()) return;
        reservation = Reservation{ledger_, share_, cost};
    }
    index_.emplace(key, entries_.size());
    entries_.push_back({key, std::move(bytes), std::move(reservation), false});
}

std::size_t ClockCache::size() const {
    const std::lock_guard lock{mutex_};
    return entries_.size();
}

}  // namespace orbitalreg::cas
