#pragma once
// Presented is a credential that was found genuine, kept for its next requests: who it is, what its token says, and the views
// of projects that were made for it. CredentialCache keeps them, by a hash of what was presented (SEC-97: not by itself).
//
// Threads  any.
// Limits   CredentialCache::kEntriesMax; beyond, the oldest go. kViewsMax projects each.

#include "auth/access_token.h"
#include "engine/access_control.h"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace orbitalreg::frontend {

class Presented {
public:
    static constexpr std::size_t kViewsMax = 256;

    // `token`: of Bearer; without one the identity's rights are all there is.
    Presented(engine::Identity identity, std::optional<AccessToken> token, std::uint64_t epoch,
              std::int64_t good_until_s)
        : token_{std::move(token)},
          good_until_s_{good_until_s},
          identity_{std::make_shared<const engine::Identity>(std::move(identity))},
          epoch_{epoch} {}

    const std::optional<AccessToken>& token() const noexcept { return token_; }
    // Wall clock; 0: without end.
    std::int64_t good_until_s() const noexcept { return good_until_s_; }
    std::shared_ptr<const engine::Identity> identity() const;

    // Nothing has changed since it was looked at.
    bool is_current(std::uint64_t epoch) const;
    // Looks at the account again where something changed since. False: it is not genuine any more. An error of the store is none
    // of the credential.
    Awaitable<engine::Answer<bool>> recall(engine::AccessControl& access);
    Awaitable<engine::Answer<std::shared_ptr<const engine::ProjectView>>> view(
        engine::AccessControl& access, const std::string& project);

private:
    using View = std::shared_ptr<const engine::ProjectView>;

    const std::optional<AccessToken> token_;
    const std::int64_t good_until_s_;
    mutable std::mutex mutex_;
    std::shared_ptr<const engine::Identity> identity_;
    std::uint64_t epoch_;  // up to which the identity is right
    std::uint64_t views_epoch_ = 0;
    std::unordered_map<std::string, View> views_;
};

class CredentialCache {
public:
    static constexpr std::size_t kEntriesMax = 32'768;
    using Key = std::array<std::byte, 32>;

    std::shared_ptr<Presented> find(const Key& key) const;
    void keep(const Key& key, std::shared_ptr<Presented> presented);
    void forget(const Key& key);

private:
    static constexpr std::size_t kShards = 16;
    struct Hash {
        std::size_t operator()(const Key& key) const noexcept {
            return load_le<std::uint64_t>(key.data() + 8);
        }
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<Key, std::shared_ptr<Presented>, Hash> entries;
        std::deque<Key> order;
    };
    const Shard& shard_of(const Key& key) const noexcept {
        return shards_[std::to_integer<std::size_t>(key[0]) % kShards];
    }
    Shard& shard_of(const Key& key) noexcept {
        return shards_[std::to_integer<std::size_t>(key[0]) % kShards];
    }

    std::array<Shard, kShards> shards_;
};

}  // namespace orbitalreg::frontend
