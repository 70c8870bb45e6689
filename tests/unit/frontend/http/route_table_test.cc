// Routes are matched from the right: names may contain every word that routes are made of. DIST-GEN-01 to 08, SEC-03.

#include "http/route_table.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

struct Expected {
    const char* path;
    Route route;
    const char* name;
    const char* reference;
};

class RegistryRoute : public testing::TestWithParam<Expected> {};

TEST_P(RegistryRoute, IsFoundFromTheRight) {
    const auto target = parse_target(GetParam().path);
    const auto match = match_registry(target);
    EXPECT_EQ(to_string(match.route), to_string(GetParam().route)) << GetParam().path;
    EXPECT_EQ(match.name, GetParam().name) << GetParam().path;
    EXPECT_EQ(match.reference, GetParam().reference) << GetParam().path;
}

INSTANTIATE_TEST_SUITE_P(
    All, RegistryRoute,
    testing::Values(
        Expected{"/v2/", Route::ping, "", ""}, Expected{"/v2", Route::ping, "", ""},
        Expected{"/v2/_catalog", Route::catalog, "", ""},
        Expected{"/v2/_oci/x", Route::none, "", ""},
        Expected{"/v2/_x/tags/list", Route::none, "", ""}, Expected{"/", Route::none, "", ""},
        Expected{"/v1/_ping", Route::none, "", ""}, Expected{"//v2/", Route::none, "", ""},
        Expected{"/v2/a", Route::none, "", ""}, Expected{"/V2/a/tags/list", Route::none, "", ""},
        Expected{"/v2/a/blobs/sha256:1", Route::blob, "a", "sha256:1"},
        Expected{"/v2/a/b/c/blobs/sha256%3A1", Route::blob, "a/b/c", "sha256:1"},
        Expected{"/v2/a/blobs/uploads/", Route::uploads, "a", ""},
        Expected{"/v2/a/blobs/uploads", Route::uploads, "a", ""},
        Expected{"/v2/a/blobs/uploads/x-1", Route::upload, "a", "x-1"},
        Expected{"/v2/a/manifests/latest", Route::manifest, "a", "latest"},
        Expected{"/v2/a/tags/list", Route::tags, "a", ""},
        Expected{"/v2/a/tags/list/", Route::tags, "a", ""},
        Expected{"/v2/a/referrers/sha256:1", Route::referrers, "a", "sha256:1"},
        // Routing words in names.
        Expected{"/v2/a/manifests/b/manifests/latest", Route::manifest, "a/manifests/b", "latest"},
        Expected{"/v2/a/blobs/uploads/manifests/latest", Route::manifest, "a/blobs/uploads",
                 "latest"},
        Expected{"/v2/a/blobs/uploads/blobs/uploads/", Route::uploads, "a/blobs/uploads", ""},
        Expected{"/v2/a/blobs/uploads/tags/list", Route::tags, "a/blobs/uploads", ""},
        Expected{"/v2/a/blobs/uploads/referrers/sha256:1", Route::referrers, "a/blobs/uploads",
                 "sha256:1"},
        Expected{"/v2/blobs/uploads/blobs/sha256:1", Route::blob, "blobs/uploads", "sha256:1"},
        Expected{"/v2/tags/list/tags/list", Route::tags, "tags/list", ""},
        Expected{"/v2/manifests/manifests/manifests", Route::manifest, "manifests", "manifests"},
        Expected{"/v2/a/manifests/uploads", Route::manifest, "a", "uploads"},
        Expected{"/v2/a/manifests/list", Route::manifest, "a", "list"},
        // No name, or one with an empty component: found, for the grammar of names to refuse.
        Expected{"/v2/manifests/latest", Route::manifest, "", "latest"},
        Expected{"/v2//manifests/latest", Route::manifest, "", "latest"},
        Expected{"/v2/a//manifests/latest", Route::manifest, "a/", "latest"},
        Expected{"/v2/a/manifests/", Route::none, "", ""},
        Expected{"/v2/a/blobs/", Route::none, "", ""}));

TEST(RouteTable, NamesTheMethodsOfARoute) {
    EXPECT_EQ(allowed_methods(Route::blob), "GET, HEAD, DELETE");
    EXPECT_EQ(allowed_methods(Route::uploads), "POST");
    EXPECT_EQ(allowed_methods(Route::upload), "GET, HEAD, PUT, PATCH, DELETE");
    EXPECT_FALSE(method_allowed(Route::tags, Method::delete_));
    EXPECT_FALSE(method_allowed(Route::ping, Method::other));
}

TEST(RouteTable, SystemActionsLieBesideTheRegistry) {
    EXPECT_EQ(match_registry(parse_target("/api/v1/system/gc?dry_run=true")).route,
              Route::system_gc);
    const auto blob = match_registry(parse_target("/api/v1/system/gc/sha256:ab"));
    EXPECT_EQ(blob.route, Route::system_gc_blob);
    EXPECT_EQ(blob.reference, "sha256:ab");
    EXPECT_EQ(match_registry(parse_target("/api/v1/system/stats?files=true")).route,
              Route::system_stats);
    EXPECT_EQ(match_registry(parse_target("/api/v1/system/compaction")).route,
              Route::system_compaction);
    EXPECT_EQ(match_registry(parse_target("/api/v1/system/scrub")).route, Route::system_scrub);
    EXPECT_EQ(match_registry(parse_target("/api/v1/system/scrub/1")).route, Route::none);
    EXPECT_EQ(match_registry(parse_target("/api/v1/system/gc/")).route, Route::none);
    EXPECT_EQ(match_registry(parse_target("/api/v1/system")).route, Route::none);
    EXPECT_EQ(allowed_methods(Route::system_gc), "GET, POST");
}

TEST(RouteTable, TokensAndManagementLieBesideTheRegistry) {
    const auto route = [](std::string_view target) {
        return match_registry(parse_target(target)).route;
    };
    EXPECT_EQ(route("/token?service=x"), Route::token);
    EXPECT_EQ(route("/oauth2/token"), Route::token);
    EXPECT_EQ(route("/.well-known/jwks.json"), Route::jwks);
    EXPECT_EQ(route("/api/v1/projects/a/members/user%3Aalice"), Route::management);
    for (const auto* target : {"/token/", "/token/x", "/oauth2", "/.well-known", "/api/v1", "/api",
                               "/api/v2/users", "/v1/token"}) {
        EXPECT_EQ(route(target), Route::none) << target;
    }
    // Names of the registry may hold any of these words.
    EXPECT_EQ(route("/v2/token/manifests/x"), Route::manifest);
    EXPECT_EQ(route("/v2/api/v1/users/manifests/x"), Route::manifest);
}

TEST(RouteTable, AdminHasItsOwn) {
    EXPECT_EQ(match_admin(parse_target("/livez")).route, Route::livez);
    EXPECT_EQ(match_admin(parse_target("/readyz?verbose")).route, Route::readyz);
    EXPECT_EQ(match_admin(parse_target("/metrics")).route, Route::metrics);
    EXPECT_EQ(match_admin(parse_target("/v2/")).route, Route::none);
    EXPECT_EQ(match_registry(parse_target("/metrics")).route, Route::none)
        << "SEC-107: on a listener of its own";
}

}  // namespace
}  // namespace orbitalreg::frontend
