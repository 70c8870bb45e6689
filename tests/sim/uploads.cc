#include "sim/uploads.h"

#include "base/assert.h"
#include "sim/requests.h"

#include <algorithm>

namespace orbitalreg::sim {
namespace {

using engine::Errc;
using Kind = Operation::Kind;

std::uint8_t small(std::uint64_t value) noexcept { return static_cast<std::uint8_t>(value); }

// True when the writer stands where a client may find it.
bool stands_right(Life& life, const SimSession& session, std::uint64_t offset) {
    if (offset >= session.acknowledged && offset <= session.received_max) return true;
    if (!life.content_excused()) {
        life.world.fail("an upload acknowledged at " + std::to_string(session.acknowledged) +
                        " stands at " + std::to_string(offset));
    }
    return false;
}
}  // namespace

Awaitable<std::unique_ptr<engine::UploadWriter>> resume(
    Life& life, SimSession& session, DigestAlgorithm algorithm,
    std::optional<std::uint64_t> size_hint_bytes) {
    SimWorld& world = life.world;
    const engine::UploadStart start{session.id, session.issued_store_time_s, algorithm,
                                    size_hint_bytes};
    auto opened = co_await life.store.open_upload(world.universe.target(session.image), start);
    if (!opened) {
        const ErrorCode error = opened.error().code;
        const bool unknown = error == make_error_code(Errc::upload_unknown);
        const bool excused = life.io.crashed() || world.errors_seen || life.io.loud_faults() > 0 ||
                             life.content_excused();
        const bool broken = error == make_error_code(Errc::io_error) && !excused;
        if (broken || (unknown && !life.sessions_excused())) {
            world.fail("an open upload session cannot be resumed: " + error.message());
        }
        co_return nullptr;
    }
    if (!stands_right(life, session, opened.value()->offset())) co_return nullptr;
    co_return std::move(opened).value();
}

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

Awaitable<void> finish(Life& life, engine::UploadWriter& writer, Finish how, SimSession* session) {
    SimWorld& world = life.world;
    Operation operation;
    operation.kind = how.wrong ? Kind::finish_wrong : Kind::link_blob;
    operation.image = small(how.image);
    operation.blob = small(how.blob);
    if (session != nullptr) operation.session = static_cast<std::int8_t>(session->slot);
    const std::size_t claimed = how.wrong ? (how.blob + 1) % Universe::kBlobs : how.blob;
    const Digest& digest = world.universe.blobs[claimed].digest;
    const auto before = life.blobs.find(digest);
    const int number = begin_operation(life, operation);
    if (session != nullptr) session->retired = true;
    const auto answer = co_await writer.finish(digest);
    conclude(life, number, operation, refusal_of(answer));
    const auto after = life.blobs.find(digest);
    if (answer && before && before->damaged && after && after->damaged && !life.astray)
        world.fail("a push did not heal a damaged blob");
    if (session == nullptr) co_return;
    // A refusal that says nothing happened leaves the session where it was.
    session->retired = ending_of(refusal_of(answer)).kind != Ending::Kind::undone;
}

Awaitable<void> push_at_once(Life& life, Push push) {
    const SimBlob& content = life.world.universe.blobs[push.blob];
    const std::uint64_t size = content.bytes.size();
    std::optional<std::uint64_t> hint;
    if (push.hint) hint = size;
    auto opened = co_await life.store.begin_blob(life.world.universe.target(push.image),
                                                 content.digest.algorithm(), hint);
    if (!opened) co_return;
    const std::unique_ptr<engine::UploadWriter> writer = std::move(opened).value();
    const bool sent = co_await send(life, *writer, content, std::min(push.bytes, size), nullptr);
    if (sent && push.bytes >= size)
        co_await finish(life, *writer, {push.image, push.blob, push.wrong}, nullptr);
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
    const int number = begin_operation(life, operation);
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
}  // namespace orbitalreg::sim
