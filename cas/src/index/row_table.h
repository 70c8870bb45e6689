#pragma once
// RowTable keeps rows of one size by number, in chunks that never move. change() is the only way to a row that may be
// written: an exact checkpoint keeps the old image there.
//
// Threads  change() and grow() from one thread (the sequencer); at() from any, for rows that exist.
// Limits   2^32 rows; memory grows by one chunk of 64 Ki rows, which the kernel fills with zeros as it is touched.

#include "base/assert.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>

namespace orbitalreg::cas {

template <class Row>
class RowTable {
    static_assert(std::is_trivially_copyable_v<Row> && std::is_trivially_destructible_v<Row>);

public:
    static constexpr std::uint32_t kRowsPerChunk = 65536;

    // Told of each row that is about to be written, while it is as it was.
    std::function<void(std::uint32_t)> before_change;

    RowTable() : chunks_{std::make_unique<std::atomic<Row*>[]>(kChunks)} {}
    RowTable(const RowTable&) = delete;
    RowTable& operator=(const RowTable&) = delete;
    ~RowTable() {
        for (std::uint32_t i = 0; i < kChunks; ++i)
            std::free(chunks_[i].load(std::memory_order_relaxed));
    }

    // Rows below `count` exist from now on; new ones are all zero.
    void grow(std::uint32_t count) {
        for (; std::uint64_t{chunk_count_} * kRowsPerChunk < count; ++chunk_count_) {
            void* memory = std::calloc(kRowsPerChunk, sizeof(Row));
            if (memory == nullptr) throw std::bad_alloc{};
            chunks_[chunk_count_].store(static_cast<Row*>(memory), std::memory_order_release);
        }
    }

    const Row& at(std::uint32_t number) const noexcept { return *locate(number); }
    Row& change(std::uint32_t number) {
        if (before_change) before_change(number);
        return *locate(number);
    }
    bool exists(std::uint32_t number) const noexcept {
        return chunks_[number / kRowsPerChunk].load(std::memory_order_acquire) != nullptr;
    }

private:
    static constexpr std::uint32_t kChunks = 65536;

    Row* locate(std::uint32_t number) const noexcept {
        Row* chunk = chunks_[number / kRowsPerChunk].load(std::memory_order_acquire);
        ORB_ASSERT(chunk != nullptr);
        return chunk + number % kRowsPerChunk;
    }

    std::unique_ptr<std::atomic<Row*>[]> chunks_;
    std::uint32_t chunk_count_ = 0;
};

}  // namespace orbitalreg::cas
