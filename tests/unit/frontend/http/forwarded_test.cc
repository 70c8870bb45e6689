#include "http/forwarded.h"

#include "http/cors.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

RequestHead with(std::vector<RequestHead::Field> fields) {
    RequestHead head;
    head.fields.assign(fields.begin(), fields.end());
    return head;
}

const ForwardedRules kRules{{"10.0.0.0/8", "192.0.2.7", "2001:db8::/33"}};

// Goal: who is trusted is exactly who the configuration names, whatever form an address has.
TEST(ForwardedRules, NetworksHoldTheirAddresses) {
    for (const auto* inside :
         {"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "192.0.2.7", "2001:db8:7fff::1"})
        EXPECT_TRUE(kRules.trusts(inside)) << inside;
    for (const auto* outside : {"11.0.0.0", "9.255.255.255", "192.0.2.6", "192.0.2.8",
                                "2001:db8:8000::1", "::1", "unix:", ""})
        EXPECT_FALSE(kRules.trusts(outside)) << outside;
    for (const auto* wrong :
         {"10.0.0.0/33", "2001:db8::/129", "10.0.0/8", "/8", "10.0.0.0/", "10.0.0.0/-1", "host"})
        EXPECT_FALSE(parse_network(wrong)) << wrong;
}

// Goal: the client is the last address that no trusted proxy has; what a client itself writes in front is not believed.
TEST(ForwardedRules, ClientIsTheLastUntrusted) {
    const auto client = [](const char* chain, const char* peer) {
        return kRules.client_of(with({{"X-Forwarded-For", chain}}), peer);
    };
    EXPECT_EQ(client("198.51.100.66, 203.0.113.9, 10.1.2.3", "192.0.2.7"), "203.0.113.9");
    EXPECT_EQ(client("203.0.113.9:4711", "10.0.0.1"), "203.0.113.9");
    EXPECT_EQ(client("[2001:db8:ffff::9]:80", "10.0.0.1"), "2001:db8:ffff::9");
    EXPECT_EQ(client("203.0.113.9, unknown, 10.1.2.3", "10.0.0.1"), "10.1.2.3");
    EXPECT_EQ(client("10.1.1.1, 10.2.2.2", "10.0.0.1"), "10.1.1.1");
    EXPECT_EQ(client("203.0.113.9", "198.51.100.1"), "198.51.100.1");
    EXPECT_EQ(kRules.client_of(
                  with({{"X-Forwarded-For", "203.0.113.1"}, {"X-Forwarded-For", "203.0.113.2"}}),
                  "10.0.0.1"),
              "203.0.113.2");
    EXPECT_EQ(
        kRules.client_of(
            with({{"Forwarded", "for=203.0.113.1, for=\"[2001:db8:ffff::2]:4711\";proto=https"},
                  {"X-Forwarded-For", "203.0.113.3"}}),
            "10.0.0.1"),
        "2001:db8:ffff::2");
}

// Goal: the address of DIST-HTTP-20, its parts believed only when they can be what they say.
TEST(ForwardedRules, BaseIsWhatTheFirstProxySaw) {
    const auto base = [](std::vector<RequestHead::Field> fields) {
        return kRules.base_of(with(std::move(fields)), "10.0.0.1", false);
    };
    EXPECT_EQ(base({}), "");
    EXPECT_EQ(base({{"Host", "inner:5000"}}), "");
    EXPECT_EQ(base({{"Forwarded", "proto=https;host=\"r.example:8443\", proto=http;host=inner"}}),
              "https://r.example:8443");
    EXPECT_EQ(
        base({{"Forwarded", "host=a.example;proto=https"}, {"X-Forwarded-Host", "b.example"}}),
        "https://a.example");
    EXPECT_EQ(
        base({{"X-Forwarded-Proto", "https, http"}, {"X-Forwarded-Host", "r.example, inner"}}),
        "https://r.example");
    EXPECT_EQ(base({{"X-Forwarded-Proto", "https"},
                    {"X-Forwarded-Host", "r.example"},
                    {"X-Forwarded-Port", "8443"}}),
              "https://r.example:8443");
    EXPECT_EQ(base({{"X-Forwarded-Host", "r.example:1"}, {"X-Forwarded-Port", "2"}}),
              "http://r.example:1");
    EXPECT_EQ(base({{"X-Forwarded-Proto", "https"}, {"Host", "r.example:8443"}}),
              "https://r.example:8443");
    EXPECT_EQ(base({{"X-Forwarded-Prefix", "/images/"}}), "/images");
    EXPECT_EQ(base({{"X-Forwarded-Host", "r.example"}, {"X-Forwarded-Prefix", "/a/b"}}),
              "http://r.example/a/b");
    EXPECT_EQ(base({{"X-Forwarded-Host", "r.example/evil"}}), "");
    EXPECT_EQ(base({{"X-Forwarded-Host", "r.example"}, {"X-Forwarded-Proto", "javascript"}}),
              "http://r.example");
    EXPECT_EQ(base({{"X-Forwarded-Prefix", "//evil.example"}}), "");
    EXPECT_EQ(base({{"X-Forwarded-Host", std::string(300, 'a')}}), "");
    EXPECT_EQ(kRules.base_of(with({{"X-Forwarded-Host", "r.example"}}), "10.0.0.1", true),
              "https://r.example");
    EXPECT_EQ(kRules.base_of(with({{"X-Forwarded-Host", "r.example"}}), "198.51.100.1", false), "");
}

// Goal: an origin is scheme, host and port and nothing a browser would not send (SEC-104).
TEST(Cors, OriginsAreExact) {
    for (const auto* origin : {"https://pages.example", "http://localhost:3000", "http://[::1]:80"})
        EXPECT_TRUE(is_origin(origin)) << origin;
    for (const auto* wrong :
         {"*", "null", "pages.example", "https://", "https://pages.example/", "ftp://pages.example",
          "https://Pages.example", "https://*.example", "https://a@b"})
        EXPECT_FALSE(is_origin(wrong)) << wrong;
}

}  // namespace
}  // namespace orbitalreg::frontend
