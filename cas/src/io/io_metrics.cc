#include "io/io_metrics.h"

#include <cerrno>

namespace orbitalreg::cas {
namespace {

constexpr std::array<const char*, 6> kCallNames{"read",     "write",    "write_dsync",
                                                "datasync", "allocate", "punch"};

}  // namespace

IoMetrics::IoMetrics(Metrics& metrics)
    : ring_submissions_{metrics.counter("io_ring_submissions_total",
                                        "Entries into the kernel to submit to a ring.")},
      ring_operations_{
          metrics.counter("io_ring_operations_total", "Operations submitted to a ring.")} {
    for (std::size_t i = 0; i < kCalls; ++i) {
        const std::string op = kCallNames[i];
        calls_[i].operations = &metrics.counter(
            "io_operations_total", "Operations asked of the file system.", {{"op", op}});
        calls_[i].errors = &metrics.counter(
            "io_errors_total", "Operations that the file system refused.", {{"op", op}});
        if (i > static_cast<std::size_t>(IoCall::write_dsync)) continue;
        const char* help = "Bytes read or written, past the page cache (direct) or through it.";
        calls_[i].bytes_direct =
            &metrics.counter("io_bytes_total", help, {{"op", op}, {"mode", "direct"}});
        calls_[i].bytes_buffered =
            &metrics.counter("io_bytes_total", help, {{"op", op}, {"mode", "buffered"}});
    }
}

void IoMetrics::count(IoCall call, bool direct, std::int64_t result) noexcept {
    const PerCall& counters = calls_[static_cast<std::size_t>(call)];
    counters.operations->add();
    if (result < 0) {
        counters.errors->add();
        return;
    }
    Counter* const bytes = direct ? counters.bytes_direct : counters.bytes_buffered;
    if (bytes != nullptr) bytes->add(static_cast<std::uint64_t>(result));
}

void IoMetrics::count_submission(std::uint64_t operations) noexcept {
    ring_submissions_.add();
    ring_operations_.add(operations);
}

}  // namespace orbitalreg::cas
