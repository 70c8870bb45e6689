// Uploads with a session: marks, restarts, the ends of sessions.

#include "unit/cas/lane/lane_fixture.h"

namespace orbitalreg::cas {
namespace {

class LaneUpload : public SimulatedStore {
public:
    static ByteView part(const std::vector<std::byte>& bytes, std::size_t begin, std::size_t end) {
        return ByteView{bytes}.subspan(begin, end - begin);
    }
};

// Goal: what mark() acknowledged is there after a power cut, and the upload goes on from it to the
// same digest. Method: cuts at sizes around every border, several in a row.
TEST_F(LaneUpload, GoesOnAtItsMarkAfterAPowerCut) {
    const auto bytes = content_of(300'000, 5);
    const std::vector<std::size_t> cuts = {1,      100,    4095,    4096,    4097,   20'000,
                                           65'535, 65'536, 131'072, 140'000, 262'143};
    std::size_t at = 0;
    for (const std::size_t cut : cuts) {
        auto life = live();
        EXPECT_EQ(life->store->upload_status(session_of(1).session).offset, at);
        Writer writer = life->resume(session_of(1));
        ASSERT_NE(writer, nullptr);
        ASSERT_EQ(writer->offset(), at);
        ASSERT_TRUE(life->write(writer, part(bytes, at, cut)));
        const auto marked = life->mark(writer);
        ASSERT_TRUE(marked) << marked.error().message();
        ASSERT_EQ(marked.value(), cut);
        at = cut;
        // More that is not marked, and is lost.
        ASSERT_TRUE(life->write(writer, content_of(50'000, cut)));
        writer.reset();
        life.reset();
        cut_power();
    }
    auto life = live();
    Writer writer = life->resume(session_of(1));
    ASSERT_NE(writer, nullptr);
    ASSERT_TRUE(life->write(writer, part(bytes, at, bytes.size())));
    const auto info = life->finish(writer, sha256_of(bytes));
    ASSERT_TRUE(info) << info.error().message();
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
    const UploadStatus status = life->store->upload_status(session_of(1).session);
    EXPECT_EQ(status.state, UploadStatus::State::finished);
    EXPECT_EQ(status.digest, sha256_of(bytes));
}

TEST_F(LaneUpload, FallsBackToItsMarkWhenItsWriterGoes) {
    auto life = live();
    const auto bytes = content_of(200'000, 5);
    Writer writer = life->resume(session_of(1));
    ASSERT_TRUE(life->write(writer, part(bytes, 0, 70'001)));
    ASSERT_TRUE(life->mark(writer));
    ASSERT_TRUE(life->write(writer, content_of(100'000, 6)));
    writer.reset();
    writer = life->resume(session_of(1));
    ASSERT_NE(writer, nullptr);
    EXPECT_EQ(writer->offset(), 70'001u);
    ASSERT_TRUE(life->write(writer, part(bytes, 70'001, 200'000), 1000));
    ASSERT_TRUE(life->finish(writer, sha256_of(bytes)));
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
}

TEST_F(LaneUpload, WithoutAMarkItStandsAtZero) {
    {
        auto life = live();
        Writer writer = life->resume(session_of(1));
        ASSERT_TRUE(life->write(writer, content_of(100'000, 1)));
        writer.reset();
        life->settle();
        EXPECT_EQ(life->store->upload_status(session_of(1).session).state,
                  UploadStatus::State::unknown);
    }
    cut_power();
    auto life = live();
    Writer writer = life->resume(session_of(1));
    ASSERT_NE(writer, nullptr);
    EXPECT_EQ(writer->offset(), 0u);
}

TEST_F(LaneUpload, OneWriterASession) {
    auto life = live();
    Writer writer = life->resume(session_of(1));
    EXPECT_EQ(life->resume_error(session_of(1)), Errc::upload_busy);
    EXPECT_TRUE(life->store->upload_status(session_of(1).session).busy);
    EXPECT_EQ(life->run(life->store->cancel_upload(session_of(1))).error(), Errc::upload_busy);
    writer.reset();
    EXPECT_EQ(life->resume_error(session_of(1)), ErrorCode{});
}

TEST_F(LaneUpload, CancelIsRememberedOverARestart) {
    {
        auto life = live();
        Writer writer = life->resume(session_of(1));
        ASSERT_TRUE(life->write(writer, content_of(100'000, 1)));
        ASSERT_TRUE(life->mark(writer));
        writer.reset();
        ASSERT_TRUE(life->run(life->store->cancel_upload(session_of(1))));
        ASSERT_TRUE(life->run(life->store->cancel_upload(session_of(2))));  // never written to
        Writer other = life->resume(session_of(3));
        ASSERT_TRUE(life->write(other, content_of(100'000, 1)));
        ASSERT_TRUE(life->run(other->cancel()));
        other.reset();
    }
    cut_power();
    auto life = live();
    for (std::uint8_t session = 1; session <= 3; ++session) {
        EXPECT_EQ(life->store->upload_status(session_of(session).session).state,
                  UploadStatus::State::cancelled);
        EXPECT_EQ(life->resume_error(session_of(session)), Errc::upload_closed);
    }
    EXPECT_EQ(life->store->stats().uploads_open, 0u);
}

TEST_F(LaneUpload, AWrongDigestClosesTheSession) {
    auto life = live();
    Writer writer = life->resume(session_of(1));
    ASSERT_TRUE(life->write(writer, content_of(100'000, 1)));
    EXPECT_EQ(life->finish(writer, sha256_of(content_of(1, 1))).error(), Errc::digest_mismatch);
    life->settle();
    EXPECT_EQ(life->store->upload_status(session_of(1).session).state,
              UploadStatus::State::cancelled);
}

TEST_F(LaneUpload, ExpiresWhenNobodyWrites) {
    StoreOptions options = lane_options();
    options.uploads_idle_expiry_ms = 7200'000;
    auto life = live(options);
    UploadStart start = session_of(1);
    start.issued_store_time_s = life->store->store_time_ms() / 1000;
    Writer writer = life->resume(start);
    ASSERT_TRUE(life->write(writer, content_of(100'000, 1)));
    ASSERT_TRUE(life->mark(writer));
    // Not while a writer is open.
    life->pass_ms(8000'000);
    EXPECT_EQ(life->store->upload_status(start.session).state, UploadStatus::State::open);
    writer.reset();
    life->pass_ms(8000'000);
    EXPECT_EQ(life->store->upload_status(start.session).state, UploadStatus::State::cancelled);
    EXPECT_EQ(life->store->stats().uploads_open, 0u);
    UploadStart late = session_of(2);
    EXPECT_EQ(life->resume_error(late), Errc::upload_expired);
}

TEST_F(LaneUpload, MarkedSessionsAreLimited) {
    StoreOptions options = lane_options();
    options.uploads_open_max = 1;
    auto life = live(options);
    Writer first = life->resume(session_of(1));
    Writer second = life->resume(session_of(2));
    ASSERT_TRUE(life->write(first, content_of(10, 1)));
    ASSERT_TRUE(life->mark(first));
    ASSERT_TRUE(life->write(second, content_of(10, 1)));
    EXPECT_EQ(life->mark(second).error(), Errc::overloaded);
    EXPECT_EQ(life->resume_error(session_of(3)), Errc::overloaded);
}

// A long upload is marked by itself, and its sums are read back from many marks for the trailer.
TEST_F(LaneUpload, ALongOneIsMarkedOnItsWay) {
    StoreOptions options = lane_options();
    options.mark_interval_bytes = 150'000;
    const auto bytes = content_of(2'000'000, 9);
    {
        auto life = live(options);
        Writer writer = life->resume(session_of(1));
        ASSERT_TRUE(life->write(writer, part(bytes, 0, 1'000'000)));
        writer.reset();
        life->settle();
        EXPECT_GE(life->store->upload_status(session_of(1).session).offset, 900'000u);
    }
    cut_power();
    auto life = live(options);
    Writer writer = life->resume(session_of(1));
    ASSERT_NE(writer, nullptr);
    const std::size_t at = writer->offset();
    ASSERT_TRUE(life->write(writer, part(bytes, at, bytes.size())));
    ASSERT_TRUE(life->finish(writer, Digest::of(DigestAlgorithm::sha512, bytes)));
    EXPECT_EQ(life->get(Digest::of(DigestAlgorithm::sha512, bytes)).value(), bytes);
}

// A clean stop keeps parked uploads and the frontiers of lanes.
TEST_F(LaneUpload, SurvivesACleanStop) {
    const auto bytes = content_of(100'000, 5);
    {
        auto life = live();
        life->put(content_of(80'000, 1));
        Writer writer = life->resume(session_of(1));
        ASSERT_TRUE(life->write(writer, part(bytes, 0, 70'000)));
        ASSERT_TRUE(life->mark(writer));
        writer.reset();
        life->stop();
    }
    auto life = live();
    EXPECT_TRUE(life->store->stats().clean_start);
    Writer writer = life->resume(session_of(1));
    ASSERT_NE(writer, nullptr);
    ASSERT_TRUE(life->write(writer, part(bytes, 70'000, 100'000)));
    life->put(content_of(90'000, 2));
    ASSERT_TRUE(life->finish(writer, sha256_of(bytes)));
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
    EXPECT_EQ(life->get(sha256_of(content_of(80'000, 1))).value(), content_of(80'000, 1));
    EXPECT_EQ(life->get(sha256_of(content_of(90'000, 2))).value(), content_of(90'000, 2));
}

}  // namespace
}  // namespace orbitalreg::cas
