// Every call that can fail fails once, and from some call on all do. Goal: whatever fails, each request ends, nothing that
// was acknowledged is lost or altered, nothing refused is half visible, the store opens again, fsck finds no loss; and lack
// of space ends when there is space again, without a restart. Method: one script of pushes, pulls and deletes over the
// whole engine; the n-th call of the Io fails, n = 1, 2, ... until the script ends before it.

#include "base/assert.h"
#include "cas/inspect.h"
#include "cas/store.h"
#include "contract/registry_store_content.h"
#include "engine/embedded_store.h"
#include "support/fault_io.h"
#include "support/sim_machine.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <optional>

namespace orbitalreg::engine {
namespace {

using sim::FaultCall;

struct FaultKind {
    const char* name;
    int error;
    bool persistent;
    std::set<FaultCall> calls;
};

void PrintTo(const FaultKind& kind, std::ostream* out) { *out << kind.name; }

const std::set<FaultCall>& calls_that_need_space() {
    static const std::set<FaultCall> calls{FaultCall::create, FaultCall::make_directory,
                                           FaultCall::sync_directory, FaultCall::write,
                                           FaultCall::allocate};
    return calls;
}

cas::StoreOptions options() {
    cas::StoreOptions all;
    all.log_segment_size_bytes = 256_KiB;
    all.lane_target_bytes = 1_MiB;
    all.lane_step_min_bytes = 64_KiB;
    all.lane_step_max_bytes = 256_KiB;
    all.segments_spare = 1;
    all.lanes_spare = 1;
    all.inline_size_max_bytes = 4096;
    all.write_size_bytes = 32_KiB;
    all.memory_limit_bytes = 64_MiB;
    all.reserve_size_bytes = 1_MiB;
    return all;
}

// One life of the process over a disk that outlives it.
class Process {
public:
    Process(sim::SimDisk& disk, sim::FaultPlan& plan, std::uint64_t seed)
        : machine_{disk, seed}, io_{machine_.io(), plan} {}
    ~Process() {
        machine_.clear();
        embedded_.reset();
        machine_.clear();
    }

    bool open() {
        auto opened = open_embedded(machine_.environment(io_), options(), RegistryLimits{});
        if (!opened) return false;
        embedded_ = std::move(opened).value();
        return true;
    }
    template <class T>
    T run(Awaitable<T> operation) {
        std::optional<T> result = machine_.run(std::move(operation));
        ORB_ASSERT(result.has_value());  // every request must end
        return std::move(*result);
    }
    void stop() { ORB_ASSERT(machine_.run(store().stop())); }
    void pass_ms(std::int64_t ms) { machine_.pass_ms(ms); }
    RegistryStore& registry() { return embedded_->registry_store(); }
    cas::Store& store() { return embedded_->store(); }
    cas::Io& io() { return io_; }

private:
    sim::SimMachine machine_;
    sim::FaultIo io_;
    std::unique_ptr<EmbeddedStore> embedded_;
};

RequestId next_request() {
    static std::uint64_t last = 0;
    return {1, ++last};
}

// What the client was told: by digest the content that must be there, by tag the digest it names. What was asked for and
// not answered with success may be either way.
struct Told {
    std::map<std::string, std::string> blobs;
    std::map<std::string, Digest> tags;
    std::set<std::string> open_tags;  // asked to change, outcome not known to be
    std::uint64_t acknowledged = 0;
};

class FaultWalk : public testing::TestWithParam<FaultKind> {
public:
    static std::string content(char seed, std::size_t size) {
        std::string text(size, seed);
        for (std::size_t i = 0; i < size; i += 97) text[i] = static_cast<char>('a' + i % 26);
        return text;
    }
    static void push(Process& process, Told& told, const std::string& text) {
        if (process.run(push_blob(process.registry(), "p/app", text))) {
            told.blobs[digest_of(text).to_string()] = text;
            ++told.acknowledged;
        }
    }
    static void push_session(Process& process, Told& told, const std::string& text);
    static void push_image(Process& process, Told& told, const std::string& tag,
                           const ImageContent& image);
    static void script(Process& process, Told& told);
    static void verify(Process& process, const Told& told);
    // False once the script ended before the fault.
    bool life_with_fault_at(std::uint64_t n);

    std::uint64_t acknowledged_ = 0;
    std::uint64_t refused_openings_ = 0;
    std::uint64_t read_only_ = 0;
};

// In two requests with a mark between them, resumed.
void FaultWalk::push_session(Process& process, Told& told, const std::string& text) {
    UploadStart start;
    start.session.fill(std::byte{7});
    start.issued_store_time_s = process.registry().store_time_ms() / 1000;
    std::uint64_t marked = 0;
    {
        auto writer = process.run(process.registry().open_upload(target_of("p/app"), start));
        if (!writer) return;
        if (!process.run(write_all(*writer.value(), text.substr(0, text.size() / 2), 50'000)))
            return;
        const auto mark = process.run(writer.value()->mark());
        if (!mark) return;
        marked = mark.value();
        EXPECT_EQ(marked, text.size() / 2);
    }
    auto writer = process.run(process.registry().open_upload(target_of("p/app"), start));
    if (!writer) return;
    EXPECT_EQ(writer.value()->offset(), marked);
    if (!process.run(write_all(*writer.value(), text.substr(marked), 50'000))) return;
    if (!process.run(writer.value()->finish(digest_of(text)))) return;
    told.blobs[digest_of(text).to_string()] = text;
    ++told.acknowledged;
}

void FaultWalk::push_image(Process& process, Told& told, const std::string& tag,
                           const ImageContent& image) {
    const std::string text = image_text(image);
    told.open_tags.insert(tag);
    const auto put =
        process.run(process.registry().put_manifest(next_request(), put_of("p/app", text, {tag})));
    if (!put) return;
    told.tags[tag] = digest_of(text);
    told.open_tags.erase(tag);
    ++told.acknowledged;
}

void FaultWalk::script(Process& process, Told& told) {
    const std::string config = content('c', 900);
    const std::string layer = content('l', 150'000);
    const std::string second = content('m', 90'000);
    push(process, told, config);
    push(process, told, layer);
    push_image(process, told, "v1", {config, {layer}, "", ""});
    push_session(process, told, second);
    static_cast<void>(process.run(pull_blob(process.registry(), "p/app", digest_of(layer))));
    push_image(process, told, "v2", {config, {layer, second}, "", ""});
    for (int i = 0; i < 8; ++i) {  // past the end of a log segment
        push(process, told, content(static_cast<char>('0' + i), 4000));
        push_image(process, told, "w" + std::to_string(i),
                   {config, {layer}, "", std::string(30'000, 'x') + std::to_string(i)});
    }
    told.open_tags.insert("v1");
    if (process.run(process.registry().delete_tag(next_request(), image_name("p/app"),
                                                  tag_name("v1"), TagExpectation::anything()))) {
        told.tags.erase("v1");
        told.open_tags.erase("v1");
    }
}

void FaultWalk::verify(Process& process, const Told& told) {
    for (const auto& [digest, text] : told.blobs) {
        const auto pulled =
            process.run(pull_blob(process.registry(), "p/app", Digest::parse(digest).value()));
        ASSERT_TRUE(pulled) << digest;
        EXPECT_EQ(pulled.value(), text);
    }
    for (const auto& [tag, digest] : told.tags) {
        if (told.open_tags.contains(tag)) continue;
        const auto found =
            process.run(process.registry().resolve(image_name("p/app"), Reference{tag_name(tag)}));
        ASSERT_TRUE(found) << tag;
        EXPECT_EQ(found.value().digest, digest);
        EXPECT_TRUE(process.run(pull_manifest(process.registry(), "p/app", digest)));
    }
    EXPECT_EQ(process.store().stats().damaged_blobs, 0u);
}

bool FaultWalk::life_with_fault_at(std::uint64_t n) {
    const FaultKind& kind = GetParam();
    sim::SimDisk disk{sim::SimDiskMode::ordered, 64_MiB};
    sim::FaultPlan plan;
    plan.calls = kind.calls;
    plan.at = n;
    plan.persistent = kind.persistent;
    plan.error = kind.error;
    Told told;
    {
        Process process{disk, plan, n};
        if (process.open()) {
            script(process, told);
            plan.at = 0;  // the device is well again
            process.pass_ms(500);
            const bool read_only = process.store().stats().read_only;
            if (read_only) ++read_only_;
            const bool lacked_space = kind.error == ENOSPC || kind.error == EDQUOT;
            if (lacked_space && !read_only) push(process, told, content('z', 120'000));
            if (lacked_space && !read_only) {
                EXPECT_TRUE(told.blobs.contains(digest_of(content('z', 120'000)).to_string()))
                    << "there is space again, yet a push is refused";
            }
            process.stop();
        } else {
            ++refused_openings_;
        }
    }
    disk.release_locks();
    acknowledged_ += told.acknowledged;
    plan.at = 0;
    {
        Process process{disk, plan, n + 1'000'000};
        const bool opened = process.open();
        EXPECT_TRUE(opened);
        if (opened) {
            verify(process, told);
            process.stop();
        }
    }
    disk.release_locks();
    Process process{disk, plan, n + 2'000'000};
    const auto catalog = make_catalog(RegistryLimits{});
    const auto report = cas::fsck(process.io(), cas::FsckLevel::deep, *catalog, null_log(),
                                  [](std::string_view) {});
    EXPECT_TRUE(report && report.value().clean())
        << (report ? report.value().findings.front().code + ": " +
                         report.value().findings.front().detail
                   : report.error().message());
    return plan.failed > 0;
}

TEST_P(FaultWalk, LosesNothingWhateverFails) {
    std::uint64_t n = 1;
    for (; !HasFailure(); ++n) {
        SCOPED_TRACE(std::string{GetParam().name} + " at call " + std::to_string(n));
        if (!life_with_fault_at(n)) break;
    }
    EXPECT_GT(n, 30u);
    RecordProperty("calls_failed", static_cast<int>(n - 1));
    RecordProperty("acknowledged", static_cast<int>(acknowledged_));
    RecordProperty("refused_openings", static_cast<int>(refused_openings_));
    RecordProperty("turned_read_only", static_cast<int>(read_only_));
    std::cout << GetParam().name << ": " << n - 1 << " calls failed, " << acknowledged_
              << " changes acknowledged, " << refused_openings_ << " openings refused, "
              << read_only_ << " times read-only\n";
}

INSTANTIATE_TEST_SUITE_P(
    Faults, FaultWalk,
    testing::Values(FaultKind{"no_space_once", ENOSPC, false, calls_that_need_space()},
                    FaultKind{"no_space_from_then_on", ENOSPC, true, calls_that_need_space()},
                    FaultKind{"quota_from_then_on", EDQUOT, true, calls_that_need_space()},
                    FaultKind{"device_once", EIO, false, {}},
                    FaultKind{"device_from_then_on", EIO, true, {}}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace orbitalreg::engine
