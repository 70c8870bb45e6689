#include "frontend/upstreams.h"

#include "base/log.h"
#include "http/forwarded.h"
#include "outbound/http_url.h"
#include "outbound/registry_upstream.h"

#include <fstream>

namespace orbitalreg::frontend {
namespace {

class RegistryUpstreams final : public Outbound, public engine::UpstreamFactory {
public:
    explicit RegistryUpstreams(OutboundEnvironment environment)
        : parts_{std::make_shared<TransferLoop>(environment.clock, environment.address_refused),
                 environment.clock, environment.log, environment.metrics, environment_proxies()} {}
    ~RegistryUpstreams() override { parts_.loop->stop(); }

    engine::UpstreamFactory& factory() noexcept override { return *this; }
    void stop() noexcept override { parts_.loop->stop(); }

    std::shared_ptr<engine::Upstream> make(const engine::RemoteSettings& settings) override {
        if (settings.insecure_skip_verify) {
            parts_.log.warn("the certificate of an upstream is not checked",
                            {{"remote", settings.url}});
        }
        return std::make_shared<RegistryUpstream>(settings, parts_);
    }

private:
    const UpstreamParts parts_;
};

std::string fault_of_url(const std::string& text) {
    if (text.find('@') != std::string::npos)
        return "url has a user name in it: username and password_file are for that";
    const auto url = parse_http_url(text);
    if (!url) return "url is none that begins with http:// or https://";
    if (text.find('?') != std::string::npos) return "url has a query";
    return {};
}

std::string fault_of_proxy(const std::string& text) {
    if (text.empty()) return {};
    // A user name and a password may stand in it.
    const auto at = text.rfind('@');
    const auto scheme = text.find("://");
    if (scheme == std::string::npos) return "proxy is none that begins with http:// or https://";
    const auto plain =
        at == std::string::npos ? text : text.substr(0, scheme + 3) + text.substr(at + 1);
    return parse_http_url(plain) ? std::string{}
                                 : "proxy is none that begins with http:// or https://";
}

std::string fault_of_file(const std::string& path) {
    if (path.empty()) return {};
    const std::ifstream file{path};
    std::string text;
    if (!file.good()) return "ca_file cannot be read: " + path;
    text.assign(std::istreambuf_iterator<char>{file.rdbuf()}, {});
    if (text.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
        return "ca_file holds no certificate as PEM: " + path;
    return {};
}

std::string fault_of_limits(const engine::RemoteSettings& settings) {
    if (settings.connect_timeout_ms <= 0) return "connect_timeout is not more than 0";
    if (settings.idle_timeout_ms <= 0) return "idle_timeout is not more than 0";
    if (settings.connections_max == 0) return "connections_max is not more than 0";
    return {};
}

}  // namespace

std::unique_ptr<Outbound> make_outbound(OutboundEnvironment environment) {
    return std::make_unique<RegistryUpstreams>(environment);
}

std::string check_remote(const engine::RemoteSettings& settings) {
    if (auto fault = fault_of_url(settings.url); !fault.empty()) return fault;
    if (settings.cache_bytes != 0)
        return "cache_bytes: not there yet in this version: leave it out, or at 0";
    if (settings.username.empty() != settings.password.empty())
        return "username and password go together";
    if (settings.username.find(':') != std::string::npos) return "username has a colon in it";
    for (const auto& network : settings.allow_networks) {
        if (!parse_network(network)) return "allow_networks: no network: " + network;
    }
    for (const auto& host : settings.auth_hosts) {
        if (!parse_http_url("https://" + host + '/') || host.find('/') != std::string::npos)
            return "auth_hosts: no host: " + host;
    }
    if (auto fault = fault_of_proxy(settings.proxy); !fault.empty()) return fault;
    if (auto fault = fault_of_file(settings.ca_file); !fault.empty()) return fault;
    return fault_of_limits(settings);
}

}  // namespace orbitalreg::frontend
