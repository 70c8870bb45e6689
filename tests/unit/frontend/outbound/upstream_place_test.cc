// URLs of upstreams, Docker Hub's many names, and who may be asked for a token (SEC-63, DIST-PROXY-03).

#include "outbound/upstream_place.h"

#include "frontend/upstreams.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

engine::RemoteSettings settings_of(std::string url) {
    engine::RemoteSettings settings;
    settings.url = std::move(url);
    return settings;
}

std::string url_of(const engine::RemoteSettings& settings, std::string_view name) {
    return UpstreamPlace{settings, {}}.url_of(engine::ImageName::parse(name).value(), "/tags/list");
}

TEST(UpstreamPlace, DockerHubByAnyName) {
    for (const auto* url :
         {"https://registry-1.docker.io", "https://docker.io", "https://docker.io/",
          "https://index.docker.io/v2/", "https://Index.Docker.io:443", "http://docker.io"}) {
        const UpstreamPlace place{settings_of(url), {}};
        EXPECT_TRUE(place.is_docker_hub()) << url;
        EXPECT_EQ(place.remote(), "registry-1.docker.io");
        EXPECT_EQ(url_of(settings_of(url), "alpine"),
                  "https://registry-1.docker.io/v2/library/alpine/tags/list");
        EXPECT_EQ(url_of(settings_of(url), "grafana/grafana"),
                  "https://registry-1.docker.io/v2/grafana/grafana/tags/list");
        EXPECT_FALSE(place.policy().http_allowed) << url;
    }
    for (const auto* url : {"https://hub.example", "https://notdocker.io",
                            "https://docker.io/mirror", "https://docker.io:5000"})
        EXPECT_FALSE((UpstreamPlace{settings_of(url), {}}.is_docker_hub())) << url;
}

TEST(UpstreamPlace, LibraryPrefixIsASetting) {
    auto settings = settings_of("https://hub.example");
    EXPECT_EQ(url_of(settings, "alpine"), "https://hub.example/v2/alpine/tags/list");
    settings.library_prefix = true;
    EXPECT_EQ(url_of(settings, "alpine"), "https://hub.example/v2/library/alpine/tags/list");
    settings = settings_of("https://docker.io");
    settings.library_prefix = false;
    EXPECT_EQ(url_of(settings, "alpine"), "https://registry-1.docker.io/v2/alpine/tags/list");
}

TEST(UpstreamPlace, APathStandsBeforeTheProtocols) {
    for (const auto* url :
         {"http://h:5000/team/a", "http://h:5000/team/a/", "http://h:5000/team/a/v2/"}) {
        EXPECT_EQ(url_of(settings_of(url), "b/c"), "http://h:5000/team/a/v2/b/c/tags/list");
        EXPECT_EQ((UpstreamPlace{settings_of(url), {}}.remote()), "h:5000");
    }
}

TEST(UpstreamPlace, WhoIsAskedForAToken) {
    auto settings = settings_of("https://reg.example");
    settings.auth_hosts = {"auth.example", "ports.example:8443"};
    const auto asks = [](const engine::RemoteSettings& s, std::string_view realm) {
        return UpstreamPlace{s, {}}.may_ask_for_token(parse_http_url(realm).value());
    };
    for (const auto* realm : {"https://reg.example/token", "https://REG.example:8443/t",
                              "https://auth.example/", "https://ports.example:8443/"})
        EXPECT_TRUE(asks(settings, realm)) << realm;
    for (const auto* realm :
         {"http://reg.example/token", "https://reg.example.evil/", "https://evil/",
          "https://auth.docker.io/token", "https://ports.example/", "https://x.auth.example/"})
        EXPECT_FALSE(asks(settings, realm)) << realm;
    EXPECT_TRUE(asks(settings_of("https://docker.io"), "https://auth.docker.io/token"));
    EXPECT_FALSE(asks(settings_of("https://docker.io"), "http://auth.docker.io/token"));
    EXPECT_TRUE(asks(settings_of("http://reg.example"), "http://reg.example/token"));
}

TEST(UpstreamPlace, CertificatesAreUncheckedOfItsHostAlone) {
    auto settings = settings_of("https://Reg.example:5000");
    EXPECT_EQ((UpstreamPlace{settings, {}}.policy().unverified_host), "");
    settings.insecure_skip_verify = true;
    EXPECT_EQ((UpstreamPlace{settings, {}}.policy().unverified_host), "reg.example");
}

TEST(UpstreamPlace, TheProxyOfTheSettingsComesFirst) {
    auto settings = settings_of("https://reg.example");
    const HttpProxies environment{"http://e:1", "http://e:2", "none"};
    EXPECT_EQ((UpstreamPlace{settings, environment}.policy().proxies), environment);
    settings.proxy = "http://p:3";
    EXPECT_EQ((UpstreamPlace{settings, environment}.policy().proxies),
              (HttpProxies{"http://p:3", "http://p:3", "none"}));
}

TEST(CheckRemote, SaysWhatIsWrong) {
    const auto fault = [](auto change) {
        auto settings = settings_of("https://reg.example/path");
        change(settings);
        return check_remote(settings);
    };
    using Settings = engine::RemoteSettings;
    EXPECT_EQ(fault([](Settings&) {}), "");
    EXPECT_EQ(fault([](Settings& s) { s.url = "http://[::1]:5000"; }), "");
    EXPECT_EQ(fault([](Settings& s) { s.proxy = "http://u:p@proxy:3128"; }), "");
    EXPECT_EQ(fault([](Settings& s) { s.auth_hosts = {"auth.example", "auth.example:444"}; }), "");
    const auto names = [&](std::string_view word, auto change) {
        const auto said = fault(change);
        EXPECT_NE(said.find(word), std::string::npos) << word << ": " << said;
    };
    for (const auto* url :
         {"", "reg.example", "ftp://reg.example", "https://", "https://u:p@reg.example",
          "https://reg.example/?a=b", "https://reg.example/#a", "https://reg example"})
        names("url", [url](Settings& s) { s.url = url; });
    names("username", [](Settings& s) { s.username = "u"; });
    names("username", [](Settings& s) { s.password = "p"; });
    names("username", [](Settings& s) { s.username = "u:v", s.password = "p"; });
    names("allow_networks", [](Settings& s) { s.allow_networks = {"10.0.0.0/8", "10.0.0.0/33"}; });
    names("auth_hosts", [](Settings& s) { s.auth_hosts = {"https://auth.example/"}; });
    names("auth_hosts", [](Settings& s) { s.auth_hosts = {""}; });
    names("proxy", [](Settings& s) { s.proxy = "socks5://proxy:1080"; });
    names("proxy", [](Settings& s) { s.proxy = "proxy:3128"; });
    names("ca_file", [](Settings& s) { s.ca_file = "/nonexistent"; });
    names("ca_file", [](Settings& s) { s.ca_file = "/proc/self/status"; });
    names("connect_timeout", [](Settings& s) { s.connect_timeout_ms = 0; });
    names("idle_timeout", [](Settings& s) { s.idle_timeout_ms = -1; });
    names("connections_max", [](Settings& s) { s.connections_max = 0; });
    // What is said is shown: no secret in it.
    EXPECT_EQ(fault([](Settings& s) { s.url = "https://u:hunter2@reg.example"; }).find("hunter2"),
              std::string::npos);
    EXPECT_EQ(fault([](Settings& s) { s.proxy = "x://u:hunter2@p"; }).find("hunter2"),
              std::string::npos);
}

}  // namespace
}  // namespace orbitalreg::frontend
