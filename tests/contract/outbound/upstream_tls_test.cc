// Upstreams over TLS: which certificates are believed, and for whom a check may be left out (SEC-65); redirects that give up
// TLS (SEC-64); proxies that see none of it.

#include "outbound_world.h"
#include "support/tls_front.h"

#include <cstdio>
#include <fstream>
#include <unistd.h>

namespace orbitalreg::frontend {
namespace {

using Kind = engine::UpstreamFailure::Kind;

constexpr const char* kBothNames = "DNS:localhost,IP:127.0.0.1";

class PemFile {
public:
    explicit PemFile(const std::string& text)
        : path_{testing::TempDir() + "upstream_ca_" + std::to_string(::getpid()) + ".pem"} {
        std::ofstream{path_} << text;
    }
    ~PemFile() { std::remove(path_.c_str()); }
    PemFile(const PemFile&) = delete;
    PemFile& operator=(const PemFile&) = delete;
    const std::string& path() const { return path_; }

private:
    const std::string path_;
};

std::uint16_t port_of(const ScriptedServer& server) {
    return static_cast<std::uint16_t>(std::stoul(server.port()));
}

ScriptedServer::Script manifest_script() {
    return [](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(200, "{}", "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n");
    };
}

engine::RemoteSettings settings_for(const TlsFront& front, const std::string& host = "127.0.0.1") {
    engine::RemoteSettings settings;
    settings.url = front.url(host);
    settings.allow_networks = {"127.0.0.0/8", "::1"};
    return settings;
}

// Nothing: the manifest came.
std::optional<Kind> failure_with(const engine::RemoteSettings& settings) {
    World world;
    const auto got = run(world.upstream(settings)->get_manifest(image("a"), reference("x")));
    if (got) return std::nullopt;
    EXPECT_FALSE(got.error().message.empty());
    return got.error().kind;
}

TEST(UpstreamTls, AnAuthorityOfOnesOwn) {
    ScriptedServer server{manifest_script()};
    const TlsFront front{port_of(server), kBothNames};
    const TlsFront other{port_of(server), kBothNames};
    auto settings = settings_for(front);
    EXPECT_EQ(failure_with(settings), Kind::unavailable);
    EXPECT_TRUE(server.seen().empty()) << "nothing is sent to who cannot prove who it is";
    const PemFile authority{front.authority_pem()};
    settings.ca_file = authority.path();
    EXPECT_EQ(failure_with(settings), std::nullopt);
    auto wrong = settings_for(other);
    wrong.ca_file = authority.path();
    EXPECT_EQ(failure_with(wrong), Kind::unavailable);
}

TEST(UpstreamTls, TheNameMustBeInTheCertificate) {
    ScriptedServer server{manifest_script()};
    const TlsFront front{port_of(server), "DNS:registry.example,DNS:localhost"};
    const PemFile authority{front.authority_pem()};
    auto settings = settings_for(front);
    settings.ca_file = authority.path();
    EXPECT_EQ(failure_with(settings), Kind::unavailable);
    settings = settings_for(front, "localhost");
    settings.ca_file = authority.path();
    EXPECT_EQ(failure_with(settings), std::nullopt);
}

TEST(UpstreamTls, ACheckIsLeftOutForTheUpstreamAlone) {
    ScriptedServer server{manifest_script()};
    const TlsFront front{port_of(server), "DNS:else.example"};
    auto settings = settings_for(front);
    settings.insecure_skip_verify = true;
    EXPECT_EQ(failure_with(settings), std::nullopt);

    // Where it redirects to, certificates are checked as ever.
    const TlsFront elsewhere{port_of(server), "DNS:localhost"};
    ScriptedServer moved{[&elsewhere](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(307, "", "Location: " + elsewhere.url("localhost") + "/\r\n");
    }};
    const TlsFront moved_front{port_of(moved), "DNS:else.example"};
    settings.url = moved_front.url();
    EXPECT_EQ(failure_with(settings), Kind::unavailable);
}

// A connection that was made without a check is not used by who wants one.
TEST(UpstreamTls, UncheckedConnectionsAreNotShared) {
    ScriptedServer server{manifest_script()};
    const TlsFront front{port_of(server), "DNS:else.example"};
    auto settings = settings_for(front);
    settings.insecure_skip_verify = true;
    World world;
    ASSERT_TRUE(run(world.upstream(settings)->get_manifest(image("a"), reference("x"))));
    settings.insecure_skip_verify = false;
    const auto checked = run(world.upstream(settings)->get_manifest(image("a"), reference("x")));
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().kind, Kind::unavailable);
    EXPECT_EQ(server.seen().size(), 1U);
}

TEST(UpstreamTls, ACertificateThatHasRunOutIsRefused) {
    ScriptedServer server{manifest_script()};
    const TlsFront front{port_of(server), kBothNames, 0, -60};
    const PemFile authority{front.authority_pem()};
    auto settings = settings_for(front);
    settings.ca_file = authority.path();
    World world;
    const auto got = run(world.upstream(settings)->get_manifest(image("a"), reference("x")));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, Kind::unavailable);
    EXPECT_NE(got.error().message.find("expired"), std::string::npos) << got.error().message;
    EXPECT_TRUE(server.seen().empty());
}

TEST(UpstreamTls, OldVersionsAreRefused) {
    ScriptedServer server{manifest_script()};
    const TlsFront old{port_of(server), kBothNames, TLS1_1_VERSION};
    const TlsFront good{port_of(server), kBothNames, TLS1_2_VERSION};
    auto settings = settings_for(old);
    settings.insecure_skip_verify = true;
    EXPECT_EQ(failure_with(settings), Kind::unavailable);
    settings.url = good.url();
    EXPECT_EQ(failure_with(settings), std::nullopt);
}

TEST(UpstreamTls, RedirectsAndRealmsKeepTls) {
    ScriptedServer plain{
        [](const SeenRequest&, ScriptedPeer& peer) { peer.answer(200, R"({"token":"stolen"})"); }};
    ScriptedServer moved{[&plain](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(307, "", "Location: " + plain.url("/") + "\r\n");
    }};
    ScriptedServer asking{[&plain](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(401, "", "WWW-Authenticate: Bearer realm=\"" + plain.url("/token") + "\"\r\n");
    }};
    for (const auto* server : {&moved, &asking}) {
        const TlsFront front{port_of(*server), kBothNames};
        auto settings = settings_for(front);
        settings.insecure_skip_verify = true;
        settings.username = "user";
        settings.password = "pass";
        EXPECT_EQ(failure_with(settings), Kind::untrusted);
    }
    EXPECT_EQ(plain.connections(), 0);
}

TEST(UpstreamTls, AProxySeesAHostAndNoMore) {
    ScriptedServer server{[](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.field("authorization").empty())
            return peer.answer(401, "", "WWW-Authenticate: Basic realm=\"r\"\r\n");
        peer.answer(200, "{}", "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n");
    }};
    const TlsFront front{port_of(server), "DNS:registry.example"};
    ScriptedServer proxy{[&front](const SeenRequest& request, ScriptedPeer& peer) {
        EXPECT_EQ(request.method, "CONNECT");
        peer.send("HTTP/1.1 200 Established\r\n\r\n");
        peer.tunnel_to(front.port());
    }};
    const PemFile authority{front.authority_pem()};
    engine::RemoteSettings settings;
    settings.url = "https://registry.example:8443";
    settings.proxy = "http://127.0.0.1:" + proxy.port();
    settings.ca_file = authority.path();
    settings.username = "user";
    settings.password = "pass";
    EXPECT_EQ(failure_with(settings), std::nullopt);
    ASSERT_EQ(proxy.seen().size(), 1U);
    const auto seen = proxy.seen()[0];
    EXPECT_EQ(seen.target, "registry.example:8443");
    EXPECT_EQ(seen.fields.count("authorization"), 0U);
    EXPECT_EQ(seen.fields.count("accept"), 0U);
    EXPECT_EQ(server.seen().size(), 2U);
}

}  // namespace
}  // namespace orbitalreg::frontend
