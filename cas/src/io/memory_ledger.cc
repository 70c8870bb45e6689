#include "io/memory_ledger.h"

#include "base/assert.h"

namespace orbitalreg::cas {
std::string_view to_string(MemoryShare share) noexcept {
    switch (share) {
        case MemoryShare::push_buffers:
            return "push_buffers";
        case MemoryShare::pull_buffers:
            return "pull_buffers";
        case MemoryShare::small_blob_cache:
            return "small_blob_cache";
        case MemoryShare::chunk_table_cache:
            return "chunk_table_cache";
        case MemoryShare::checkpoint_side_table:
            return "checkpoint_side_table";
        case MemoryShare::metadata:
            return "metadata";
    }
    return "unknown";
}

MemoryLedger::MemoryLedger(std::uint64_t limit_bytes) noexcept : limit_bytes_{limit_bytes} {
    limits_[index(MemoryShare::push_buffers)] = limit_bytes / 8;
    limits_[index(MemoryShare::pull_buffers)] = limit_bytes / 8;
    limits_[index(MemoryShare::small_blob_cache)] = limit_bytes / 8;
    limits_[index(MemoryShare::chunk_table_cache)] = limit_bytes / 32;
    limits_[index(MemoryShare::checkpoint_side_table)] = limit_bytes / 16;
    std::uint64_t named = 0;
    for (const std::uint64_t limit : limits_) named += limit;
    limits_[index(MemoryShare::metadata)] = limit_bytes - named;
}

bool MemoryLedger::reserve(MemoryShare share, std::uint64_t bytes) noexcept {
    std::atomic<std::uint64_t>& used = used_[index(share)];
    const std::uint64_t limit_of_share = limits_[index(share)];
    std::uint64_t before = used.load(std::memory_order_relaxed);
    do {
        if (bytes > limit_of_share - before) return false;
    } while (!used.compare_exchange_weak(before, before + bytes, std::memory_order_relaxed));
    return true;
}

void MemoryLedger::release(MemoryShare share, std::uint64_t bytes) noexcept {
    const std::uint64_t before = used_[index(share)].fetch_sub(bytes, std::memory_order_relaxed);
    ORB_ASSERT(before >= bytes);
}

}  // namespace orbitalreg::cas
