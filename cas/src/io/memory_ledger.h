#pragma once
// MemoryLedger divides the memory that the store may use among named shares, and refuses what is
// above a share.
//
// Threads  any; reserving is one atomic operation.
// Limits   each share is enforced where it allocates; their sum is the limit given.
// I1       used(s) <= limit(s) for every share s, at any time.

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

namespace orbitalreg::cas {

enum class MemoryShare : std::uint8_t {
    push_buffers,           // 1/8
    pull_buffers,           // 1/8
    small_blob_cache,       // 1/8
    chunk_table_cache,      // 1/32
    checkpoint_side_table,  // 1/16
    metadata,               // the rest: rows, sessions, closes, pins
};

std::string_view to_string(MemoryShare share) noexcept;

class MemoryLedger {
public:
    using Share = MemoryShare;
    static constexpr std::size_t kShares = 6;

    explicit MemoryLedger(std::uint64_t limit_bytes) noexcept;
    MemoryLedger(const MemoryLedger&) = delete;
    MemoryLedger& operator=(const MemoryLedger&) = delete;

    // False, and nothing changed, when the share has not that much left.
    [[nodiscard]] bool reserve(MemoryShare share, std::uint64_t bytes) noexcept;
    void release(MemoryShare share, std::uint64_t bytes) noexcept;

    std::uint64_t limit(MemoryShare share) const noexcept { return limits_[index(share)]; }
    std::uint64_t used(MemoryShare share) const noexcept {
        return used_[index(share)].load(std::memory_order_relaxed);
    }
    std::uint64_t limit_bytes() const noexcept { return limit_bytes_; }

private:
    static std::size_t index(MemoryShare share) noexcept { return static_cast<std::size_t>(share); }

    const std::uint64_t limit_bytes_;
    std::array<std::uint64_t, kShares> limits_{};
    std::array<std::atomic<std::uint64_t>, kShares> used_{};
};

// Reservation gives its bytes back when it ends. Move-only.
class Reservation {
public:
    Reservation() noexcept = default;
    // Empty when the share has not that much left.
    Reservation(MemoryLedger& ledger, MemoryShare share, std::uint64_t bytes) noexcept
        : ledger_{ledger.reserve(share, bytes) ? &ledger : nullptr},
          share_{share},
          bytes_{ledger_ != nullptr ? bytes : 0} {}
    Reservation(Reservation&& other) noexcept { swap(other); }
    Reservation& operator=(Reservation&& other) noexcept {
        Reservation taken{std::move(other)};
        swap(taken);
        return *this;
    }
    ~Reservation() {
        if (ledger_ != nullptr) ledger_->release(share_, bytes_);
    }

    explicit operator bool() const noexcept { return ledger_ != nullptr; }
    std::uint64_t bytes() const noexcept { return bytes_; }

private:
    void swap(Reservation& other) noexcept {
        std::swap(ledger_, other.ledger_);
        std::swap(share_, other.share_);
        std::swap(bytes_, other.bytes_);
    }

    MemoryLedger* ledger_ = nullptr;
    MemoryShare share_ = MemoryShare::metadata;
    std::uint64_t bytes_ = 0;
};

}  // namespace orbitalreg::cas
