#include "outbound/streamed_transfer.h"

#include "base/assert.h"
#include "frontend/upstreams.h"
#include "outbound/transfer_loop.h"

#include <boost/asio/associated_executor.hpp>

#include <algorithm>
#include <cstring>

namespace orbitalreg::frontend {
namespace {

// What libcurl takes from the socket at once.
constexpr long kReceiveSize = 256 * 1024;
// Once paused, it goes on when so much is free: a wake-up for each piece would cost more than the bytes.
constexpr std::size_t kResumeBytesMax = kTransferBufferSize / 2;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kMsPerSecond = 1'000;

static_assert(static_cast<std::size_t>(kReceiveSize) <= kTransferBufferSize - kResumeBytesMax,
              "what libcurl holds back fits when it goes on");

}  // namespace

StreamedTransfer::StreamedTransfer(HttpRequest request, HttpPolicy policy, SlotWish slot)
    : EasyTransfer{std::move(request), std::move(policy)}, slot_{std::move(slot)} {}

HttpTrouble StreamedTransfer::prepare_stream() {
    auto fault = prepare();
    if (fault.failure != HttpFailure::none) return fault;
    set(CURLOPT_BUFFERSIZE, kReceiveSize);
    return {};
}

void StreamedTransfer::put(std::string_view piece) {
    if (piece.empty()) return;
    if (!ring_) ring_.reset(new std::byte[kTransferBufferSize]);
    if (ring_bytes_ == 0) ring_begin_ = 0;
    const auto at = (ring_begin_ + ring_bytes_) % kTransferBufferSize;
    const auto first = std::min(piece.size(), kTransferBufferSize - at);
    std::memcpy(ring_.get() + at, piece.data(), first);
    std::memcpy(ring_.get(), piece.data() + first, piece.size() - first);
    ring_bytes_ += piece.size();
}

std::size_t StreamedTransfer::take_buffered(MutableByteView room) {
    const auto bytes = std::min(room.size(), ring_bytes_);
    if (bytes == 0) return 0;
    const auto first = std::min(bytes, kTransferBufferSize - ring_begin_);
    std::memcpy(room.data(), ring_.get() + ring_begin_, first);
    std::memcpy(room.data() + first, ring_.get(), bytes - first);
    ring_begin_ = (ring_begin_ + bytes) % kTransferBufferSize;
    ring_bytes_ -= bytes;
    return bytes;
}

std::size_t StreamedTransfer::take_body(std::string_view piece) noexcept {
    const std::lock_guard lock{mutex_};
    if (end_) return 0;
    const auto open = room_.empty() || ring_bytes_ > 0 ? 0 : room_.size() - filled_bytes_;
    const auto direct = std::min(piece.size(), open);
    if (piece.size() - direct > kTransferBufferSize - ring_bytes_) {
        paused_ = true;
        resume_asked_ = false;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (direct > 0) std::memcpy(room_.data() + filled_bytes_, piece.data(), direct);
    filled_bytes_ += direct;
    put(piece.substr(direct));
    taken_bytes_ += piece.size();
    dirty = true;
    return piece.size();
}

void StreamedTransfer::take_head() noexcept {
    const std::lock_guard lock{mutex_};
    head_ready_ = true;
    answer_status_ = status();
    answer_headers_ = headers();
    dirty = true;
}

void StreamedTransfer::end(CURLcode code) { end_with(outcome_of(code)); }

void StreamedTransfer::end_with(HttpFailure failure, std::string_view text) {
    end_with(trouble(failure, text));
}

void StreamedTransfer::end_with(HttpTrouble trouble) {
    const std::lock_guard lock{mutex_};
    dirty = true;
    if (!end_) end_ = std::move(trouble);
}

bool StreamedTransfer::ended() const {
    const std::lock_guard lock{mutex_};
    return end_.has_value();
}

void StreamedTransfer::unpause(std::int64_t now_ns) {
    {
        const std::lock_guard lock{mutex_};
        if (!paused_) return;
        paused_ = false;
    }
    begin(now_ns);
    // What libcurl held back comes through take_body() within this call.
    curl_easy_pause(handle(), CURLPAUSE_CONT);
}

bool StreamedTransfer::has_news() const {
    if (end_) return true;
    return waits_for_head_ ? head_ready_ : filled_bytes_ > 0 || ring_bytes_ > 0;
}

void StreamedTransfer::notify() {
    Wake wake;
    {
        const std::lock_guard lock{mutex_};
        dirty = false;
        if (!wake_ || !has_news()) return;
        wake.swap(wake_);
        // From here on the room is the reader's.
        room_ = {};
    }
    wake();
}

void StreamedTransfer::wait_or(Wake wake) {
    {
        const std::lock_guard lock{mutex_};
        if (!has_news()) {
            wake_ = std::move(wake);
            return;
        }
        room_ = {};
    }
    wake();
}

Awaitable<void> StreamedTransfer::wait() {
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [](auto handler, StreamedTransfer* here) {
            auto waiter = std::make_shared<decltype(handler)>(std::move(handler));
            here->wait_or([waiter] {
                const auto executor = asio::get_associated_executor(*waiter);
                asio::post(executor, std::move(*waiter));
            });
        },
        asio::use_awaitable, this);
}

Awaitable<void> StreamedTransfer::wait_for_head() {
    {
        const std::lock_guard lock{mutex_};
        waits_for_head_ = true;
    }
    auto waiting = wait();
    co_await std::move(waiting);
    const std::lock_guard lock{mutex_};
    waits_for_head_ = false;
}

unsigned StreamedTransfer::answer_status() const {
    const std::lock_guard lock{mutex_};
    return head_ready_ ? answer_status_ : 0;
}

std::vector<HttpHeader> StreamedTransfer::take_answer_headers() {
    const std::lock_guard lock{mutex_};
    return std::move(answer_headers_);
}

HttpTrouble StreamedTransfer::end_trouble() const {
    const std::lock_guard lock{mutex_};
    return end_.value_or(HttpTrouble{});
}

std::size_t StreamedTransfer::buffered_bytes() const {
    const std::lock_guard lock{mutex_};
    return ring_bytes_;
}

bool StreamedTransfer::paused() const {
    const std::lock_guard lock{mutex_};
    return paused_;
}

Awaitable<StreamPiece> StreamedTransfer::read(MutableByteView room, TransferLoop* loop) {
    ORB_ASSERT(!room.empty());
    bool resumes = false;
    StreamPiece piece;
    for (;;) {
        {
            const std::lock_guard lock{mutex_};
            piece.bytes = std::exchange(filled_bytes_, 0);
            if (piece.bytes == 0) piece.bytes = take_buffered(room);
            resumes = paused_ && !resume_asked_ && ring_bytes_ <= kResumeBytesMax;
            if (resumes) resume_asked_ = true;
            const bool over = piece.bytes == 0 && end_;
            if (over) piece.trouble = *end_;
            // What came before a failure is not held back for it: the reader may go on from there.
            if (piece.bytes > 0 || over) break;
            room_ = room;
        }
        if (resumes) loop->resume(shared_from_this());
        auto waiting = wait();
        co_await std::move(waiting);
    }
    if (resumes) loop->resume(shared_from_this());
    co_return piece;
}

void StreamedTransfer::begin(std::int64_t now_ns) noexcept {
    seen_ns_ = now_ns;
    seen_bytes_ = taken_bytes_;
    silent_ns_ = 0;
    window_ns_ = 0;
    window_bytes_ = 0;
}

StreamedTransfer::Pace StreamedTransfer::pace(std::int64_t now_ns) {
    const auto idle_ns = policy().idle_timeout.count() * kNsPerMs;
    const auto passed_ns = now_ns - seen_ns_;
    const auto bytes = taken_bytes_ - seen_bytes_;
    seen_ns_ = now_ns;
    seen_bytes_ = taken_bytes_;
    bool paused = false;
    bool in_body = false;
    {
        const std::lock_guard lock{mutex_};
        paused = paused_;
        in_body = head_ready_;
    }
    if (idle_ns == 0) return Pace::fine;
    if (paused) return Pace::fine;  // it is the reader who is slow
    silent_ns_ = bytes > 0 ? 0 : silent_ns_ + passed_ns;
    if (silent_ns_ >= idle_ns) return Pace::silent;
    if (!in_body) return Pace::fine;
    window_ns_ += passed_ns;
    window_bytes_ += bytes;
    if (window_ns_ < idle_ns) return Pace::fine;
    const auto window_ms = static_cast<std::uint64_t>(window_ns_ / kNsPerMs);
    const bool slow = window_bytes_ < policy().min_rate_bytes * window_ms / kMsPerSecond;
    window_ns_ = 0;
    window_bytes_ = 0;
    return slow ? Pace::slow : Pace::fine;
}

}  // namespace orbitalreg::frontend
