// Which addresses the outbound client connects to (SEC-62): by what they are, however they are written.

#include "outbound/address_rules.h"

#include "base/asio.h"

#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

std::string refusal_of(const AddressRules& rules, const std::string& text) {
    const asio::ip::tcp::endpoint endpoint{asio::ip::make_address(text), 443};
    return rules.refusal(endpoint.data());
}

TEST(AddressRules, RefuseWhatIsNotPublic) {
    const AddressRules rules{false, {}};
    for (const auto* text : {"0.0.0.0",
                             "0.1.2.3",
                             "10.0.0.1",
                             "100.64.0.1",
                             "100.127.255.255",
                             "127.0.0.1",
                             "127.255.0.9",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.0.0.8",
                             "192.0.2.1",
                             "192.88.99.1",
                             "192.168.1.1",
                             "198.18.0.1",
                             "198.51.100.7",
                             "203.0.113.9",
                             "224.0.0.1",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::7f00:1",
                             "::ffff:127.0.0.1",
                             "::ffff:8.8.8.8",
                             "::ffff:0:7f00:1",
                             "64:ff9b::7f00:1",
                             "64:ff9b::808:808",
                             "64:ff9b:1::1",
                             "100::1",
                             "2001::1",
                             "2001:0:4136:e378::1",
                             "2001:10::1",
                             "2001:db8::1",
                             "2002:7f00:1::",
                             "2002:a00:1::1",
                             "3fff::1",
                             "4000::1",
                             "fc00::1",
                             "fd12:3456::1",
                             "fe80::1",
                             "fec0::1",
                             "ff02::1"}) {
        EXPECT_NE(refusal_of(rules, text), "") << text;
    }
    for (const auto* text : {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255",
                             "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1",
                             "223.255.255.255", "2606:4700::1111", "2a00:1450::1"}) {
        EXPECT_EQ(refusal_of(rules, text), "") << text;
    }
}

TEST(AddressRules, SayWhatKindItIs) {
    const AddressRules rules{false, {}};
    EXPECT_EQ(refusal_of(rules, "169.254.169.254"),
              "the address 169.254.169.254 is not a public one (link-local) and not in a network "
              "that is allowed");
    EXPECT_EQ(refusal_of(rules, "::ffff:10.1.2.3"),
              "the address ::ffff:10.1.2.3 is not a public one (private) and not in a network that "
              "is allowed");
}

TEST(AddressRules, AllowExactNetworks) {
    const AddressRules rules{false, {"10.1.0.0/16", "fd00:1::/32", "127.0.0.1", "no network"}};
    EXPECT_EQ(refusal_of(rules, "10.1.255.1"), "");
    EXPECT_NE(refusal_of(rules, "10.2.0.1"), "");
    EXPECT_EQ(refusal_of(rules, "fd00:1::7"), "");
    EXPECT_NE(refusal_of(rules, "fd00:2::7"), "");
    EXPECT_EQ(refusal_of(rules, "127.0.0.1"), "");
    EXPECT_NE(refusal_of(rules, "127.0.0.2"), "");
    EXPECT_NE(refusal_of(rules, "::1"), "");
    EXPECT_EQ(refusal_of(rules, "8.8.8.8"), "") << "public addresses need no word";
}

TEST(AddressRules, AnyAddressIsAnyOfTwoFamilies) {
    const AddressRules rules{true, {}};
    EXPECT_EQ(refusal_of(rules, "127.0.0.1"), "");
    EXPECT_EQ(refusal_of(rules, "fe80::1"), "");
    sockaddr local{};
    local.sa_family = AF_UNIX;
    EXPECT_NE(rules.refusal(&local), "");
}

}  // namespace
}  // namespace orbitalreg::frontend
