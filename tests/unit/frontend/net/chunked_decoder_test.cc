// ChunkedDecoder: the bytes of the body, whatever the pieces they arrive in, and the limits of SEC-75 and SEC-76.

#include "net/chunked_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace orbitalreg::frontend {
namespace {

const HttpLimits kLimits;

struct Decoded {
    std::string body;
    std::size_t consumed = 0;
    bool done = false;
    bool malformed = false;
};

// `text` in pieces of `step` bytes.
Decoded decode(std::string text, std::size_t step, const HttpLimits& limits = kLimits) {
    ChunkedDecoder decoder{limits};
    Decoded result;
    while (result.consumed < text.size() && !decoder.done() && !result.malformed) {
        const auto size = std::min(step, text.size() - result.consumed);
        std::vector<std::byte> buffer(size);
        std::memcpy(buffer.data(), text.data() + result.consumed, size);
        const auto decoded = decoder.decode(buffer);
        result.body.append(as_text(ByteView{buffer}.first(decoded.body_bytes)));
        result.consumed += decoded.consumed;
        result.malformed = decoded.malformed;
    }
    result.done = decoder.done();
    return result;
}

TEST(ChunkedDecoder, GivesTheBodyHoweverItArrives) {
    const std::string message =
        "5\r\nhello\r\n1;name=\"value\"\r\n,\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n";
    for (std::size_t step = 1; step <= message.size() + 8; ++step) {
        const auto result = decode(message + "GET next", step);
        EXPECT_EQ(result.body, "hello, world") << step;
        EXPECT_TRUE(result.done) << step;
        EXPECT_EQ(result.consumed, message.size())
            << "what follows is the next request's: " << step;
    }
}

TEST(ChunkedDecoder, TakesAnEmptyBody) {
    const auto result = decode("0\r\n\r\n", 3);
    EXPECT_TRUE(result.done);
    EXPECT_EQ(result.body, "");
}

TEST(ChunkedDecoder, ReadsSizesInAnyCaseAndWithZeros) {
    EXPECT_EQ(decode("0000A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", 7).body,
              "01234567890123456789");
}

TEST(ChunkedDecoder, RefusesWhatIsNoFraming) {
    for (const char* text :
         {"\r\n", "x\r\n", "5\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n", " 5\r\nhello\r\n",
          "+5\r\nhello\r\n", "-5\r\n", "0x5\r\nhello\r\n", "5\r\nhelloX\r\n", "5\r\nhello\n",
          "5\r\nhello\r0\r\n", "5\rhello", "5;a=\x01\r\n", "0\r\n Folded: x\r\n\r\n", "0\r\n\n",
          "0\r\nA: b\n\r\n", "5\r\nhello0\r\n\r\n"}) {
        const auto result = decode(text, 64);
        EXPECT_TRUE(result.malformed) << text;
        EXPECT_FALSE(result.done) << text;
    }
}

TEST(ChunkedDecoder, Sec76BoundsTheSize) {
    EXPECT_FALSE(decode("0000000000000005\r\nhello\r\n0\r\n\r\n", 64).malformed)
        << "sixteen digits";
    EXPECT_TRUE(decode("00000000000000005\r\nhello\r\n", 64).malformed) << "seventeen digits";
    EXPECT_TRUE(decode("ffffffffffffffff\r\n", 64).malformed);
    EXPECT_TRUE(decode("7fffffffffffffff\r\n", 64).malformed);
}

TEST(ChunkedDecoder, Sec76BoundsExtensions) {
    EXPECT_FALSE(decode("1;" + std::string(256, 'e') + "\r\nx\r\n0\r\n\r\n", 4096).malformed);
    EXPECT_TRUE(decode("1;" + std::string(257, 'e') + "\r\nx\r\n0\r\n\r\n", 4096).malformed);
    std::string many;
    for (int i = 0; i < 64; ++i) many += "1;" + std::string(256, 'e') + "\r\nx\r\n";
    EXPECT_FALSE(decode(many + "0\r\n\r\n", 4096).malformed) << "16 KiB in one request";
    EXPECT_TRUE(decode(many + "1;e\r\nx\r\n", 4096).malformed) << "one byte more";
}

TEST(ChunkedDecoder, Sec76BoundsSmallChunks) {
    HttpLimits limits;
    limits.small_chunks = 3;
    EXPECT_FALSE(decode("1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n0\r\n\r\n", 64, limits).malformed);
    EXPECT_TRUE(decode("1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n", 64, limits).malformed);
    const std::string chunk = "40\r\n" + std::string(64, 'x') + "\r\n";
    EXPECT_FALSE(decode(chunk + chunk + chunk + chunk + "0\r\n\r\n", 64, limits).malformed)
        << "64 bytes are not few";
}

TEST(ChunkedDecoder, Sec75BoundsTrailers) {
    const std::string trailer = "A: " + std::string(1000, 'b') + "\r\n";
    std::string many;
    for (int i = 0; i < 33; ++i) many += trailer;
    EXPECT_TRUE(decode("0\r\n" + many + "\r\n", 4096).malformed);
    EXPECT_TRUE(decode("0\r\n" + trailer + "\r\n", 4096).done);
}

}  // namespace
}  // namespace orbitalreg::frontend
