#include "base/log.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <sstream>
#include <thread>
#include <vector>

namespace orbitalreg {
namespace {

// SEC-105: nothing a client sends can end a line, start a new one, or reach a terminal as a control
// sequence.
TEST(Log, EscapesControlAndNonAscii) {
    EXPECT_EQ(escape_json("plain text 123"), "plain text 123");
    EXPECT_EQ(escape_json("a\nb\r\tc"), R"(a\u000ab\u000d\u0009c)");
    EXPECT_EQ(escape_json("\x1b[31m"), R"(\u001b[31m)");
    EXPECT_EQ(escape_json(R"("quoted" \ back)"), R"(\"quoted\" \\ back)");
    EXPECT_EQ(escape_json(std::string_view{"\0", 1}), R"(\u0000)");
    EXPECT_EQ(escape_json("\x7f\xc3\xbc"), R"(\u007f\u00c3\u00bc)");
}

// SEC-105: each byte, at each place of what is looked at eight bytes at a time.
TEST(Log, EscapesEachByteWhereverItStands) {
    const auto slowly = [](std::string_view text) {
        std::string out;
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            std::array<char, 8> hex{};
            std::snprintf(hex.data(), hex.size(), "\\u00%02x", byte);
            if (byte == '"' || byte == '\\') out += '\\';
            out += byte >= 0x20 && byte < 0x7f ? std::string{c} : std::string{hex.data()};
        }
        return out;
    };
    for (std::size_t size = 1; size < 20; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string text(size, 'x');
                text[at] = static_cast<char>(byte);
                ASSERT_EQ(escape_json(text), slowly(text))
                    << byte << " at " << at << " of " << size;
            }
        }
    }
}

// SEC-105
TEST(Log, CutsLongFields) {
    const std::string text(5000, 'x');
    EXPECT_EQ(escape_json(text).size(), 1024U);
    EXPECT_EQ(escape_json(text, 10).size(), 10U);
}

TEST(Log, WritesOneJsonObjectALine) {
    testing::internal::CaptureStderr();
    {
        const auto log = make_stderr_log(LogLevel::info, LogFormat::json);
        log->debug("not shown");
        log->warn("two\nlines",
                  {{"text", "a\"b"}, {"number", 7U}, {"negative", -1}, {"flag", true}});
    }
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_EQ(text.find("not shown"), std::string::npos);
    EXPECT_NE(
        text.find(
            R"("level":"warn","msg":"two\u000alines","text":"a\"b","number":7,"negative":-1,"flag":true})"),
        std::string::npos)
        << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

// Lines of several threads come whole, each once, and those that are urgent behind what waits.
TEST(Log, GatheredLinesComeWholeAndInOrder) {
    constexpr int kThreads = 4;
    constexpr int kLines = 2000;
    testing::internal::CaptureStderr();
    {
        const auto log = make_stderr_log(LogLevel::info, LogFormat::text);
        log->gather(std::chrono::milliseconds{20});
        std::vector<std::thread> threads;
        for (int thread = 0; thread < kThreads; ++thread) {
            threads.emplace_back([&log, thread] {
                for (int i = 0; i < kLines; ++i)
                    log->write(i % 500 == 499 ? LogLevel::warn : LogLevel::info, "line",
                               {{"thread", thread}, {"number", i}});
            });
        }
        for (auto& thread : threads) thread.join();
        log->info("last");
    }
    const std::string text = testing::internal::GetCapturedStderr();
    std::array<int, kThreads> next{};
    std::istringstream lines{text};
    std::string line;
    for (int i = 0; i < kThreads * kLines; ++i) {
        ASSERT_TRUE(std::getline(lines, line));
        const auto place = line.find(" line thread=");
        ASSERT_NE(place, std::string::npos) << line;
        const auto thread = static_cast<std::size_t>(line[place + 13] - '0');
        EXPECT_TRUE(line.ends_with("number=" + std::to_string(next.at(thread)++))) << line;
    }
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_TRUE(line.ends_with(" last")) << line;
    EXPECT_FALSE(std::getline(lines, line));
}

TEST(Log, WritesNumbersAsTheyAre) {
    testing::internal::CaptureStderr();
    make_stderr_log(LogLevel::info, LogFormat::text)
        ->info("x", {{"whole", 1.0}, {"part", 0.0004}, {"less", -12.3456}, {"large", 1e18}});
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_NE(text.find("whole=1.000 part=0.000 less=-12.346 large=1000000000000000000.000"),
              std::string::npos)
        << text;
    // 2026-12-01T10:20:30.123456Z
    EXPECT_EQ(text.find('Z'), 26U) << text;
}

TEST(Log, NullLogIsNeverEnabled) {
    EXPECT_FALSE(null_log().enabled(LogLevel::error));
    null_log().error("dropped");
}

}  // namespace
}  // namespace orbitalreg
