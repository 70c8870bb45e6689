#include "http/forwarded.h"

#include "base/asio.h"
#include "base/result.h"
#include "http/ascii.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kBaseSizeMax = 255;
constexpr unsigned kMappedBits = 96;  // before an IPv4 address that is mapped into IPv6

std::optional<std::array<unsigned char, 16>> address_bytes(std::string_view text) {
    // What the parser below reads as text ends at a NUL, and may name an interface.
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
        return std::string_view{"0123456789abcdefABCDEF.:"}.find(c) != std::string_view::npos;
    });
    if (!plain) return std::nullopt;
    ErrorCode ec;
    const auto address = asio::ip::make_address(std::string{text}, ec);
    if (ec) return std::nullopt;
    if (address.is_v6()) return address.to_v6().to_bytes();
    return asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes();
}

std::string_view trim(std::string_view text) noexcept {
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    return text;
}

std::string_view unquote(std::string_view text) noexcept {
    if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"'))
        return text.substr(1, text.size() - 2);
    return text;
}

// Parts between separators that stand outside of quotes.
std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i < text.size() && text[i] == '"') quoted = !quoted;
        if (i < text.size() && (quoted || text[i] != separator)) continue;
        parts.push_back(trim(text.substr(begin, i - begin)));
        begin = i + 1;
    }
    return parts;
}

// The value of one parameter of an element of `Forwarded`; empty when it is absent.
std::string_view parameter(std::string_view element, std::string_view name) {
    for (const auto pair : split(element, ';')) {
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos) continue;
        if (equals_ignoring_case(pair.substr(0, equals), name))
            return unquote(pair.substr(equals + 1));
    }
    return {};
}

// All fields of that name as one list, as if they had been sent as one.
std::string joined(const RequestHead& head, std::string_view name) {
    std::string all;
    for (const auto& field : head.fields) {
        if (equals_ignoring_case(field.name, name))
            all.append(all.empty() ? "" : ",").append(field.value);
    }
    return all;
}

std::string_view first_of(const RequestHead& head, std::string_view name) {
    const auto field = head.field(name);
    return field ? split(*field, ',').front() : std::string_view{};
}

// `192.0.2.7`, `192.0.2.7:4711`, `[2001:db8::7]`, `[2001:db8::7]:4711`, `2001:db8::7`: the address.
std::string_view without_port(std::string_view node) {
    if (node.starts_with('[')) return node.substr(1, node.find(']') - 1);
    const auto colon = node.find(':');
    return colon != std::string_view::npos && colon == node.rfind(':') ? node.substr(0, colon)
                                                                       : node;
}

bool is_host(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || std::string_view{".-_:[]"}.find(c) != std::string_view::npos;
    });
}

bool is_scheme(std::string_view text) noexcept { return text == "http" || text == "https"; }

bool is_prefix(std::string_view text) {
    return text.starts_with('/') && text.find("//") == std::string_view::npos &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_alphanumeric(c) ||
                      std::string_view{"/.-_~"}.find(c) != std::string_view::npos;
           });
}

struct Seen {
    std::string_view scheme;
    std::string host;
};

// What the first proxy in the chain saw, each part only where it is what it must be.
Seen first_seen(const RequestHead& head) {
    Seen seen;
    if (const auto forwarded = head.field("Forwarded")) {
        const auto element = split(*forwarded, ',').front();
        seen.scheme = parameter(element, "proto");
        seen.host = parameter(element, "host");
    } else {
        seen.scheme = first_of(head, "X-Forwarded-Proto");
        seen.host = first_of(head, "X-Forwarded-Host");
        const auto port = first_of(head, "X-Forwarded-Port");
        const bool has_port = without_port(seen.host) != seen.host && !seen.host.ends_with(']');
        if (!seen.host.empty() && !has_port && parse_decimal(port) && port != "443" &&
            port != "80") {
            seen.host.append(":").append(port);
        }
    }
    if (!is_scheme(seen.scheme)) seen.scheme = {};
    if (!is_host(seen.host)) seen.host.clear();
    return seen;
}

}  // namespace

std::optional<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = text.substr(0, slash);
    const auto bytes = address_bytes(address);
    if (!bytes) return std::nullopt;
    Network network{*bytes, 128};
    if (slash == std::string_view::npos) return network;
    const auto bits = parse_decimal(text.substr(slash + 1));
    const unsigned before = address.find(':') == std::string_view::npos ? kMappedBits : 0;
    if (!bits || *bits + before > 128) return std::nullopt;
    network.bits = static_cast<unsigned>(*bits) + before;
    return network;
}

bool contains(const Network& network, const std::array<unsigned char, 16>& address) noexcept {
    const unsigned whole = network.bits / 8;
    if (!std::equal(address.begin(), address.begin() + whole, network.prefix.begin())) return false;
    const unsigned rest = network.bits % 8;
    if (rest == 0) return true;
    const unsigned mask = 0xffU << (8 - rest) & 0xffU;
    return (address[whole] & mask) == (network.prefix[whole] & mask);
}

ForwardedRules::ForwardedRules(const std::vector<std::string>& trusted_proxies) {
    for (const auto& text : trusted_proxies) {
        if (const auto network = parse_network(text)) trusted_.push_back(*network);
    }
}

bool ForwardedRules::trusts(std::string_view address) const {
    if (trusted_.empty()) return false;
    const auto bytes = address_bytes(address);
    return bytes && std::any_of(trusted_.begin(), trusted_.end(), [&bytes](const Network& network) {
               return contains(network, *bytes);
           });
}

std::string ForwardedRules::client_of(const RequestHead& head,
                                      const std::string& peer_address) const {
    if (!trusts(peer_address)) return peer_address;
    const auto forwarded = joined(head, "Forwarded");
    const auto chain = forwarded.empty() ? joined(head, "X-Forwarded-For") : forwarded;
    const auto elements = split(chain, ',');
    std::string client = peer_address;
    for (auto element = elements.rbegin(); element != elements.rend() && trusts(client);
         ++element) {
        const auto node =
            without_port(forwarded.empty() ? unquote(*element) : parameter(*element, "for"));
        // What is no address says nothing about who stands behind it.
        if (!address_bytes(node)) break;
        client = node;
    }
    return client;
}

std::string ForwardedRules::base_of(const RequestHead& head, std::string_view peer_address,
                                    bool encrypted) const {
    if (!trusts(peer_address)) return {};
    auto seen = first_seen(head);
    if (seen.host.empty() && !seen.scheme.empty()) {
        if (const auto host = head.field("Host"); host && is_host(*host)) seen.host = *host;
    }
    std::string base;
    if (!seen.host.empty()) {
        const std::string_view own = encrypted ? "https" : "http";
        base.append(seen.scheme.empty() ? own : seen.scheme).append("://").append(seen.host);
    }
    auto prefix = first_of(head, "X-Forwarded-Prefix");
    while (prefix.ends_with('/')) prefix.remove_suffix(1);
    if (is_prefix(prefix)) base.append(prefix);
    return base.size() <= kBaseSizeMax ? base : std::string{};
}

}  // namespace orbitalreg::frontend
