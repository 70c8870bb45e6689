#include "index/unreferenced_queue.h"

#include "base/assert.h"

namespace orbitalreg::cas {

bool UnreferencedQueue::push(const Entry& entry) {
    const std::lock_guard lock{mutex_};
    const bool fresh = blocks_.empty() || blocks_.back().size() == kBlockEntries;
    if (fresh) blocks_.emplace_back();
    Block& block = blocks_.back();
    ORB_ASSERT_SLOW(block.empty() || block.back().since_s <= entry.since_s);
    block.push_back(entry);
    ++size_;
    return fresh;
}

std::uint64_t UnreferencedQueue::first_block() const {
    const std::lock_guard lock{mutex_};
    return first_;
}

std::uint64_t UnreferencedQueue::end_block() const {
    const std::lock_guard lock{mutex_};
    return first_ + blocks_.size();
}

std::vector<UnreferencedQueue::Entry> UnreferencedQueue::block(std::uint64_t number) const {
    const std::lock_guard lock{mutex_};
    if (number < first_ || number - first_ >= blocks_.size()) return {};
    return blocks_[number - first_];
}

// The rows are asked without the lock: who asks them takes a lock of its own. A block that is not the last one only ever
// shrinks, so that one of the same size is the same.
void UnreferencedQueue::clean(std::uint64_t number, const Holds& holds) {
    if (number + 1 >= end_block()) return;
    Block kept = block(number);
    const std::size_t seen = kept.size();
    std::erase_if(kept, [&holds](const Entry& entry) { return !holds(entry); });
    kept.shrink_to_fit();
    const std::lock_guard lock{mutex_};
    if (number >= first_ && number + 1 < first_ + blocks_.size() &&
        blocks_[number - first_].size() == seen) {
        size_ -= seen - kept.size();
        blocks_[number - first_].swap(kept);
    }
    drop_empty_front();
}

void UnreferencedQueue::drop_empty_front() {
    while (blocks_.size() > 1 && blocks_.front().empty()) {
        blocks_.pop_front();
        ++first_;
    }
}

void UnreferencedQueue::clean_some(std::size_t count, const Holds& holds) {
    for (; count > 0; --count) {
        {
            const std::lock_guard lock{mutex_};
            const std::uint64_t end = first_ + blocks_.size();
            if (cursor_ < first_ || cursor_ >= end) cursor_ = first_;
        }
        clean(cursor_, holds);
        ++cursor_;
    }
}

void UnreferencedQueue::clear() {
    const std::lock_guard lock{mutex_};
    first_ += blocks_.size();
    blocks_.clear();
    size_ = 0;
}

std::uint64_t UnreferencedQueue::size() const {
    const std::lock_guard lock{mutex_};
    return size_;
}

}  // namespace orbitalreg::cas
