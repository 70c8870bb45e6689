#pragma once
// ReloadableLog is a Log whose level changes while it is used: what SIGHUP reloads.
//
// Threads  any.

#include "base/log.h"

#include <atomic>
#include <memory>

namespace orbitalreg::program {

class ReloadableLog final : public Log {
public:
    ReloadableLog(LogLevel level, LogFormat format)
        : level_{level}, sink_{make_stderr_log(LogLevel::debug, format)} {}

    void set_level(LogLevel level) noexcept { level_.store(level, std::memory_order_relaxed); }

    bool enabled(LogLevel level) const noexcept override {
        return level >= level_.load(std::memory_order_relaxed);
    }
    void write(LogLevel level, std::string_view message,
               std::initializer_list<LogField> fields) noexcept override {
        if (enabled(level)) sink_->write(level, message, fields);
    }

    void gather(std::chrono::milliseconds gathered_for) override { sink_->gather(gathered_for); }

private:
    std::atomic<LogLevel> level_;
    std::unique_ptr<Log> sink_;
};

}  // namespace orbitalreg::program
