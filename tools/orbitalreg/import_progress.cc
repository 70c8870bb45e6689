#include "import_progress.h"

#include "base/clock.h"
#include "report_text.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <unistd.h>

namespace orbitalreg::program {

ImportProgress::ImportProgress(const DistributionTree& tree, const ImportReport& report, bool whole)
    : tree_{tree},
      report_{report},
      terminal_{::isatty(STDERR_FILENO) == 1},
      begun_ns_{system_clock().steady_ns()} {
    if (whole) measuring_ = std::thread{[this] { measure(); }};
    telling_ = std::thread{[this] { tell(); }};
}

void ImportProgress::measure() {
    const auto bytes = tree_.measure([this] { return !ended_.load(); });
    if (!ended_) whole_bytes_ = bytes;
}

void ImportProgress::tell() {
    const auto every = terminal_ ? std::chrono::seconds{1} : std::chrono::seconds{60};
    std::unique_lock lock{mutex_};
    while (!woken_.wait_for(lock, every, [this] { return ended_.load(); })) show();
}

void ImportProgress::show() {
    if (terminal_) {
        std::cerr << "\r\x1b[K" << text() << std::flush;
    } else {
        std::cerr << text() << '\n';
    }
}

std::string ImportProgress::text() const {
    constexpr std::int64_t kNsPerMs = 1'000'000;
    const auto ms = std::max<std::int64_t>(1, (system_clock().steady_ns() - begun_ns_) / kNsPerMs);
    const auto read = static_cast<std::int64_t>(report_.bytes_read.load());
    const auto done = read + static_cast<std::int64_t>(report_.bytes_present.load());
    const auto whole = static_cast<std::int64_t>(whole_bytes_.load());
    auto line = bytes_text(done);
    if (whole > 0) line += " of " + bytes_text(whole);
    line += ", " + bytes_text(done * 1000 / ms) + "/s";
    if (whole > done && done > 0)
        line +=
            ", " + duration_text((whole - done) / std::max<std::int64_t>(1, done / ms)) + " left";
    return line;
}

void ImportProgress::say(const std::string& line) {
    const std::lock_guard lock{mutex_};
    if (terminal_) std::cerr << "\r\x1b[K";
    std::cerr << line << '\n';
}

void ImportProgress::finish() {
    {
        const std::lock_guard lock{mutex_};
        if (ended_) return;
        ended_ = true;
    }
    woken_.notify_all();
    if (measuring_.joinable()) measuring_.join();
    if (telling_.joinable()) telling_.join();
    if (terminal_) std::cerr << "\r\x1b[K" << std::flush;
}

}  // namespace orbitalreg::program
