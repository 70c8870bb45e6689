#pragma once
// BufferPool lends page-aligned buffers of one size for direct I/O, within a share of the memory
// ledger.
//
// Life     the pool outlives its buffers.
// Threads  any.
// Limits   the share; free buffers are kept up to kFreeBytesMax and a quarter of the share, the
// rest goes back to the
//          operating system at once, so that resident memory follows use. A kept buffer counts as
//          used.

#include "base/bytes.h"
#include "io/memory_ledger.h"

#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace orbitalreg::cas {

class BufferPool;

// Buffer gives its bytes back to the pool when it ends. Move-only. Its content is not cleared
// between uses.
class Buffer {
public:
    Buffer() noexcept = default;
    Buffer(Buffer&& other) noexcept
        : pool_{std::exchange(other.pool_, nullptr)}, data_{std::exchange(other.data_, nullptr)} {}
    Buffer& operator=(Buffer&& other) noexcept {
        Buffer taken{std::move(other)};
        std::swap(pool_, taken.pool_);
        std::swap(data_, taken.data_);
        return *this;
    }
    ~Buffer();

    explicit operator bool() const noexcept { return data_ != nullptr; }
    // All of the buffer; empty when there is none.
    MutableByteView bytes() const noexcept;
    std::byte* data() const noexcept { return data_; }

private:
    friend class BufferPool;
    Buffer(BufferPool& pool, std::byte* data) noexcept : pool_{&pool}, data_{data} {}

    BufferPool* pool_ = nullptr;
    std::byte* data_ = nullptr;
};

class BufferPool {
public:
    static constexpr std::size_t kFreeBytesMax = 32_MiB;

    // `buffer_size` is a multiple of kPageSize.
    BufferPool(MemoryLedger& ledger, MemoryShare share, std::size_t buffer_size);
    ~BufferPool();
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;

    // Nothing when the share is used up.
    std::optional<Buffer> take();

    std::size_t buffer_size() const noexcept { return buffer_size_; }
    std::size_t buffers_lent() const;

private:
    friend class Buffer;
    void give_back(std::byte* data) noexcept;

    MemoryLedger& ledger_;
    const MemoryShare share_;
    const std::size_t buffer_size_;
    const std::size_t free_bytes_max_;
    mutable std::mutex mutex_;
    std::vector<std::byte*> free_;
    std::size_t lent_ = 0;
};

}  // namespace orbitalreg::cas
