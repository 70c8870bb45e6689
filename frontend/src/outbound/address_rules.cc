#include "outbound/address_rules.h"

#include "base/asio.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

namespace orbitalreg::frontend {
namespace {

using AddressBytes = std::array<unsigned char, 16>;

struct SpecialNetwork {
    std::string_view network;
    std::string_view kind;
};

// The first that fits names it.
constexpr std::array kSpecialNetworks{
    SpecialNetwork{"0.0.0.0/8", "of this network"},
    SpecialNetwork{"10.0.0.0/8", "private"},
    SpecialNetwork{"100.64.0.0/10", "of a carrier's NAT"},
    SpecialNetwork{"127.0.0.0/8", "loopback"},
    SpecialNetwork{"169.254.0.0/16", "link-local"},
    SpecialNetwork{"172.16.0.0/12", "private"},
    SpecialNetwork{"192.0.0.0/24", "of protocols"},
    SpecialNetwork{"192.0.2.0/24", "for documents"},
    SpecialNetwork{"192.88.99.0/24", "6to4"},
    SpecialNetwork{"192.168.0.0/16", "private"},
    SpecialNetwork{"198.18.0.0/15", "for benchmarks"},
    SpecialNetwork{"198.51.100.0/24", "for documents"},
    SpecialNetwork{"203.0.113.0/24", "for documents"},
    SpecialNetwork{"224.0.0.0/4", "multicast"},
    SpecialNetwork{"240.0.0.0/4", "reserved"},
    SpecialNetwork{"::/128", "of this network"},
    SpecialNetwork{"::1/128", "loopback"},
    SpecialNetwork{"::/96", "IPv4 in IPv6"},
    SpecialNetwork{"::ffff:0:0:0/96", "IPv4 in IPv6"},
    SpecialNetwork{"64:ff9b::/96", "NAT64"},
    SpecialNetwork{"64:ff9b:1::/48", "NAT64"},
    SpecialNetwork{"2001::/32", "Teredo"},
    SpecialNetwork{"2001::/23", "of protocols"},
    SpecialNetwork{"2001:db8::/32", "for documents"},
    SpecialNetwork{"2002::/16", "6to4"},
    SpecialNetwork{"3fff::/20", "for documents"},
    SpecialNetwork{"fc00::/7", "private"},
    SpecialNetwork{"fe80::/10", "link-local"},
    SpecialNetwork{"fec0::/10", "site-local"},
    SpecialNetwork{"ff00::/8", "multicast"},
};

struct SpecialRange {
    Network network;
    std::string_view kind;
};

std::vector<SpecialRange> special_ranges() {
    std::vector<SpecialRange> ranges;
    ranges.reserve(kSpecialNetworks.size());
    for (const auto& [network, kind] : kSpecialNetworks)
        ranges.push_back({parse_network(network).value(), kind});
    return ranges;
}

// An IPv4 address as IPv6 has it, behind ten zero bytes and two of 0xff.
bool is_mapped(const AddressBytes& address) noexcept {
    return std::all_of(address.begin(), address.begin() + 10, [](auto b) { return b == 0; }) &&
           address[10] == 0xff && address[11] == 0xff;
}

struct SocketAddress {
    AddressBytes bytes{};
    bool v4 = false;
};

bool read_address(const sockaddr* from, SocketAddress& to) noexcept {
    if (from->sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, from, sizeof v4);
        to.v4 = true;
        to.bytes[10] = to.bytes[11] = 0xff;
        std::memcpy(to.bytes.data() + 12, &v4.sin_addr, 4);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, from, sizeof v6);
        std::memcpy(to.bytes.data(), &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

std::string text_of(const SocketAddress& address) {
    const auto v6 = asio::ip::make_address_v6(address.bytes);
    return address.v4 ? asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string()
                      : v6.to_string();
}

}  // namespace

std::string_view special_address_kind(const AddressBytes& address, bool mapped) {
    static const auto ranges = special_ranges();
    for (const auto& range : ranges) {
        if (contains(range.network, address)) return range.kind;
    }
    if (is_mapped(address)) return mapped ? "IPv4 in IPv6" : "";
    // Of IPv6 only this part is given out.
    return (address[0] & 0xe0) == 0x20 ? "" : "reserved";
}

AddressRules::AddressRules(bool any_address, const std::vector<std::string>& allow_networks)
    : any_{any_address} {
    for (const auto& text : allow_networks) {
        if (const auto network = parse_network(text)) allowed_.push_back(*network);
    }
}

std::string AddressRules::refusal(const sockaddr* address) const {
    SocketAddress known;
    if (!read_address(address, known)) return "the address is neither IPv4 nor IPv6";
    if (any_) return {};
    const auto kind = special_address_kind(known.bytes, !known.v4);
    if (kind.empty()) return {};
    const bool allowed =
        std::any_of(allowed_.begin(), allowed_.end(),
                    [&known](const Network& network) { return contains(network, known.bytes); });
    if (allowed) return {};
    return "the address " + text_of(known) + " is not a public one (" + std::string{kind} +
           ") and not in a network that is allowed";
}

std::string AddressRules::refusal(std::string_view address) const {
    boost::system::error_code ec;
    const auto known = asio::ip::make_address(std::string{address}, ec);
    if (ec) return "the address is neither IPv4 nor IPv6";
    const asio::ip::tcp::endpoint endpoint{known, 0};
    return refusal(endpoint.data());
}

}  // namespace orbitalreg::frontend
