#pragma once
// ConnectionLimits counts the connections of a server, in all and for each address (SEC-80).
//
// Threads  any.

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace orbitalreg::frontend {

class ConnectionLimits {
public:
    ConnectionLimits(std::uint32_t connections_max, std::uint32_t per_address_max) noexcept
        : connections_max_{connections_max}, per_address_max_{per_address_max} {}

    enum class Verdict : std::uint8_t { admitted, full, address_full };
    // An admitted connection is given back with release().
    // `by_address` false: of a proxy, behind which are many.
    Verdict admit(const std::string& address, bool by_address = true);
    void release(const std::string& address) noexcept;
    std::uint32_t open() const noexcept;

private:
    const std::uint32_t connections_max_;
    const std::uint32_t per_address_max_;
    mutable std::mutex mutex_;
    std::uint32_t open_ = 0;
    std::unordered_map<std::string, std::uint32_t> addresses_;  // at most one entry a connection
};

}  // namespace orbitalreg::frontend
