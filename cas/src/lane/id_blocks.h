#pragma once
// IdBlocks gives out uids and lane ids, from blocks that were durable in the log before their first
// id was used: no id ever comes twice, not even after a crash, which loses the rest of a block.
//
// Life     apply() each IdBlock; take() once after the replay; then next() while blocks are renewed
//          in the background.
// Threads  any.

#include "cas/walked_table.h"
#include "lane/lane_records.h"
#include "log/commit_log.h"

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

class IdBlocks {
public:
    static constexpr std::uint64_t kUidsPerBlock = std::uint64_t{1} << 20;
    static constexpr std::uint64_t kLanesPerBlock = 1024;

    void apply(const IdBlockRecord& block);
    // Blocks of both kinds, each in a frame of its own.
    Result<void> take(CommitLog& log);

    // 0 when the block is used up and its successor is not durable yet.
    std::uint64_t next(IdKind kind) noexcept;
    // True for one caller, who renews then: half of the block is gone and no other is at hand.
    bool wants_renewal(IdKind kind) noexcept;
    Awaitable<Result<void>> renew(IdKind kind, CommitLog& log);

    // Below this, ids were given out or lost; from it on they never were.
    std::uint64_t end(IdKind kind) const;
    CheckpointTable& checkpoint_table() noexcept { return walked_; }

private:
    // One row for each kind of id; docs/on-disk-format.md, "Rows of cas".
    struct IdRows {
        using Key = std::uint8_t;  // IdKind
        IdBlocks& ids;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(Key kind, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const { return ok(); }
    };
    struct Block {
        std::uint64_t next = 0;
        std::uint64_t end = 0;
    };
    struct Ids {
        Block current;
        Block spare;
        std::uint64_t end = 1;  // of all blocks in the log; ids start at 1
        bool renewing = false;
    };

    Ids& of(IdKind kind) noexcept { return ids_[kind == IdKind::uid ? 0 : 1]; }
    const Ids& of(IdKind kind) const noexcept { return ids_[kind == IdKind::uid ? 0 : 1]; }
    Group group_for(IdKind kind, IdBlockRecord& block) const;

    mutable std::mutex mutex_;
    std::array<Ids, 2> ids_;
    WalkedTable<IdRows> walked_{kIdBlockTable, IdRows{*this}};
};

}  // namespace orbitalreg::cas
