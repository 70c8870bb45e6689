// When an issuer is asked for its keys, what of its answers is believed, and what happens while it does not answer (SEC-54).

#include "federation/issuer_keys.h"

#include "support/identity_provider.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

namespace orbitalreg::frontend {
namespace {

constexpr auto kEs256 = SignatureAlgorithm::es256;

std::string new_key(const std::string& key_id) {
    return published(SigningKey::generate(kEs256)->public_key(), key_id);
}

// An issuer of this provider, and the keys that are under test.
struct Scene {
    explicit Scene(OidcIssuer options = test_issuer())
        : keys{make_issuer_keys(options, clock, null_log(), provider.fetcher())} {
        provider.keys = {new_key("k1")};
    }

    KeysFound find(const std::string& key_id) { return run(keys->find(key_id, kEs256)); }

    ManualClock clock;
    TestProvider provider;
    std::unique_ptr<IssuerKeys> keys;
};

TEST(DiscoveredKeys, AreAskedForOnceAndKept) {
    Scene scene;
    EXPECT_EQ(scene.find("k1").keys.size(), 1U);
    EXPECT_EQ(scene.provider.urls,
              (std::vector<std::string>{"https://idp.example/.well-known/openid-configuration",
                                        "https://idp.example/keys"}));
    scene.clock.pass(3'000);
    EXPECT_EQ(scene.find("k1").keys.size(), 1U);
    EXPECT_EQ(scene.provider.requests(), 2);
}

TEST(DiscoveredKeys, AreAskedForWithinTheLimits) {
    auto issuer = test_issuer();
    issuer.allow_networks = {"10.0.0.0/8"};
    issuer.keys.ca_file = "/etc/ca.pem";
    Scene scene{issuer};
    scene.find("k1");
    const auto& policy = scene.provider.policy;
    EXPECT_EQ(policy.total_timeout, std::chrono::seconds{5});
    EXPECT_EQ(policy.answer_bytes_max, 512U * 1024);
    EXPECT_EQ(policy.redirects_max, 0U);
    EXPECT_FALSE(policy.http_allowed);
    EXPECT_FALSE(policy.any_address);
    EXPECT_FALSE(policy.environment_proxy);
    EXPECT_EQ(policy.allow_networks, issuer.allow_networks);
    EXPECT_EQ(policy.ca_file, "/etc/ca.pem");
}

TEST(DiscoveredKeys, OneAskingForAllWhoWait) {
    Scene scene;
    std::vector<Awaitable<KeysFound>> work;
    for (int i = 0; i < 50; ++i) work.push_back(scene.keys->find("k1", kEs256));
    for (const auto& found : run_all(std::move(work))) EXPECT_EQ(found.keys.size(), 1U);
    EXPECT_EQ(scene.provider.requests(), 2);
}

Awaitable<void> find_here(IssuerKeys* keys, std::string key_id, std::size_t* found) {
    const auto thread = std::this_thread::get_id();
    const auto answer = co_await keys->find(std::move(key_id), kEs256);
    if (std::this_thread::get_id() == thread) *found += answer.keys.size();
}

// Reactors share the keys; who waits resumes on its own.
TEST(DiscoveredKeys, OneAskingForAllReactors) {
    Scene scene;
    std::array<std::size_t, 4> found{};
    std::vector<std::thread> reactors;
    for (auto& count : found) {
        reactors.emplace_back([&scene, &count] {
            asio::io_context context;
            for (int i = 0; i < 50; ++i)
                asio::co_spawn(context, find_here(scene.keys.get(), "k1", &count), asio::detached);
            context.run();
        });
    }
    for (auto& reactor : reactors) reactor.join();
    for (const auto count : found) EXPECT_EQ(count, 50U);
    EXPECT_EQ(scene.provider.requests(), 2);
}

// A thousand names that nobody has, for ten minutes.
TEST(DiscoveredKeys, FloodOfUnknownKeysAsksOnceAMinute) {
    Scene scene;
    scene.find("k1");
    const int before = scene.provider.key_requests;
    for (int second = 0; second < 600; ++second) {
        scene.clock.pass(1);
        for (const auto* name : {"a", "b", "c"}) {
            const auto found = scene.find(name);
            EXPECT_TRUE(found.keys.empty());
            EXPECT_FALSE(found.unavailable);
            EXPECT_EQ(found.reason, "the issuer has no such key");
        }
    }
    EXPECT_EQ(scene.provider.key_requests - before, 10);
    EXPECT_EQ(scene.provider.discovery_requests, 1) << "where the keys are is known";
    EXPECT_EQ(scene.find("k1").keys.size(), 1U);
}

TEST(DiscoveredKeys, RotationIsSeenWhenATokenNamesTheNewKey) {
    Scene scene;
    scene.find("k1");
    scene.provider.keys = {new_key("k2")};
    scene.clock.pass(61);
    EXPECT_EQ(scene.find("k1").keys.size(), 1U) << "the old one until somebody asks";
    EXPECT_EQ(scene.find("k2").keys.size(), 1U);
    EXPECT_TRUE(scene.find("k1").keys.empty()) << "what the issuer took back is gone";
}

TEST(DiscoveredKeys, RefreshComesBeforeNeed) {
    Scene scene;
    run(scene.keys->refresh_if_due());
    EXPECT_EQ(scene.provider.requests(), 2) << "at start";
    scene.clock.pass(3'599);
    run(scene.keys->refresh_if_due());
    EXPECT_EQ(scene.provider.requests(), 2);
    scene.provider.keys = {new_key("k2")};
    scene.clock.pass(1);
    run(scene.keys->refresh_if_due());
    EXPECT_EQ(scene.provider.requests(), 4) << "the place of the keys, too";
    EXPECT_EQ(scene.find("k2").keys.size(), 1U);
    EXPECT_EQ(scene.provider.requests(), 4);
}

TEST(DiscoveredKeys, IssuerDownKeepsTheKeysUntilTheyAreTooOld) {
    Scene scene;
    scene.find("k1");
    scene.provider.down = true;
    scene.clock.pass(24 * 3600);
    run(scene.keys->refresh_if_due());
    EXPECT_EQ(scene.find("k1").keys.size(), 1U);
    const auto unknown = scene.find("k2");
    EXPECT_TRUE(unknown.keys.empty());
    EXPECT_TRUE(unknown.unavailable) << "nobody knows whether the issuer has it by now";
    scene.clock.pass(1);
    const auto found = scene.find("k1");
    EXPECT_TRUE(found.keys.empty());
    EXPECT_TRUE(found.unavailable);
    EXPECT_EQ(found.reason, "the keys are older than max_stale: nobody answers");
    scene.provider.down = false;
    EXPECT_TRUE(scene.find("k1").unavailable) << "asked less than a minute ago";
    scene.clock.pass(60);
    EXPECT_EQ(scene.find("k1").keys.size(), 1U);
}

TEST(DiscoveredKeys, IssuerDownFromTheStart) {
    Scene scene;
    scene.provider.down = true;
    EXPECT_TRUE(scene.find("k1").unavailable);
    for (int i = 0; i < 59; ++i) {
        scene.clock.pass(1);
        run(scene.keys->refresh_if_due());
        EXPECT_EQ(scene.find("k1").reason, "there are no keys yet: nobody answers");
    }
    EXPECT_EQ(scene.provider.requests(), 1);
}

TEST(DiscoveredKeys, FailureLooksForThePlaceAgain) {
    Scene scene;
    scene.find("k1");
    scene.clock.pass(60);
    scene.provider.status = 404;
    EXPECT_TRUE(scene.find("k2").unavailable);
    EXPECT_EQ(scene.provider.discovery_requests, 1);
    scene.clock.pass(60);
    scene.provider.status = 200;
    EXPECT_FALSE(scene.find("k2").unavailable);
    EXPECT_EQ(scene.provider.discovery_requests, 2);
}

TEST(DiscoveredKeys, BelievesNoOtherDocument) {
    const std::string good = R"("issuer":"https://idp.example")";
    for (const std::string& document :
         {std::string{"[]"}, std::string{"<html>"}, '{' + good + '}',
          std::string{R"({"jwks_uri":"https://idp.example/keys"})"},
          std::string{R"({"issuer":"https://idp.example/","jwks_uri":"https://idp.example/k"})"},
          std::string{R"({"issuer":"https://IDP.example","jwks_uri":"https://idp.example/k"})"},
          '{' + good + R"(,"issuer":"https://idp.example","jwks_uri":"https://idp.example/k"})",
          '{' + good + R"(,"jwks_uri":"http://idp.example/keys"})",
          '{' + good + R"(,"jwks_uri":"https://evil.example/keys"})",
          '{' + good + R"(,"jwks_uri":"https://idp.example.evil.example/keys"})",
          '{' + good + R"(,"jwks_uri":"https://idp.example@evil.example/keys"})",
          '{' + good + R"(,"jwks_uri":"http://127.0.0.1/keys"})",
          '{' + good + R"(,"jwks_uri":"file:///etc/passwd"})", '{' + good + R"(,"jwks_uri":7})"}) {
        Scene scene;
        scene.provider.discovery = document;
        const auto found = scene.find("k1");
        EXPECT_TRUE(found.unavailable) << document;
        EXPECT_EQ(scene.provider.key_requests, 0) << document;
    }
}

TEST(DiscoveredKeys, OtherHostsMayBeListed) {
    auto issuer = test_issuer();
    issuer.jwks_hosts = {"keys.example"};
    Scene scene{issuer};
    scene.provider.discovery =
        R"({"issuer":"https://idp.example","jwks_uri":"https://Keys.example:444/set"})";
    EXPECT_EQ(scene.find("k1").keys.size(), 1U);
    EXPECT_EQ(scene.provider.urls.back(), "https://Keys.example:444/set");
}

TEST(DiscoveredKeys, ASlashAtTheEndBelongsToTheName) {
    auto issuer = test_issuer();
    issuer.issuer = "https://idp.example/tenant/";
    Scene scene{issuer};
    scene.provider.discovery =
        R"({"issuer":"https://idp.example/tenant/","jwks_uri":"https://idp.example/keys"})";
    EXPECT_EQ(scene.find("k1").keys.size(), 1U);
    EXPECT_EQ(scene.provider.urls.front(),
              "https://idp.example/tenant/.well-known/openid-configuration");
}

TEST(DiscoveredKeys, BelievesNoOtherAnswer) {
    for (const unsigned status : {201U, 302U, 404U, 500U}) {
        Scene scene;
        scene.provider.status = status;
        EXPECT_TRUE(scene.find("k1").unavailable) << status;
    }
    Scene empty;
    empty.provider.keys = {};
    EXPECT_TRUE(empty.find("k1").unavailable) << "no key at all is a fault, not a rotation";
}

TEST(DiscoveredKeys, AKeyForAnotherAlgorithmIsNotAskedForAgain) {
    Scene scene;
    scene.find("k1");
    scene.clock.pass(600);
    const auto found = run(scene.keys->find("k1", SignatureAlgorithm::rs256));
    EXPECT_EQ(found.reason, "the key is for another algorithm");
    EXPECT_EQ(scene.provider.requests(), 2);
}

class KeyFileTest : public testing::Test {
protected:
    KeyFileTest() {
        path_ = testing::TempDir() + "key_file_" + std::to_string(::getpid()) + ".json";
        auto issuer = test_issuer();
        issuer.keys.source = OidcKeySource::file;
        issuer.keys.path = path_;
        keys_ = make_issuer_keys(issuer, clock_, null_log(), provider_.fetcher());
    }
    ~KeyFileTest() override {
        EXPECT_EQ(provider_.requests(), 0) << "nobody is asked";
        std::filesystem::remove(path_);
    }

    // As an operator should: elsewhere first, then in place of the old one.
    void write(const std::string& keys) {
        std::ofstream{path_ + ".new"} << keys;
        std::filesystem::rename(path_ + ".new", path_);
    }
    KeysFound find(const std::string& key_id) { return run(keys_->find(key_id, kEs256)); }

    std::string path_;
    ManualClock clock_;
    TestProvider provider_;
    std::unique_ptr<IssuerKeys> keys_;
};

TEST_F(KeyFileTest, IsReadAgainWhenItChanges) {
    EXPECT_TRUE(find("k1").unavailable);
    write(R"({"keys":[)" + new_key("k1") + "]}");
    EXPECT_EQ(find("k1").keys.size(), 1U);
    EXPECT_FALSE(find("k2").unavailable);
    EXPECT_EQ(find("k2").reason, "the key is not in the key file");
    write(R"({"keys":[)" + new_key("k1") + ',' + new_key("k2") + "]}");
    EXPECT_EQ(find("k2").keys.size(), 1U);
    clock_.pass(365 * 86'400);
    EXPECT_EQ(find("k2").keys.size(), 1U) << "a file does not go stale";
}

TEST_F(KeyFileTest, ABadVersionLeavesTheOneBefore) {
    write(R"({"keys":[)" + new_key("k1") + "]}");
    EXPECT_EQ(find("k1").keys.size(), 1U);
    for (const auto* bad : {"", "{", R"({"keys":[]})"}) {
        write(bad);
        EXPECT_EQ(find("k1").keys.size(), 1U) << bad;
    }
    std::filesystem::remove(path_);
    EXPECT_EQ(find("k1").keys.size(), 1U);
    write(R"({"keys":[)" + new_key("k3") + "]}");
    EXPECT_TRUE(find("k1").keys.empty());
    EXPECT_EQ(find("k3").keys.size(), 1U);
}

}  // namespace
}  // namespace orbitalreg::frontend
