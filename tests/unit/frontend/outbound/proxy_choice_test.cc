// Which hosts are reached through a proxy.

#include "outbound/proxy_choice.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace orbitalreg::frontend {
namespace {

std::string proxy_for(const char* url, std::string excepted) {
    const HttpProxies proxies{"http://plain:1", "http://tls:1", std::move(excepted)};
    return choose_proxy(proxies, parse_http_url(url).value());
}

TEST(ProxyChoice, IsByScheme) {
    EXPECT_EQ(proxy_for("http://h/", ""), "http://plain:1");
    EXPECT_EQ(proxy_for("https://h/", ""), "http://tls:1");
    EXPECT_EQ(choose_proxy({}, parse_http_url("https://h/").value()), "");
}

TEST(ProxyChoice, ExceptsHosts) {
    const struct {
        const char* url;
        const char* excepted;
        bool direct;
    } cases[] = {
        {"https://h/", "*", true},
        {"https://a.example/", "example", true},
        {"https://a.example/", ".example", true},
        {"https://example/", ".example", true},
        {"https://A.Example/", "b, a.EXAMPLE", true},
        {"https://aexample/", "example", false},
        {"https://example.org/", "example", false},
        {"https://a.example/", "", false},
        {"https://a.example/", " ,, ", false},
        {"https://a.example/", ".", false},
        {"https://a.example:5000/", "a.example:5000", true},
        {"https://a.example/", "a.example:5000", false},
        {"https://10.1.2.3/", "10.0.0.0/8", true},
        {"https://11.1.2.3/", "10.0.0.0/8", false},
        {"https://10.1.2.3/", "10.1.2.3", true},
        {"https://10.1.2.3/", "2.3", false},
        {"https://[fd00::1]/", "fd00::/8", true},
        {"https://[fd00::1]/", "[fd00::1]", true},
        {"https://name/", "10.0.0.0/8", false},
    };
    for (const auto& [url, excepted, direct] : cases)
        EXPECT_EQ(proxy_for(url, excepted).empty(), direct) << url << ' ' << excepted;
}

TEST(ProxyChoice, IsReadFromTheEnvironment) {
    ::setenv("HTTPS_PROXY", "http://upper:1", 1);
    ::setenv("https_proxy", "http://lower:1", 1);
    ::setenv("HTTP_PROXY", "http://plain:1", 1);
    ::setenv("NO_PROXY", "a,b", 1);
    const auto proxies = environment_proxies();
    ::unsetenv("HTTPS_PROXY");
    ::unsetenv("https_proxy");
    ::unsetenv("HTTP_PROXY");
    ::unsetenv("NO_PROXY");
    EXPECT_EQ(proxies, (HttpProxies{"http://plain:1", "http://lower:1", "a,b"}));
    EXPECT_EQ(environment_proxies(), HttpProxies{});
}

}  // namespace
}  // namespace orbitalreg::frontend
