#include "auth/presented.h"

namespace orbitalreg::frontend {

std::shared_ptr<const engine::Identity> Presented::identity() const {
    const std::lock_guard lock{mutex_};
    return identity_;
}

bool Presented::is_current(std::uint64_t epoch) const {
    const std::lock_guard lock{mutex_};
    return epoch_ == epoch;
}

Awaitable<engine::Answer<bool>> Presented::recall(engine::AccessControl& access) {
    // Before the documents are read: what changes meanwhile is looked at the next time.
    const auto now = access.epoch();
    std::shared_ptr<const engine::Identity> known;
    {
        const std::lock_guard lock{mutex_};
        if (epoch_ == now) co_return true;
        known = identity_;
    }
    auto again = co_await access.recall(*known);
    if (!again && again.error().code == engine::Errc::denied) co_return false;
    if (!again) co_return engine::refuse(again.error());
    const std::lock_guard lock{mutex_};
    identity_ = std::make_shared<const engine::Identity>(std::move(again).value());
    epoch_ = now;
    // They were made for who it was before: a change between a recall and a view made one with old rights at the new epoch.
    views_.clear();
    co_return true;
}

Awaitable<engine::Answer<std::shared_ptr<const engine::ProjectView>>> Presented::view(
    engine::AccessControl& access, const std::string& project) {
    const auto now = access.epoch();
    std::shared_ptr<const engine::Identity> who;
    {
        const std::lock_guard lock{mutex_};
        if (views_epoch_ != now) views_.clear();
        views_epoch_ = now;
        if (const auto known = views_.find(project); known != views_.end()) co_return known->second;
        who = identity_;
    }
    auto made = co_await access.view(*who, project);
    if (!made) co_return engine::refuse(made.error());
    auto view = std::make_shared<const engine::ProjectView>(std::move(made).value());
    const std::lock_guard lock{mutex_};
    if (views_epoch_ == now && identity_ == who) {
        if (views_.size() >= kViewsMax) views_.clear();
        views_.emplace(project, view);
    }
    co_return view;
}

std::shared_ptr<Presented> CredentialCache::find(const Key& key) const {
    const auto& shard = shard_of(key);
    const std::lock_guard lock{shard.mutex};
    const auto found = shard.entries.find(key);
    return found == shard.entries.end() ? nullptr : found->second;
}

void CredentialCache::keep(const Key& key, std::shared_ptr<Presented> presented) {
    auto& shard = shard_of(key);
    const std::lock_guard lock{shard.mutex};
    if (!shard.entries.insert_or_assign(key, std::move(presented)).second) return;
    shard.order.push_back(key);
    while (shard.order.size() > kEntriesMax / kShards) {
        shard.entries.erase(shard.order.front());
        shard.order.pop_front();
    }
}

void CredentialCache::forget(const Key& key) {
    auto& shard = shard_of(key);
    const std::lock_guard lock{shard.mutex};
    // Its place in the order goes when its turn comes.
    shard.entries.erase(key);
}

}  // namespace orbitalreg::frontend
