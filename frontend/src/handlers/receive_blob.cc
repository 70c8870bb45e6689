#include "handlers/receive_blob.h"

namespace orbitalreg::frontend {

Awaitable<Received> receive_blob(engine::UploadWriter& writer, BodyIn& body) {
    Received received;
    while (!body.finished()) {
        auto room = co_await writer.buffer();
        if (!room) {
            received.refusal = room.error();
            co_return received;
        }
        auto size = co_await body.read_some(room.value());
        if (!size) {
            received.body_error = size.error();
            co_return received;
        }
        if (size.value() == 0) break;
        auto advanced = co_await writer.advance(size.value());
        if (!advanced) {
            received.refusal = advanced.error();
            co_return received;
        }
        received.bytes += size.value();
    }
    co_return received;
}

}  // namespace orbitalreg::frontend
