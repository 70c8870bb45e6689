#include "net/connection_limits.h"

namespace orbitalreg::frontend {

ConnectionLimits::Verdict ConnectionLimits::admit(const std::string& address, bool by_address) {
    const std::lock_guard lock{mutex_};
    if (open_ >= connections_max_) return Verdict::full;
    const auto known = addresses_.find(address);
    if (by_address && known != addresses_.end() && known->second >= per_address_max_)
        return Verdict::address_full;
    ++open_;
    ++addresses_[address];
    return Verdict::admitted;
}

void ConnectionLimits::release(const std::string& address) noexcept {
    const std::lock_guard lock{mutex_};
    const auto known = addresses_.find(address);
    if (known == addresses_.end()) return;
    --open_;
    if (--known->second == 0) addresses_.erase(known);
}

std::uint32_t ConnectionLimits::open() const noexcept {
    const std::lock_guard lock{mutex_};
    return open_;
}

}  // namespace orbitalreg::frontend
