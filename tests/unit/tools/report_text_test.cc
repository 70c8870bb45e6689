#include "report_text.h"

#include <gtest/gtest.h>

namespace orbitalreg::program {
namespace {

TEST(ReportText, ControlCharactersDoNotReachATerminal) {
    EXPECT_EQ(plain_text("a\x1b[31mb\r\n\x7f"), "a?[31mb???");
    EXPECT_EQ(plain_text("\xc2\x9b"
                         "31m"),
              "?31m")
        << "CSI as one character";
    EXPECT_EQ(plain_text("d\xc3\xa9veloppeur \xc2\xa9"), "d\xc3\xa9veloppeur \xc2\xa9");
}

TEST(ReportText, ColumnsAreAlignedByCharacters) {
    EXPECT_EQ(aligned({{"NAME", "ROLE"}, {"d\xc3\xa9", "guest"}, {"alexander", ""}}),
              "NAME       ROLE\n"
              "d\xc3\xa9         guest\n"
              "alexander\n");
    EXPECT_EQ(aligned({{"NAME", "ROLE"}}), "") << "just the heading";
}

TEST(ReportText, TimesAreUtc) {
    EXPECT_EQ(time_text(0), "never");
    EXPECT_EQ(time_text(1'768'478'400), "2026-01-15 12:00:00");
}

TEST(ReportText, ListsInAnObject) {
    const auto object = parse_object(R"({"a":["x",1,"y"],"b":[{"n":1},2,{"n":3}],"c":{}})");
    EXPECT_EQ(joined(*object, "a"), "x, y");
    EXPECT_EQ(objects(*object, "b").size(), 2U);
    EXPECT_EQ(joined(*object, "c"), "");
    EXPECT_TRUE(objects(*object, "none").empty());
}

}  // namespace
}  // namespace orbitalreg::program
