#include "collect/recent_deletions.h"

namespace orbitalreg::cas {

void RecentDeletions::add(const DeletedBlob& blob) {
    const std::lock_guard lock{mutex_};
    if (order_.size() == kDeletionsRemembered) {
        const auto known = latest_.find(order_.front().digest);
        if (known != latest_.end() && known->second == first_) latest_.erase(known);
        order_.pop_front();
        ++first_;
    }
    latest_.insert_or_assign(blob.digest, first_ + order_.size());
    order_.push_back(blob);
}

std::optional<DeletedBlob> RecentDeletions::find(const Digest& digest) const {
    const std::lock_guard lock{mutex_};
    const auto known = latest_.find(digest);
    if (known == latest_.end()) return std::nullopt;
    return order_[known->second - first_];
}

std::uint64_t RecentDeletions::size() const {
    const std::lock_guard lock{mutex_};
    return order_.size();
}

}  // namespace orbitalreg::cas
