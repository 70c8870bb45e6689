#pragma once
// ScrubState is what frames say of the scrub: how far the pass has come and when the whole store was last verified. It is
// replaced by each ScrubPosition record, and one row of a checkpoint.
//
// Threads  any; applied on the sequencer.
// Format   docs/on-disk-format.md, "Records" and "Checkpoint".

#include "cas/checkpoint.h"
#include "log/group.h"

#include <compare>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

// A place of the store in the order in which a pass goes: the lanes, then the log.
struct ScrubPlace {
    bool in_log = false;
    std::uint32_t file = 0;
    std::uint32_t position = 0;  // as in Extent
    friend auto operator<=>(const ScrubPlace&, const ScrubPlace&) = default;
};

struct ScrubPosition {
    std::uint64_t pass = 0;                 // from 1; 0: none has begun
    bool running = false;                   // else the pass is through
    ScrubPlace place;                       // extents before it are verified in this pass
    std::uint64_t begun_store_time_ms = 0;  // of this pass
    std::uint64_t blobs = 0;                // verified in this pass
    std::uint64_t bytes = 0;
    std::uint64_t full_pass = 0;  // the last one that went through, 0: none
    std::uint64_t full_begun_store_time_ms = 0;
    std::uint64_t full_ended_store_time_ms = 0;
    friend bool operator==(const ScrubPosition&, const ScrubPosition&) = default;
};

GroupRecord encode_record(const ScrubPosition& position);
// Errc::bad_format.
Result<ScrubPosition> decode_scrub_position(ByteView body) noexcept;

class ScrubState {
public:
    // A body that decode_scrub_position() understood.
    void apply(ByteView body) noexcept;
    ScrubPosition position() const;

private:
    friend class ScrubTable;
    mutable std::mutex mutex_;
    ScrubPosition position_;
};

// Table 6 of a checkpoint: one row, the body of the record that the state was last replaced by.
class ScrubTable final : public CheckpointTable {
public:
    static constexpr std::uint16_t kNumber = 6;

    explicit ScrubTable(ScrubState& state) noexcept : state_{state} {}

    std::uint16_t number() const noexcept override { return kNumber; }
    void begin_walk() override;
    bool walk(RowBatch& rows, std::uint32_t rows_max, std::size_t bytes_max) override;
    void end_walk() noexcept override { image_.reset(); }
    std::uint64_t side_bytes() const noexcept override { return 0; }
    Result<void> load(ByteView row) override;

private:
    ScrubState& state_;
    std::optional<ScrubPosition> image_;  // as it was at begin_walk(); none once it is written
};

}  // namespace orbitalreg::cas
