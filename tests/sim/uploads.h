#pragma once
// The steps of an upload as a client makes them, each checked against what was acknowledged of its session.

#include "sim/life.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace orbitalreg::sim {

// The writer of a session, where a client may find it; null when the store has no room or the power is off.
Awaitable<std::unique_ptr<engine::UploadWriter>> resume(
    Life& life, SimSession& session, DigestAlgorithm algorithm,
    std::optional<std::uint64_t> size_hint_bytes);
// Sends bytes until `end`; false when the store refused. `session` may be null.
Awaitable<bool> send(Life& life, engine::UploadWriter& writer, const SimBlob& blob,
                     std::uint64_t end, SimSession* session);
Awaitable<bool> mark(Life& life, engine::UploadWriter& writer, SimSession& session);

struct Finish {
    std::size_t image = 0;
    std::size_t blob = 0;
    bool wrong = false;  // under the digest of another blob
};
// `session` may be null.
Awaitable<void> finish(Life& life, engine::UploadWriter& writer, Finish how, SimSession* session);
// `writer` may be null: nobody had it open.
Awaitable<void> cancel(Life& life, SimSession& session,
                       std::unique_ptr<engine::UploadWriter> writer);

// A whole blob, or its first `bytes`, in one request without a session. Less than the whole is not finished.
struct Push {
    std::size_t image = 0;
    std::size_t blob = 0;
    bool hint = false;
    bool wrong = false;
    std::uint64_t bytes = ~std::uint64_t{0};
};
Awaitable<void> push_at_once(Life& life, Push push);

}  // namespace orbitalreg::sim
