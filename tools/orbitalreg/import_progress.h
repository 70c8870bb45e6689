#pragma once
// ImportProgress says how far an import is: on a terminal a line that is written over again, else a line a minute; bytes, rate and
// time left. What the whole will be is measured beside it.
//
// Life     made: it runs -> finish().
// Threads  say() any.

#include "distribution_tree.h"
#include "import_report.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace orbitalreg::program {

class ImportProgress {
public:
    // Both outlive it. `whole`: all of the tree is wanted, so that its size says how much is left.
    ImportProgress(const DistributionTree& tree, const ImportReport& report, bool whole);
    ~ImportProgress() { finish(); }

    // A line of its own, on stderr.
    void say(const std::string& line);
    void finish();

private:
    void measure();
    void tell();
    void show();
    std::string text() const;

    const DistributionTree& tree_;
    const ImportReport& report_;
    const bool terminal_;
    const std::int64_t begun_ns_;
    std::atomic<bool> ended_{false};
    std::atomic<std::uint64_t> whole_bytes_{0};  // 0: not known
    std::mutex mutex_;
    std::condition_variable woken_;
    std::thread measuring_;
    std::thread telling_;
};

}  // namespace orbitalreg::program
