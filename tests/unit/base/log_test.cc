#include "base/log.h"

#include <gtest/gtest.h>

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

TEST(Log, NullLogIsNeverEnabled) {
    EXPECT_FALSE(null_log().enabled(LogLevel::error));
    null_log().error("dropped");
}

}  // namespace
}  // namespace orbitalreg
