#pragma once
// AddressRules says which addresses the outbound client may connect to: public ones, and the networks that an operator named.
// What is not public is refused, whichever way it is written: by now it is an address, no longer text (SEC-62).
//
// Life     immutable.
// Threads  any.
// Source   the special-purpose address registries of IANA, for IPv4 and IPv6.

#include "http/forwarded.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

struct sockaddr;

namespace orbitalreg::frontend {

// What kind of address that is no public one it is, for people: `loopback`, `link-local`; empty for a public address.
// `mapped`: it is an IPv4 address in the form of an IPv6 one.
std::string_view special_address_kind(const std::array<unsigned char, 16>& address, bool mapped);

class AddressRules {
public:
    // Text that is no network allows nothing.
    AddressRules(bool any_address, const std::vector<std::string>& allow_networks);

    // Why `address` is not connected to; empty when it may be. Another family than IPv4 and IPv6 never.
    std::string refusal(const sockaddr* address) const;
    // Of an address as text; what is none is refused.
    std::string refusal(std::string_view address) const;

private:
    bool any_;
    std::vector<Network> allowed_;
};

}  // namespace orbitalreg::frontend
