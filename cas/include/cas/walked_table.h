#pragma once
// WalkedTable makes a table of a checkpoint out of rows that are kept elsewhere and go on changing: whoever changes a row
// calls before_change() first, and a row that the walk has not reached leaves its old image here. The walk goes through
// rows and old images in the order of their keys, so that what it writes is the table as it was at begin_walk().
//
// Source   where the rows are; small, copied. It has
//            using Key               ordered by <
//            next(after)             the smallest key of a row above `after` (none: from the start); nothing at the end.
//                                    It may name a key without a row, so that a long gap is passed in small steps.
//            encode(key, row)        appends the row as it is now; nothing where there is none. Never more than
//                                    kRowSizeMax.
//            load(row), loaded()     as CheckpointTable's
// Threads  the sequencer; side_bytes() any. Readers of the rows are not disturbed: nothing here changes them.
// Memory   one old image for each row that changed before the walk reached it, counted by side_bytes().
// I1       while walked, key k has an old image if and only if k is beyond the cursor and was changed since begin_walk().

#include "base/assert.h"
#include "base/planted_bug.h"
#include "cas/checkpoint.h"

#include <atomic>
#include <map>
#include <optional>
#include <utility>

namespace orbitalreg::cas {

template <class Source>
class WalkedTable final : public CheckpointTable {
public:
    using Key = typename Source::Key;

    WalkedTable(std::uint16_t number, Source source) noexcept
        : number_{number}, source_{std::move(source)} {}
    WalkedTable(const WalkedTable&) = delete;
    WalkedTable& operator=(const WalkedTable&) = delete;

    // The row of `key` is about to be made, changed or removed.
    void before_change(const Key& key) {
        if (!walking_) return;
        if (cursor_ && !(*cursor_ < key)) return;
        if (ORB_PLANTED(fuzzy_image)) return;
        const auto [image, first] = old_images_.try_emplace(key);
        if (!first) return;
        source_.encode(key, image->second);
        side_bytes_.fetch_add(size_of(image->second), std::memory_order_relaxed);
    }

    std::uint16_t number() const noexcept override { return number_; }

    void begin_walk() override {
        ORB_ASSERT(!walking_);
        walking_ = true;
    }

    bool walk(RowBatch& rows, std::uint32_t rows_max, std::size_t bytes_max) override {
        for (std::uint32_t visited = 0; visited < rows_max; ++visited) {
            if (rows.bytes().size() >= bytes_max) return true;
            if (!walk_one(rows)) {
                end_walk();  // what changes from now on was written
                return false;
            }
        }
        return true;
    }

    void end_walk() noexcept override {
        walking_ = false;
        cursor_.reset();
        old_images_.clear();
        side_bytes_.store(0, std::memory_order_relaxed);
    }

    std::uint64_t side_bytes() const noexcept override {
        return side_bytes_.load(std::memory_order_relaxed);
    }

    Result<void> load(ByteView row) override { return source_.load(row); }
    Result<void> loaded() override { return source_.loaded(); }

private:
    using Images = std::map<Key, std::vector<std::byte>>;

    static std::uint64_t size_of(const std::vector<std::byte>& image) noexcept {
        constexpr std::uint64_t kNodeBytes = sizeof(typename Images::value_type) + 48;
        return kNodeBytes + image.capacity();
    }

    // False at the end.
    bool walk_one(RowBatch& rows) {
        if (!walking_) return false;
        auto key = source_.next(cursor_);
        const auto image = old_images_.begin();
        if (image != old_images_.end() && (!key || !(*key < image->first))) {
            if (!image->second.empty()) rows.add(image->second);
            side_bytes_.fetch_sub(size_of(image->second), std::memory_order_relaxed);
            cursor_ = image->first;
            old_images_.erase(image);
            return true;
        }
        if (!key) return false;
        row_.clear();
        source_.encode(*key, row_);
        if (!row_.empty()) rows.add(row_);
        cursor_ = std::move(key);
        return true;
    }

    const std::uint16_t number_;
    Source source_;
    bool walking_ = false;
    std::optional<Key> cursor_;  // the last key written
    Images old_images_;          // empty: there was no row
    std::atomic<std::uint64_t> side_bytes_{0};
    std::vector<std::byte> row_;  // reused
};

}  // namespace orbitalreg::cas
