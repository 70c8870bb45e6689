#include "catalog/request_table.h"

#include "base/checksum.h"

namespace orbitalreg::engine {

std::size_t RequestTable::IdHash::operator()(const RequestId& id) const noexcept {
    return mix64(id.high, id.low);
}

std::optional<RequestOutcome> RequestTable::find(const RequestId& id,
                                                 std::uint64_t now_store_time_ms) const {
    const auto found = entries_.find(id);
    if (found == entries_.end() || is_over(found->second.noted_store_time_ms, now_store_time_ms))
        return std::nullopt;
    return found->second.outcome;
}

void RequestTable::note(const RequestId& id, RequestOutcome outcome,
                        std::uint64_t now_store_time_ms) {
    if (id == RequestId{}) return;
    while (!order_.empty() &&
           (is_over(order_.front().second, now_store_time_ms) || order_.size() >= outcomes_max_)) {
        if (!is_over(order_.front().second, now_store_time_ms)) ++forgotten_early_;
        entries_.erase(order_.front().first);
        order_.pop_front();
    }
    const auto [entry, inserted] =
        entries_.try_emplace(id, Entry{std::move(outcome), now_store_time_ms});
    if (inserted) order_.emplace_back(id, now_store_time_ms);
}

}  // namespace orbitalreg::engine
