// What an upstream is asked, what of its answers is believed, and who sees the credentials: DIST-PROXY-04 to DIST-PROXY-09
// (DIST-PROXY-05, DIST-PROXY-06, DIST-PROXY-07, DIST-PROXY-08), DIST-PROXY-11, DIST-PROXY-17, DIST-PROXY-21; SEC-63, SEC-67.

#include "outbound/registry_upstream.h"

#include "outbound_world.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <tuple>

namespace orbitalreg::frontend {
namespace {

using Kind = engine::UpstreamFailure::Kind;

const Digest kDigest = Digest::of(DigestAlgorithm::sha256, as_bytes("blob"));
constexpr std::string_view kManifest = R"({"schemaVersion":2})";
constexpr std::string_view kManifestField =
    "Content-Type: application/vnd.oci.image.manifest.v1+json; charset=utf-8\r\n";

// A registry that wants a token of its own service, as all public ones do.
struct BearerRegistry {
    explicit BearerRegistry(std::string expiry = R"(,"expires_in":300)")
        : expires{std::move(expiry)} {}

    void answer(const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target.starts_with("/token")) {
            const auto number = std::to_string(++tokens);
            peer.answer(200, R"({"token":"t)" + number + '"' + expires + '}');
        } else if (request.field("authorization") != "Bearer t" + std::to_string(tokens)) {
            peer.answer(401, R"({"errors":[]})",
                        "WWW-Authenticate: Bearer realm=\"/token\",service=\"reg\","
                        "scope=\"repository:user/image:pull\"\r\n");
        } else {
            content(request, peer);
        }
    }
    ScriptedServer::Script script() {
        return [this](const SeenRequest& request, ScriptedPeer& peer) { answer(request, peer); };
    }

    std::string expires;
    std::atomic<int> tokens = 0;
    ScriptedServer::Script content = [](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(200, kManifest, kManifestField);
    };
};

// SEC-62: also of a redirect, and of where tokens are.
TEST(RegistryUpstream, TellsWhoeverAskedToKnowOfRefusedAddresses) {
    std::vector<std::string> told;
    TestClock clock;
    Metrics metrics;
    const auto outbound = make_outbound(
        {clock, null_log(), metrics, [&told](const std::string& why) { told.push_back(why); }});
    ScriptedServer server{[](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(307, "", "Location: http://169.254.169.254/latest\r\n");
    }};
    auto settings = settings_for(server);
    const auto ask = [&] {
        const auto upstream = outbound->factory().make(settings);
        return run(upstream->get_manifest(image("a"), reference("x"))).has_value();
    };
    EXPECT_FALSE(ask());
    settings.allow_networks = {};
    EXPECT_FALSE(ask());
    ASSERT_EQ(told.size(), 2U);
    EXPECT_NE(told[0].find("169.254.169.254"), std::string::npos) << told[0];
    EXPECT_NE(told[1].find("127.0.0.1"), std::string::npos) << told[1];
}

TEST(RegistryUpstream, BringsAManifestWithATokenOfItsService) {
    BearerRegistry registry;
    ScriptedServer server{registry.script()};
    World world;
    const auto upstream = world.upstream(server);
    const auto manifest = run(upstream->get_manifest(image("library/app"), reference("latest")));
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_EQ(as_text(manifest.value().bytes), kManifest);
    EXPECT_EQ(manifest.value().media_type, "application/vnd.oci.image.manifest.v1+json");
    const auto seen = server.seen();
    ASSERT_EQ(seen.size(), 3U);
    EXPECT_EQ(seen[0].target, "/v2/library/app/manifests/latest");
    EXPECT_EQ(seen[0].field("authorization"), "");
    EXPECT_EQ(seen[1].target, "/token?service=reg&scope=repository%3Alibrary%2Fapp%3Apull");
    EXPECT_EQ(seen[1].field("authorization"), "");
    EXPECT_EQ(seen[2].field("authorization"), "Bearer t1");
    EXPECT_EQ(server.connections(), 1) << "connections are used again";
}

TEST(RegistryUpstream, StreamsABlob) {
    BearerRegistry registry;
    std::string bytes(3'000'000, 'x');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 7);
    registry.content = [&](const SeenRequest&, ScriptedPeer& peer) { peer.answer(200, bytes); };
    ScriptedServer server{registry.script()};
    World world;
    const auto upstream = world.upstream(server);
    auto opened = run(upstream->open_blob(image("library/app"), kDigest, 0));
    ASSERT_TRUE(opened) << opened.error().message;
    auto& transfer = *opened.value();
    EXPECT_EQ(transfer.offset(), 0U);
    EXPECT_EQ(transfer.size_bytes(), bytes.size());
    const auto all = run(read_all(&transfer, 100'000));
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_TRUE(all.value() == bytes);
    EXPECT_EQ(server.seen().back().target, "/v2/library/app/blobs/" + kDigest.to_string());
}

TEST(RegistryUpstream, ATokenIsUsedUntilItIsOld) {
    for (const auto& [expires, early_s, late_s] :
         {std::tuple{R"(,"expires_in":300)", 200, 100}, std::tuple{"", 40, 20}}) {
        BearerRegistry registry{expires};
        ScriptedServer server{registry.script()};
        World world;
        const auto upstream = world.upstream(server);
        const auto ask = [&] { return run(upstream->get_manifest(image("a"), reference("x"))); };
        ASSERT_TRUE(ask());
        world.clock.leap_s(early_s);
        ASSERT_TRUE(ask());
        EXPECT_EQ(registry.tokens, 1);
        EXPECT_EQ(server.seen().size(), 4U) << "the token is sent at once";
        world.clock.leap_s(late_s);
        ASSERT_TRUE(ask());
        EXPECT_EQ(registry.tokens, 2);
        EXPECT_EQ(server.seen().size(), 6U) << "no 401 is needed to see that it is old";
        ASSERT_TRUE(run(upstream->get_manifest(image("b"), reference("x"))));
        EXPECT_EQ(registry.tokens, 3) << "a token is for one image";
    }
}

TEST(RegistryUpstream, ATokenThatIsNotTakenIsRenewedOnce) {
    BearerRegistry registry;
    ScriptedServer server{registry.script()};
    World world;
    const auto upstream = world.upstream(server);
    ASSERT_TRUE(run(upstream->get_manifest(image("a"), reference("x"))));
    registry.tokens = 7;  // none of those before is good any more
    ASSERT_TRUE(run(upstream->get_manifest(image("a"), reference("x"))));
    EXPECT_EQ(registry.tokens, 8);
}

TEST(RegistryUpstream, DeniedIsWhatAFreshTokenDoesNotCure) {
    BearerRegistry registry;
    ScriptedServer server{[&](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target.starts_with("/token")) return registry.answer(request, peer);
        peer.answer(401, "", "WWW-Authenticate: Bearer realm=\"/token\"\r\n");
    }};
    World world;
    const auto upstream = world.upstream(server);
    const auto got = run(upstream->get_manifest(image("a"), reference("x")));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, Kind::denied) << got.error().message;
    EXPECT_EQ(server.seen().size(), 3U);
    EXPECT_EQ(registry.tokens, 1);
}

TEST(RegistryUpstream, DeniedBy403AndByTheTokenService) {
    ScriptedServer forbidden{[](const SeenRequest&, ScriptedPeer& peer) { peer.answer(403); }};
    ScriptedServer no_token{[](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target.starts_with("/token")) return peer.answer(401, "who are you");
        peer.answer(401, "", "WWW-Authenticate: Bearer realm=\"/token\"\r\n");
    }};
    ScriptedServer silent{[](const SeenRequest&, ScriptedPeer& peer) { peer.answer(401); }};
    World world;
    for (const auto* server : {&forbidden, &no_token, &silent}) {
        const auto got = run(world.upstream(*server)->get_manifest(image("a"), reference("x")));
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().kind, Kind::denied) << got.error().message;
    }
}

Awaitable<void> head_into(std::shared_ptr<engine::Upstream> upstream, int* good, int* stopped) {
    auto asking = upstream->head_manifest(image("a"), reference("x"));
    const auto head = co_await std::move(asking);
    if (head) ++*good;
    if (!head && head.error().kind == Kind::stopped) ++*stopped;
}

TEST(RegistryUpstream, OneRequestForATokenServesAllWhoWait) {
    BearerRegistry registry;
    ScriptedServer server{registry.script()};
    World world;
    const auto upstream = world.upstream(server);
    ASSERT_TRUE(run(upstream->get_manifest(image("b"), reference("x"))));
    asio::io_context context;
    int good = 0;
    int stopped = 0;
    for (int i = 0; i < 10; ++i)
        asio::co_spawn(context, head_into(upstream, &good, &stopped), asio::detached);
    // Ten ask before the first answer is taken.
    context.poll();
    context.run();
    EXPECT_EQ(good, 10);
    EXPECT_EQ(registry.tokens, 2);
}

TEST(RegistryUpstream, StopReachesWhoWaitsForAToken) {
    std::mutex mutex;
    std::condition_variable asked;
    bool token_asked = false;
    ScriptedServer server{[&](const SeenRequest& request, ScriptedPeer& peer) {
        if (!request.target.starts_with("/token"))
            return peer.answer(401, "", "WWW-Authenticate: Bearer realm=\"/token\"\r\n");
        {
            const std::lock_guard lock{mutex};
            token_asked = true;
        }
        asked.notify_all();
        peer.wait_for_close();
    }};
    World world;
    const auto upstream = world.upstream(server);
    asio::io_context context;
    int good = 0;
    int stopped = 0;
    for (int i = 0; i < 5; ++i)
        asio::co_spawn(context, head_into(upstream, &good, &stopped), asio::detached);
    std::thread stopper{[&] {
        std::unique_lock lock{mutex};
        asked.wait(lock, [&] { return token_asked; });
        world.outbound->stop();
    }};
    context.run();
    stopper.join();
    EXPECT_EQ(good, 0);
    EXPECT_EQ(stopped, 5);
    const auto late = run(upstream->get_manifest(image("a"), reference("x")));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, Kind::stopped);
}

// SEC-63: the third host sees nothing at all.
TEST(RegistryUpstream, CredentialsGoToNoRealmElsewhere) {
    ScriptedServer third{
        [](const SeenRequest&, ScriptedPeer& peer) { peer.answer(200, R"({"token":"stolen"})"); }};
    ScriptedServer server{[&third](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.field("authorization") == "Bearer stolen") return peer.answer(200, kManifest);
        peer.answer(401, "",
                    "WWW-Authenticate: Bearer realm=\"" + third.url("/t", "localhost") + "\"\r\n");
    }};
    auto settings = settings_for(server);
    settings.username = "user";
    settings.password = "pass";
    World world;
    const auto got = run(world.upstream(settings)->get_manifest(image("a"), reference("x")));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, Kind::untrusted);
    EXPECT_NE(got.error().message.find("localhost"), std::string::npos) << got.error().message;
    EXPECT_EQ(third.connections(), 0);

    settings.auth_hosts = {"localhost"};
    ASSERT_TRUE(run(world.upstream(settings)->get_manifest(image("a"), reference("x"))));
    ASSERT_EQ(third.seen().size(), 1U);
    EXPECT_EQ(third.seen()[0].field("authorization"), "Basic dXNlcjpwYXNz");
    EXPECT_EQ(third.seen()[0].target, "/t?scope=repository%3Aa%3Apull");
    for (const auto& request : server.seen())
        EXPECT_FALSE(request.field("authorization").starts_with("Basic"));
}

TEST(RegistryUpstream, ATokenServiceDoesNotSendElsewhere) {
    ScriptedServer third{
        [](const SeenRequest&, ScriptedPeer& peer) { peer.answer(200, R"({"token":"stolen"})"); }};
    ScriptedServer server{[&third](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target.starts_with("/token"))
            return peer.answer(307, "", "Location: " + third.url() + "\r\n");
        peer.answer(401, "", "WWW-Authenticate: Bearer realm=\"/token\"\r\n");
    }};
    World world;
    const auto got = run(world.upstream(server)->get_manifest(image("a"), reference("x")));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, Kind::untrusted) << got.error().message;
    EXPECT_EQ(third.connections(), 0);
}

TEST(RegistryUpstream, TokenAnswersAreBoundedAndMustMakeSense) {
    for (const auto& answer : {std::string{"<html>"}, std::string{R"({"token":"a\r\nX: y"})"},
                               R"({"token":")" + std::string(70'000, 'x') + R"("})"}) {
        ScriptedServer server{[&answer](const SeenRequest& request, ScriptedPeer& peer) {
            if (request.target.starts_with("/token")) return peer.answer(200, answer);
            peer.answer(401, "", "WWW-Authenticate: Bearer realm=\"/token\"\r\n");
        }};
        World world;
        const auto got = run(world.upstream(server)->get_manifest(image("a"), reference("x")));
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().kind, Kind::untrusted) << got.error().message;
    }
}

TEST(RegistryUpstream, BasicIsForTheUpstreamItself) {
    ScriptedServer third{[](const SeenRequest&, ScriptedPeer& peer) { peer.answer(200, "blob"); }};
    ScriptedServer server{[&third](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.field("authorization") != "Basic dXNlcjpwYXNz")
            return peer.answer(401, "", "WWW-Authenticate: Basic realm=\"nexus\"\r\n");
        if (request.target.find("/blobs/") != std::string::npos)
            return peer.answer(302, "", "Location: " + third.url("/x?sig=s") + "\r\n");
        peer.answer(200, kManifest, kManifestField);
    }};
    auto settings = settings_for(server);
    World world;
    const auto anonymous = run(world.upstream(settings)->get_manifest(image("a"), reference("x")));
    ASSERT_FALSE(anonymous);
    EXPECT_EQ(anonymous.error().kind, Kind::denied);
    settings.username = "user";
    settings.password = "pass";
    const auto upstream = world.upstream(settings);
    ASSERT_TRUE(run(upstream->get_manifest(image("a"), reference("x"))));
    auto opened = run(upstream->open_blob(image("a"), kDigest, 3));
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened.value()->offset(), 0U) << "it offers no ranges";
    ASSERT_EQ(third.seen().size(), 1U);
    EXPECT_EQ(third.seen()[0].fields.count("authorization"), 0U);
    EXPECT_EQ(third.seen()[0].field("range"), "bytes=3-");
    EXPECT_EQ(server.seen().size(), 4U) << "once known, it is sent at once";
    settings.password = "wrong";
    const auto wrong = run(world.upstream(settings)->get_manifest(image("a"), reference("x")));
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().kind, Kind::denied);
    EXPECT_EQ(wrong.error().message.find("wrong"), std::string::npos);
}

TEST(RegistryUpstream, AsksForEveryKindOfManifest) {
    ScriptedServer server{[](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(
            200, "",
            "Docker-Content-Digest: " + kDigest.to_string() + "\r\nContent-Type: text/plain\r\n");
    }};
    World world;
    const auto upstream = world.upstream(server);
    const auto head = run(upstream->head_manifest(image("a/b"), reference(kDigest.to_string())));
    ASSERT_TRUE(head) << head.error().message;
    EXPECT_EQ(head.value().digest, kDigest);
    EXPECT_EQ(head.value().media_type, "text/plain");
    const auto seen = server.seen().at(0);
    EXPECT_EQ(seen.method, "HEAD");
    EXPECT_EQ(seen.target, "/v2/a/b/manifests/" + kDigest.to_string());
    EXPECT_EQ(seen.field("accept-encoding"), "identity");
    for (const auto* type :
         {"oci.image.index.v1+json", "oci.image.manifest.v1+json",
          "docker.distribution.manifest.list.v2+json", "docker.distribution.manifest.v2+json"})
        EXPECT_NE(seen.field("accept").find(type), std::string::npos) << type;
}

TEST(RegistryUpstream, AHeadMaySayNothing) {
    for (const unsigned status : {200U, 405U, 501U}) {
        ScriptedServer server{[status](const SeenRequest&, ScriptedPeer& peer) {
            peer.answer(status, "", "Docker-Content-Digest: sha256:none\r\n");
        }};
        World world;
        const auto head = run(world.upstream(server)->head_manifest(image("a"), reference("x")));
        ASSERT_TRUE(head) << head.error().message;
        EXPECT_FALSE(head.value().digest);
    }
}

TEST(RegistryUpstream, ManifestsAreBounded) {
    const std::string large(kUpstreamManifestMax + 1, ' ');
    for (const bool announced : {true, false}) {
        ScriptedServer server{[&](const SeenRequest&, ScriptedPeer& peer) {
            if (announced) return peer.answer(200, large);
            peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while (peer.send(large)) {
            }
            peer.close();
        }};
        World world;
        const auto got = run(world.upstream(server)->get_manifest(image("a"), reference("x")));
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().kind, Kind::untrusted) << got.error().message;
    }
    const std::string largest(kUpstreamManifestMax, ' ');
    ScriptedServer server{
        [&](const SeenRequest&, ScriptedPeer& peer) { peer.answer(200, largest, kManifestField); }};
    World world;
    EXPECT_TRUE(run(world.upstream(server)->get_manifest(image("a"), reference("x"))));
}

TEST(RegistryUpstream, ManifestsOfSchema1AreAsIfTheyWereNot) {
    for (const auto* type : {"application/vnd.docker.distribution.manifest.v1+prettyjws",
                             "application/vnd.docker.distribution.manifest.v1+json", "text/plain",
                             "application/json; charset=utf-8"}) {
        ScriptedServer server{[type](const SeenRequest&, ScriptedPeer& peer) {
            peer.answer(200, R"({"schemaVersion":1,"name":"a"})",
                        std::string{"Content-Type: "} + type + "\r\n");
        }};
        World world;
        const auto got = run(world.upstream(server)->get_manifest(image("a"), reference("x")));
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().kind, Kind::not_found);
        EXPECT_NE(got.error().message.find("schema 1"), std::string::npos);
    }
}

// A script for a status, and what kind of failure it is.
TEST(RegistryUpstream, StatusesMeanWhatTheySay) {
    const struct {
        unsigned status;
        std::string_view fields;
        Kind kind;
        std::optional<std::int64_t> retry_after_ms;
    } cases[] = {
        {404, "", Kind::not_found, {}},
        {410, "", Kind::not_found, {}},
        {403, "Retry-After: 5\r\n", Kind::denied, {}},
        {429, "", Kind::throttled, {}},
        {429, "Retry-After: 120\r\n", Kind::throttled, 120'000},
        {429, "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n", Kind::throttled, 0},
        {500, "", Kind::unavailable, {}},
        {503, "Retry-After: 7\r\n", Kind::unavailable, 7'000},
        {400, "", Kind::untrusted, {}},
        {302, "", Kind::untrusted, {}},
        {304, "", Kind::untrusted, {}},
        {204, "", Kind::untrusted, {}},
    };
    for (const auto& [status, fields, kind, retry_after_ms] : cases) {
        ScriptedServer server{
            [status = status, fields = fields](const SeenRequest&, ScriptedPeer& peer) {
                if (status != 204 && status != 304) return peer.answer(status, "words", fields);
                peer.send("HTTP/1.1 " + std::to_string(status) + " Scripted\r\n\r\n");
            }};
        World world;
        const auto got = run(world.upstream(server)->get_manifest(image("a"), reference("x")));
        ASSERT_FALSE(got) << status;
        EXPECT_EQ(got.error().kind, kind) << status << ' ' << got.error().message;
        EXPECT_EQ(got.error().retry_after_ms, retry_after_ms) << status;
    }
}

TEST(RegistryUpstream, WhoCannotBeReachedIsUnavailableOrForbidden) {
    std::string gone;
    {
        const ScriptedServer server{[](const SeenRequest&, ScriptedPeer&) {}};
        gone = server.url();
    }
    ScriptedServer hasty{[](const SeenRequest&, ScriptedPeer& peer) { peer.close(); }};
    const auto kind_of = [](engine::RemoteSettings settings) {
        World world;
        const auto got = run(world.upstream(settings)->get_manifest(image("a"), reference("x")));
        EXPECT_FALSE(got);
        return got.error().kind;
    };
    auto settings = settings_for(hasty);
    EXPECT_EQ(kind_of(settings), Kind::unavailable);
    settings.url = gone;
    EXPECT_EQ(kind_of(settings), Kind::unavailable);
    settings.url = "http://no-such-host.invalid";
    EXPECT_EQ(kind_of(settings), Kind::unavailable);
    settings = settings_for(hasty);
    settings.allow_networks.clear();
    EXPECT_EQ(kind_of(settings), Kind::untrusted);
    settings.allow_networks = {"127.0.0.0/8"};
    settings.url = "https://127.0.0.1:" + hasty.port();
    settings.connect_timeout_ms = 200;
    EXPECT_EQ(kind_of(settings), Kind::unavailable) << "nobody there speaks TLS";
}

TEST(RegistryUpstream, BlobsAreLookedAtWithoutTheirBytes) {
    const struct {
        ScriptedServer::Script script;
        std::optional<std::uint64_t> size;
        int requests;
    } cases[] = {
        {[](const SeenRequest&, ScriptedPeer& peer) {
             peer.send("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
         },
         12'345, 1},
        {[](const SeenRequest& request, ScriptedPeer& peer) {
             if (request.method == "HEAD") return peer.answer(405);
             EXPECT_EQ(request.field("range"), "bytes=0-0");
             peer.answer(206, "x", "Content-Range: bytes 0-0/777\r\n");
         },
         777, 2},
        {[](const SeenRequest& request, ScriptedPeer& peer) {
             if (request.method == "HEAD") return peer.answer(405);
             peer.answer(416, "", "Content-Range: bytes */0\r\n");
         },
         0, 2},
        {[](const SeenRequest& request, ScriptedPeer& peer) {
             if (request.method == "HEAD") return peer.answer(405);
             peer.answer(200, "whole");
         },
         5, 2},
    };
    for (const auto& [script, size, requests] : cases) {
        ScriptedServer server{script};
        World world;
        const auto got = run(world.upstream(server)->head_blob(image("a"), kDigest));
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(got.value(), size);
        EXPECT_EQ(server.seen().size(), static_cast<std::size_t>(requests));
    }
}

TEST(RegistryUpstream, SignedUrlsMayRefuseHead) {
    ScriptedServer cdn{[](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.method == "HEAD") return peer.answer(403);
        peer.answer(206, "x", "Content-Range: bytes 0-0/99\r\n");
    }};
    ScriptedServer server{[&cdn](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(307, "", "Location: " + cdn.url("/b?X-Sig=secret") + "\r\n");
    }};
    World world;
    const auto upstream = world.upstream(server);
    const auto size = run(upstream->head_blob(image("a"), kDigest));
    ASSERT_TRUE(size) << size.error().message;
    EXPECT_EQ(size.value(), 99U);

    ScriptedServer refusing{[](const SeenRequest&, ScriptedPeer& peer) { peer.answer(403); }};
    ScriptedServer to_refusing{[&refusing](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(307, "", "Location: " + refusing.url("/b?X-Sig=secret") + "\r\n");
    }};
    const auto got = run(world.upstream(to_refusing)->open_blob(image("a"), kDigest, 0));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, Kind::unavailable) << "no word of the upstream's about rights";
    EXPECT_EQ(got.error().message.find("secret"), std::string::npos) << got.error().message;
}

TEST(RegistryUpstream, GoesOnWithinABlob) {
    const std::string blob = "0123456789";
    const struct {
        unsigned status;
        std::string_view fields;
        std::string_view body;
        std::optional<std::uint64_t> offset;  // none: untrusted
        std::optional<std::uint64_t> size;
        std::string_view bytes;
    } cases[] = {
        {206, "Content-Range: bytes 4-9/10\r\n", "456789", 4, 10, "456789"},
        {206, "Content-Range: bytes 4-9/*\r\n", "456789", 4, 10, "456789"},
        {200, "", blob, 0, 10, blob},
        {206, "Content-Range: bytes 3-9/10\r\n", "3456789", {}, {}, ""},
        {206, "Content-Range: bytes 4-8/10\r\n", "45678", {}, {}, ""},
        {206, "Content-Range: nonsense\r\n", "456789", {}, {}, ""},
        {206, "", "456789", {}, {}, ""},
        {416, "Content-Range: bytes */4\r\n", "no such range", 4, 4, ""},
        {416, "Content-Range: bytes */3\r\n", "", {}, {}, ""},
        {416, "", "", {}, {}, ""},
    };
    for (const auto& [status, fields, body, offset, size, bytes] : cases) {
        ScriptedServer server{
            [status = status, fields = fields, body = body](
                const SeenRequest&, ScriptedPeer& peer) { peer.answer(status, body, fields); }};
        World world;
        auto opened = run(world.upstream(server)->open_blob(image("a"), kDigest, 4));
        EXPECT_EQ(server.seen().at(0).field("range"), "bytes=4-");
        if (!offset) {
            ASSERT_FALSE(opened) << status << fields;
            EXPECT_EQ(opened.error().kind, Kind::untrusted) << opened.error().message;
            continue;
        }
        ASSERT_TRUE(opened) << opened.error().message;
        EXPECT_EQ(opened.value()->offset(), *offset);
        EXPECT_EQ(opened.value()->size_bytes(), size);
        const auto all = run(read_all(opened.value().get(), 4));
        ASSERT_TRUE(all) << all.error().message;
        EXPECT_EQ(all.value(), bytes);
    }
}

TEST(RegistryUpstream, APartThatWasNotAskedForIsNone) {
    ScriptedServer server{[](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(206, "01234", "Content-Range: bytes 0-4/10\r\n");
    }};
    World world;
    const auto opened = run(world.upstream(server)->open_blob(image("a"), kDigest, 0));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, Kind::untrusted);
    EXPECT_EQ(server.seen().at(0).fields.count("range"), 0U);
}

TEST(RegistryUpstream, ABlobThatEndsEarlyIsUnavailable) {
    // With a length, by the connection; of a part, by the range.
    for (const auto* head :
         {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
          "HTTP/1.1 206 Partial\r\nContent-Range: bytes 4-99/100\r\nConnection: close\r\n\r\n"}) {
        ScriptedServer server{[head](const SeenRequest&, ScriptedPeer& peer) {
            peer.send(head);
            peer.send("some");
            peer.close();
        }};
        World world;
        auto opened = run(world.upstream(server)->open_blob(image("a"), kDigest, 4));
        ASSERT_TRUE(opened) << opened.error().message;
        std::vector<std::byte> room(100);
        const auto first = run(opened.value()->read(room));
        ASSERT_TRUE(first) << "what came is not lost";
        EXPECT_EQ(first.value(), 4U);
        const auto second = run(opened.value()->read(room));
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().kind, Kind::unavailable);
    }
}

TEST(RegistryUpstream, ListsTagsPageByPage) {
    ScriptedServer server{[](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target.find("next_page=q7") != std::string::npos)
            return peer.answer(200, R"({"tags":["b"]})");
        peer.answer(200, R"({"tags":["z","y"]})",
                    "Link: </v2/library/a/tags/list?next_page=q7>; rel=\"next\"\r\n");
    }};
    World world;
    auto settings = settings_for(server);
    settings.library_prefix = true;
    const auto upstream = world.upstream(settings);
    const auto first = run(upstream->list_tags(image("a"), "", 2));
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first.value().tags, (std::vector<std::string>{"z", "y"}));
    EXPECT_TRUE(first.value().more);
    const auto second = run(upstream->list_tags(image("a"), "y", 2));
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(second.value().tags, std::vector<std::string>{"b"});
    EXPECT_FALSE(second.value().more);
    EXPECT_EQ(server.seen().at(0).target, "/v2/library/a/tags/list?n=2");
    EXPECT_EQ(server.seen().at(1).target, "/v2/library/a/tags/list?next_page=q7");
    static_cast<void>(run(upstream->list_tags(image("a"), "k", 5)));
    EXPECT_EQ(server.seen().at(2).target, "/v2/library/a/tags/list?n=5&last=k");
}

TEST(RegistryUpstream, TheNextPageOfTagsIsAtTheSamePlace) {
    ScriptedServer third{
        [](const SeenRequest&, ScriptedPeer& peer) { peer.answer(200, R"({"tags":["evil"]})"); }};
    ScriptedServer server{[&third](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(200, R"({"tags":["a"]})", "Link: <" + third.url("/x") + ">; rel=\"next\"\r\n");
    }};
    World world;
    const auto got = run(world.upstream(server)->list_tags(image("a"), "", 10));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, Kind::untrusted);
    EXPECT_EQ(third.connections(), 0);
}

TEST(RegistryUpstream, ListsOfTagsAreBoundedAndMustMakeSense) {
    for (const auto& body :
         {std::string{"<html>"}, R"({"tags":[")" + std::string(kUpstreamTagsMax, 'x') + "\"]}"}) {
        ScriptedServer server{
            [&body](const SeenRequest&, ScriptedPeer& peer) { peer.answer(200, body); }};
        World world;
        const auto got = run(world.upstream(server)->list_tags(image("a"), "", 10));
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().kind, Kind::untrusted);
    }
}

TEST(RegistryUpstream, ReferrersWhereTheUpstreamKnowsThem) {
    constexpr std::string_view kIndex = R"({"schemaVersion":2,"manifests":[]})";
    const struct {
        unsigned status;
        std::string_view fields;
        std::optional<Kind> kind;
    } cases[] = {
        {200, "Content-Type: application/vnd.oci.image.index.v1+json\r\n", {}},
        {200, "Content-Type: text/html\r\n", Kind::unsupported},
        {200, "", Kind::unsupported},
        {404, "Content-Type: application/json\r\n", Kind::unsupported},
        {500, "", Kind::unavailable},
    };
    for (const auto& [status, fields, kind] : cases) {
        ScriptedServer server{
            [status = status, fields = fields](const SeenRequest&, ScriptedPeer& peer) {
                peer.answer(status, kIndex, fields);
            }};
        World world;
        const auto got = run(world.upstream(server)->get_referrers(image("a"), kDigest));
        EXPECT_EQ(server.seen().at(0).target, "/v2/a/referrers/" + kDigest.to_string());
        if (!kind) {
            ASSERT_TRUE(got) << got.error().message;
            EXPECT_EQ(as_text(got.value().bytes), kIndex);
        } else {
            ASSERT_FALSE(got);
            EXPECT_EQ(got.error().kind, *kind);
        }
    }
}

TEST(RegistryUpstream, ReferrersInPagesAreOneIndex) {
    constexpr std::string_view kType = "Content-Type: application/vnd.oci.image.index.v1+json\r\n";
    ScriptedServer server{[&](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target.ends_with("page=2"))
            return peer.answer(200, R"({"schemaVersion":2,"manifests":[{"size":3}]})", kType);
        peer.answer(200, R"({"schemaVersion":2,"manifests":[{"size":1},{"size":2}]})",
                    std::string{kType} + "Link: <?page=2>; rel=\"next\"\r\n");
    }};
    World world;
    const auto got = run(world.upstream(server)->get_referrers(image("a"), kDigest));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(as_text(got.value().bytes),
              R"({"schemaVersion":2,"manifests":[{"size":1},{"size":2},{"size":3}]})");
}

TEST(RegistryUpstream, ReferrersEndAndStayAtOnePlace) {
    constexpr std::string_view kType = "Content-Type: application/vnd.oci.image.index.v1+json\r\n";
    for (const auto* link : {"<?again>; rel=\"next\"", "<http://127.0.0.2/>; rel=\"next\""}) {
        ScriptedServer server{[&](const SeenRequest&, ScriptedPeer& peer) {
            peer.answer(200, R"({"manifests":[]})", std::string{kType} + "Link: " + link + "\r\n");
        }};
        World world;
        const auto got = run(world.upstream(server)->get_referrers(image("a"), kDigest));
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().kind, Kind::untrusted);
        EXPECT_LE(server.seen().size(), kUpstreamReferrersPagesMax);
    }
}

TEST(RegistryUpstream, KeepsWhatIsSaidOfTheBudget) {
    ScriptedServer server{[](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target.ends_with("/none")) return peer.answer(200, kManifest, kManifestField);
        peer.answer(429, "{}",
                    "RateLimit-Limit: 100;w=21600\r\nRateLimit-Remaining: 0;w=21600\r\n");
    }};
    World world;
    const auto upstream = world.upstream(server);
    EXPECT_FALSE(upstream->budget().remaining);
    const auto got = run(upstream->get_manifest(image("a"), reference("x")));
    ASSERT_FALSE(got);
    ASSERT_TRUE(run(upstream->get_manifest(image("a"), reference("none"))));
    const auto budget = upstream->budget();
    EXPECT_EQ(budget.limit, 100U);
    EXPECT_EQ(budget.remaining, 0U);
    EXPECT_EQ(budget.window_s, 21'600U);
    EXPECT_GT(budget.seen_steady_ms, 0);
    const auto text = world.metrics.render();
    const auto remote = "{remote=\"127.0.0.1:" + server.port() + '"';
    for (const auto& line :
         {"orbitalreg_proxy_upstream_budget_remaining" + remote + "} 0\n",
          "orbitalreg_proxy_upstream_requests_total" + remote + ",result=\"throttled\"} 1\n",
          "orbitalreg_proxy_upstream_requests_total" + remote + ",result=\"ok\"} 1\n",
          "orbitalreg_proxy_upstream_transfers" + remote + "} 0\n"})
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

}  // namespace
}  // namespace orbitalreg::frontend
