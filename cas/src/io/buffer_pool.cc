#include "io/buffer_pool.h"

#include "base/assert.h"
#include "cas/io.h"

#include <algorithm>
#include <new>
#include <sys/mman.h>

namespace orbitalreg::cas {
namespace {

std::byte* map_buffer(std::size_t size) {
    void* const address =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) throw std::bad_alloc{};
    return static_cast<std::byte*>(address);
}

void unmap_buffer(std::byte* data, std::size_t size) noexcept { ::munmap(data, size); }

}  // namespace

Buffer::~Buffer() {
    if (pool_ != nullptr) pool_->give_back(data_);
}

MutableByteView Buffer::bytes() const noexcept {
    if (pool_ == nullptr) return {};
    return {data_, pool_->buffer_size()};
}

BufferPool::BufferPool(MemoryLedger& ledger, MemoryShare share, std::size_t buffer_size)
    : ledger_{ledger},
      share_{share},
      buffer_size_{buffer_size},
      free_bytes_max_{std::min<std::size_t>(kFreeBytesMax, ledger.limit(share) / 4)} {
    ORB_ASSERT(buffer_size > 0 && buffer_size % kPageSize == 0);
}

BufferPool::~BufferPool() {
    ORB_ASSERT(lent_ == 0);
    for (std::byte* const data : free_) {
        unmap_buffer(data, buffer_size_);
        ledger_.release(share_, buffer_size_);
    }
}

// A free buffer keeps its reservation: memory that is held is memory that is used.
std::optional<Buffer> BufferPool::take() {
    {
        const std::lock_guard lock{mutex_};
        if (!free_.empty()) {
            std::byte* const data = free_.back();
            free_.pop_back();
            ++lent_;
            return Buffer{*this, data};
        }
    }
    if (!ledger_.reserve(share_, buffer_size_)) return std::nullopt;
    std::byte* const data = map_buffer(buffer_size_);
    const std::lock_guard lock{mutex_};
    ++lent_;
    return Buffer{*this, data};
}

std::size_t BufferPool::buffers_lent() const {
    const std::lock_guard lock{mutex_};
    return lent_;
}

void BufferPool::give_back(std::byte* data) noexcept {
    {
        const std::lock_guard lock{mutex_};
        --lent_;
        if ((free_.size() + 1) * buffer_size_ <= free_bytes_max_) {
            free_.push_back(data);
            return;
        }
    }
    unmap_buffer(data, buffer_size_);
    ledger_.release(share_, buffer_size_);
}

}  // namespace orbitalreg::cas
