#include "base/log.h"

#include "base/bytes.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>
#include <unistd.h>

namespace orbitalreg {
namespace {

constexpr std::size_t kFieldSizeMax = 1024;  // SEC-105
constexpr std::size_t kGatheredMax = std::size_t{256} * 1024;

constexpr std::array<std::string_view, 4> kLevelNames{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> kLevelColumns{"debug", "info ", "warn ", "error"};

template <class Number>
void append_number(std::string& out, Number number) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void append_padded(std::string& out, long number, std::size_t width) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    const auto size = static_cast<std::size_t>(end - digits.data());
    if (size < width) out.append(width - size, '0');
    out.append(digits.data(), size);
}

// `2026-12-01T10:20:30`, made once a second.
const std::string& text_of_second(std::time_t second) {
    thread_local std::time_t made_for = -1;
    thread_local std::string text;
    if (second == made_for) return text;
    std::tm parts{};
    ::gmtime_r(&second, &parts);
    text.clear();
    append_padded(text, parts.tm_year + 1900, 4);
    for (const auto& [before, number] :
         {std::pair{'-', parts.tm_mon + 1}, std::pair{'-', parts.tm_mday},
          std::pair{'T', parts.tm_hour}, std::pair{':', parts.tm_min},
          std::pair{':', parts.tm_sec}}) {
        text += before;
        append_padded(text, number, 2);
    }
    made_for = second;
    return text;
}

void append_timestamp(std::string& out) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    out += text_of_second(now.tv_sec);
    out += '.';
    append_padded(out, now.tv_nsec / 1000, 6);
    out += 'Z';
}

void append_escaped(std::string& out, std::string_view text, std::size_t size_max) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text = text.substr(0, size_max);
    while (!text.empty()) {
        const auto printable = text.substr(0, printable_prefix(text));
        const auto plain = std::min({printable.find('"'), printable.find('\\'), printable.size()});
        out.append(printable.substr(0, plain));
        text.remove_prefix(plain);
        if (text.empty()) return;
        const auto byte = static_cast<unsigned char>(text.front());
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text.front();
        } else {
            out += "\\u00";
            out += kDigits[byte >> 4];
            out += kDigits[byte & 15];
        }
        text.remove_prefix(1);
    }
}

void append_value(std::string& line, const LogField& field) {
    struct Visitor {
        std::string& out;
        void operator()(std::string_view text) const {
            out += '"';
            append_escaped(out, text, kFieldSizeMax);
            out += '"';
        }
        void operator()(std::int64_t number) const { append_number(out, number); }
        void operator()(std::uint64_t number) const { append_number(out, number); }
        void operator()(double number) const {
            std::array<char, 400> digits;
            const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number,
                                           std::chars_format::fixed, 3)
                                 .ptr;
            out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
        }
        void operator()(bool flag) const { out += flag ? "true" : "false"; }
    };
    std::visit(Visitor{line}, field.value);
}

// What cannot be written is lost: there is nobody to tell.
void write_to_stderr(std::string_view text) noexcept {
    while (!text.empty()) {
        const auto size = ::write(STDERR_FILENO, text.data(), text.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(size));
    }
}

// Lines in their order. Once begin() was called, those that are not urgent are gathered for a moment and written together.
class LineWriter {
public:
    LineWriter() = default;
    ~LineWriter() {
        {
            const std::lock_guard lock{mutex_};
            ending_ = true;
        }
        wake_.notify_one();
        if (thread_.joinable()) thread_.join();
        flush();
    }
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;

    void begin(std::chrono::milliseconds gathered_for) {
        const std::lock_guard lock{mutex_};
        gathered_for_ = gathered_for;
        thread_ = std::thread{[this] { run(); }};
    }

    void append(std::string_view line, bool urgent) {
        std::unique_lock lock{mutex_};
        const bool first = gathered_.empty();
        gathered_ += line;
        if (urgent || !thread_.joinable() || gathered_.size() >= kGatheredMax) {
            lock.unlock();
            flush();
        } else if (first) {
            lock.unlock();
            wake_.notify_one();
        }
    }

private:
    void flush() {
        // In the order in which they were gathered, whoever writes them.
        const std::lock_guard turn{writing_};
        {
            const std::lock_guard lock{mutex_};
            written_.swap(gathered_);
        }
        write_to_stderr(written_);
        written_.clear();
    }

    void run() {
        std::unique_lock lock{mutex_};
        while (!ending_) {
            wake_.wait(lock, [this] { return ending_ || !gathered_.empty(); });
            wake_.wait_for(lock, gathered_for_, [this] { return ending_; });
            lock.unlock();
            flush();
            lock.lock();
        }
    }

    std::mutex writing_;
    std::string written_;
    std::mutex mutex_;  // of what follows
    std::condition_variable wake_;
    std::string gathered_;
    std::chrono::milliseconds gathered_for_{0};
    bool ending_ = false;
    std::thread thread_;
};

class StderrLog final : public Log {
public:
    StderrLog(LogLevel level, LogFormat format) : level_{level}, format_{format} {}

    bool enabled(LogLevel level) const noexcept override { return level >= level_; }

    void write(LogLevel level, std::string_view message,
               std::initializer_list<LogField> fields) noexcept override {
        if (!enabled(level)) return;
        thread_local std::string line;
        line.clear();
        if (format_ == LogFormat::json) {
            make_json(line, level, message, fields);
        } else {
            make_text(line, level, message, fields);
        }
        line += '\n';
        writer_.append(line, level >= LogLevel::warn);
    }

    void gather(std::chrono::milliseconds gathered_for) override { writer_.begin(gathered_for); }

private:
    static void make_json(std::string& line, LogLevel level, std::string_view message,
                          std::initializer_list<LogField> fields) {
        line += R"({"time":")";
        append_timestamp(line);
        line.append(R"(","level":")").append(kLevelNames[static_cast<std::size_t>(level)]);
        line += R"(","msg":")";
        append_escaped(line, message, kFieldSizeMax);
        line += '"';
        for (const LogField& field : fields) {
            line.append(",\"").append(field.key).append("\":");
            append_value(line, field);
        }
        line += '}';
    }
    static void make_text(std::string& line, LogLevel level, std::string_view message,
                          std::initializer_list<LogField> fields) {
        append_timestamp(line);
        line.append(" ").append(kLevelColumns[static_cast<std::size_t>(level)]).append(" ");
        append_escaped(line, message, kFieldSizeMax);
        for (const LogField& field : fields) {
            line.append(" ").append(field.key).append("=");
            append_value(line, field);
        }
    }

    const LogLevel level_;
    const LogFormat format_;
    LineWriter writer_;
};

class NullLog final : public Log {
public:
    bool enabled(LogLevel) const noexcept override { return false; }
    void write(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};

}  // namespace

std::unique_ptr<Log> make_stderr_log(LogLevel level, LogFormat format) {
    return std::make_unique<StderrLog>(level, format);
}

Log& null_log() noexcept {
    static NullLog log;
    return log;
}

std::string escape_json(std::string_view text, std::size_t size_max) {
    std::string out;
    out.reserve(std::min(text.size(), size_max) + 2);
    append_escaped(out, text, size_max);
    return out;
}

}  // namespace orbitalreg
