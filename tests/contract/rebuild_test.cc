// A store with images in it is harmed where nothing of its own can mend it: a block of the checkpoint in both copies, the
// whole checkpoint, an old superblock, frames of the log. Then a rebuild has to bring every blob back, and of the rest what
// can still be proven; and the store has to open, serve and pass fsck.

#include "cas/rebuild.h"

#include "cas/errors.h"
#include "cas/inspect.h"
#include "contract/registry_store_content.h"
#include "engine/embedded_store.h"
#include "support/sim_machine.h"
#include "unit/cas/lane/lane_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace orbitalreg::engine {
namespace {

constexpr std::size_t kPage = cas::kPageSize;
const std::string kCopies[] = {"ckpt/a/0000000000000001.ockp", "ckpt/b/0000000000000001.ockp"};
const std::string kSegment = "log/0000000000000001.olog";

std::string layer_of(int image) {
    std::string bytes(100'000, static_cast<char>('a' + image));
    return bytes + std::to_string(image);
}
std::string config_of(int image) { return "config of " + std::to_string(image); }
std::string name_of(int image) { return "p/app" + std::to_string(image); }
std::string manifest_of(int image) {
    return image_text({config_of(image), {layer_of(image)}, "", ""});
}

// An index and its children, which only it names.
std::string child_of(int number) {
    return image_text({config_of(number), {}, "", "child " + std::to_string(number)});
}
std::string index_of_children() { return index_text({child_of(0), child_of(1)}); }
const std::string kMulti = "p/multi";

class RebuildTest : public testing::Test {
protected:
    static constexpr int kImages = 3;
    static constexpr int kNamed = kImages + 1;  // and the index

    class Life {
    public:
        Life(sim::SimDisk& disk, std::uint64_t seed, const cas::StoreOptions& options)
            : machine_{disk, seed} {
            auto opened = open_embedded(machine_.environment(), options, {});
            if (opened) embedded_ = std::move(opened).value();
            if (!opened) error = opened.error();
        }
        ~Life() {
            machine_.settle();
            machine_.clear();
            embedded_.reset();
            machine_.clear();
        }
        template <class T>
        T run(Awaitable<T> work) {
            return std::move(*machine_.run(std::move(work)));
        }
        void stop() { EXPECT_TRUE(machine_.run(store().stop())); }
        cas::Store& store() { return embedded_->store(); }
        RegistryStore& registry() { return embedded_->registry_store(); }
        DocumentStore& documents() { return embedded_->document_store(); }
        void pass_ms(std::int64_t ms) { machine_.pass_ms(ms); }

        void push(const std::string& image, const std::string& content) {
            EXPECT_TRUE(run(push_blob(registry(), image, content)));
        }
        void put(const std::string& image, const std::string& text, const std::string& tag) {
            std::vector<std::string> tags;
            if (!tag.empty()) tags.push_back(tag);
            EXPECT_TRUE(run(registry().put_manifest({1, ++requests_}, put_of(image, text, tags))));
        }
        bool pulls(const std::string& image, const std::string& content) {
            const auto pulled = run(pull_blob(registry(), image, digest_of(content)));
            return pulled && pulled.value() == content;
        }
        // By its tag.
        bool pulls_image(int number) {
            const auto image = name_of(number);
            const auto found =
                run(registry().resolve(image_name(image), Reference{tag_name("v1")}));
            if (!found || found.value().digest != digest_of(manifest_of(number))) return false;
            const auto text = run(pull_manifest(registry(), image, found.value().digest));
            return text && text.value() == manifest_of(number) && pulls(image, config_of(number)) &&
                   pulls(image, layer_of(number));
        }
        bool pulls_index() {
            const auto found =
                run(registry().resolve(image_name(kMulti), Reference{tag_name("v1")}));
            if (!found || found.value().digest != digest_of(index_of_children())) return false;
            for (const int number : {0, 1}) {
                const auto text =
                    run(pull_manifest(registry(), kMulti, digest_of(child_of(number))));
                if (!text || text.value() != child_of(number)) return false;
                if (!pulls(kMulti, config_of(number))) return false;
            }
            return true;
        }
        bool has(const std::string& content) {
            const auto blob = store().find(digest_of(content));
            return blob && blob->size_bytes == content.size() && !blob->damaged;
        }

        ErrorCode error;

    private:
        std::uint64_t requests_ = 0;
        sim::SimMachine machine_;
        std::unique_ptr<EmbeddedStore> embedded_;
    };

    // A block a row, so that each can be lost alone.
    static cas::StoreOptions options() {
        cas::StoreOptions options;
        options.log_segment_size_bytes = 1_MiB;
        options.lane_target_bytes = 1_MiB;
        options.segments_spare = 1;
        options.lanes_spare = 1;
        options.memory_limit_bytes = 64_MiB;
        options.checkpoint_block_bytes = 1;
        options.checkpoint_at_stop_bytes = UINT64_MAX;
        return options;
    }
    std::unique_ptr<Life> live() {
        auto life = std::make_unique<Life>(*disk, ++seed, options_);
        EXPECT_FALSE(life->error) << life->error.message();
        return life;
    }
    static std::unique_ptr<sim::SimDisk> new_disk() {
        return std::make_unique<sim::SimDisk>(sim::SimDiskMode::strict, 256_MiB);
    }
    void fill() {
        disk = new_disk();
        auto life = live();
        for (int i = 0; i < kImages; ++i) {
            life->push(name_of(i), config_of(i));
            life->push(name_of(i), layer_of(i));
            life->put(name_of(i), manifest_of(i), "v1");
        }
        for (const int number : {0, 1}) {
            life->push(kMulti, config_of(number));
            life->put(kMulti, child_of(number), "");
        }
        life->put(kMulti, index_of_children(), "v1");
        ASSERT_TRUE(life->run(life->store().make_checkpoint()));
        life->stop();
    }
    cas::FsckReport check(cas::FsckLevel level = cas::FsckLevel::deep) {
        sim::SimMachine machine{*disk, ++seed};
        const auto catalog = make_catalog({});
        auto report = cas::fsck(machine.io(), level, *catalog, null_log(), [](std::string_view) {});
        EXPECT_TRUE(report) << report.error().message();
        return report ? report.value() : cas::FsckReport{};
    }
    Result<cas::RebuildReport> rebuild() {
        sim::SimMachine machine{*disk, ++seed};
        const auto catalog = make_catalog({});
        return cas::rebuild(machine.io(), *catalog, null_log(), [](std::string_view) {});
    }
    // What is there is sound, every blob is there, and so many of the images and the index can be pulled.
    void expect_served(int named) {
        const auto report = check();
        for (const auto& finding : report.findings) {
            EXPECT_EQ(finding.severity, cas::FsckFinding::Severity::note)
                << finding.code << ' ' << finding.where << ": " << finding.detail;
        }
        for (int lives = 0; lives < 2; ++lives) {  // a start of its own changes nothing of it
            auto life = live();
            ASSERT_FALSE(life->error) << life->error.message();
            int pulled = 0;
            for (int i = 0; i < kImages; ++i) {
                EXPECT_TRUE(life->has(config_of(i))) << i;
                EXPECT_TRUE(life->has(layer_of(i))) << i;
                EXPECT_TRUE(life->has(manifest_of(i))) << i;
                pulled += life->pulls_image(i) ? 1 : 0;
            }
            pulled += life->pulls_index() ? 1 : 0;
            EXPECT_EQ(pulled, named);
            life->push("p/new", "pushed in life " + std::to_string(lives));
            life->stop();
        }
    }
    std::vector<std::byte> bytes_of_file(const std::string& path) {
        const auto file = disk->find(path);
        EXPECT_NE(file, nullptr) << path;
        return file == nullptr ? std::vector<std::byte>{} : file->current;
    }
    void wipe(const std::string& path, std::size_t begin, std::size_t end) {
        const auto file = disk->find(path);
        ASSERT_NE(file, nullptr) << path;
        auto bytes = file->current;
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                  bytes.begin() + static_cast<std::ptrdiff_t>(end), std::byte{0xa5});
        disk->replace(*file, std::move(bytes));
    }
    // Where the blocks of the checkpoint are, by their magic.
    std::vector<std::size_t> blocks(const std::string& path = kCopies[0]) {
        const auto bytes = bytes_of_file(path);
        std::vector<std::size_t> found;
        for (std::size_t at = kPage; at + kPage <= bytes.size(); at += kPage) {
            if (as_text(ByteView{bytes}.subspan(at, 4)) == "ORBB") found.push_back(at);
        }
        return found;
    }
    std::uint16_t table_at(std::size_t offset, const std::string& path = kCopies[0]) {
        return load_le<std::uint16_t>(bytes_of_file(path).data() + offset + 4);
    }
    void lose_checkpoint() {
        std::vector<std::string> paths;
        disk->visit([&paths](const std::string& path, sim::SimInode&) {
            if (path.ends_with(".ockp")) paths.push_back(path);
        });
        EXPECT_EQ(paths.size(), 2u);
        for (const std::string& path : paths) disk->remove(disk->place(path));
    }
    // An upload that has come to its first mark, in a lane; and a checkpoint behind it.
    void fill_with_upload() {
        fill();
        auto life = live();
        auto writer = life->run(life->store().open_upload(cas::session_of(7)));
        ASSERT_TRUE(writer) << writer.error().message();
        ASSERT_TRUE(life->run(cas::feed(*writer.value(), upload_, 1_MiB)));
        ASSERT_TRUE(life->run(writer.value()->mark()));
        writer.value().reset();
        ASSERT_TRUE(life->run(life->store().make_checkpoint()));
        life->stop();
    }

    std::unique_ptr<sim::SimDisk> disk = new_disk();
    std::uint64_t seed = 0;
    std::vector<std::byte> upload_ = cas::content_of(300'000, 7);
    cas::StoreOptions options_ = options();
};

// A block is a row here. Where a tag or a name is lost, no more than one image can no longer be named; the blobs all come back,
// and all that follows from a manifest: its edges, its links, what a row said of it.
TEST_F(RebuildTest, BringsBackWhatFollowsWhenABlockIsLostInBothCopies) {
    fill();
    const auto all = blocks();
    ASSERT_GT(all.size(), 20u);
    for (const std::size_t offset : all) {
        fill();
        const std::uint16_t table = table_at(offset);
        SCOPED_TRACE("table " + std::to_string(table) + " at " + std::to_string(offset));
        for (const std::string& path : kCopies) wipe(path, offset, offset + kPage);
        EXPECT_TRUE(check(cas::FsckLevel::quick).needs_rebuild);
        const auto rebuilt = rebuild();
        ASSERT_TRUE(rebuilt) << rebuilt.error().message();
        EXPECT_FALSE(rebuilt.value().lost.empty());
        const bool names = table == 65 || table == 67;  // image names, tags
        expect_served(names ? kNamed - 1 : kNamed);
    }
}

// The frames of the first segment are all there: they say everything again.
TEST_F(RebuildTest, BringsEverythingBackFromTheLogWhenTheCheckpointIsGone) {
    fill();
    lose_checkpoint();
    EXPECT_TRUE(check(cas::FsckLevel::quick).needs_rebuild);
    const auto rebuilt = rebuild();
    ASSERT_TRUE(rebuilt) << rebuilt.error().message();
    EXPECT_FALSE(rebuilt.value().lost.empty());
    expect_served(kNamed);
}

// Neither checkpoint nor the frames that it covered: the lanes have the bytes, and nothing has the names.
TEST_F(RebuildTest, FindsBlobsInLanesAlone) {
    options_.inline_size_max_bytes = 1;
    fill();
    lose_checkpoint();
    wipe(kSegment, kPage, 512_KiB);
    const auto rebuilt = rebuild();
    ASSERT_TRUE(rebuilt) << rebuilt.error().message();
    expect_served(0);
    auto life = live();
    const auto blob = life->store().find(digest_of(layer_of(0)));
    ASSERT_TRUE(blob);
    EXPECT_EQ(blob->references, 0u);
}

// Found blobs have their whole grace before them, however long they had been there.
TEST_F(RebuildTest, GraceStartsAnew) {
    fill();
    {
        auto life = live();
        life->push("p/other", "referenced by nothing");
        life->pass_ms(options_.gc_grace_ms - 60'000);
        life->stop();
    }
    lose_checkpoint();
    ASSERT_TRUE(rebuild());
    auto life = live();
    life->pass_ms(options_.gc_grace_ms - 60'000);
    EXPECT_TRUE(life->has("referenced by nothing"));
}

// The bytes of a blob that rotted do not come back under its digest, and nothing of it is served.
TEST_F(RebuildTest, WhatDoesNotVerifyStaysAway) {
    fill();
    lose_checkpoint();
    const std::string lane = "lane/0000000000000001.olane";
    const auto bytes = bytes_of_file(lane);
    const auto at = as_text(bytes).find(layer_of(1));
    ASSERT_NE(at, std::string_view::npos);
    disk->flip_bit(*disk->find(lane), at + 5, 1);
    const auto rebuilt = rebuild();
    ASSERT_TRUE(rebuilt) << rebuilt.error().message();
    auto life = live();
    EXPECT_FALSE(life->store().find(digest_of(layer_of(1))));
    EXPECT_TRUE(life->pulls_image(0));
    EXPECT_FALSE(life->pulls_image(1));
    EXPECT_TRUE(life->pulls_image(2));
    life->push(name_of(1), layer_of(1));  // heals it, but for the edge
    EXPECT_TRUE(life->has(layer_of(1)));
}

// A superblock of before the last checkpoint names one that is gone; the later one is in the directory.
TEST_F(RebuildTest, FindsTheCheckpointThatAnOldSuperblockDoesNotName) {
    fill();
    const auto old = bytes_of_file("SUPER");
    {
        auto life = live();
        ASSERT_TRUE(life->run(life->store().make_checkpoint()));
        life->stop();
    }
    disk->replace(*disk->find("SUPER"), old);
    EXPECT_TRUE(check(cas::FsckLevel::quick).needs_rebuild);
    const auto rebuilt = rebuild();
    ASSERT_TRUE(rebuilt) << rebuilt.error().message();
    EXPECT_TRUE(rebuilt.value().lost.empty()) << rebuilt.value().lost.front();
    expect_served(kNamed);
}

// What a rebuild left that was cut short in the middle of its checkpoint is no checkpoint: the next one starts over.
TEST_F(RebuildTest, StartsOverAfterOneThatWasCutShort) {
    fill();
    lose_checkpoint();
    const auto old = bytes_of_file("SUPER");
    ASSERT_TRUE(rebuild());
    disk->replace(*disk->find("SUPER"), old);
    for (const std::string path :
         {"ckpt/a/0000000000000002.ockp", "ckpt/b/0000000000000002.ockp"}) {
        auto bytes = bytes_of_file(path);
        bytes.resize(4 * kPage);
        disk->replace(*disk->find(path), std::move(bytes));
    }
    ASSERT_TRUE(rebuild());
    expect_served(kNamed);
}

// Frames in the middle are gone: those behind them count all the same, and the blobs of those between are found.
TEST_F(RebuildTest, GoesOnBehindDamagedFrames) {
    fill();
    std::size_t hit = 0;
    {
        auto life = live();
        life->push("p/other", "in a lane " + std::string(100'000, 'x'));
        const auto bytes = bytes_of_file(kSegment);
        hit = as_text(bytes).rfind("ORBFRAME");
        life->push("p/other", "behind the damage");
        life->stop();
    }
    ASSERT_NE(hit, std::string::npos);
    wipe(kSegment, hit, hit + kPage);
    EXPECT_TRUE(check(cas::FsckLevel::quick).needs_rebuild);
    const auto rebuilt = rebuild();
    ASSERT_TRUE(rebuilt) << rebuilt.error().message();
    EXPECT_FALSE(rebuilt.value().lost.empty());
    expect_served(kNamed);
    auto life = live();
    EXPECT_TRUE(life->has("in a lane " + std::string(100'000, 'x')));
    EXPECT_TRUE(life->pulls("p/other", "behind the damage"));
}

// Without a copy of the superblock nobody knows whose store it is: nothing is touched.
TEST_F(RebuildTest, RefusesWithoutASuperblock) {
    fill();
    wipe("SUPER", 0, 4 * kPage);
    const auto before = disk->fingerprint();
    const auto rebuilt = rebuild();
    ASSERT_FALSE(rebuilt);
    EXPECT_EQ(rebuilt.error(), ErrorCode{cas::Errc::superblock_corrupt});
    EXPECT_EQ(disk->fingerprint(), before);
}

// A session that is not whole any more ends, and the lane that it held is free of it; one that is whole goes on where it was.
TEST_F(RebuildTest, EndsSessionsThatAreNotWhole) {
    const std::string copies[] = {"ckpt/a/0000000000000002.ockp", "ckpt/b/0000000000000002.ockp"};
    fill_with_upload();
    unsigned ended = 0;
    std::map<std::size_t, std::uint16_t> tables;
    for (const std::size_t offset : blocks(copies[0])) {
        const std::uint16_t table = table_at(offset, copies[0]);
        if (table == cas::kUploadTable || table == cas::kLaneTable) tables[offset] = table;
    }
    for (const auto& [offset, table] : tables) {
        fill_with_upload();
        SCOPED_TRACE("table " + std::to_string(table) + " at " + std::to_string(offset));
        for (const std::string& path : copies) wipe(path, offset, offset + kPage);
        const auto rebuilt = rebuild();
        ASSERT_TRUE(rebuilt) << rebuilt.error().message();
        auto life = live();
        const auto status = life->store().upload_status(cas::session_of(7).session);
        if (table == cas::kUploadTable) {
            EXPECT_NE(status.state, cas::UploadStatus::State::open);
            EXPECT_EQ(life->store().stats().uploads_open, 0u);
            ++ended;
        } else {
            EXPECT_EQ(status.offset, upload_.size());
            auto writer = life->run(life->store().open_upload(cas::session_of(7)));
            ASSERT_TRUE(writer) << writer.error().message();
            EXPECT_TRUE(life->run(writer.value()->finish(cas::sha256_of(upload_), {})));
        }
        life->stop();
        life.reset();
        expect_served(kNamed);
    }
    EXPECT_EQ(ended, 2u);  // its head, its parts
}

// Deleted blobs stay deleted where the log says so, although their bytes are still in it.
TEST_F(RebuildTest, DeletedBlobsStayDeleted) {
    fill();
    {
        auto life = live();
        life->push("p/other", "referenced by nothing");
        life->pass_ms(options_.gc_grace_ms + 2 * options_.gc_interval_ms);
        EXPECT_FALSE(life->has("referenced by nothing"));
        ASSERT_TRUE(life->run(life->store().make_checkpoint()));
        life->stop();
    }
    lose_checkpoint();
    ASSERT_TRUE(rebuild());
    EXPECT_FALSE(live()->has("referenced by nothing"));
    expect_served(kNamed);
}

// Without room the store stays as it is, and a rebuild with room goes as if there had been none before.
TEST_F(RebuildTest, AFullDiskChangesNothing) {
    fill();
    lose_checkpoint();
    const auto before = bytes_of_file("SUPER");
    disk->set_full(true);
    const auto refused = rebuild();
    ASSERT_FALSE(refused);
    EXPECT_EQ(bytes_of_file("SUPER"), before);
    disk->set_full(false);
    ASSERT_TRUE(rebuild());
    expect_served(kNamed);
}

// What was replaced is there to be looked at.
TEST_F(RebuildTest, KeepsWhatItReplaces) {
    fill();
    const auto damaged = blocks().front();
    for (const std::string& path : kCopies) wipe(path, damaged, damaged + kPage);
    const auto a = bytes_of_file(kCopies[0]);
    ASSERT_TRUE(rebuild());
    EXPECT_EQ(bytes_of_file("lost+found/checkpoint-a-1.ockp"), a);
    EXPECT_NE(disk->find("lost+found/checkpoint-b-1.ockp"), nullptr);
    live()->stop();
    EXPECT_NE(disk->find("lost+found/checkpoint-b-1.ockp"), nullptr);
}

}  // namespace
}  // namespace orbitalreg::engine
