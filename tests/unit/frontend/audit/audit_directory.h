#pragma once
// A directory of a test's own with an audit log in it, and a clock that stands still until it is moved.

#include "base/log.h"
#include "base/metrics.h"
#include "frontend/audit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace orbitalreg::frontend {

class StillClock final : public Clock {
public:
    std::int64_t steady_ns() const noexcept override { return now_ns_ - kBeganNs; }
    std::int64_t boottime_ms() const noexcept override { return steady_ns() / 1'000'000; }
    std::int64_t wall_ns() const noexcept override { return now_ns_; }
    Awaitable<void> sleep_until(std::int64_t) override { co_return; }
    void move_s(std::int64_t seconds) noexcept { now_ns_ += seconds * 1'000'000'000; }

private:
    static constexpr std::int64_t kBeganNs = 1'767'225'600'123'000'000;  // 2026-01-01T00:00:00.123Z
    std::int64_t now_ns_ = kBeganNs;
};

class AuditDirectory {
public:
    AuditDirectory() {
        static int number = 0;
        path = testing::TempDir() + "audit_" + std::to_string(::getpid()) + '_' +
               std::to_string(++number);
        std::filesystem::remove_all(path);
    }
    ~AuditDirectory() { std::filesystem::remove_all(path); }
    AuditDirectory(const AuditDirectory&) = delete;
    AuditDirectory& operator=(const AuditDirectory&) = delete;

    Result<std::unique_ptr<AuditLog>> try_open() {
        return AuditLog::open(path, options, clock, null_log(), metrics);
    }
    std::unique_ptr<AuditLog> open() {
        auto opened = try_open();
        EXPECT_TRUE(opened) << opened.error().message();
        return opened ? std::move(opened.value()) : nullptr;
    }
    // So many events, "push" of alice to acme/app with a tag each, in a log that is closed again.
    AuditHead fill(int count) {
        const auto log = open();
        for (int i = 0; i < count; ++i) EXPECT_TRUE(log->append(push("v" + std::to_string(i))));
        return log->head();
    }
    static AuditEvent push(const std::string& tag) {
        AuditEvent event;
        event.action = "push";
        event.principal = "alice";
        event.object = "acme/app";
        event.reference = tag;
        event.granted = true;
        event.status = 201;
        return event;
    }

    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator{path})
            names.push_back(entry.path().string());
        std::sort(names.begin(), names.end());
        return names;
    }
    static std::string read(const std::string& file) {
        std::ifstream in{file, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    static void write(const std::string& file, const std::string& text) {
        std::ofstream{file, std::ios::binary} << text;
    }
    static std::vector<std::string> lines_of(const std::string& text) {
        std::vector<std::string> lines;
        for (std::size_t at = 0; at < text.size();) {
            const auto end = text.find('\n', at);
            lines.push_back(text.substr(at, end - at));
            at = end == std::string::npos ? text.size() : end + 1;
        }
        return lines;
    }
    static std::string text_of(const std::vector<std::string>& lines) {
        std::string text;
        for (const auto& line : lines) text.append(line).append("\n");
        return text;
    }
    // All lines of all files.
    std::vector<std::string> lines() const {
        std::string text;
        for (const auto& file : files()) text += read(file);
        return lines_of(text);
    }
    // What verify_audit() says is wrong; empty: nothing.
    std::string trouble(const std::optional<AuditHead>& expected = std::nullopt) const {
        const auto found = verify_audit(path, expected);
        if (!found) return found.error().message();
        return found.value().first_break ? found.value().first_break->what : std::string{};
    }

    std::string path;
    AuditOptions options;
    StillClock clock;
    Metrics metrics;
};

}  // namespace orbitalreg::frontend
