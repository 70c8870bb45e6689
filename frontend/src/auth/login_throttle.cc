#include "auth/login_throttle.h"

#include "http/forwarded.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
// Who has not failed for so long starts anew.
constexpr std::int64_t kForgetNs = 3600 * kSecond;
constexpr std::size_t kIpv4Network = 3;

std::string network_of(std::string_view address) { return subscriber_key(address, kIpv4Network); }

std::string pair_of(const std::string& network, std::string_view account) {
    // An account's name may be anything that was sent: its length is not ours to keep.
    return network + '/' + std::string{account.substr(0, 64)};
}

}  // namespace

LoginThrottle::Entry* LoginThrottle::find(const std::string& key, std::int64_t now_ns) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    if (now_ns - found->second.last_ns > kForgetNs) found->second = {};
    return &found->second;
}

std::optional<std::int64_t> LoginThrottle::wait_s(std::string_view address,
                                                  std::string_view account, std::int64_t now_ns) {
    const auto network = network_of(address);
    const std::lock_guard lock{mutex_};
    std::int64_t until = 0;
    for (const auto& key : {network, pair_of(network, account)}) {
        if (const auto* entry = find(key, now_ns)) until = std::max(until, entry->closed_until_ns);
    }
    if (until <= now_ns) return std::nullopt;
    return (until - now_ns + kSecond - 1) / kSecond;
}

void LoginThrottle::count(const std::string& key, std::uint32_t allowed, std::int64_t now_ns) {
    auto* entry = find(key, now_ns);
    if (entry == nullptr) {
        while (entries_.size() >= kEntriesMax && !order_.empty()) {
            entries_.erase(order_.front());
            order_.pop_front();
        }
        order_.push_back(key);
        entry = &entries_[key];
    }
    ++entry->failures;
    entry->last_ns = now_ns;
    if (entry->failures < allowed) return;
    const auto doublings = std::min<std::uint32_t>(entry->failures - allowed, 20);
    const auto delay_s = std::min(kDelayMax_s, std::int64_t{1} << doublings);
    entry->closed_until_ns = now_ns + delay_s * kSecond;
}

void LoginThrottle::failed(std::string_view address, std::string_view account,
                           std::int64_t now_ns) {
    const auto network = network_of(address);
    const std::lock_guard lock{mutex_};
    count(network, failures_ * kAddressFactor, now_ns);
    count(pair_of(network, account), failures_, now_ns);
}

void LoginThrottle::succeeded(std::string_view address, std::string_view account) {
    const auto key = pair_of(network_of(address), account);
    const std::lock_guard lock{mutex_};
    const auto found = entries_.find(key);
    if (found != entries_.end()) found->second = {};
}

}  // namespace orbitalreg::frontend
