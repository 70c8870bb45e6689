#pragma once
// LoginThrottle slows down who guesses: after some failures each further one doubles the time until the next try is looked at,
// for the pair of account and address, and for the address. Nobody outside can lock an account: another address is not
// slowed down (SEC-48, DIST-RATE-04).
//
// Threads  any.
// Limits   kEntriesMax pairs and addresses (of IPv4 the first 24 bits, of IPv6 the first 64); beyond, the oldest go.
// Units    nanoseconds of a steady clock; seconds to wait.

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace orbitalreg::frontend {

class LoginThrottle {
public:
    static constexpr std::size_t kEntriesMax = 65'536;
    static constexpr std::int64_t kDelayMax_s = 15 * 60;
    // An address may fail so many times as often: many people share one.
    static constexpr std::uint32_t kAddressFactor = 10;

    explicit LoginThrottle(std::uint32_t failures) noexcept : failures_{failures} {}

    // How long to wait before a try is looked at; nothing: now. Asked again when it has been looked at, for tries that came
    // side by side: what is closed by then is not answered.
    std::optional<std::int64_t> wait_s(std::string_view address, std::string_view account,
                                       std::int64_t now_ns);
    void failed(std::string_view address, std::string_view account, std::int64_t now_ns);
    // Forgets the failures of the pair, not those of the address.
    void succeeded(std::string_view address, std::string_view account);

private:
    struct Entry {
        std::uint32_t failures = 0;
        std::int64_t closed_until_ns = 0;
        std::int64_t last_ns = 0;
    };
    Entry* find(const std::string& key, std::int64_t now_ns);
    void count(const std::string& key, std::uint32_t allowed, std::int64_t now_ns);

    const std::uint32_t failures_;
    std::mutex mutex_;
    std::unordered_map<std::string, Entry> entries_;
    std::deque<std::string> order_;  // in which they came
};

}  // namespace orbitalreg::frontend
