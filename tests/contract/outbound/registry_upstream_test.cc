// What an upstream is asked, what of its answers is believed, and who sees the credentials.

#include "outbound_world.h"

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
    for (const std::size_t room : {100'000}) {
        const auto all = run(read_all(&transfer, room));
        ASSERT_TRUE(all) << all.error().message;
        EXPECT_TRUE(all.value() == bytes);
    }
    EXPECT_EQ(server.seen().back().target, "/v2/library/app/blobs/" + kDigest.to_string());
}

}  // namespace
}  // namespace orbitalreg::frontend
