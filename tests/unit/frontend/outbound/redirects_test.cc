// Where a redirect leads, and what goes along (SEC-64, DIST-PROXY-10).

#include "outbound/redirects.h"

#include "outbound/http_url.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

HttpRequest request_to(std::string url, std::string method = "GET") {
    HttpRequest request{std::move(method), std::move(url), {}, {}};
    request.headers = {
        {"AUTHORIZATION", "s"}, {"cookie", "s"}, {"Proxy-Authorization", "s"}, {"Range", "r"}};
    return request;
}

TEST(Redirects, OfGetAndHeadAlone) {
    for (const unsigned status : {301U, 302U, 303U, 307U, 308U}) {
        EXPECT_TRUE(is_redirect(request_to("https://h/"), status));
        EXPECT_TRUE(is_redirect(request_to("https://h/", "HEAD"), status));
        EXPECT_FALSE(is_redirect(request_to("https://h/", "POST"), status));
    }
    for (const unsigned status : {200U, 300U, 304U, 305U, 306U, 401U})
        EXPECT_FALSE(is_redirect(request_to("https://h/"), status));
}

TEST(Redirects, CredentialsStayWithTheOrigin) {
    const struct {
        const char* location;
        bool same;
    } cases[] = {{"/b", true},
                 {"https://H/b", true},
                 {"https://h:443/b", true},
                 {"//h/b", true},
                 {"https://h:444/b", false},
                 {"https://i/b", false},
                 {"https://h.i/b", false},
                 {"//i/b", false}};
    for (const auto& [location, same] : cases) {
        const auto hop = next_hop(request_to("https://h/a", "HEAD"), location);
        ASSERT_TRUE(hop.request) << location << ' ' << hop.fault;
        EXPECT_EQ(hop.request->method, "HEAD");
        EXPECT_EQ(hop.request->headers.size(), same ? 4U : 1U) << location;
        EXPECT_EQ(hop.request->headers.back(), (HttpHeader{"Range", "r"}));
    }
    const auto up = next_hop(request_to("http://h/a"), "https://h/a");
    ASSERT_TRUE(up.request);
    EXPECT_EQ(up.request->headers.size(), 1U) << "another scheme";
}

TEST(Redirects, NeverDownOrNowhere) {
    for (const auto* location : {"http://h/a", "http://i/", "ftp://h/", "https://u:p@h/", "",
                                 "https://", "https://h/\r\nX: y", "https://h b/"})
        EXPECT_FALSE(next_hop(request_to("https://h/a"), location).request) << location;
    EXPECT_FALSE(next_hop(request_to("https://h/a"), std::nullopt).request);
}

TEST(Redirects, AreResolvedAgainstTheRequest) {
    const auto resolved = [](std::string_view location) {
        return resolve_url("https://h/v2/a/blobs/x?y=z", location).value_or("");
    };
    EXPECT_EQ(resolved("https://cdn/b?s=%2F#frag"), "https://cdn/b?s=%2F");
    EXPECT_EQ(resolved("y"), "https://h/v2/a/blobs/y");
    EXPECT_EQ(resolved("../y"), "https://h/v2/a/y");
    EXPECT_EQ(resolved("?q"), "https://h/v2/a/blobs/x?q");
}

}  // namespace
}  // namespace orbitalreg::frontend
