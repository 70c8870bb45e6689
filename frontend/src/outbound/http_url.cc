#include "outbound/http_url.h"

#include "http/ascii.h"
#include "outbound/address_rules.h"
#include "outbound/curl_handles.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kUrlSizeMax = 8 * 1024;

std::string url_part(CURLU* url, CURLUPart part) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
    const std::unique_ptr<char, FreeCurl> owned{text};
    return text;
}

bool is_sane(std::string_view text) {
    return !text.empty() && text.size() <= kUrlSizeMax &&
           std::all_of(text.begin(), text.end(), is_visible_ascii);
}

}  // namespace

std::optional<HttpUrl> parse_http_url(std::string_view text) {
    if (!is_sane(text) || text.find('#') != text.npos) return std::nullopt;
    const UrlHandle url{curl_url()};
    if (!url) return std::nullopt;
    constexpr unsigned kFlags = CURLU_DISALLOW_USER;
    if (curl_url_set(url.get(), CURLUPART_URL, std::string{text}.c_str(), kFlags) != CURLUE_OK)
        return std::nullopt;
    HttpUrl parts{url_part(url.get(), CURLUPART_SCHEME), url_part(url.get(), CURLUPART_HOST),
                  url_part(url.get(), CURLUPART_PORT), url_part(url.get(), CURLUPART_PATH)};
    std::transform(parts.host.begin(), parts.host.end(), parts.host.begin(), to_lower);
    if ((parts.scheme != "http" && parts.scheme != "https") || parts.host.empty())
        return std::nullopt;
    return parts;
}

std::optional<std::string> resolve_url(const std::string& base, std::string_view location) {
    location = location.substr(0, location.find('#'));
    if (!is_sane(location)) return std::nullopt;
    const UrlHandle url{curl_url()};
    if (!url) return std::nullopt;
    constexpr unsigned kFlags = CURLU_DISALLOW_USER;
    if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), kFlags) != CURLUE_OK ||
        curl_url_set(url.get(), CURLUPART_URL, std::string{location}.c_str(), kFlags) != CURLUE_OK)
        return std::nullopt;
    char* text = nullptr;
    if (curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) return std::nullopt;
    const std::unique_ptr<char, FreeCurl> owned{text};
    std::string resolved{text};
    if (!parse_http_url(resolved)) return std::nullopt;
    return resolved;
}

bool is_same_origin(const HttpUrl& a, const HttpUrl& b) noexcept {
    return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

std::string_view without_query(std::string_view url) noexcept {
    return url.substr(0, url.find('?'));
}

std::string encode_query_value(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        if (is_alphanumeric(c) || std::string_view{"-._~"}.find(c) != std::string_view::npos) {
            encoded += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        encoded += '%';
        encoded += kHex[byte >> 4];
        encoded += kHex[byte & 15];
    }
    return encoded;
}

bool is_loopback_host(std::string_view host) {
    if (host == "localhost") return true;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto network = parse_network(host);
    if (!network || network->bits != 128) return false;
    const auto kind = special_address_kind(network->prefix, false);
    return kind == "loopback";
}

}  // namespace orbitalreg::frontend
