#pragma once
// LaneTable is what the frames say of each lane: phase, frontier, last record, whether a marked
// upload holds it.
//
// Threads  one at a time.

#include "cas/walked_table.h"
#include "lane/lane_records.h"
#include "lane/lanes.h"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

// The rows as a checkpoint has them; docs/on-disk-format.md, "Rows of cas".
struct LaneRows {
    using Key = std::uint32_t;
    std::map<std::uint32_t, LaneView>& rows;

    std::optional<Key> next(const std::optional<Key>& after) const;
    void encode(Key lane, std::vector<std::byte>& row) const;
    Result<void> load(ByteView row) const;
    Result<void> loaded() const { return ok(); }
};

class LaneTable {
public:
    void apply(const LaneStateRecord& state);
    void apply(const LaneCommit& commit);
    void apply(const MarkRecord& mark);    // of a lane upload
    void apply(const CloseRecord& close);  // of a session that held a lane

    const std::map<std::uint32_t, LaneView>& rows() const noexcept { return rows_; }
    CheckpointTable& checkpoint_table() noexcept { return walked_; }

private:
    LaneView& row(std::uint32_t lane);

    std::map<std::uint32_t, LaneView> rows_;
    WalkedTable<LaneRows> walked_{kLaneTable, LaneRows{rows_}};
};

}  // namespace orbitalreg::cas
