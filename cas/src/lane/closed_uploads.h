#pragma once
// ClosedUploads remembers how sessions ended, so that a request that is repeated gets the same
// answer: until the session's id expires, and at most a given number of them.
//
// Memory   32 bytes a close and 5 bytes of index at a load of at most 3/4. Of the digest the table
//          keeps 64 bits and the blob's id; the blob table has the rest.
// Threads  one at a time.
// I1       slots_ has exactly one slot for each element of closes_.

#include "cas/references.h"
#include "cas/store.h"
#include "cas/walked_table.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

class ClosedUploads {
public:
    struct Close {
        SessionId session{};
        std::uint64_t digest_prefix = 0;  // of a finished one
        BlobId blob;                      // of a finished one; the id may have another blob by now
        std::uint32_t finished : 1 = 0;
        std::uint32_t forget_at_s : 31 = 0;  // store time
    };
    static_assert(sizeof(Close) == 32);

    // A session that is there already keeps its first close.
    void insert(const Close& close);
    std::optional<Close> find(const SessionId& session) const noexcept;
    // Drops the oldest that may go at `now_s`, then the oldest beyond `size_max`; returns the
    // number of the latter.
    std::uint64_t expire(std::uint64_t now_s, std::uint32_t size_max) noexcept;
    std::uint64_t size() const noexcept { return closes_.size(); }
    CheckpointTable& checkpoint_table() noexcept { return walked_; }
    void check_invariants() const;

private:
    static constexpr std::uint32_t kNone = 0xffffffff;

    // The oldest first; docs/on-disk-format.md, "Rows of cas".
    struct CloseRows {
        using Key = std::uint64_t;  // its place among all closes there ever were
        ClosedUploads& uploads;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(Key place, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const { return ok(); }
    };

    std::size_t home_of(const SessionId& session) const noexcept;
    std::size_t slot_of(
        const SessionId& session) const noexcept;  // its slot, or the empty one where it would go
    const Close& close_in(std::size_t slot) const noexcept;
    void pop_oldest() noexcept;
    void grow();

    std::deque<Close> closes_;        // in order of closing
    std::uint32_t first_number_ = 0;  // of closes_.front(); wraps around at 2^32 - 1
    std::uint64_t first_place_ = 0;   // of closes_.front(), since the store was opened
    std::vector<std::uint32_t> slots_;
    WalkedTable<CloseRows> walked_{kClosedUploadTable, CloseRows{*this}};
};

}  // namespace orbitalreg::cas
