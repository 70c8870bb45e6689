#pragma once
// ForwardedRules decides what to believe of a request that came through a proxy: who sent it, and under which address the
// client sees this server. Only proxies that the configuration names are believed; anybody can write such headers
// (DIST-HTTP-20, DIST-HTTP-22).
//
// Life     immutable.
// Threads  any.
// Source   RFC 7239 for `Forwarded`; the `X-Forwarded-` family has no standard: For, Proto, Host, Port and Prefix as the
//          usual proxies send them.

#include "net/request_head.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

// Addresses with the same first `bits`; of IPv4 as the IPv6 addresses they are mapped to.
struct Network {
    std::array<unsigned char, 16> prefix{};
    unsigned bits = 128;
};
// `192.0.2.0/24`, `2001:db8::/32`, or one address.
std::optional<Network> parse_network(std::string_view text);
bool contains(const Network& network, const std::array<unsigned char, 16>& address) noexcept;

class ForwardedRules {
public:
    // Of what parse_network() takes; anything else trusts nobody.
    explicit ForwardedRules(const std::vector<std::string>& trusted_proxies);

    bool trusts(std::string_view address) const;
    // The address of who sent the request: the last one in the chain that is no trusted proxy's.
    std::string client_of(const RequestHead& head, const std::string& peer_address) const;
    // What goes before `/v2/` for the client to come back: scheme and host, where a trusted proxy names them, and a path
    // prefix; empty when there is nothing to add.
    std::string base_of(const RequestHead& head, std::string_view peer_address,
                        bool encrypted) const;

private:
    std::vector<Network> trusted_;
};

}  // namespace orbitalreg::frontend
