#include "sim/requests.h"
#include "sim/uploads.h"

#include <algorithm>

namespace orbitalreg::sim {
namespace {

using Kind = Operation::Kind;
using Expectation = Operation::Expectation;

constexpr std::size_t kSessionsOpenMax = 4;

std::uint8_t small(std::uint64_t value) noexcept { return static_cast<std::uint8_t>(value); }

// --- uploads ---

Push choose_push(SimWorld& world) {
    Push push;
    push.image = world.random.below(Universe::kImages);
    push.blob = world.workload.draw_blob(world.random);
    push.hint = world.random.coin();
    push.wrong = world.random.one_in(12);
    if (world.random.one_in(10))
        push.bytes = world.random.below(world.universe.blobs[push.blob].bytes.size());
    return push;
}

Awaitable<void> go_on_with(Life& life, SimSession& session) {
    SimWorld& world = life.world;
    const SimBlob& content = world.universe.blobs[session.blob];
    if (world.random.one_in(12)) {
        co_await cancel(life, session, nullptr);
        co_return;
    }
    DigestAlgorithm algorithm = content.digest.algorithm();
    if (world.random.one_in(6)) algorithm = DigestAlgorithm::sha256;
    std::optional<std::uint64_t> hint;
    if (world.random.coin()) hint = content.bytes.size();
    auto writer = co_await resume(life, session, algorithm, hint);
    if (writer == nullptr) co_return;
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
            const Finish how{session.image, session.blob, world.random.one_in(12)};
            co_await finish(life, *writer, how, &session);
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
    session.blob = world.workload.draw_blob(world.random);
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
    Operation operation;
    operation.kind = world.workload.draw(random);
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

// Somebody sets the clock.
void jump_clock(Life& life) {
    constexpr std::int64_t kYearNs = 365LL * 24 * 3600 * 1'000'000'000;
    life.clock.jump_wall_ns(life.world.random.coin() ? 10 * kYearNs : -10 * kYearNs);
}

Awaitable<void> do_something(Life& life, ClientState& client) {
    SimWorld& world = life.world;
    ++world.operations;
    if (world.random.one_in(world.workload.pushes)) {
        co_await push_at_once(life, choose_push(world));
        co_return;
    }
    if (world.random.one_in(world.workload.sessions)) {
        co_await work_on_session(life);
        co_return;
    }
    if (client.has_last && world.random.one_in(10)) {
        co_await repeat_request(life, client);
        co_return;
    }
    const Operation operation = choose_operation(world);
    if (reads(operation.kind)) {
        co_await run_read(life, operation);
    } else {
        co_await run_request(life, client, operation);
    }
}

}  // namespace

Awaitable<void> run_client(Life& life) {
    ClientState client;
    while (!life.stopping() && life.world.history.room()) {
        --life.operations_left;
        co_await do_something(life, client);
        if (life.world.random.one_in(life.world.workload.clock_jumps)) jump_clock(life);
        co_await pause_at_times(life);
    }
    --life.clients;
}

}  // namespace orbitalreg::sim
