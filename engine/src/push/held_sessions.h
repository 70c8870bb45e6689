#pragma once
// HeldSessions counts the upload sessions of each principal with a name that hold acknowledged bytes, so that one cannot take
// the room of all (SEC-36). In memory: a restart counts anew from what is written to afterwards.
//
// Threads  any. Limits  `each_max` a principal; a session that nothing was written to for `expiry_ms` is not counted any more.

#include "engine/registry_store.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace orbitalreg::engine {

class HeldSessions {
public:
    HeldSessions(std::uint32_t each_max, std::int64_t expiry_ms) noexcept
        : each_max_{each_max}, expiry_ms_{expiry_ms} {}

    // Who has no name is counted with nobody.
    bool full(const std::string& principal, std::uint64_t now_ms);
    void hold(const std::string& principal, const SessionId& session, std::uint64_t now_ms);
    void release(const std::string& principal, const SessionId& session);

private:
    using Sessions = std::map<SessionId, std::uint64_t>;  // and when it was written to

    const std::uint32_t each_max_;
    const std::int64_t expiry_ms_;
    std::mutex mutex_;
    std::map<std::string, Sessions> sessions_;
};

}  // namespace orbitalreg::engine
