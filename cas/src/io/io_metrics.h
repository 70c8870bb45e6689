#pragma once
// IoMetrics counts what the file system is asked for, whichever Io asks.
//
// Threads  any.

#include "base/metrics.h"

#include <array>
#include <cstdint>

namespace orbitalreg::cas {

enum class IoCall : std::uint8_t { read, write, write_dsync, datasync, allocate, punch };

class IoMetrics {
public:
    explicit IoMetrics(Metrics& metrics);

    // `result` is a number of bytes or -errno; `direct` says which mode the bytes are counted
    // under.
    void count(IoCall call, bool direct, std::int64_t result) noexcept;
    // One entry into the kernel that handed over `operations` ring entries.
    void count_submission(std::uint64_t operations) noexcept;

private:
    static constexpr std::size_t kCalls = 6;
    struct PerCall {
        Counter* operations = nullptr;
        Counter* errors = nullptr;
        Counter* bytes_direct = nullptr;
        Counter* bytes_buffered = nullptr;
    };
    std::array<PerCall, kCalls> calls_;
    Counter& ring_submissions_;
    Counter& ring_operations_;
};

}  // namespace orbitalreg::cas
