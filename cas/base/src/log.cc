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
#include <vector>

namespace orbitalreg {
namespace {

constexpr std::size_t kFieldSizeMax = 1024;  // SEC-105
constexpr std::size_t kGatheredMax = std::size_t{256} * 1024;

constexpr std::array<std::string_view, 4> kLevelNames{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> kLevelColumns{"debug", "info ", "warn ", "error"};

// A line is put together in room that was made for all of it; `to` is where it goes on.

void put(char*& to, std::string_view text) noexcept {
    to = std::copy(text.begin(), text.end(), to);
}

constexpr std::size_t kNumberMax = 24;

template <class Number>
void put_number(char*& to, Number number) noexcept {
    to = std::to_chars(to, to + kNumberMax, number).ptr;
}

void put_padded(char*& to, std::uint64_t number, std::size_t width) noexcept {
    for (char* digit = to + width; digit != to; number /= 10)
        *--digit = static_cast<char>('0' + number % 10);
    to += width;
}

// Three digits behind the point.
constexpr std::size_t kDoubleMax = 330;

void put_double(char*& to, double number) noexcept {
    constexpr double kExactMax = 1e12;
    if (!(number >= 0 && number < kExactMax)) {
        to = std::to_chars(to, to + kDoubleMax, number, std::chars_format::fixed, 3).ptr;
        return;
    }
    const auto thousandths = static_cast<std::uint64_t>(number * 1000 + 0.5);
    put_number(to, thousandths / 1000);
    *to++ = '.';
    put_padded(to, thousandths % 1000, 3);
}

constexpr std::string_view kTimestampForm = "2026-12-01T10:20:30.123456Z";

// `2026-12-01T10:20:30`, made once a second.
std::string_view text_of_second(std::time_t second) noexcept {
    thread_local std::time_t made_for = -1;
    thread_local std::array<char, kTimestampForm.find('.')> text;
    if (second != made_for) {
        std::tm parts{};
        ::gmtime_r(&second, &parts);
        char* to = text.data();
        put_padded(to, static_cast<std::uint64_t>(parts.tm_year) + 1900, 4);
        for (const auto& [before, number] :
             {std::pair{'-', parts.tm_mon + 1}, std::pair{'-', parts.tm_mday},
              std::pair{'T', parts.tm_hour}, std::pair{':', parts.tm_min},
              std::pair{':', parts.tm_sec}}) {
            *to++ = before;
            put_padded(to, static_cast<std::uint64_t>(number), 2);
        }
        made_for = second;
    }
    return {text.data(), text.size()};
}

void put_timestamp(char*& to) noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    put(to, text_of_second(now.tv_sec));
    *to++ = '.';
    put_padded(to, static_cast<std::uint64_t>(now.tv_nsec) / 1000, 6);
    *to++ = 'Z';
}

bool is_plain(char c) noexcept { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

// Whether eight characters can stand in a JSON string as they are.
bool plain_eight(std::uint64_t eight) noexcept {
    constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
    const auto quotes = eight ^ ('"' * kOnes);
    const auto backslashes = eight ^ ('\\' * kOnes);
    // The top bit of a byte is set where one of the two is zero.
    const auto strange = (quotes - kOnes) | (backslashes - kOnes);
    return printable_eight(eight) && (strange & (0x80 * kOnes)) == 0;
}

std::size_t plain_prefix(std::string_view text) noexcept {
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        if (!plain_eight(load_le<std::uint64_t>(as_bytes(text).data() + at))) break;
    }
    while (at < text.size() && is_plain(text[at])) ++at;
    return at;
}

constexpr std::size_t kEscapedMax = 6;  // of one character

void put_escaped(char*& to, std::string_view text, std::size_t size_max) noexcept {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text = text.substr(0, size_max);
    for (;;) {
        const auto plain = plain_prefix(text);
        put(to, text.substr(0, plain));
        text.remove_prefix(plain);
        if (text.empty()) return;
        const auto byte = static_cast<unsigned char>(text.front());
        if (byte == '"' || byte == '\\') {
            *to++ = '\\';
            *to++ = text.front();
        } else {
            put(to, "\\u00");
            *to++ = kDigits[byte >> 4];
            *to++ = kDigits[byte & 15];
        }
        text.remove_prefix(1);
    }
}

void put_value(char*& to, const LogField& field) noexcept {
    struct Visitor {
        char*& to;
        void operator()(std::string_view text) const noexcept {
            *to++ = '"';
            put_escaped(to, text, kFieldSizeMax);
            *to++ = '"';
        }
        void operator()(std::int64_t number) const noexcept { put_number(to, number); }
        void operator()(std::uint64_t number) const noexcept { put_number(to, number); }
        void operator()(double number) const noexcept { put_double(to, number); }
        void operator()(bool flag) const noexcept { put(to, flag ? "true" : "false"); }
    };
    std::visit(Visitor{to}, field.value);
}

std::size_t escaped_max(std::string_view text) noexcept {
    return kEscapedMax * std::min(text.size(), kFieldSizeMax);
}

// No line is longer than this.
std::size_t size_max(std::string_view message, std::initializer_list<LogField> fields) noexcept {
    constexpr std::size_t kFrame = 128;      // time, level, braces
    constexpr std::size_t kFieldFrame = 16;  // comma, quotes, colon
    std::size_t size = kFrame + escaped_max(message);
    for (const LogField& field : fields) {
        const auto* text = std::get_if<std::string_view>(&field.value);
        size += kFieldFrame + field.key.size() +
                (text != nullptr ? escaped_max(*text) : std::max(kNumberMax, kDoubleMax));
    }
    return size;
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
        thread_local std::vector<char> room;
        room.resize(std::max(room.size(), size_max(message, fields)));
        char* to = room.data();
        if (format_ == LogFormat::json) {
            put_json(to, level, message, fields);
        } else {
            put_text(to, level, message, fields);
        }
        *to++ = '\n';
        writer_.append({room.data(), static_cast<std::size_t>(to - room.data())},
                       level >= LogLevel::warn);
    }

    void gather(std::chrono::milliseconds gathered_for) override { writer_.begin(gathered_for); }

private:
    static void put_json(char*& to, LogLevel level, std::string_view message,
                         std::initializer_list<LogField> fields) noexcept {
        put(to, R"({"time":")");
        put_timestamp(to);
        put(to, R"(","level":")");
        put(to, kLevelNames[static_cast<std::size_t>(level)]);
        put(to, R"(","msg":")");
        put_escaped(to, message, kFieldSizeMax);
        *to++ = '"';
        for (const LogField& field : fields) {
            put(to, ",\"");
            put(to, field.key);
            put(to, "\":");
            put_value(to, field);
        }
        *to++ = '}';
    }
    static void put_text(char*& to, LogLevel level, std::string_view message,
                         std::initializer_list<LogField> fields) noexcept {
        put_timestamp(to);
        *to++ = ' ';
        put(to, kLevelColumns[static_cast<std::size_t>(level)]);
        *to++ = ' ';
        put_escaped(to, message, kFieldSizeMax);
        for (const LogField& field : fields) {
            *to++ = ' ';
            put(to, field.key);
            *to++ = '=';
            put_value(to, field);
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
    std::string out(kEscapedMax * std::min(text.size(), size_max), '\0');
    char* to = out.data();
    put_escaped(to, text, size_max);
    out.resize(static_cast<std::size_t>(to - out.data()));
    return out;
}

}  // namespace orbitalreg
