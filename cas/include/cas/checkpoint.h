#pragma once
// What a checkpoint is made of: tables of rows. Each is walked in slices between two frames while the state goes on
// changing, and yet written as it was at one LSN: a change of a row that the walk has not reached keeps the row's old
// image aside first, and the walk writes that image.
//
// Threads  the sequencer; load() and loaded() on the thread that opens the store; side_bytes() any.
// Format   docs/on-disk-format.md, "Checkpoint".

#include "base/bytes.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

// Numbers on disk, never reused. Those of the catalog start at kFirstCatalogTable.
inline constexpr std::uint16_t kBlobTable = 1;
inline constexpr std::uint16_t kLaneTable = 2;
inline constexpr std::uint16_t kUploadTable = 3;
inline constexpr std::uint16_t kClosedUploadTable = 4;
inline constexpr std::uint16_t kIdBlockTable = 5;
inline constexpr std::uint16_t kFirstCatalogTable = 64;

// No row is larger: it comes from one group of records.
inline constexpr std::size_t kRowSizeMax = 1_MiB;

// Rows of one table behind each other: length, zero, the row, padding to 8, so that a row may be read in place.
class RowBatch {
public:
    static constexpr std::size_t kPrefixSize = 8;

    void add(ByteView row) {
        const std::size_t at = bytes_.size();
        bytes_.resize(round_up(at + kPrefixSize + row.size(), kPrefixSize));
        const auto size = static_cast<std::uint32_t>(row.size());
        std::memcpy(bytes_.data() + at, &size, sizeof size);
        if (!row.empty()) std::memcpy(bytes_.data() + at + kPrefixSize, row.data(), row.size());
        ++rows_;
    }
    void clear() noexcept {
        bytes_.clear();
        rows_ = 0;
    }
    std::uint32_t rows() const noexcept { return rows_; }
    ByteView bytes() const noexcept { return bytes_; }

private:
    std::vector<std::byte> bytes_;
    std::uint32_t rows_ = 0;
};

// The first row of `rows`, which are behind each other as in a RowBatch and then start behind it. Nothing at the end, or
// where there is no whole row.
inline std::optional<ByteView> take_row(ByteView& rows) noexcept {
    if (rows.size() < RowBatch::kPrefixSize) return std::nullopt;
    const std::uint64_t size = load_le<std::uint32_t>(rows.data());
    const std::uint64_t taken = round_up(RowBatch::kPrefixSize + size, RowBatch::kPrefixSize);
    if (taken > rows.size()) return std::nullopt;
    const ByteView row = rows.subspan(RowBatch::kPrefixSize, static_cast<std::size_t>(size));
    rows = rows.subspan(static_cast<std::size_t>(taken));
    return row;
}

class CheckpointTable {
public:
    virtual ~CheckpointTable() = default;

    virtual std::uint16_t number() const noexcept = 0;
    // From now on the walk sees the rows as they are at this moment.
    virtual void begin_walk() = 0;
    // Appends the next rows, at most `rows_max` of them and none once `rows` holds `bytes_max`, of which the last may
    // stick out; perhaps none, in a gap. False when the table is at its end.
    virtual bool walk(RowBatch& rows, std::uint32_t rows_max, std::size_t bytes_max) = 0;
    // The walk is over, whole or not: old images go.
    virtual void end_walk() noexcept = 0;
    // What old images take in memory.
    virtual std::uint64_t side_bytes() const noexcept = 0;

    // One row, in the order in which walk() wrote them. Errc::bad_format.
    virtual Result<void> load(ByteView row) = 0;
    // Every row was loaded, and those of the tables before. Errc::bad_format.
    virtual Result<void> loaded() { return ok(); }
};

}  // namespace orbitalreg::cas
