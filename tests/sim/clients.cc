#include "base/assert.h"
#include "sim/life.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace orbitalreg::sim {
namespace {

using engine::Errc;
using Kind = Operation::Kind;
using Expectation = Operation::Expectation;

constexpr std::size_t kSessionsOpenMax = 4;

std::uint8_t small(std::uint64_t value) noexcept { return static_cast<std::uint8_t>(value); }

// Ends an operation of the history by what the store said. True when it is certain that it was done as asked.
bool conclude(Life& life, int number, const Operation& operation, const engine::Refusal* refusal,
              int value = -1) {
    SimWorld& world = life.world;
    const Ending ending = ending_of(refusal);
    if (world.verbose) {
        world.say(to_string(operation) + " -> " +
                  (refusal == nullptr ? "ok" : refusal->code.message()) + " " +
                  std::to_string(value));
    }
    world.trace.hash = mix64(world.trace.hash, static_cast<std::uint64_t>(ending.kind) * 16 +
                                                   static_cast<std::uint64_t>(ending.verdict));
    bool explained = true;
    switch (ending.kind) {
        case Ending::Kind::answered:
            ++world.acknowledged;
            explained = world.history.end(number, ending.verdict, value);
            break;
        case Ending::Kind::undone:
            explained = world.history.end_undone(number);
            break;
        case Ending::Kind::unknown:
            world.history.end_unknown(number);
            break;
        case Ending::Kind::unexpected:
            world.history.end_unknown(number);
            world.fail("unexpected answer to " + to_string(operation) + ": " +
                       refusal->code.message() + " (" + refusal->message + ")");
            break;
    }
    // Damage makes answers wrong in ways that only the bytes served are held to account for.
    if (!explained && !world.state_excused()) {
        world.fail("no order of events explains the answer to " + to_string(operation) + ": " +
                   (refusal == nullptr ? "ok" : refusal->code.message()) + ", value " +
                   std::to_string(value));
    }
    if (!explained) world.history.reset({});
    return ending.kind == Ending::Kind::answered && ending.verdict == Verdict::ok;
}

template <class T>
const engine::Refusal* refusal_of(const engine::Answer<T>& answer) noexcept {
    return answer ? nullptr : &answer.error();
}

engine::TagExpectation expectation_of(const SimWorld& world, const Operation& operation) {
    switch (operation.expectation) {
        case Expectation::anything:
            return engine::TagExpectation::anything();
        case Expectation::absent:
            return engine::TagExpectation::absent();
        case Expectation::value:
            return engine::TagExpectation::at(world.universe.manifests[operation.expected].digest);
    }
    return {};
}

// The operations of one client that change something with a request id, and the last of them to ask again.
struct ClientState {
    bool has_last = false;
    Operation last;
    engine::RequestId last_id;
    Verdict last_verdict = Verdict::ok;
};

engine::ManifestPut manifest_put(const SimWorld& world, const Operation& operation) {
    const SimManifest& manifest = world.universe.manifests[operation.manifest];
    engine::ManifestPut put{world.universe.target(operation.image),
                            manifest.digest,
                            manifest.bytes,
                            manifest.parsed,
                            {},
                            expectation_of(world, operation),
                            false,
                            0,
                            {}};
    if (operation.tag >= 0)
        put.tags.push_back(world.universe.tags[static_cast<std::size_t>(operation.tag)]);
    return put;
}

engine::DocumentWrite document_write(const Operation& operation) {
    return {Universe::document_name(operation.document), Universe::document_bytes(operation.value),
            operation.expectation == Expectation::absent ? engine::DocumentExpectation::absent()
                                                         : engine::DocumentExpectation::anything(),
            0};
}

// Asks the store; the answer's value does not matter to the model, only how it ended.
Awaitable<engine::Answer<void>> ask(Life& life, Operation operation, engine::RequestId id) {
    const Universe& universe = life.world.universe;
    const engine::ImageName& image = universe.images[operation.image];
    switch (operation.kind) {
        case Kind::mount: {
            auto answer = co_await life.store.mount(id, universe.target(operation.image),
                                                    universe.blobs[operation.blob].digest,
                                                    universe.images[operation.source]);
            if (!answer) co_return engine::refuse(answer.error());
            co_return boost::outcome_v2::success();
        }
        case Kind::delete_link:
            co_return co_await life.store.delete_link(id, image,
                                                      universe.blobs[operation.blob].digest);
        case Kind::put_manifest: {
            auto answer = co_await life.store.put_manifest(id, manifest_put(life.world, operation));
            if (!answer) co_return engine::refuse(answer.error());
            co_return boost::outcome_v2::success();
        }
        case Kind::set_tag:
            co_return co_await life.store.set_tag(
                id, image, universe.tags[static_cast<std::size_t>(operation.tag)],
                universe.manifests[operation.manifest].digest,
                expectation_of(life.world, operation));
        case Kind::delete_tag:
            co_return co_await life.store.delete_tag(
                id, image, universe.tags[static_cast<std::size_t>(operation.tag)],
                expectation_of(life.world, operation));
        case Kind::delete_manifest:
            co_return co_await life.store.delete_manifest(
                id, image, universe.manifests[operation.manifest].digest);
        case Kind::put_document: {
            auto answer = co_await life.documents.put(id, document_write(operation));
            if (!answer) co_return engine::refuse(answer.error());
            co_return boost::outcome_v2::success();
        }
        case Kind::remove_document:
            co_return co_await life.documents.remove(id,
                                                     Universe::document_name(operation.document),
                                                     engine::DocumentExpectation::anything());
        default:
            break;
    }
    ORB_ASSERT(!"not an operation with a request id");
    co_return engine::refuse(engine::Refusal{Errc::unsupported});
}

Awaitable<void> run_request(Life& life, ClientState& client, Operation operation) {
    const engine::RequestId id = engine::RequestId::make(life.world.random);
    const int number = life.world.history.begin(operation);
    const auto answer = co_await ask(life, operation, id);
    conclude(life, number, operation, refusal_of(answer));
    const Ending ending = ending_of(refusal_of(answer));
    client.has_last = ending.kind == Ending::Kind::answered;
    client.last = operation;
    client.last_id = id;
    client.last_verdict = ending.verdict;
}

// The same id again: the first outcome, and no second effect (whatever happened in between).
Awaitable<void> repeat_request(Life& life, ClientState& client) {
    const Operation operation = client.last;
    const auto answer = co_await ask(life, operation, client.last_id);
    const Ending ending = ending_of(refusal_of(answer));
    if (life.world.verbose) life.world.say("again: " + to_string(operation));
    if (ending.kind != Ending::Kind::answered || ending.verdict == client.last_verdict ||
        life.world.state_excused())
        co_return;
    life.world.fail("asked again with the same id, " + to_string(operation) +
                    " ended otherwise: " + (answer ? "ok" : answer.error().code.message()));
}

int index_of(const Universe& universe, const Digest& digest) {
    for (std::size_t i = 0; i < universe.manifests.size(); ++i) {
        if (universe.manifests[i].digest == digest) return static_cast<int>(i);
    }
    return -1;
}

Awaitable<void> read_tag(Life& life, Operation operation) {
    SimWorld& world = life.world;
    const int number = world.history.begin(operation);
    const engine::Tag tag = world.universe.tags[static_cast<std::size_t>(operation.tag)];
    const auto answer =
        co_await life.store.resolve(world.universe.images[operation.image], engine::Reference{tag});
    conclude(life, number, operation, refusal_of(answer),
             answer ? index_of(world.universe, answer.value().digest) : -1);
}

Awaitable<void> read_link(Life& life, Operation operation) {
    SimWorld& world = life.world;
    const int number = world.history.begin(operation);
    const SimBlob& blob = world.universe.blobs[operation.blob];
    auto answer =
        co_await life.store.read_blob(world.universe.images[operation.image], blob.digest);
    conclude(life, number, operation, refusal_of(answer), answer ? 0 : -1);
    if (!answer) co_return;
    const auto read =
        co_await compare_content(life, std::move(answer).value(), blob.bytes, to_string(operation));
    if (read || life.content_excused()) co_return;
    if (ending_of(&read.error()).kind == Ending::Kind::undone &&
        read.error().code != make_error_code(Errc::damaged))
        co_return;
    world.fail(to_string(operation) + " broke off: " + read.error().code.message());
}

Awaitable<void> read_document(Life& life, Operation operation) {
    const int number = life.world.history.begin(operation);
    const auto answer = co_await life.documents.get(Universe::document_name(operation.document));
    int value = -1;
    for (std::size_t i = 0; answer && i < Universe::kDocumentValues; ++i) {
        if (answer.value().bytes == Universe::document_bytes(i)) value = static_cast<int>(i);
    }
    conclude(life, number, operation, refusal_of(answer), value);
}

// --- uploads ---

// Sends bytes until `end`; false when the store refused.
Awaitable<bool> send(Life& life, engine::UploadWriter& writer, const SimBlob& blob,
                     std::uint64_t end, SimSession* session) {
    while (writer.offset() < end && !life.io.crashed()) {
        const auto room = co_await writer.buffer();
        if (!room) co_return false;
        const std::uint64_t offset = writer.offset();
        std::uint64_t size = std::min<std::uint64_t>(room.value().size(), end - offset);
        if (life.world.random.one_in(3)) size = life.world.random.between(1, size);
        std::copy_n(blob.bytes.begin() + static_cast<std::ptrdiff_t>(offset), size,
                    room.value().begin());
        if (session != nullptr)
            session->received_max = std::max(session->received_max, offset + size);
        const auto advanced = co_await writer.advance(size);
        if (!advanced) co_return false;
        if (writer.offset() != offset + size) {
            life.world.fail("advance() moved the offset to " + std::to_string(writer.offset()));
        }
    }
    co_return writer.offset() == end;
}

Awaitable<void> finish(Life& life, engine::UploadWriter& writer, std::size_t image,
                       std::size_t blob, SimSession* session) {
    SimWorld& world = life.world;
    Operation operation;
    operation.kind = world.random.one_in(12) ? Kind::finish_wrong : Kind::link_blob;
    operation.image = small(image);
    operation.blob = small(blob);
    if (session != nullptr) operation.session = static_cast<std::int8_t>(session->slot);
    const bool wrong = operation.kind == Kind::finish_wrong;
    const std::size_t claimed = wrong ? (blob + 1) % Universe::kBlobs : blob;
    const int number = world.history.begin(operation);
    if (session != nullptr) session->retired = true;
    const auto answer = co_await writer.finish(world.universe.blobs[claimed].digest);
    conclude(life, number, operation, refusal_of(answer));
    if (session == nullptr) co_return;
    // A refusal that says nothing happened leaves the session where it was.
    session->retired = ending_of(refusal_of(answer)).kind != Ending::Kind::undone;
}

Awaitable<void> push_at_once(Life& life, std::size_t image, std::size_t blob) {
    SimWorld& world = life.world;
    const SimBlob& content = world.universe.blobs[blob];
    std::optional<std::uint64_t> hint;
    if (world.random.coin()) hint = content.bytes.size();
    auto opened = co_await life.store.begin_blob(world.universe.target(image),
                                                 content.digest.algorithm(), hint);
    if (!opened) co_return;
    const std::unique_ptr<engine::UploadWriter> writer = std::move(opened).value();
    const bool all = !world.random.one_in(10);
    const std::uint64_t end = all ? content.bytes.size() : world.random.below(content.bytes.size());
    const bool sent = co_await send(life, *writer, content, end, nullptr);
    if (sent && all) co_await finish(life, *writer, image, blob, nullptr);
}

Awaitable<bool> mark(Life& life, engine::UploadWriter& writer, SimSession& session) {
    const auto marked = co_await writer.mark();
    if (!marked) co_return false;
    if (marked.value() != writer.offset())
        life.world.fail("a mark answered another offset than the writer's");
    session.acknowledged = marked.value();
    ++life.world.acknowledged;
    co_return true;
}

Awaitable<void> cancel(Life& life, SimSession& session,
                       std::unique_ptr<engine::UploadWriter> writer) {
    Operation operation;
    operation.kind = Kind::cancel_session;
    operation.session = static_cast<std::int8_t>(session.slot);
    session.retired = true;
    const int number = life.world.history.begin(operation);
    engine::Answer<void> answer = boost::outcome_v2::success();
    if (writer != nullptr) {
        answer = co_await writer->cancel();
    } else {
        answer =
            co_await life.store.cancel_upload({session.id, session.issued_store_time_s, {}, {}});
    }
    conclude(life, number, operation, refusal_of(answer));
    session.retired = ending_of(refusal_of(answer)).kind != Ending::Kind::undone;
}

// True when the writer stands where a client may find it.
bool stands_right(Life& life, const SimSession& session, std::uint64_t offset) {
    if (offset >= session.acknowledged && offset <= session.received_max) return true;
    if (!life.content_excused()) {
        life.world.fail("an upload acknowledged at " + std::to_string(session.acknowledged) +
                        " stands at " + std::to_string(offset));
    }
    return false;
}

Awaitable<void> go_on_with(Life& life, SimSession& session) {
    SimWorld& world = life.world;
    const SimBlob& content = world.universe.blobs[session.blob];
    if (world.random.one_in(12)) {
        co_await cancel(life, session, nullptr);
        co_return;
    }
    engine::UploadStart start{
        session.id, session.issued_store_time_s, content.digest.algorithm(), {}};
    if (world.random.one_in(6)) start.algorithm = DigestAlgorithm::sha256;
    if (world.random.coin()) start.size_hint_bytes = content.bytes.size();
    auto opened = co_await life.store.open_upload(world.universe.target(session.image), start);
    if (!opened) {
        const ErrorCode error = opened.error().code;
        const bool unknown = error == make_error_code(Errc::upload_unknown);
        const bool excused = life.io.crashed() || world.errors_seen || life.io.loud_faults() > 0 ||
                             life.content_excused();
        const bool broken = error == make_error_code(Errc::io_error) && !excused;
        if (broken || (unknown && !world.state_excused())) {
            world.fail("an open upload session cannot be resumed: " + error.message());
        }
        co_return;
    }
    std::unique_ptr<engine::UploadWriter> writer = std::move(opened).value();
    if (!stands_right(life, session, writer->offset())) co_return;
    for (std::uint64_t steps = world.random.between(1, 4); steps > 0; --steps) {
        const std::uint64_t left = content.bytes.size() - writer->offset();
        const std::uint64_t end =
            writer->offset() + (world.random.coin() ? left : world.random.below(left + 1));
        if (!co_await send(life, *writer, content, end, &session)) co_return;
        if (world.random.one_in(15)) {
            co_await cancel(life, session, std::move(writer));
            co_return;
        }
        if (world.random.one_in(5)) co_return;  // the connection is lost
        if (end == content.bytes.size() && world.random.coin()) {
            co_await finish(life, *writer, session.image, session.blob, &session);
            co_return;
        }
        if (!co_await mark(life, *writer, session)) co_return;
    }
}

// An open session that nobody works on, or a new one. Null when there are enough.
SimSession* take_session(Life& life) {
    SimWorld& world = life.world;
    std::uint32_t used = 0;
    std::size_t open = 0;
    for (const SimSession& session : world.sessions) {
        used |= 1U << session.slot;
        if (!session.retired) ++open;
    }
    const bool fresh = open < kSessionsOpenMax && world.random.coin();
    for (SimSession& session : world.sessions) {
        if (!fresh && !session.owned && !session.retired) return &session;
    }
    std::size_t slot = 0;
    while (slot < WorldState::kSessions && (used >> slot & 1) != 0) ++slot;
    if (slot == WorldState::kSessions || open >= kSessionsOpenMax) return nullptr;
    SimSession session;
    world.random.fill(session.id);
    session.issued_store_time_s = life.store.store_time_ms() / 1000;
    session.slot = slot;
    session.image = world.random.below(Universe::kImages);
    session.blob = world.random.below(Universe::kBlobs);
    world.sessions.push_back(session);
    return &world.sessions.back();
}

Awaitable<void> work_on_session(Life& life) {
    SimSession* const session = take_session(life);
    if (session == nullptr) co_return;
    session->owned = true;
    co_await go_on_with(life, *session);
    session->owned = false;
}

// --- choosing ---

std::size_t choose_bit(SimRandom& random, std::uint32_t bits, std::size_t count) {
    if (bits == 0 || random.one_in(4)) return random.below(count);
    std::size_t index = random.below(count);
    while ((bits >> index & 1) == 0) index = (index + 1) % count;
    return index;
}

std::uint32_t manifests_with_children(const SimWorld& world, const ImageState& image) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < Universe::kManifests; ++i) {
        const SimManifest& manifest = world.universe.manifests[i];
        const bool complete =
            (manifest.blobs & ~image.links) == 0 && (manifest.manifests & ~image.manifests) == 0;
        if (complete) bits |= 1U << i;
    }
    return bits;
}

void choose_expectation(SimRandom& random, const ImageState& image, Operation& operation) {
    if (!random.one_in(3)) return;
    const std::uint8_t found = image.tags[static_cast<std::size_t>(operation.tag)];
    if (random.one_in(3) || found == 0) {
        operation.expectation = Expectation::absent;
    } else {
        operation.expectation = Expectation::value;
        operation.expected =
            random.one_in(4) ? small(random.below(Universe::kManifests)) : small(found - 1U);
    }
}

Operation choose_operation(SimWorld& world) {
    SimRandom& random = world.random;
    static constexpr Kind kKinds[]{Kind::mount,           Kind::mount,        Kind::delete_link,
                                   Kind::put_manifest,    Kind::put_manifest, Kind::put_manifest,
                                   Kind::set_tag,         Kind::set_tag,      Kind::delete_tag,
                                   Kind::delete_manifest, Kind::read_tag,     Kind::read_tag,
                                   Kind::read_link,       Kind::read_link,    Kind::put_document,
                                   Kind::remove_document, Kind::read_document};
    Operation operation;
    operation.kind = kKinds[random.below(std::size(kKinds))];
    operation.image = small(random.below(Universe::kImages));
    operation.source = small(random.below(Universe::kImages));
    const ImageState& image = world.history.any().images[operation.image];
    const bool from_source = operation.kind == Kind::mount;
    const ImageState& source = from_source ? world.history.any().images[operation.source] : image;
    operation.blob = small(choose_bit(random, source.links, Universe::kBlobs));
    operation.tag = static_cast<std::int8_t>(random.below(Universe::kTags));
    const bool puts = operation.kind == Kind::put_manifest;
    const std::uint32_t likely = puts ? manifests_with_children(world, image) : image.manifests;
    operation.manifest = small(choose_bit(random, likely, Universe::kManifests));
    operation.document = small(random.below(Universe::kDocuments));
    operation.value = small(random.below(Universe::kDocumentValues));
    const bool on_tag =
        puts || operation.kind == Kind::set_tag || operation.kind == Kind::delete_tag;
    if (puts && random.one_in(4)) operation.tag = -1;
    if (on_tag && operation.tag >= 0) choose_expectation(random, image, operation);
    if (operation.kind == Kind::put_document && random.one_in(3))
        operation.expectation = Expectation::absent;
    return operation;
}

Awaitable<void> do_something(Life& life, ClientState& client) {
    SimWorld& world = life.world;
    ++world.operations;
    if (world.random.one_in(4)) {
        co_await push_at_once(life, world.random.below(Universe::kImages),
                              world.random.below(Universe::kBlobs));
        co_return;
    }
    if (world.random.one_in(3)) {
        co_await work_on_session(life);
        co_return;
    }
    if (client.has_last && world.random.one_in(10)) {
        co_await repeat_request(life, client);
        co_return;
    }
    const Operation operation = choose_operation(world);
    switch (operation.kind) {
        case Kind::read_tag:
            co_await read_tag(life, operation);
            break;
        case Kind::read_link:
            co_await read_link(life, operation);
            break;
        case Kind::read_document:
            co_await read_document(life, operation);
            break;
        default:
            co_await run_request(life, client, operation);
            break;
    }
}

}  // namespace

bool RecordWatch::see(const SimInode& file, std::uint64_t offset, ByteView bytes) {
    constexpr std::string_view kMagic = "ORBLREC1";  // docs/on-disk-format.md: record header
    constexpr std::size_t kUidAt = 40;
    if (bytes.size() < cas::kPageSize ||
        std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
        return true;
    std::uint64_t uid = 0;
    std::memcpy(&uid, bytes.data() + kUidAt, sizeof uid);
    return uids_.try_emplace({file.id, offset}, uid).first->second == uid;
}

void SimWorld::say(const std::string& line) const {
    if (verbose) std::fprintf(stderr, "  %s\n", line.c_str());
}

Ending ending_of(const engine::Refusal* refusal) noexcept {
    if (refusal == nullptr) return {};
    if (refusal->code.category() != engine::category())
        return {Ending::Kind::unexpected, Verdict::ok};
    switch (static_cast<Errc>(refusal->code.value())) {
        case Errc::name_unknown:
        case Errc::manifest_unknown:
        case Errc::blob_unknown:
        case Errc::upload_unknown:
        case Errc::document_unknown:
            return {Ending::Kind::answered, Verdict::absent};
        case Errc::in_use:
            return {Ending::Kind::answered, Verdict::in_use};
        case Errc::child_missing:
            return {Ending::Kind::answered, Verdict::child_missing};
        case Errc::exists:
        case Errc::precondition_failed:
            return {Ending::Kind::answered, Verdict::precondition};
        case Errc::digest_mismatch:
            return {Ending::Kind::answered, Verdict::mismatch};
        case Errc::unknown:
            return {Ending::Kind::unknown, Verdict::ok};
        case Errc::no_space:
        case Errc::read_only:
        case Errc::overloaded:
        case Errc::offset_mismatch:
        case Errc::damaged:
        case Errc::io_error:
        case Errc::stopped:
            return {Ending::Kind::undone, Verdict::ok};
        default:
            return {Ending::Kind::unexpected, Verdict::ok};
    }
}

Awaitable<void> run_client(Life& life) {
    ClientState client;
    while (!life.stopping() && life.world.history.room()) {
        --life.operations_left;
        co_await do_something(life, client);
        if (life.world.random.one_in(8)) {
            // Long enough for idle frames and housekeeping.
            const auto pause = static_cast<std::int64_t>(life.world.random.below(300'000'000));
            co_await life.clock.sleep_until(life.clock.steady_ns() + pause);
        }
    }
    --life.clients;
}

}  // namespace orbitalreg::sim
