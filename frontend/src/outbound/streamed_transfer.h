#pragma once
// StreamedTransfer is a request whose answer is read piece by piece, by a coroutine elsewhere, while one thread performs it.
//
// Between the two lies a buffer of kTransferBufferSize. When it is full libcurl is paused and no longer reads the socket: that
// is the back-pressure. Where the reader waits already, bytes go straight into its room.
//
//     made -> queued -> running <-> paused -> ended           each edge on the loop's thread
//                  \___________________________^  cancelled, stopped, too slow
//
// Life     made -> given to a TransferLoop -> wait_for_head() -> read()* -> TransferLoop::cancel(), which may come at any time.
// Threads  the loop's thread, and one strand that reads; what both touch is under the mutex.

#include "base/asio.h"
#include "outbound/easy_transfer.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace orbitalreg::frontend {

class ConnectionSlots;
class TransferLoop;

// Which slots a transfer takes one of; null: none. `bulk`: it may last, as a blob does.
struct SlotWish {
    std::shared_ptr<ConnectionSlots> slots{};
    bool bulk = false;
};

struct StreamPiece {
    std::size_t bytes = 0;  // 0 without trouble: the end
    HttpTrouble trouble;
};

class StreamedTransfer final : public EasyTransfer,
                               public std::enable_shared_from_this<StreamedTransfer> {
public:
    StreamedTransfer(HttpRequest request, HttpPolicy policy, SlotWish slot);

    // The reader's side. One wait at a time.
    Awaitable<void> wait_for_head();
    // Status and fields when wait_for_head() is through; status 0 and what went wrong otherwise.
    unsigned answer_status() const;
    std::vector<HttpHeader> take_answer_headers();
    HttpTrouble end_trouble() const;
    // `room`, which is not empty, and `loop` outlive the call.
    Awaitable<StreamPiece> read(MutableByteView room, TransferLoop* loop);
    std::size_t buffered_bytes() const;
    bool paused() const;

    // The loop's side.
    HttpTrouble prepare_stream();
    // Goes on where it was paused.
    void unpause(std::int64_t now_ns);
    // Ends it; the first end is the one that counts.
    void end(CURLcode code);
    void end_with(HttpFailure failure, std::string_view text);
    void end_with(HttpTrouble trouble);
    bool ended() const;
    // Wakes the reader when there is something for it.
    void notify();
    // Its pace counts from here: it looks for a connection, or its reader has caught up.
    void begin(std::int64_t now_ns) noexcept;
    // What time has done to it: looks at the bytes since the last call, or since it began.
    enum class Pace : std::uint8_t { fine, silent, slow };
    Pace pace(std::int64_t now_ns);
    const SlotWish& slot() const noexcept { return slot_; }
    std::int64_t queued_ns = 0;  // since when it waits for a slot; of the loop alone
    bool dirty = false;          // something is new for the reader; of the loop alone

private:
    using Wake = std::function<void()>;

    std::size_t take_body(std::string_view piece) noexcept override;
    void take_head() noexcept override;
    void put(std::string_view piece);
    std::size_t take_buffered(MutableByteView room);
    bool has_news() const;
    Awaitable<void> wait();
    void wait_or(Wake wake);

    const SlotWish slot_;

    mutable std::mutex mutex_;
    bool head_ready_ = false;
    unsigned answer_status_ = 0;
    std::vector<HttpHeader> answer_headers_;
    std::optional<HttpTrouble> end_;
    std::unique_ptr<std::byte[]> ring_;  // made at first use
    std::size_t ring_begin_ = 0;
    std::size_t ring_bytes_ = 0;
    bool paused_ = false;
    bool resume_asked_ = false;
    MutableByteView room_;  // of the reader that waits
    std::size_t filled_bytes_ = 0;
    bool waits_for_head_ = false;
    Wake wake_;

    // Of the loop alone.
    std::uint64_t taken_bytes_ = 0;
    std::uint64_t seen_bytes_ = 0;
    std::int64_t seen_ns_ = 0;
    std::int64_t silent_ns_ = 0;
    std::int64_t window_ns_ = 0;
    std::uint64_t window_bytes_ = 0;
};

}  // namespace orbitalreg::frontend
