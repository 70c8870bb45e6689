#pragma once
// HttpStream is the answer to one request, read as it comes. open_stream() is fetch() for whoever has a coroutine and wants
// the body in pieces: the same policy, on the thread of a TransferLoop.
//
// Life     open_stream() -> read()* until it gives 0 bytes. Destroying it ends the transfer.
// Threads  one strand.
// Limits   HttpPolicy; what is not read waits in kTransferBufferSize. answer_bytes_max is the reader's to hold.

#include "outbound/transfer_loop.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

class HttpStream {
public:
    HttpStream(std::shared_ptr<TransferLoop> loop, std::shared_ptr<StreamedTransfer> transfer);
    ~HttpStream();
    HttpStream(HttpStream&& other) noexcept = default;
    HttpStream& operator=(HttpStream&& other) noexcept = delete;

    // Once the head was waited for; false: none came.
    bool take_head();
    unsigned status() const noexcept { return status_; }
    // In small letters; the first of that name.
    std::optional<std::string_view> header(std::string_view name) const;
    const std::vector<HttpHeader>& headers() const noexcept { return headers_; }
    // The request that was answered: the last one where redirects were followed.
    const HttpRequest& request() const noexcept { return transfer_->request(); }

    // `room` is not empty and outlives the call. 0 bytes without trouble: the end.
    Awaitable<StreamPiece> read(MutableByteView room);
    // Takes a short rest of the body, so that the connection can be used again.
    Awaitable<void> drain();
    // Of what has come and was not read.
    std::size_t buffered_bytes() const { return transfer_->buffered_bytes(); }
    // The buffer is full, and nothing more is taken from the socket.
    bool paused() const { return transfer_->paused(); }

private:
    std::shared_ptr<TransferLoop> loop_;
    std::shared_ptr<StreamedTransfer> transfer_;
    unsigned status_ = 0;
    std::vector<HttpHeader> headers_;
};

struct OpenedStream {
    std::unique_ptr<HttpStream> stream;
    HttpTrouble trouble;  // why there is none
};

// Answers when the head of the last answer is there, whatever its status.
Awaitable<OpenedStream> open_stream(std::shared_ptr<TransferLoop> loop, HttpRequest request,
                                    HttpPolicy policy, SlotWish slot);

}  // namespace orbitalreg::frontend
