#include "sim/requests.h"

#include "base/assert.h"

#include <algorithm>

namespace orbitalreg::sim {
namespace {

using engine::Errc;
using Kind = Operation::Kind;
using Expectation = Operation::Expectation;

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
int index_of(const Universe& universe, const Digest& digest) {
    for (std::size_t i = 0; i < universe.manifests.size(); ++i) {
        if (universe.manifests[i].digest == digest) return static_cast<int>(i);
    }
    return -1;
}

Awaitable<void> read_tag(Life& life, Operation operation) {
    SimWorld& world = life.world;
    const int number = begin_operation(life, operation);
    const engine::Tag tag = world.universe.tags[static_cast<std::size_t>(operation.tag)];
    const auto answer =
        co_await life.store.resolve(world.universe.images[operation.image], engine::Reference{tag});
    conclude(life, number, operation, refusal_of(answer),
             answer ? index_of(world.universe, answer.value().digest) : -1);
}

Awaitable<void> read_link(Life& life, Operation operation) {
    SimWorld& world = life.world;
    const int number = begin_operation(life, operation);
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

Awaitable<void> read_head(Life& life, Operation operation) {
    SimWorld& world = life.world;
    const int number = begin_operation(life, operation);
    const auto answer = co_await life.store.stat_blob(world.universe.images[operation.image],
                                                      world.universe.blobs[operation.blob].digest);
    conclude(life, number, operation, refusal_of(answer), answer ? 0 : -1);
}

Awaitable<void> read_document(Life& life, Operation operation) {
    const int number = begin_operation(life, operation);
    const auto answer = co_await life.documents.get(Universe::document_name(operation.document));
    int value = -1;
    for (std::size_t i = 0; answer && i < Universe::kDocumentValues; ++i) {
        if (answer.value().bytes == Universe::document_bytes(i)) value = static_cast<int>(i);
    }
    conclude(life, number, operation, refusal_of(answer), value);
}
}  // namespace

namespace {

bool is_damaged(Life& life, const Digest& digest) {
    const auto found = life.blobs.find(digest);
    return found && found->damaged;
}

// Something that the operation looks at answers as absent because its bytes failed their checksum.
bool meets_damage(Life& life, const Operation& operation) {
    const Universe& universe = life.world.universe;
    const std::uint32_t blobs = 1U << operation.blob | universe.manifests[operation.manifest].blobs;
    for (std::size_t i = 0; i < Universe::kBlobs; ++i) {
        if ((blobs >> i & 1) != 0 && is_damaged(life, universe.blobs[i].digest)) return true;
    }
    // By a tag it may be any.
    return std::ranges::any_of(universe.manifests, [&life](const SimManifest& manifest) {
        return is_damaged(life, manifest.digest);
    });
}

}  // namespace

int begin_operation(Life& life, const Operation& operation) {
    life.note_time();
    return life.world.history.begin(operation);
}

// Ends an operation of the history by what the store said. True when it is certain that it was done as asked.
bool conclude(Life& life, int number, const Operation& operation, const engine::Refusal* refusal,
              int value) {
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
    life.note_time();
    world.history.set_read_only(life.blobs.stats().read_only);
    // A damaged blob answers as absent.
    const bool missing =
        ending.verdict == Verdict::absent || ending.verdict == Verdict::child_missing;
    if (missing && life.absence_excused() && meets_damage(life, operation)) {
        static_cast<void>(world.history.end_undone(number));
        return false;
    }
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
Awaitable<void> run_request(Life& life, ClientState& client, Operation operation) {
    const engine::RequestId id = engine::RequestId::make(life.world.random);
    const int number = begin_operation(life, operation);
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
    // What was mounted then may be collected by now, and nobody is told that it is there.
    life.note_time();
    const History& history = life.world.history;
    const bool gone = operation.kind == Kind::mount && ending.verdict == Verdict::absent;
    if (gone && history.collectable(history.any(), operation.blob)) co_return;
    life.world.fail("asked again with the same id, " + to_string(operation) +
                    " ended otherwise: " + (answer ? "ok" : answer.error().code.message()));
}

Awaitable<void> run_read(Life& life, Operation operation) {
    switch (operation.kind) {
        case Kind::read_tag:
            return read_tag(life, operation);
        case Kind::read_link:
            return read_link(life, operation);
        case Kind::head_link:
            return read_head(life, operation);
        default:
            return read_document(life, operation);
    }
}

}  // namespace orbitalreg::sim
