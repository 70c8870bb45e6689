#include "outbound/upstream_place.h"

#include "http/ascii.h"

#include <algorithm>
#include <array>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kHubApi = "https://registry-1.docker.io";
constexpr std::string_view kHubTokenHost = "auth.docker.io";
// Names that people know Docker Hub by; all of them are one registry.
constexpr std::array<std::string_view, 3> kHubHosts{"docker.io", "index.docker.io",
                                                    "registry-1.docker.io"};
constexpr std::string_view kLibrary = "library/";

bool is_hub_host(std::string_view host) noexcept {
    return std::find(kHubHosts.begin(), kHubHosts.end(), host) != kHubHosts.end();
}

bool is_own_port(const HttpUrl& url) noexcept {
    return url.port == (url.scheme == "https" ? "443" : "80");
}

HttpPolicy policy_of(const engine::RemoteSettings& settings, const HttpUrl& origin,
                     const HttpProxies& environment) {
    HttpPolicy policy;
    policy.connect_timeout = std::chrono::milliseconds{settings.connect_timeout_ms};
    policy.total_timeout = std::chrono::milliseconds{0};
    policy.http_allowed = origin.scheme == "http";
    policy.ca_file = settings.ca_file;
    policy.allow_networks = settings.allow_networks;
    policy.proxies = environment;
    if (!settings.proxy.empty())
        policy.proxies = {settings.proxy, settings.proxy, environment.excepted};
    policy.redirects_max = kHttpRedirectsMax;
    if (settings.insecure_skip_verify) policy.unverified_host = origin.host;
    policy.idle_timeout = std::chrono::milliseconds{settings.idle_timeout_ms};
    policy.min_rate_bytes = settings.min_rate_bytes;
    return policy;
}

}  // namespace

std::string upstream_url(std::string_view url) {
    while (url.ends_with('/')) url.remove_suffix(1);
    if (url.ends_with("/v2")) url.remove_suffix(3);
    while (url.ends_with('/')) url.remove_suffix(1);
    const auto parts = parse_http_url(url);
    if (parts && parts->path == "/" && is_own_port(*parts) && is_hub_host(parts->host))
        return std::string{kHubApi};
    return std::string{url};
}

UpstreamPlace::UpstreamPlace(const engine::RemoteSettings& settings, const HttpProxies& environment)
    : base_{upstream_url(settings.url)},
      origin_{parse_http_url(base_).value_or(HttpUrl{})},
      remote_{origin_.host},
      docker_hub_{base_ == kHubApi},
      library_prefix_{settings.library_prefix.value_or(docker_hub_)},
      auth_hosts_{settings.auth_hosts},
      policy_{policy_of(settings, origin_, environment)} {
    base_ += "/v2/";
    if (!is_own_port(origin_)) remote_ += ':' + origin_.port;
    if (docker_hub_) auth_hosts_.emplace_back(kHubTokenHost);
}

std::string UpstreamPlace::image_of(const engine::ImageName& name) const {
    if (!library_prefix_ || name.component_count() != 1) return name.text();
    return std::string{kLibrary} + name.text();
}

std::string UpstreamPlace::url_of(const engine::ImageName& name, std::string_view tail) const {
    return (base_ + image_of(name)).append(tail);
}

bool UpstreamPlace::may_ask_for_token(const HttpUrl& realm) const {
    // http only where the upstream itself is.
    if (realm.scheme != "https" && origin_.scheme != "http") return false;
    if (realm.host == origin_.host) return true;
    const auto with_port = realm.host + ':' + realm.port;
    return std::any_of(auth_hosts_.begin(), auth_hosts_.end(), [&](const std::string& host) {
        return equals_ignoring_case(host, realm.host) || equals_ignoring_case(host, with_port);
    });
}

}  // namespace orbitalreg::frontend
