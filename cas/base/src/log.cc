#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <ctime>

namespace orbitalreg {
namespace {

constexpr std::size_t kFieldSizeMax = 1024;  // SEC-105

constexpr std::array<std::string_view, 4> kLevelNames{"debug", "info", "warn", "error"};

std::string timestamp() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::tm parts{};
    ::gmtime_r(&now.tv_sec, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                       now.tv_nsec / 1000);
}

void append_value(std::string& line, const LogField& field) {
    struct Visitor {
        std::string& out;
        void operator()(std::string_view text) const {
            out += '"' + escape_json(text, kFieldSizeMax) + '"';
        }
        void operator()(std::int64_t number) const { out += std::to_string(number); }
        void operator()(std::uint64_t number) const { out += std::to_string(number); }
        void operator()(double number) const { out += fmt::format("{:.3f}", number); }
        void operator()(bool flag) const { out += flag ? "true" : "false"; }
    };
    std::visit(Visitor{line}, field.value);
}

class SpdLog final : public Log {
public:
    SpdLog(LogLevel level, LogFormat format)
        : level_{level},
          format_{format},
          logger_{"orbitalreg", std::make_shared<spdlog::sinks::stderr_sink_mt>()} {
        logger_.set_pattern("%v");
        logger_.set_level(spdlog::level::trace);
    }

    bool enabled(LogLevel level) const noexcept override { return level >= level_; }

    void write(LogLevel level, std::string_view message,
               std::initializer_list<LogField> fields) noexcept override {
        if (!enabled(level)) return;
        std::string line;
        const auto name = kLevelNames[static_cast<std::size_t>(level)];
        if (format_ == LogFormat::json) {
            line = fmt::format(R"({{"time":"{}","level":"{}","msg":"{}")", timestamp(), name,
                               escape_json(message));
            for (const LogField& field : fields) {
                line += fmt::format(R"(,"{}":)", field.key);
                append_value(line, field);
            }
            line += '}';
        } else {
            line = fmt::format("{} {:5} {}", timestamp(), name, escape_json(message));
            for (const LogField& field : fields) {
                line += fmt::format(" {}=", field.key);
                append_value(line, field);
            }
        }
        logger_.log(spdlog::level::info, "{}", line);
    }

private:
    const LogLevel level_;
    const LogFormat format_;
    spdlog::logger logger_;
};

class NullLog final : public Log {
public:
    bool enabled(LogLevel) const noexcept override { return false; }
    void write(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};

}  // namespace

std::unique_ptr<Log> make_stderr_log(LogLevel level, LogFormat format) {
    return std::make_unique<SpdLog>(level, format);
}

Log& null_log() noexcept {
    static NullLog log;
    return log;
}

std::string escape_json(std::string_view text, std::size_t size_max) {
    std::string out;
    out.reserve(text.size() + 2);
    for (const char c : text.substr(0, size_max)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte >= 0x7f) {
            out += fmt::format("\\u{:04x}", byte);
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace orbitalreg
