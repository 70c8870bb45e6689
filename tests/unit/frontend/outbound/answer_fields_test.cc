// Fields of upstreams' answers: what they mean, and what means nothing.

#include "outbound/answer_fields.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

TEST(AnswerFields, MediaTypesLoseTheirParameters) {
    EXPECT_EQ(media_type_of_field("application/JSON; charset=utf-8"), "application/json");
    EXPECT_EQ(media_type_of_field(" text/plain "), "text/plain");
    EXPECT_EQ(media_type_of_field(""), "");
}

TEST(AnswerFields, ContentRange) {
    EXPECT_EQ(parse_content_range("bytes 5-9/10"), (ContentRange{5, 9, 10}));
    EXPECT_EQ(parse_content_range("bytes 0-0/*"), (ContentRange{0, 0, std::nullopt}));
    EXPECT_EQ(parse_content_range("Bytes 5-9/10"), (ContentRange{5, 9, 10}));
    for (const auto* field :
         {"", "bytes", "bytes ", "5-9/10", "bytes 5-9", "bytes 9-5/10", "bytes 5-10/10",
          "bytes -9/10", "bytes 5-/10", "bytes 5-9/", "items 5-9/10", "bytes 5-9/10x", "bytes */10",
          "bytes 5-18446744073709551616/*", "bytes +5-9/10", "bytes=5-9/10"})
        EXPECT_FALSE(parse_content_range(field)) << field;
    EXPECT_EQ(parse_unsatisfied_range("bytes */10"), 10U);
    for (const auto* field : {"bytes 5-9/10", "bytes */*", "bytes */", "*/10"})
        EXPECT_FALSE(parse_unsatisfied_range(field)) << field;
}

TEST(AnswerFields, Rates) {
    EXPECT_EQ(parse_rate_field("100;w=21600"), (RateField{100, 21'600}));
    EXPECT_EQ(parse_rate_field("0; w=60"), (RateField{0, 60}));
    EXPECT_EQ(parse_rate_field("97"), (RateField{97, std::nullopt}));
    for (const auto* field : {"", "x", "-1;w=1", ";w=1", "1.5"})
        EXPECT_FALSE(parse_rate_field(field)) << field;
}

TEST(AnswerFields, RetryAfter) {
    constexpr std::int64_t kNow = 1'700'000'000;  // Tue, 14 Nov 2023 22:13:20 GMT
    const auto read = [](std::string_view field) {
        return parse_retry_after_ms(field, kNow * 1'000'000'000);
    };
    EXPECT_EQ(read("0"), 0);
    EXPECT_EQ(read(" 120 "), 120'000);
    EXPECT_EQ(read("Tue, 14 Nov 2023 22:14:20 GMT"), 60'000);
    EXPECT_EQ(read("Tue, 14 Nov 2023 22:13:00 GMT"), 0) << "has passed";
    EXPECT_EQ(read("99999999"), kRetryAfterMsMax);
    EXPECT_EQ(read("99999999999999999999999"), kRetryAfterMsMax);
    EXPECT_EQ(read("Tue, 14 Nov 2093 22:13:20 GMT"), kRetryAfterMsMax);
    for (const auto* field : {"", "soon", "-1", "1.5", "Tue, 14 Nov 2023", "2023-11-14T22:14:20Z"})
        EXPECT_FALSE(read(field)) << field;
}

TEST(AnswerFields, NextLink) {
    EXPECT_EQ(next_link(R"(</v2/a/tags/list?n=1&last=x>; rel="next")"),
              "/v2/a/tags/list?n=1&last=x");
    EXPECT_EQ(next_link("<b>;rel=next"), "b");
    EXPECT_EQ(next_link(R"(<p>; rel="prev", <n>; title="t"; REL="Next")"), "n");
    for (const auto* field : {"", "<a>", "<a>; rel=\"prev\"", "a; rel=next", ">a<; rel=next", "<a"})
        EXPECT_FALSE(next_link(field)) << field;
}

}  // namespace
}  // namespace orbitalreg::frontend
