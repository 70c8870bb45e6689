#include "push/held_sessions.h"

namespace orbitalreg::engine {

bool HeldSessions::full(const std::string& principal, std::uint64_t now_ms) {
    if (principal.empty() || each_max_ == 0) return false;
    const std::scoped_lock lock{mutex_};
    const auto found = sessions_.find(principal);
    if (found == sessions_.end() || found->second.size() < each_max_) return false;
    // Only where it matters: those that expired meanwhile make room.
    std::erase_if(found->second, [&](const auto& each) {
        return now_ms > each.second &&
               now_ms - each.second > static_cast<std::uint64_t>(expiry_ms_);
    });
    return found->second.size() >= each_max_;
}

void HeldSessions::hold(const std::string& principal, const SessionId& session,
                        std::uint64_t now_ms) {
    if (principal.empty() || each_max_ == 0) return;
    const std::scoped_lock lock{mutex_};
    sessions_[principal].insert_or_assign(session, now_ms);
}

void HeldSessions::release(const std::string& principal, const SessionId& session) {
    if (principal.empty()) return;
    const std::scoped_lock lock{mutex_};
    const auto found = sessions_.find(principal);
    if (found == sessions_.end()) return;
    found->second.erase(session);
    if (found->second.empty()) sessions_.erase(found);
}

}  // namespace orbitalreg::engine
