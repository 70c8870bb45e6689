#pragma once
// Log writes one line an event: JSON or text, with named fields. A line is written whole.
// Control and non-ASCII characters are escaped, fields are cut at 1 KiB (SEC-105). Never give it a token or a password.
//
// Threads  any.

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace orbitalreg {

enum class LogLevel : std::uint8_t { debug, info, warn, error };
enum class LogFormat : std::uint8_t { json, text };

struct LogField {
    std::string_view key;
    std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;

    LogField(std::string_view k, std::string_view v) : key{k}, value{v} {}
    LogField(std::string_view k, const char* v) : key{k}, value{std::string_view{v}} {}
    LogField(std::string_view k, const std::string& v) : key{k}, value{std::string_view{v}} {}
    LogField(std::string_view k, bool v) : key{k}, value{v} {}
    LogField(std::string_view k, double v) : key{k}, value{v} {}
    template <std::signed_integral T>
    LogField(std::string_view k, T v) : key{k}, value{static_cast<std::int64_t>(v)} {}
    template <std::unsigned_integral T>
    LogField(std::string_view k, T v) : key{k}, value{static_cast<std::uint64_t>(v)} {}
};

class Log {
public:
    virtual ~Log() = default;
    virtual bool enabled(LogLevel level) const noexcept = 0;
    virtual void write(LogLevel level, std::string_view message,
                       std::initializer_list<LogField> fields) noexcept = 0;
    // From here on lines below `warn` are gathered for so long and written together, on a thread of their own; the others are
    // written at once, behind those that wait. Once, and before other threads write. What waits is lost when the process is
    // killed.
    virtual void gather(std::chrono::milliseconds) {}

    void debug(std::string_view m, std::initializer_list<LogField> f = {}) noexcept {
        write(LogLevel::debug, m, f);
    }
    void info(std::string_view m, std::initializer_list<LogField> f = {}) noexcept {
        write(LogLevel::info, m, f);
    }
    void warn(std::string_view m, std::initializer_list<LogField> f = {}) noexcept {
        write(LogLevel::warn, m, f);
    }
    void error(std::string_view m, std::initializer_list<LogField> f = {}) noexcept {
        write(LogLevel::error, m, f);
    }
};

// Writes to standard error.
std::unique_ptr<Log> make_stderr_log(LogLevel level, LogFormat format);
// Drops everything. Lives as long as the process.
Log& null_log() noexcept;

// `text` as the inside of a JSON string: control and non-ASCII characters escaped, at most `size_max` bytes of input.
std::string escape_json(std::string_view text, std::size_t size_max = 1024);

}  // namespace orbitalreg
