#pragma once
// RecentDeletions remembers what collection deleted of late, for whoever asks where a blob is. In memory only: after a
// start it knows what the replayed frames deleted.
//
// Threads  any.
// Limits   kDeletionsRemembered; then the oldest is forgotten. About 200 bytes each.

#include "cas/collection.h"

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

namespace orbitalreg::cas {

class RecentDeletions {
public:
    void add(const DeletedBlob& blob);
    // The latest deletion of that digest.
    std::optional<DeletedBlob> find(const Digest& digest) const;
    std::uint64_t size() const;

private:
    mutable std::mutex mutex_;
    std::uint64_t first_ = 0;  // number of order_.front()
    std::deque<DeletedBlob> order_;
    std::map<Digest, std::uint64_t> latest_;  // number of the latest deletion
};

}  // namespace orbitalreg::cas
