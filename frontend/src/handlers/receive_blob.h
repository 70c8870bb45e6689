#pragma once
// Moving a request's body into the writer that takes it: from the socket into the buffers that the writer lends, no copy
// in between, and no reading while the writer has no buffer.

#include "engine/registry_store.h"
#include "http/body_in.h"

#include <optional>

namespace orbitalreg::frontend {

struct Received {
    std::uint64_t bytes = 0;
    std::optional<engine::Refusal> refusal;  // the writer's
    ErrorCode body_error;                    // the peer's or its framing
    bool complete() const noexcept { return !refusal && !body_error; }
};

// Until the body ends or one of both fails. What arrived is in the writer, unmarked. Both outlive the call.
Awaitable<Received> receive_blob(engine::UploadWriter& writer, BodyIn& body);

}  // namespace orbitalreg::frontend
