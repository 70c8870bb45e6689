// Bit rot. Goal: of 1,000 single-bit flips at random places of live data every one is found by deep fsck and by the scrub,
// none is ever served, and a push heals. Method: rounds of 50 blobs, in lanes and in the log; each gets one bit flipped.
// First each flip alone, on the stopped store: fsck must find it. Then all at once, under the open store: a pass must find
// exactly them, each blob reads as it was or not at all, and pushed again it reads as it was.

#include "format/lane_record.h"
#include "unit/cas/scrub/scrub_fixture.h"

namespace orbitalreg::cas {
namespace {

constexpr int kRounds = 20;
constexpr std::size_t kBlobs = 50;

struct Flip {
    std::size_t blob = 0;
    std::string file;
    std::uint64_t offset = 0;
    unsigned bit = 0;
    bool header = false;  // which reads do not need
};

class BitRot : public ScrubbedStore {
public:
    static StoreOptions options() {
        StoreOptions all = lane_options();
        all.damage_marks_per_minute_max = 1000;
        return all;
    }
    void fill() {
        auto life = live(options());
        for (std::size_t i = 0; i < kBlobs; ++i) {
            const std::size_t size =
                i % 3 == 0 ? random_.below(4096) + 1 : 4097 + random_.below(80'000);
            contents_.push_back(content_of(size, 1000 + i));
            digests_.push_back(life->put(contents_.back()));
        }
        life->stop();
    }
    // A random bit of what the store keeps of a blob; what pads a payload to its page is nothing of it.
    Flip draw(std::size_t blob, const BlobPlace& at) {
        const std::uint64_t size = contents_[blob].size();
        Flip flip{blob, at.file, at.offset, static_cast<unsigned>(random_.below(8)), false};
        if (!at.in_lane()) {
            flip.offset += random_.below(size);
            return flip;
        }
        const std::uint64_t behind = (record_pages(size) - 1 - payload_pages(size)) * kPageSize;
        std::uint64_t byte = random_.below(kPageSize + size + behind);
        if (byte < kPageSize) {
            flip.offset += byte - kPageSize;
            flip.header = true;
        } else if (byte - kPageSize < size) {
            flip.offset += byte - kPageSize;
        } else {
            flip.offset += payload_pages(size) * kPageSize + (byte - kPageSize - size);
        }
        return flip;
    }
    void make(const Flip& one) { flip(one.file, one.offset, one.bit); }
    bool fsck_finds_something() {
        Life life{disk, ++seed};
        NoCatalog catalog;
        const auto report =
            fsck(life.io(), FsckLevel::deep, catalog, null_log(), [](std::string_view) {});
        return !report || !report.value().clean();
    }
    void round();

    sim::SimRandom random_{20'261'123};
    std::vector<std::vector<std::byte>> contents_;
    std::vector<Digest> digests_;
    std::uint64_t flips_ = 0;
    std::uint64_t headers_ = 0;
};

void BitRot::round() {
    const auto at = places();
    std::vector<Flip> flips;
    for (std::size_t blob = 0; blob < kBlobs; ++blob) {
        flips.push_back(draw(blob, at.at(digests_[blob].to_string())));
        make(flips.back());
        EXPECT_TRUE(fsck_finds_something())
            << flips.back().file << ' ' << flips.back().offset << ' ' << flips.back().bit;
        make(flips.back());
    }
    ASSERT_FALSE(fsck_finds_something());

    auto life = live(options());
    std::uint64_t headers = 0;
    for (const Flip& one : flips) {
        make(one);
        headers += one.header ? 1 : 0;
    }
    const ScrubStatus done = scrub(*life);
    EXPECT_EQ(done.headers_damaged, headers);
    EXPECT_EQ(done.damaged, kBlobs - headers);
    for (const Flip& one : flips) {
        const Digest& digest = digests_[one.blob];
        EXPECT_EQ(life->store->find(digest)->damaged, !one.header) << one.file << ' ' << one.offset;
        const auto read = life->get(digest);
        EXPECT_EQ(read.has_value(), one.header);
        if (read) {
            EXPECT_EQ(read.value(), contents_[one.blob]);
        }
        if (!one.header) life->put(contents_[one.blob]);
        const auto healed = life->get(digest);
        ASSERT_TRUE(healed) << healed.error().message();
        EXPECT_EQ(healed.value(), contents_[one.blob]);
        // The old bytes are dead, but their frame is part of the log, and a header that of a live record.
        if (one.header || one.file.starts_with("log/")) make(one);
    }
    life->stop();
    flips_ += flips.size();
    headers_ += headers;
}

TEST_F(BitRot, OfAThousandFlipsEachIsFoundAndNoneIsServed) {
    fill();
    for (int i = 0; i < kRounds && !HasFatalFailure(); ++i) round();
    EXPECT_EQ(flips_, 1000u);
    RecordProperty("flips", static_cast<int>(flips_));
    RecordProperty("in_record_headers", static_cast<int>(headers_));
}

}  // namespace
}  // namespace orbitalreg::cas
