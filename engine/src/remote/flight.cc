#include "remote/flight.h"

#include "base/assert.h"
#include "base/planted_bug.h"

#include <algorithm>
#include <cstring>

namespace orbitalreg::engine {
namespace {

using Kind = UpstreamFailure::Kind;

constexpr std::uint32_t kSessionsMax = 64;
constexpr std::int64_t kRetryFirstNs = 100'000'000;
constexpr std::int64_t kRetryMaxNs = 3'000'000'000;
constexpr std::size_t kPieceBytes = 64_KiB;
constexpr std::size_t kSkipBytes = 256_KiB;

UpstreamFailure untrusted(std::string message) { return {Kind::untrusted, std::move(message)}; }

Errc errc_of(Kind kind, Errc not_found) noexcept {
    switch (kind) {
        case Kind::not_found:
            return not_found;
        case Kind::denied:
            return Errc::denied;
        case Kind::throttled:
            return Errc::throttled;
        case Kind::untrusted:
            return Errc::upstream_untrusted;
        case Kind::stopped:
            return Errc::stopped;
        case Kind::unavailable:
        case Kind::unsupported:
            break;
    }
    return Errc::upstream_unavailable;
}

}  // namespace

Refusal refusal_of(const UpstreamFailure& failure, Errc not_found) {
    Refusal refusal{errc_of(failure.kind, not_found), failure.message};
    if (failure.retry_after_ms) {
        refusal.retry_after_s = static_cast<std::uint64_t>(
            std::max<std::int64_t>(1, (*failure.retry_after_ms + 999) / 1000));
    }
    return refusal;
}

// --- state ---

void Flight::change(const std::function<void()>& what) {
    std::shared_ptr<Event> changed;
    {
        const std::lock_guard lock{mutex_};
        what();
        changed = std::exchange(state_.next, std::make_shared<Event>());
    }
    changed->set();
}

Flight::State Flight::state() const {
    const std::lock_guard lock{mutex_};
    return state_;
}

void Flight::stop() noexcept {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
}

Flight::Source Flight::source_at(std::uint64_t offset) const {
    const std::lock_guard lock{mutex_};
    const auto end = state_.size_bytes.value_or(state_.received);
    const auto held_back = ORB_PLANTED(flight_tail_given_out) ? 0 : kHeldBack;
    const auto given_out = end - std::min(end, held_back);
    if (offset >= std::min(given_out, state_.received)) return {};
    if (!window_.empty() && offset >= window_.front().offset) {
        auto after = std::upper_bound(
            window_.begin(), window_.end(), offset,
            [](std::uint64_t at, const Piece& piece) { return at < piece.offset; });
        const auto& piece = *std::prev(after);
        auto bytes =
            ByteView{*piece.bytes}.subspan(static_cast<std::size_t>(offset - piece.offset));
        bytes = bytes.first(
            static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), given_out - offset)));
        return {BlobPiece{bytes, piece.bytes}, nullptr};
    }
    if (followed_ && offset < followed_->readable_bytes()) return {std::nullopt, followed_};
    return {};
}

// The newest bytes, as they are in the writer's buffer.
void Flight::take_in(ByteView bytes) {
    while (!bytes.empty()) {
        const auto part = bytes.first(std::min(bytes.size(), kPieceBytes));
        auto copy = std::make_shared<std::vector<std::byte>>(part.begin(), part.end());
        change([&] {
            window_.push_back({state_.received, std::move(copy)});
            window_bytes_ += part.size();
            state_.received += part.size();
        });
        bytes = bytes.subspan(part.size());
    }
}

void Flight::trim_window() {
    const auto readable = followed_->readable_bytes();
    const std::lock_guard lock{mutex_};
    while (window_bytes_ > rooms_.environment.remote_limits.window_bytes) {
        const auto& front = window_.front();
        if (front.offset + front.bytes->size() > readable) break;
        window_bytes_ -= front.bytes->size();
        window_.pop_front();
    }
}

// --- the transfer ---

// One for each time that the blob is fetched: those that ended are remembered for a day.
SessionId Flight::session(std::uint32_t number) const {
    const auto text = order_.target.repository.name.text() + '\n' + order_.upstream_name.text() +
                      '\n' + order_.digest.to_string() + '\n' + std::to_string(number);
    std::vector<std::byte> keyed{rooms_.session_key.begin(), rooms_.session_key.end()};
    const auto bytes = as_bytes(text);
    keyed.insert(keyed.end(), bytes.begin(), bytes.end());
    const auto hash = Digest::of(DigestAlgorithm::sha256, keyed);
    SessionId id{};
    std::copy_n(hash.hash().begin(), id.size(), id.begin());
    return id;
}

UpstreamFailure Flight::store_failed(Refusal refusal) {
    auto message = refusal.message;
    change([&] { state_.trouble = std::move(refusal); });
    return {Kind::stopped, std::move(message)};
}

// First those that something is left of, also behind one that is no longer remembered; then the first that is free.
Awaitable<UpstreamResult<std::vector<SessionId>>> Flight::usable_sessions() {
    std::vector<SessionId> usable;
    std::optional<SessionId> free;
    for (std::uint32_t number = 0; number < kSessionsMax; ++number) {
        const auto id = session(number);
        const auto status = co_await rooms_.environment.store.upload_status(id);
        if (!status) co_return fail_upstream(store_failed(status.error()));
        const auto known = status.value().state;
        if (known == UploadStatus::State::unknown && !free) free = id;
        if (known == UploadStatus::State::open && !status.value().busy &&
            !ORB_PLANTED(flight_begins_anew))
            usable.push_back(id);
    }
    if (free) usable.push_back(*free);
    co_return usable;
}

Awaitable<UpstreamResult<void>> Flight::open_writer() {
    auto& store = rooms_.environment.store;
    const auto usable = co_await usable_sessions();
    if (!usable) co_return fail_upstream(usable.error());
    for (const auto& id : usable.value()) {
        UploadStart start{id, store.store_time_ms() / 1000, order_.digest.algorithm(),
                          order_.size_bytes};
        auto writer = co_await store.open_upload(order_.target, start);
        if (!writer && writer.error().code == Errc::upload_unknown) continue;  // expired
        if (!writer) co_return fail_upstream(store_failed(writer.error()));
        writer_ = std::move(writer).value();
        auto followed = co_await writer_->follow();
        if (!followed) co_return fail_upstream(store_failed(followed.error()));
        resumed_at_ = marked_ = writer_->offset();
        change([&] {
            followed_ = std::move(followed).value();
            state_.received = resumed_at_;
        });
        co_return boost::outcome_v2::success();
    }
    co_return fail_upstream(
        store_failed({Errc::overloaded, "the blob was fetched too often within a day"}));
}

UpstreamResult<void> Flight::learn_size(const UpstreamTransfer& from) {
    const auto said = from.size_bytes();
    if (!said) return boost::outcome_v2::success();
    const auto limit = rooms_.environment.limits.blob_size_max_bytes;
    if (limit > 0 && *said > limit)
        return fail_upstream(untrusted("the upstream's blob is larger than this registry takes"));
    if (order_.size_bytes && *order_.size_bytes != *said)
        return fail_upstream(
            untrusted("the upstream's blob has another size than its manifest says"));
    const auto known = state().size_bytes;
    if (known && *known != *said)
        return fail_upstream(untrusted("the upstream gives the blob another size than before"));
    if (!known) change([&] { state_.size_bytes = said; });
    return boost::outcome_v2::success();
}

// An upstream without ranges begins anew.
Awaitable<UpstreamResult<void>> Flight::skip(UpstreamTransfer& from, std::uint64_t bytes) {
    std::vector<std::byte> room(
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kSkipBytes)));
    while (bytes > 0) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, room.size()));
        const auto read = co_await from.read(MutableByteView{room}.first(wanted));
        if (!read) co_return fail_upstream(read.error());
        if (read.value() == 0)
            co_return fail_upstream({Kind::unavailable, "the upstream's blob ended early"});
        bytes -= read.value();
    }
    co_return boost::outcome_v2::success();
}

Awaitable<UpstreamResult<void>> Flight::transfer(UpstreamTransfer& from) {
    const auto learned = learn_size(from);
    if (!learned) co_return fail_upstream(learned.error());
    if (from.offset() > writer_->offset())
        co_return fail_upstream(untrusted("the upstream sent another range than was asked for"));
    const auto again = writer_->offset() - from.offset();
    if (again > 0 && !ORB_PLANTED(flight_range_taken_for_granted)) {
        const auto skipped = co_await skip(from, again);
        if (!skipped) co_return fail_upstream(skipped.error());
    }
    const auto size = state().size_bytes;
    const auto most = size ? *size : order_.size_bytes.value_or(kUnknownSizeMax);
    for (;;) {
        const auto room = co_await writer_->buffer();
        if (!room) co_return fail_upstream(store_failed(room.error()));
        const auto read = co_await from.read(room.value());
        if (!read) co_return fail_upstream(read.error());
        if (read.value() == 0) break;
        if (writer_->offset() + read.value() > most)
            co_return fail_upstream(untrusted("the upstream's blob is longer than it said"));
        take_in(room.value().first(read.value()));
        const auto advanced = co_await writer_->advance(read.value());
        if (!advanced && advanced.error().code == Errc::too_large)
            co_return fail_upstream(
                untrusted("the upstream's blob is larger than this registry takes"));
        if (!advanced) co_return fail_upstream(store_failed(advanced.error()));
        rooms_.upstream_bytes->add(read.value());
        trim_window();
        if (writer_->offset() - marked_ >= rooms_.environment.remote_limits.mark_every_bytes) {
            if (!ORB_PLANTED(flight_never_marked)) {
                const auto marked = co_await writer_->mark();
                if (!marked) co_return fail_upstream(store_failed(marked.error()));
            }
            marked_ = writer_->offset();
        }
    }
    if (size && writer_->offset() < *size)
        co_return fail_upstream({Kind::unavailable, "the upstream's blob ended early"});
    co_return boost::outcome_v2::success();
}

// False: no use to go on.
Awaitable<bool> Flight::wait_to_retry(const UpstreamFailure& failure, int attempt) {
    const bool may_pass = failure.kind == Kind::unavailable || failure.kind == Kind::throttled;
    if (!may_pass || attempt >= kAttempts) co_return false;
    auto wait_ns = std::min(kRetryFirstNs << attempt, kRetryMaxNs);
    if (failure.retry_after_ms) {
        if (*failure.retry_after_ms * 1'000'000 > kRetryMaxNs) co_return false;
        wait_ns = std::max(wait_ns, *failure.retry_after_ms * 1'000'000);
    }
    auto& clock = rooms_.environment.clock;
    co_await clock.sleep_until(clock.steady_ns() + wait_ns);
    const std::lock_guard lock{mutex_};
    co_return !stopped_;
}

Awaitable<UpstreamResult<void>> Flight::transfer_all() {
    UpstreamFailure last;
    for (int attempt = 0;; ++attempt) {
        const auto begun_at = writer_ ? writer_->offset() : 0;
        // Nothing is opened in the store for what the upstream does not have.
        if (!writer_ && attempt == 0) {
            const auto opened = co_await open_writer();
            if (!opened) co_return fail_upstream(opened.error());
        }
        auto from =
            co_await upstream_->open_blob(order_.upstream_name, order_.digest, writer_->offset());
        if (from) {
            const auto done = co_await transfer(*from.value());
            if (done) co_return boost::outcome_v2::success();
            last = done.error();
        } else {
            last = from.error();
        }
        const bool own = state().trouble.has_value();
        if (own) co_return fail_upstream(last);
        if (writer_->offset() >= begun_at + kProgressBytes) attempt = 0;
        rooms_.environment.log.warn("a transfer from an upstream was interrupted",
                                    {{"repository", order_.target.repository.name.text()},
                                     {"upstream", upstream_->settings().url},
                                     {"digest", order_.digest.to_string()},
                                     {"offset", writer_->offset()},
                                     {"error", last.message}});
        const bool again = co_await wait_to_retry(last, attempt);
        if (!again) co_return fail_upstream(last);
    }
}

Awaitable<UpstreamResult<void>> Flight::finish() {
    const auto finished = co_await writer_->finish(order_.digest);
    if (finished) co_return boost::outcome_v2::success();
    if (finished.error().code == Errc::digest_mismatch)
        co_return fail_upstream(
            untrusted("the upstream's blob does not have the digest it was asked for by"));
    co_return fail_upstream(store_failed(finished.error()));
}

// What has come so far is good for the next who asks, unless it is wrong.
Awaitable<void> Flight::keep_what_came(const UpstreamFailure& failure) {
    if (!writer_ || state().trouble) co_return;
    if (failure.kind == Kind::untrusted) {
        static_cast<void>(co_await writer_->cancel());
    } else if (writer_->offset() > marked_) {
        static_cast<void>(co_await writer_->mark());
    }
}

Awaitable<void> Flight::run() {
    rooms_.flights->add();
    rooms_.flights_now->add(1);
    auto outcome = co_await transfer_all();
    if (outcome) outcome = co_await finish();
    if (!outcome) {
        rooms_.flights_failed->add();
        co_await keep_what_came(outcome.error());
        rooms_.environment.log.warn("a transfer from an upstream failed",
                                    {{"repository", order_.target.repository.name.text()},
                                     {"upstream", upstream_->settings().url},
                                     {"digest", order_.digest.to_string()},
                                     {"error", outcome.error().message}});
    }
    // Before anybody hears of the end: who asks again finds the session free.
    writer_.reset();
    change([&] {
        window_.clear();
        window_bytes_ = 0;
        if (!outcome) {
            state_.failure = outcome.error();
            return;
        }
        state_.committed = true;
        state_.size_bytes = state_.received;
    });
    rooms_.flights_now->add(-1);
}

// --- readers ---

Awaitable<Answer<BlobPiece>> FlightStream::read(std::uint64_t offset, std::uint64_t length_max) {
    for (;;) {
        if (committed_) co_return co_await committed_->read(offset, length_max);
        const auto state = flight_->state();
        if (state.committed) {
            auto opened = co_await store_.read_blob(flight_->order().target.image, digest());
            if (!opened) co_return refuse(opened.error());
            committed_ = std::move(opened).value();
            continue;
        }
        if (state.trouble) co_return refuse(*state.trouble);
        if (state.failure) co_return refuse(refusal_of(*state.failure, Errc::blob_unknown));
        auto source = flight_->source_at(offset);
        if (source.piece) {
            auto& piece = *source.piece;
            piece.bytes = piece.bytes.first(
                static_cast<std::size_t>(std::min<std::uint64_t>(piece.bytes.size(), length_max)));
            co_return std::move(piece);
        }
        if (source.stored) {
            auto piece = co_await source.stored->read(offset, length_max);
            if (piece) co_return std::move(piece).value();
            // What is read may just have been committed, and be somewhere else from now on.
            const auto now = flight_->state();
            const bool ended = now.committed || now.failure || now.trouble;
            if (ended) continue;
            if (piece.error().code != Errc::overloaded) co_return refuse(piece.error());
        }
        co_await state.next->wait();
    }
}

}  // namespace orbitalreg::engine
