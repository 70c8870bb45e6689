#pragma once
// RunningUploads knows which sessions are being written to, so that one of them can be cancelled
// while a request still sends bytes (DIST-UPL-53): from then on the session is unknown, and its
// writer closes it with its next step.
//
// A cancel that meets a writer is durable once that writer has taken its step; after a crash in
// between the session stands at its last mark again, and expires.
//
// Life     of the Registry; writers that it wraps end before it.
// Threads  any.
// Limits   kCancelledMax sessions whose writers vanished without a further step are remembered;
//          beyond that the one with the lowest id is forgotten, and may be used again by its own
//          principal.

#include "engine/registry_store.h"
#include "push/held_sessions.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

namespace orbitalreg::engine {

class RunningUploads {
public:
    static constexpr std::size_t kCancelledMax = 65'536;

    // `held` outlives it: told what the sessions of each principal hold.
    explicit RunningUploads(HeldSessions& held) noexcept : held_{held} {}

    // `writer`, which refuses all steps once the session was cancelled.
    std::unique_ptr<UploadWriter> watch(const SessionId& session, std::string principal,
                                        std::uint64_t now_ms, std::unique_ptr<UploadWriter> writer);
    // False when nobody writes to the session.
    bool cancel(const SessionId& session);
    bool is_cancelled(const SessionId& session) const;

private:
    friend class WatchedWriter;
    struct Run {
        std::atomic<bool> cancelled{false};
        std::atomic<bool> over{false};  // its writer is gone
    };
    void end(const SessionId& session, const std::shared_ptr<Run>& run, bool closed);

    HeldSessions& held_;
    mutable std::mutex mutex_;
    std::map<SessionId, std::shared_ptr<Run>> runs_;
};

}  // namespace orbitalreg::engine
