#include "sim/life.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace orbitalreg::sim {
namespace {

using engine::Errc;

class Auditor {
public:
    explicit Auditor(Life& life)
        : life_{life}, world_{life.world}, universe_{life.world.universe} {}

    Awaitable<bool> read_images();
    Awaitable<bool> read_sessions();
    Awaitable<bool> read_documents();
    Awaitable<bool> read_closed_sessions();
    Awaitable<bool> compare_contents();
    const WorldState& found() const noexcept { return found_; }
    // After the history was reset to what was found: what damage hides, and the history did not know either.
    void doubt_the_unseen() const {
        for (const auto& [image, blob] : unseen_) world_.history.doubt_link(image, blob);
    }

private:
    Awaitable<bool> read_image(std::size_t index);
    Awaitable<bool> read_tags(std::size_t index);
    Awaitable<bool> compare_listings(std::size_t index);
    Awaitable<bool> compare_blob(std::size_t image, std::size_t blob);
    Awaitable<bool> compare_manifest(std::size_t image, std::size_t manifest);
    // The bytes failed their checksum: it is there, and answers as absent.
    bool damaged(const Digest& digest) const;
    bool accept_status(SimSession& session, const engine::UploadStatus& status);
    // Present, absent, or nothing when the audit is over.
    std::optional<bool> presence(const engine::Refusal* refusal, const std::string& what);
    bool give_up(const engine::Refusal& refusal, const std::string& what);

    Life& life_;
    SimWorld& world_;
    const Universe& universe_;
    WorldState found_;
    std::vector<std::pair<std::size_t, std::size_t>> unseen_;  // links, by image and blob
};

template <class T>
const engine::Refusal* refusal_of(const engine::Answer<T>& answer) noexcept {
    return answer ? nullptr : &answer.error();
}

// Always false: the audit ends. It is a finding unless the power is off or bytes were damaged.
bool Auditor::give_up(const engine::Refusal& refusal, const std::string& what) {
    if (!life_.io.crashed() && !world_.content_excused()) {
        world_.fail("audit: " + what + ": " + refusal.code.message() + " (" + refusal.message +
                    ")");
    }
    return false;
}

std::optional<bool> Auditor::presence(const engine::Refusal* refusal, const std::string& what) {
    const Ending ending = ending_of(refusal);
    if (ending.kind == Ending::Kind::answered && ending.verdict == Verdict::ok) return true;
    if (ending.kind == Ending::Kind::answered && ending.verdict == Verdict::absent) return false;
    if (refusal != nullptr) give_up(*refusal, what);
    return std::nullopt;
}

bool Auditor::damaged(const Digest& digest) const {
    if (!life_.absence_excused()) return false;
    const auto found = life_.blobs.find(digest);
    return found && found->damaged;
}

Awaitable<bool> Auditor::read_images() {
    for (std::size_t i = 0; i < Universe::kImages; ++i) {
        if (!co_await read_image(i)) co_return false;
        if (!co_await read_tags(i)) co_return false;
        if (!co_await compare_listings(i)) co_return false;
    }
    co_return true;
}

Awaitable<bool> Auditor::read_image(std::size_t index) {
    ImageState& image = found_.images[index];
    const ImageState& expected = world_.history.any().images[index];
    const engine::ImageName& name = universe_.images[index];
    for (std::size_t i = 0; i < Universe::kBlobs; ++i) {
        // Not a HEAD: that would promise that the blob stays.
        const auto answer = co_await life_.store.read_blob(name, universe_.blobs[i].digest);
        const auto there = presence(refusal_of(answer), "read_blob " + std::to_string(i));
        if (!there) co_return false;
        if (!*there && damaged(universe_.blobs[i].digest)) {
            image.links |= expected.links & static_cast<std::uint16_t>(1U << i);
            if (!world_.history.agree_on_link(index, i)) unseen_.emplace_back(index, i);
            continue;
        }
        if (!*there) continue;
        image.links |= static_cast<std::uint16_t>(1U << i);
        if (answer.value()->size_bytes() != universe_.blobs[i].bytes.size())
            world_.fail("audit: a blob has another size");
    }
    for (std::size_t i = 0; i < Universe::kManifests; ++i) {
        const engine::Reference reference{universe_.manifests[i].digest};
        const auto answer = co_await life_.store.resolve(name, reference);
        const auto there = presence(refusal_of(answer), "resolve " + std::to_string(i));
        if (!there) co_return false;
        const auto bit = static_cast<std::uint16_t>(1U << i);
        if (*there) image.manifests |= bit;
        if (!*there && damaged(universe_.manifests[i].digest))
            image.manifests |= expected.manifests & bit;
    }
    co_return true;
}

Awaitable<bool> Auditor::read_tags(std::size_t index) {
    for (std::size_t i = 0; i < Universe::kTags; ++i) {
        const engine::Reference reference{universe_.tags[i]};
        const auto answer = co_await life_.store.resolve(universe_.images[index], reference);
        const auto there = presence(refusal_of(answer), "resolve a tag");
        if (!there) co_return false;
        const std::uint8_t expected = world_.history.any().images[index].tags[i];
        if (!*there && expected != 0 && damaged(universe_.manifests[expected - 1U].digest))
            found_.images[index].tags[i] = expected;
        if (!*there) continue;
        const auto manifest =
            std::ranges::find(universe_.manifests, answer.value().digest, &SimManifest::digest);
        if (manifest == universe_.manifests.end()) {
            world_.fail("audit: a tag names a manifest that nobody pushed");
            co_return false;
        }
        found_.images[index].tags[i] =
            static_cast<std::uint8_t>(manifest - universe_.manifests.begin() + 1);
    }
    co_return true;
}

// Listings must say what look-ups say; and no manifest may lack a child.
Awaitable<bool> Auditor::compare_listings(std::size_t index) {
    const ImageState& image = found_.images[index];
    std::vector<std::string> expected;
    for (std::size_t i = 0; i < Universe::kTags; ++i) {
        if (image.tags[i] != 0) expected.push_back(universe_.tags[i].text());
    }
    std::sort(expected.begin(), expected.end());
    const auto listed = co_await life_.store.list_tags(universe_.images[index], "", 100);
    const auto there = presence(refusal_of(listed), "list_tags");
    if (!there) co_return false;
    // The tag of a damaged manifest stays in the list, although nothing is found under it.
    const bool differs = *there ? listed.value().items != expected : image.manifests != 0;
    if (differs && !world_.content_excused()) world_.fail("audit: list_tags differs");
    for (std::size_t i = 0; i < Universe::kManifests; ++i) {
        const bool here = (image.manifests >> i & 1) != 0;
        const bool complete = (universe_.manifests[i].blobs & ~image.links) == 0;
        // A damaged blob answers as absent.
        if (here && !complete && !world_.content_excused())
            world_.fail("audit: a manifest lacks a child");
        const int subject = universe_.manifests[i].subject;
        if (subject < 0) continue;
        engine::ReferrersQuery query;
        query.subject = universe_.manifests[static_cast<std::size_t>(subject)].digest;
        query.count_max = 10;
        const auto referrers = co_await life_.store.referrers(universe_.images[index], query);
        if (!referrers) co_return give_up(referrers.error(), "referrers");
        const bool listed_rightly = (referrers.value().items.size() == 1) == here;
        if (!listed_rightly && !world_.content_excused()) world_.fail("audit: referrers differ");
    }
    co_return true;
}

bool Auditor::accept_status(SimSession& session, const engine::UploadStatus& status) {
    using State = engine::UploadStatus::State;
    SessionState& slot = found_.sessions[session.slot];
    if (status.state == State::finished) {
        slot = SessionState::finished;
        // The digest is known for as long as the row is; a blob that was collected and pushed again has another one.
        const Digest& expected = universe_.blobs[session.blob].digest;
        const bool right = status.digest ? *status.digest == expected : world_.history.collects();
        if (!right) {
            world_.fail("audit: a finished session remembers another digest");
        }
        return true;
    }
    if (status.state == State::cancelled) {
        slot = SessionState::cancelled;
        return true;
    }
    const std::uint64_t offset = status.state == State::open ? status.offset_bytes : 0;
    if (offset < session.acknowledged || offset > session.received_max) {
        if (!life_.sessions_excused()) {
            world_.fail("audit: an upload acknowledged at " + std::to_string(session.acknowledged) +
                        " and received up to " + std::to_string(session.received_max) +
                        " stands at " + std::to_string(offset));
        }
        return false;
    }
    session.acknowledged = offset;
    session.received_max = offset;
    return true;
}

Awaitable<bool> Auditor::read_sessions() {
    for (SimSession& session : world_.sessions) {
        const auto status = co_await life_.store.upload_status(session.id);
        if (!status) co_return give_up(status.error(), "upload_status");
        if (!accept_status(session, status.value())) co_return false;
    }
    co_return true;
}

Awaitable<bool> Auditor::read_closed_sessions() {
    for (const ClosedSession& session : world_.closed) {
        const auto status = co_await life_.store.upload_status(session.id);
        if (!status) co_return give_up(status.error(), "upload_status");
        const bool finished = session.state == SessionState::finished;
        const auto expected = finished ? engine::UploadStatus::State::finished
                                       : engine::UploadStatus::State::cancelled;
        if (status.value().state != expected && !world_.state_excused())
            world_.fail("audit: a closed session is forgotten");
    }
    co_return true;
}

Awaitable<bool> Auditor::read_documents() {
    for (std::size_t i = 0; i < Universe::kDocuments; ++i) {
        const auto answer = co_await life_.documents.get(Universe::document_name(i));
        const auto there = presence(refusal_of(answer), "get a document");
        if (!there) co_return false;
        if (!*there) continue;
        for (std::size_t value = 0; value < Universe::kDocumentValues; ++value) {
            if (answer.value().bytes == Universe::document_bytes(value)) {
                found_.documents[i] = static_cast<std::uint8_t>(value + 1);
            }
        }
        if (found_.documents[i] == 0) world_.fail("audit: a document holds what nobody wrote");
    }
    co_return true;
}

Awaitable<bool> Auditor::compare_blob(std::size_t image, std::size_t blob) {
    const SimBlob& content = universe_.blobs[blob];
    const std::string what = "blob " + std::to_string(blob);
    auto stream = co_await life_.store.read_blob(universe_.images[image], content.digest);
    life_.note_time();
    const bool gone = !stream && ending_of(&stream.error()).verdict == Verdict::absent;
    if (gone && world_.history.collectable(found_, blob)) co_return true;
    if (!stream) co_return give_up(stream.error(), what);
    const auto read =
        co_await compare_content(life_, std::move(stream).value(), content.bytes, what);
    if (!read) co_return give_up(read.error(), what);
    co_return true;
}

Awaitable<bool> Auditor::compare_manifest(std::size_t image, std::size_t manifest) {
    const SimManifest& content = universe_.manifests[manifest];
    const std::string what = "manifest " + std::to_string(manifest);
    auto stream = co_await life_.store.read_manifest(universe_.images[image], content.digest);
    if (!stream) co_return give_up(stream.error(), what);
    const auto read =
        co_await compare_content(life_, std::move(stream).value(), content.bytes, what);
    if (!read) co_return give_up(read.error(), what);
    co_return true;
}

// Each content once, under the first image name that shows it.
Awaitable<bool> Auditor::compare_contents() {
    std::uint32_t blobs = 0;
    std::uint32_t manifests = 0;
    for (std::size_t image = 0; image < Universe::kImages; ++image) {
        for (std::size_t i = 0; i < Universe::kBlobs; ++i) {
            const bool due = (found_.images[image].links >> i & 1) != 0 && (blobs >> i & 1) == 0;
            if (!due) continue;
            blobs |= 1U << i;
            const bool same = co_await compare_blob(image, i);
            if (!same && !world_.content_excused()) co_return false;
        }
        for (std::size_t i = 0; i < Universe::kManifests; ++i) {
            const bool due =
                (found_.images[image].manifests >> i & 1) != 0 && (manifests >> i & 1) == 0;
            if (!due) continue;
            manifests |= 1U << i;
            const bool same = co_await compare_manifest(image, i);
            if (!same && !world_.content_excused()) co_return false;
        }
    }
    co_return !life_.io.crashed();
}

// A disk that did nothing worse than fail calls leaves no blob marked as damaged, and nothing that halts collection.
void check_health(Life& life) {
    if (life.content_excused()) return;
    const cas::StoreStats stats = life.blobs.stats();
    if (stats.damaged_blobs != 0) life.world.fail("audit: a sound blob is marked as damaged");
    const std::string halted = life.blobs.collection().status().halted;
    if (!halted.empty()) life.world.fail("audit: collection is halted: " + halted);
}

// What the accounts of a lane call live is on the disk: holes are made in dead bytes alone.
void check_space(Life& life) {
    if (life.content_excused() || life.world.errors_seen) return;
    for (const cas::FileSpace& lane : life.blobs.space(true).lane_files) {
        const cas::SpaceFigures& figures = lane.figures;
        if (figures.allocated_bytes >= cas::kPageSize + figures.live_bytes) continue;
        life.world.fail("audit: live bytes of lane " + std::to_string(lane.file) +
                        " are not on the disk");
    }
}

// Sessions that are closed for good make room for others; their outcome is asked for ever after.
void recycle_sessions(SimWorld& world, WorldState& state) {
    std::erase_if(world.sessions, [&](const SimSession& session) {
        SessionState& slot = state.sessions[session.slot];
        if (slot == SessionState::open) return false;
        world.closed.push_back({session.id, slot, world.universe.blobs[session.blob].digest});
        slot = SessionState::open;
        return true;
    });
    for (SimSession& session : world.sessions) {
        session.owned = false;
        session.retired = false;
    }
}

}  // namespace

Awaitable<engine::Answer<void>> compare_content(Life& life,
                                                std::unique_ptr<engine::BlobStream> stream,
                                                const std::vector<std::byte>& expected,
                                                std::string what) {
    if (stream->size_bytes() != expected.size())
        life.world.fail(what + ": another size than was pushed");
    std::uint64_t offset = 0;
    while (offset < expected.size()) {
        const std::uint64_t length =
            life.world.random.coin() ? 1_MiB : life.world.random.between(1, 100'000);
        const auto piece = co_await stream->read(offset, length);
        if (!piece) co_return engine::refuse(piece.error());
        const ByteView bytes = piece.value().bytes;
        const ByteView rest = ByteView{expected}.subspan(offset);
        if (bytes.empty() || bytes.size() > rest.size() ||
            !std::ranges::equal(bytes, rest.first(bytes.size()))) {
            life.world.fail(what + ": wrong bytes were served at " + std::to_string(offset));
            co_return boost::outcome_v2::success();
        }
        offset += bytes.size();
        if (!life.slow_readers || !life.world.random.one_in(life.world.workload.reader_pauses))
            continue;
        const auto pause = static_cast<std::int64_t>(life.world.random.below(500'000'000));
        co_await life.clock.sleep_until(life.clock.steady_ns() + pause);
    }
    co_return boost::outcome_v2::success();
}

Awaitable<void> audit(Life& life, bool& done) {
    SimWorld& world = life.world;
    Auditor auditor{life};
    bool complete = co_await auditor.read_images();
    if (complete) complete = co_await auditor.read_documents();
    if (complete) complete = co_await auditor.read_sessions();
    if (complete) complete = co_await auditor.read_closed_sessions();
    if (complete) complete = co_await auditor.compare_contents();
    if (complete && !life.io.crashed()) {
        WorldState found = auditor.found();
        life.note_time();
        const bool explained = world.history.settle(found);
        if (!explained && !world.state_excused()) {
            world.fail("audit: the store holds " + to_string(found) +
                       "\n  which no order of events explains: " + world.history.describe());
        }
        check_health(life);
        check_space(life);
        recycle_sessions(world, found);
        world.history.reset(found);
        auditor.doubt_the_unseen();
    }
    done = true;
}

}  // namespace orbitalreg::sim
