#pragma once
// Grace is how long an unreferenced blob stays, and when a lease on it must be written. Times are store time: a clock that
// is set ten years off deletes nothing.

#include "cas/options.h"
#include "index/blob_table.h"

#include <algorithm>
#include <cstdint>

namespace orbitalreg::cas {

struct Grace {
    std::int64_t grace_ms = 0;
    std::int64_t damaged_keep_ms = 0;  // damaged blobs without references stay at least this long

    explicit Grace(const StoreOptions& options) noexcept
        : grace_ms{options.gc_grace_ms}, damaged_keep_ms{options.damaged_keep_ms} {}

    // "It exists" said of an unreferenced blob promises the grace less this much: so that not every answer costs a write.
    std::int64_t lease_slack_ms() const noexcept {
        return std::min<std::int64_t>(3'600'000, grace_ms / 24);
    }
    bool lease_due(const BlobView& blob, std::uint64_t now_ms) const noexcept {
        // A grace of nothing promises nothing.
        return blob.references == 0 && grace_ms > 0 && age_ms(blob, now_ms) > lease_slack_ms();
    }
    std::uint64_t due_ms(const BlobView& blob) const noexcept {
        const std::int64_t stay = blob.damaged ? std::max(grace_ms, damaged_keep_ms) : grace_ms;
        return std::uint64_t{blob.unreferenced_since_s} * 1000 + static_cast<std::uint64_t>(stay);
    }
    bool over(const BlobView& blob, std::uint64_t now_ms) const noexcept {
        return blob.references == 0 && now_ms >= due_ms(blob);
    }

private:
    static std::int64_t age_ms(const BlobView& blob, std::uint64_t now_ms) noexcept {
        return static_cast<std::int64_t>(now_ms) -
               static_cast<std::int64_t>(blob.unreferenced_since_s) * 1000;
    }
};

}  // namespace orbitalreg::cas
