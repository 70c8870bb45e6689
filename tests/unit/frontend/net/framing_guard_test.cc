// The framing guard: which headers it lets through, and with which status it refuses the rest. SEC-72 to SEC-77, SEC-83.

#include "net/framing_guard.h"

#include "net/request_head.h"

#include <gtest/gtest.h>

#include <string>

namespace orbitalreg::frontend {
namespace {

const HttpLimits kLimits;

std::string get_with(const std::string& fields) {
    return "GET /v2/ HTTP/1.1\r\nHost: r\r\n" + fields + "\r\n";
}
std::string put_with(const std::string& fields) {
    return "PUT /v2/a HTTP/1.1\r\nHost: r\r\n" + fields + "\r\n";
}

struct Refused {
    const char* what;
    std::string block;
    unsigned status;
};

class RefusedHeader : public testing::TestWithParam<Refused> {};

TEST_P(RefusedHeader, GetsItsStatus) {
    const auto parsed = parse_head(GetParam().block, kLimits);
    EXPECT_EQ(parsed.fault.status, GetParam().status)
        << GetParam().what << ": " << parsed.fault.reason;
}

INSTANTIATE_TEST_SUITE_P(
    Sec72, RefusedHeader,
    testing::Values(
        Refused{"CL then TE", put_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
        Refused{"TE then CL", put_with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
        Refused{"equal lengths", put_with("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
        Refused{"different lengths", put_with("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
        Refused{"list of lengths", put_with("Content-Length: 5, 5\r\n"), 400},
        Refused{"plus sign", put_with("Content-Length: +5\r\n"), 400},
        Refused{"minus sign", put_with("Content-Length: -1\r\n"), 400},
        Refused{"inner space", put_with("Content-Length: 5 5\r\n"), 400},
        Refused{"hexadecimal", put_with("Content-Length: 0x5\r\n"), 400},
        Refused{"empty length", put_with("Content-Length: \r\n"), 400},
        Refused{"2^63", put_with("Content-Length: 9223372036854775808\r\n"), 400},
        Refused{"2^64", put_with("Content-Length: 18446744073709551616\r\n"), 400},
        Refused{"unknown coding", put_with("Transfer-Encoding: gzip\r\n"), 501},
        Refused{"coding before chunked", put_with("Transfer-Encoding: gzip, chunked\r\n"), 501},
        Refused{"chunked not last", put_with("Transfer-Encoding: chunked, identity\r\n"), 501},
        Refused{"chunked twice", put_with("Transfer-Encoding: chunked, chunked\r\n"), 501},
        Refused{"identity", put_with("Transfer-Encoding: identity\r\n"), 501},
        Refused{"vertical tab",
                put_with("Transfer-Encoding: \x0b"
                         "chunked\r\n"),
                400},
        Refused{"two codings",
                put_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
        Refused{"TE on 1.0", "PUT /v2/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400}));

INSTANTIATE_TEST_SUITE_P(
    Sec73, RefusedHeader,
    testing::Values(Refused{"bare LF in a field", "GET /v2/ HTTP/1.1\r\nHost: r\nA: b\r\n\r\n",
                            400},
                    Refused{"bare LF everywhere", "GET /v2/ HTTP/1.1\nHost: r\n\n", 400},
                    Refused{"bare CR", "GET /v2/ HTTP/1.1\r\nHost: r\r\nA: b\rc\r\n\r\n", 400},
                    Refused{"folded with a space", get_with("A: b\r\n c\r\n"), 400},
                    Refused{"folded with a tab", get_with("A: b\r\n\tc\r\n"), 400},
                    Refused{"folded first field", "GET /v2/ HTTP/1.1\r\n Host: r\r\n\r\n", 400},
                    Refused{"space before colon", get_with("A : b\r\n"), 400},
                    Refused{"tab before colon", get_with("A\t: b\r\n"), 400},
                    Refused{"NUL in a value", get_with(std::string{"A: b\0c\r\n", 8}), 400},
                    Refused{"NUL in a name", get_with(std::string{"A\0: b\r\n", 7}), 400},
                    Refused{"no name", get_with(": b\r\n"), 400},
                    Refused{"no colon", get_with("nothing\r\n"), 400},
                    Refused{"control byte", get_with("A: \x01\r\n"), 400},
                    Refused{"DEL", get_with("A: \x7f\r\n"), 400},
                    Refused{"above ASCII", get_with("A: \xc3\xa9\r\n"), 400},
                    Refused{"name in brackets", get_with("[A]: b\r\n"), 400}));

INSTANTIATE_TEST_SUITE_P(
    Sec74, RefusedHeader,
    testing::Values(
        Refused{"two Hosts", get_with("Host: s\r\n"), 400},
        Refused{"two Authorizations", get_with("Authorization: a\r\nAuthorization: b\r\n"), 400},
        Refused{"two Content-Types", put_with("Content-Type: a/b\r\ncontent-type: c/d\r\n"), 400},
        Refused{"two Content-Ranges", put_with("Content-Range: 0-1\r\nContent-Range: 0-1\r\n"),
                400},
        Refused{"two Ranges", get_with("Range: bytes=0-1\r\nRange: bytes=0-1\r\n"), 400},
        Refused{"two Expects", put_with("Expect: 100-continue\r\nExpect: 100-continue\r\n"), 400},
        Refused{"no Host", "GET /v2/ HTTP/1.1\r\n\r\n", 400},
        Refused{"empty Host", "GET /v2/ HTTP/1.1\r\nHost:\r\n\r\n", 400},
        Refused{"Host with a path", "GET /v2/ HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        Refused{"Host with user", "GET /v2/ HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
        Refused{"Host with bad port", "GET /v2/ HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
        Refused{"two names in Host", "GET /v2/ HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
        Refused{"other expectation", put_with("Expect: 200-ok\r\n"), 417}));

INSTANTIATE_TEST_SUITE_P(
    Sec77And83, RefusedHeader,
    testing::Values(Refused{"long target",
                            "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: r\r\n\r\n", 414},
                    Refused{"large block", get_with("A: " + std::string(40000, 'b') + "\r\n"), 431},
                    Refused{"h2 preface", "PRI * HTTP/2.0\r\n\r\n", 400},
                    Refused{"HTTP/2 by name", "GET / HTTP/2.0\r\nHost: r\r\n\r\n", 505},
                    Refused{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: r\r\n\r\n", 505},
                    Refused{"HTTP/0.9", "GET /\r\nHost: r\r\n\r\n", 400},
                    Refused{"lower-case version", "GET / http/1.1\r\nHost: r\r\n\r\n", 400},
                    Refused{"two spaces", "GET  / HTTP/1.1\r\nHost: r\r\n\r\n", 400},
                    Refused{"space at the end", "GET / HTTP/1.1 \r\nHost: r\r\n\r\n", 400},
                    Refused{"method is no token", "G@T / HTTP/1.1\r\nHost: r\r\n\r\n", 400},
                    Refused{"TLS hello", std::string{"\x16\x03\x01\x02\x00\x01\r\n\r\n", 10}, 400},
                    Refused{"empty first line", "\r\nGET / HTTP/1.1\r\nHost: r\r\n\r\n", 400}));

TEST(FramingGuard, Sec77RefusesMoreThanAHundredFields) {
    std::string fields;
    for (int i = 0; i < 99; ++i) fields += "A: b\r\n";
    EXPECT_EQ(parse_head(get_with(fields), kLimits).fault.status, 0U)
        << "with Host that makes one hundred";
    EXPECT_EQ(parse_head(get_with(fields + "A: b\r\n"), kLimits).fault.status, 431U);
}

TEST(FramingGuard, DistHttp06AcceptsSixteenKiBOfHeader) {
    EXPECT_EQ(parse_head(get_with("Authorization: " + std::string(16000, 'a') + "\r\n"), kLimits)
                  .fault.status,
              0U);
}

TEST(FramingGuard, ReadsWhatTheFramingSays) {
    auto parsed = parse_head(put_with("Content-Length: 17\r\nExpect: 100-Continue\r\n"), kLimits);
    ASSERT_FALSE(parsed.fault) << parsed.fault.reason;
    EXPECT_EQ(parsed.head.framing.content_length, 17U);
    EXPECT_TRUE(parsed.head.framing.expect_continue);
    EXPECT_TRUE(parsed.head.framing.keep_alive);
    EXPECT_EQ(parsed.head.method, Method::put);
    EXPECT_EQ(parsed.head.target, "/v2/a");

    parsed =
        parse_head(put_with("Transfer-Encoding: Chunked\r\nConnection: x, Close\r\n"), kLimits);
    ASSERT_FALSE(parsed.fault) << parsed.fault.reason;
    EXPECT_TRUE(parsed.head.framing.chunked);
    EXPECT_FALSE(parsed.head.framing.keep_alive);
}

TEST(FramingGuard, Http10KeepsAliveOnlyWhenAsked) {
    EXPECT_FALSE(parse_head("GET / HTTP/1.0\r\n\r\n", kLimits).head.framing.keep_alive);
    const auto parsed = parse_head(
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n", kLimits);
    EXPECT_TRUE(parsed.head.framing.keep_alive);
    EXPECT_FALSE(parsed.head.framing.expect_continue) << "an expectation of HTTP/1.0 is ignored";
}

TEST(FramingGuard, AcceptsHostsAsTheyAre) {
    for (const char* host :
         {"r", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "[::1]", "reg_1.example-a.com"}) {
        const auto block = "GET /v2/ HTTP/1.1\r\nHost: " + std::string{host} + "\r\n\r\n";
        EXPECT_EQ(parse_head(block, kLimits).fault.status, 0U) << host;
    }
}

TEST(FramingGuard, FindsFieldsWhateverTheirCase) {
    const auto parsed = parse_head(get_with("X-Thing: \t a b \t\r\n"), kLimits);
    EXPECT_EQ(parsed.head.field("x-THING"), "a b");
    EXPECT_EQ(parsed.head.field("Other"), std::nullopt);
}

TEST(HeaderScanner, FindsTheEndHoweverTheBytesArrive) {
    const std::string block = get_with("A: b\r\n");
    const std::string bytes = block + "rest";
    HeaderScanner scanner{kLimits};
    for (std::size_t size = 1; size < block.size(); ++size) {
        ASSERT_EQ(scanner.scan(bytes.substr(0, size)), HeaderScanner::State::incomplete) << size;
    }
    ASSERT_EQ(scanner.scan(bytes), HeaderScanner::State::complete);
    EXPECT_EQ(scanner.size(), block.size());
}

TEST(HeaderScanner, RefusesAtTheByteThatIsWrong) {
    // Without waiting for an end that a header of bare LFs never has.
    HeaderScanner scanner{kLimits};
    EXPECT_EQ(scanner.scan("GET / HTTP/1.1\n"), HeaderScanner::State::refused);
    EXPECT_EQ(scanner.fault().status, 400U);
}

}  // namespace
}  // namespace orbitalreg::frontend
