#pragma once
// ClockCache keeps verified bytes by number within a share of the memory ledger; what was not asked
// for since the hand last passed goes first (CLOCK).
//
// Threads  any; one lock.
// Limits   the share. A value that does not fit after eviction is handed through without being
//          kept.

#include "io/memory_ledger.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace orbitalreg::cas {

class ClockCache {
public:
    using Bytes = std::shared_ptr<const std::vector<std::byte>>;
    using Key = std::pair<std::uint64_t, std::uint64_t>;  // uid, and what of it

    // A value's own size and what keeping it costs beside it.
    static constexpr std::uint64_t kEntryCost = 160;

    ClockCache(MemoryLedger& ledger, MemoryShare share) noexcept : ledger_{ledger}, share_{share} {}
    ClockCache(const ClockCache&) = delete;
    ClockCache& operator=(const ClockCache&) = delete;

    Bytes find(Key key);  // null when it is not there
    void insert(Key key, Bytes bytes);
    std::size_t size() const;

private:
    struct Entry {
        Key key{};
        Bytes bytes;
        Reservation reservation;
        bool used = false;
    };
    bool evict_one();

    MemoryLedger& ledger_;
    const MemoryShare share_;
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
    std::map<Key, std::size_t> index_;
    std::size_t hand_ = 0;
};

}  // namespace orbitalreg::cas
