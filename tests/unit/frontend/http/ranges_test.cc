// Ranges: DIST-BLOB-07 to 15, SEC-84; chunks of uploads: DIST-UPL-20 to 29, SEC-35.

#include "http/ranges.h"

#include <gtest/gtest.h>

#include <string>

namespace orbitalreg::frontend {
namespace {

using Kind = RangeRequest::Kind;
const HttpLimits kLimits;

RangeRequest parse(std::string_view value, std::uint64_t size = 1000) {
    return parse_range(value, size, kLimits);
}

TEST(Range, OneOfEachForm) {
    EXPECT_EQ(parse("bytes=0-99").parts, (std::vector<ByteRange>{{0, 100}}));
    EXPECT_EQ(parse("bytes=990-").parts, (std::vector<ByteRange>{{990, 10}}));
    EXPECT_EQ(parse("bytes=-10").parts, (std::vector<ByteRange>{{990, 10}}));
    EXPECT_EQ(parse("Bytes= 5-5 ").parts, (std::vector<ByteRange>{{5, 1}}));
}

TEST(Range, IsClamped) {
    EXPECT_EQ(parse("bytes=900-5000").parts, (std::vector<ByteRange>{{900, 100}}));
    EXPECT_EQ(parse("bytes=-5000").parts, (std::vector<ByteRange>{{0, 1000}}));
    EXPECT_EQ(parse("bytes=0-18446744073709551615").parts, (std::vector<ByteRange>{{0, 1000}}));
    EXPECT_EQ(parse("bytes=0-99999999999999999999999").parts, (std::vector<ByteRange>{{0, 1000}}))
        << "beyond 64 bits";
}

TEST(Range, Unsatisfiable) {
    for (const char* value : {"bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=500-0",
                              "bytes=18446744073709551616-", "bytes=2000-3000, 4000-"}) {
        EXPECT_EQ(parse(value).kind, Kind::unsatisfiable) << value;
    }
    for (const char* value : {"bytes=0-", "bytes=-1", "bytes=0-0"}) {
        EXPECT_EQ(parse(value, 0).kind, Kind::unsatisfiable) << "an empty blob: " << value;
    }
}

TEST(Range, GarbageAndOtherUnitsAreIgnored) {
    for (const char* value :
         {"items=0-5", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=1-2-3",
          "bytes=0-1,", "bytes=,0-1", "bytes=0x1-2", "bytes=+1-2", "bytes=1 -2", "", "0-5"}) {
        EXPECT_EQ(parse(value).kind, Kind::whole) << value;
    }
}

TEST(Range, SeveralKeepTheirOrder) {
    EXPECT_EQ(parse("bytes=500-599, 0-9,-5").parts,
              (std::vector<ByteRange>{{500, 100}, {0, 10}, {995, 5}}));
    EXPECT_EQ(parse("bytes=0-9,0-9").parts, (std::vector<ByteRange>{{0, 10}, {0, 10}}))
        << "nothing is merged";
}

TEST(Range, SeveralWithOneBeyondTheEndAreAnsweredWhole) {
    EXPECT_EQ(parse("bytes=0-9,2000-").kind, Kind::whole);
}

TEST(Range, Sec84CapsNumberAndSum) {
    std::string many = "bytes=0-0";
    for (int i = 1; i < 1024; ++i) many += ",0-0";
    EXPECT_EQ(parse(many).parts.size(), 1024U);
    EXPECT_EQ(parse(many + ",0-0").kind, Kind::whole);
    EXPECT_EQ(parse("bytes=0-,0-").kind, Kind::parts);
    EXPECT_EQ(parse("bytes=0-,0-,0-0").kind, Kind::whole);
}

TEST(ChunkRange, IsReadInItsThreeForms) {
    for (const char* value : {"10-19", "bytes 10-19/100", "bytes=10-19", "bytes 10-19/*"}) {
        const auto range = parse_chunk_range(value);
        EXPECT_EQ(range.kind, ChunkRange::Kind::valid) << value;
        EXPECT_EQ(range.start, 10U) << value;
        EXPECT_EQ(range.size, 10U) << value;
    }
}

TEST(ChunkRange, SaysWhatIsWrong) {
    for (const char* value : {"", "abc", "5", "-", "5-", "-5", "1-2-3", "a-b", "1 - 2", "+1-2"}) {
        EXPECT_EQ(parse_chunk_range(value).kind, ChunkRange::Kind::malformed) << value;
    }
    for (const char* value :
         {"9-3", "0-18446744073709551615", "0-18446744073709551616", "99999999999999999999-1"}) {
        EXPECT_EQ(parse_chunk_range(value).kind, ChunkRange::Kind::impossible) << value;
    }
}

}  // namespace
}  // namespace orbitalreg::frontend
