#include "outbound/proxy_choice.h"

#include "http/ascii.h"
#include "http/forwarded.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>

namespace orbitalreg::frontend {
namespace {

std::string first_of_environment(std::initializer_list<const char*> names) {
    for (const char* name : names) {
        // The program changes its environment nowhere.
        const char* value = std::getenv(name);
        if (value != nullptr && *value != '\0') return value;
    }
    return {};
}

std::string_view without_brackets(std::string_view host) noexcept {
    if (host.starts_with('[') && host.ends_with(']')) return host.substr(1, host.size() - 2);
    return host;
}

bool is_below(std::string_view host, std::string_view domain) noexcept {
    if (domain.starts_with('.')) domain.remove_prefix(1);
    if (domain.empty() || host.size() < domain.size()) return false;
    if (!equals_ignoring_case(host.substr(host.size() - domain.size()), domain)) return false;
    return host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.';
}

bool fits(std::string_view exception, const HttpUrl& target) {
    if (exception == "*") return true;
    const auto host = without_brackets(target.host);
    const auto address = parse_network(host);
    if (const auto network = parse_network(without_brackets(exception)))
        return address && contains(*network, address->prefix);
    const auto colon = exception.rfind(':');
    if (colon != exception.npos && parse_decimal(exception.substr(colon + 1))) {
        if (exception.substr(colon + 1) != target.port) return false;
        exception = exception.substr(0, colon);
        return fits(exception, target);
    }
    return !address && is_below(host, exception);
}

}  // namespace

HttpProxies environment_proxies() {
    HttpProxies proxies;
    proxies.for_http = first_of_environment({"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"});
    proxies.for_https =
        first_of_environment({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
    proxies.excepted = first_of_environment({"no_proxy", "NO_PROXY"});
    return proxies;
}

std::string choose_proxy(const HttpProxies& proxies, const HttpUrl& target) {
    const auto& proxy = target.scheme == "https" ? proxies.for_https : proxies.for_http;
    if (proxy.empty()) return {};
    std::string_view rest{proxies.excepted};
    while (!rest.empty()) {
        const auto end = std::min(rest.find_first_of(", \t"), rest.size());
        const auto exception = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (!exception.empty() && fits(exception, target)) return {};
    }
    return proxy;
}

}  // namespace orbitalreg::frontend
