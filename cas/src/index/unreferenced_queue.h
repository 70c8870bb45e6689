#pragma once
// UnreferencedQueue lists the blobs that nothing references, in the order in which that began: what collection looks at
// instead of all rows. An entry is a hint, the row decides: of a blob that was referenced or confirmed since, the entry
// is stale, and cleaning drops it.
//
// Threads  push() and clean_some() from one (the sequencer), the rest from any. Takes no lock while it asks a row.
// Memory   8 bytes an entry. Cleaning holds stale ones to about the number of live ones.
// I1       the times of the entries never fall.
// I2       only the last block grows, and the last block is never cleaned.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

namespace orbitalreg::cas {

class UnreferencedQueue {
public:
    static constexpr std::size_t kBlockEntries = 256;

    struct Entry {
        std::uint32_t since_s = 0;  // store time
        std::uint32_t blob = 0;     // id
        friend bool operator==(const Entry&, const Entry&) = default;
    };
    // Whether the row still says what the entry says.
    using Holds = std::function<bool(const Entry&)>;

    // True when the entry began a new block.
    bool push(const Entry& entry);
    // Blocks have numbers that never come twice; a cleaned block keeps its number until it is the first and empty.
    std::uint64_t first_block() const;
    std::uint64_t end_block() const;
    // Empty for one that is gone.
    std::vector<Entry> block(std::uint64_t number) const;
    // Drops the stale entries of one block, unless it is the last one.
    void clean(std::uint64_t number, const Holds& holds);
    // The next `count` blocks in turn.
    void clean_some(std::size_t count, const Holds& holds);
    void clear();
    std::uint64_t size() const;

private:
    using Block = std::vector<Entry>;

    void drop_empty_front();

    mutable std::mutex mutex_;
    std::deque<Block> blocks_;
    std::uint64_t first_ = 0;   // number of blocks_.front()
    std::uint64_t cursor_ = 0;  // number of the block to clean next
    std::uint64_t size_ = 0;
};

}  // namespace orbitalreg::cas
