#pragma once
// Flight is one transfer of one blob from an upstream into the store, for however many readers there are. It belongs to
// nobody who asked: it goes on when they leave, goes on by Range when the upstream cuts it, and is resumed at its last mark
// after a restart. It reads as fast as the disk takes it.
//
// Readers are fed from a window of the newest bytes, further back from the lane itself, and from the blob once it is committed.
// The last kHeldBack bytes are handed out only then: what turns out wrong never ends well (DIST-PROXY-19).
//
// Life     shared by its coroutine, the remote repository and its readers.
// Threads  run() on one reactor; the rest any.
// Memory   what the device has not completed yet, and RemoteLimits::window_bytes.
// I1       the window is without a gap, and ends at received_.

#include "base/event.h"
#include "base/log.h"
#include "engine/registry_store.h"
#include "engine/upstream.h"
#include "remote/remote_rooms.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

struct FlightOrder {
    PushTarget target;  // under which it is linked
    ImageName upstream_name;
    Digest digest;
    std::optional<std::uint64_t> size_bytes{};  // by the manifest that names it
};

class Flight : public std::enable_shared_from_this<Flight> {
public:
    static constexpr std::uint64_t kHeldBack = 64_KiB;
    static constexpr int kAttempts = 6;  // one after the other that bring less than kProgressBytes
    static constexpr std::uint64_t kProgressBytes = 256_KiB;
    static constexpr std::uint64_t kUnknownSizeMax =
        16_GiB;  // where neither a manifest nor the upstream says it

    Flight(RemoteRooms& rooms, std::shared_ptr<Upstream> upstream, FlightOrder order)
        : rooms_{rooms}, upstream_{std::move(upstream)}, order_{std::move(order)} {}

    const FlightOrder& order() const noexcept { return order_; }
    // Once. Ends when the blob is committed or nothing more is to be had.
    Awaitable<void> run();
    // Where it is now is kept, and run() ends.
    void stop() noexcept;

    // --- readers ---
    struct State {
        std::optional<std::uint64_t> size_bytes;
        std::uint64_t received = 0;
        bool committed = false;
        std::optional<UpstreamFailure> failure;                   // the end, without success
        std::optional<Refusal> trouble;                           // the same, of our own store
        std::shared_ptr<Event> next = std::make_shared<Event>();  // set when any of this changes
    };
    State state() const;
    // The bytes from `offset`, as far as they may be handed out: from the window, or by whom they are read. Nothing: not yet.
    struct Source {
        std::optional<BlobPiece> piece;
        std::shared_ptr<FollowedUpload> stored;
    };
    Source source_at(std::uint64_t offset) const;

private:
    struct Piece {
        std::uint64_t offset = 0;
        std::shared_ptr<std::vector<std::byte>> bytes;
    };

    Awaitable<UpstreamResult<void>> transfer_all();
    Awaitable<UpstreamResult<void>> transfer(UpstreamTransfer& from);
    Awaitable<UpstreamResult<void>> skip(UpstreamTransfer& from, std::uint64_t bytes);
    Awaitable<UpstreamResult<std::vector<SessionId>>> usable_sessions();
    Awaitable<UpstreamResult<void>> open_writer();
    Awaitable<bool> wait_to_retry(const UpstreamFailure& failure, int attempt);
    Awaitable<UpstreamResult<void>> finish();
    Awaitable<void> keep_what_came(const UpstreamFailure& failure);
    UpstreamResult<void> learn_size(const UpstreamTransfer& from);
    SessionId session(std::uint32_t number) const;
    UpstreamFailure store_failed(Refusal refusal);
    void take_in(ByteView bytes);
    void trim_window();
    void change(const std::function<void()>& what);

    RemoteRooms& rooms_;
    const std::shared_ptr<Upstream> upstream_;
    const FlightOrder order_;
    std::unique_ptr<UploadWriter> writer_;
    std::uint64_t resumed_at_ = 0;
    std::uint64_t marked_ = 0;

    mutable std::mutex mutex_;
    bool stopped_ = false;
    State state_;
    std::shared_ptr<FollowedUpload> followed_;
    std::deque<Piece> window_;
    std::uint64_t window_bytes_ = 0;
};

// FlightStream reads a flight as if it were the blob.
//
// Life     outlives neither the store nor the remote rooms.
// Threads  one strand.
class FlightStream final : public BlobStream {
public:
    FlightStream(RegistryStore& store, std::shared_ptr<Flight> flight, std::uint64_t size_bytes)
        : store_{store}, flight_{std::move(flight)}, size_bytes_{size_bytes} {}

    const Digest& digest() const noexcept override { return flight_->order().digest; }
    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }
    Awaitable<Answer<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) override;

private:
    RegistryStore& store_;
    std::shared_ptr<Flight> flight_;
    const std::uint64_t size_bytes_;
    std::unique_ptr<BlobStream> committed_;
};

// What a failure of an upstream is to whom asked.
Refusal refusal_of(const UpstreamFailure& failure, Errc not_found);

}  // namespace orbitalreg::engine
