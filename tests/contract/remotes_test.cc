// Remote and virtual repositories over the model and over the embedded store, with an upstream that does as it is told.

#include "engine/remotes.h"

#include "contract/registry_store_content.h"
#include "contract/store_under_test.h"
#include "engine/registry.h"
#include "support/fake_upstream.h"
#include "support/sim_random.h"

#include <gtest/gtest.h>

namespace orbitalreg::engine {
namespace {

const Principal kAnyone{};
constexpr auto kMirror = "https://mirror.test";

std::string content_of(std::size_t size, char seed) {
    std::string content(size, seed);
    for (std::size_t i = 0; i < size; ++i)
        content[i] = static_cast<char>(seed + static_cast<char>((i * 7 + i / 251) % 61));
    return content;
}

class RemotesTest : public testing::TestWithParam<StoreFactory> {
protected:
    void SetUp() override {
        under_test_ = GetParam().make({});
        auto mirror = declared("mirror", RepositoryType::remote);
        mirror.remote.url = kMirror;
        auto view = declared("all", RepositoryType::virtual_members);
        // A remote one first: local ones are asked before it all the same.
        view.members.members = {member("mirror"), member("internal"), member("more")};
        view.members.deploy_to = "internal";
        auto shared = declared("shared", RepositoryType::virtual_members);
        shared.members.members = {member("internal"), member("mirror")};
        shared.members.members[0].owns_names = false;
        ProjectDeclaration acme;
        acme.name = "acme";
        acme.repositories = {declared("internal", RepositoryType::local),
                             declared("more", RepositoryType::local), mirror, view, shared};
        options_.projects = {acme};
        start();
    }
    void TearDown() override { stop(); }
    static RepositoryDeclaration declared(const std::string& name, RepositoryType type) {
        RepositoryDeclaration declaration;
        declaration.name = name;
        declaration.type = type;
        return declaration;
    }
    static VirtualMember member(const std::string& name) {
        VirtualMember made;
        made.repository = name;
        return made;
    }
    void start() {
        remotes_ = std::make_unique<Remotes>(
            RemotesEnvironment{under_test_->registry(), under_test_->documents(), upstreams_,
                               clock_, random_, null_log(), metrics_, options_.limits});
        registry_ = std::make_unique<Registry>(under_test_->registry(), random_, null_log(),
                                               metrics_, options_, nullptr, remotes_.get());
    }
    void stop() {
        if (!remotes_) return;
        upstream().failure = UpstreamFailure{UpstreamFailure::Kind::stopped, "stopped"};
        if (upstream().gate) upstream().gate->set();
        clock_.sleeps_pass = true;
        run(stop_remotes(remotes_.get()));
        registry_.reset();
        remotes_.reset();
    }
    static Awaitable<bool> stop_remotes(Remotes* remotes) {
        co_await remotes->stop();
        co_return true;
    }

    template <class T>
    T run(Awaitable<T> operation) {
        return under_test_->run(std::move(operation));
    }
    static Errc error_of(const auto& answer) {
        return answer.has_value() ? Errc{} : static_cast<Errc>(answer.error().code.value());
    }
    FakeContent& upstream() { return upstreams_.contents[kMirror]; }

    std::string put_image(const std::string& name, const std::string& tag,
                          const std::vector<std::string>& layers) {
        ImageContent content{"config of " + tag, layers, "", ""};
        const auto text = image_text(content);
        upstream().put(name, tag, text);
        upstream().put_blob(name, content.config);
        for (const auto& layer : layers) upstream().put_blob(name, layer);
        return text;
    }
    // With its config, into a local repository.
    void push(const std::string& image, const std::string& tag) {
        const auto config = "local config of " + image + tag;
        ASSERT_TRUE(run(push_blob(under_test_->registry(), image, config)));
        const auto text = image_text({config, {}, "", ""});
        PutManifestRequest request{image_name(image), tag_name(tag), bytes_of(text), "", {}, {}};
        ASSERT_TRUE(run(registry_->put_manifest(kAnyone, std::move(request))));
    }
    Answer<OpenedManifest> pull(const std::string& image, const std::string& reference) {
        return run(registry_->open_manifest(kAnyone, image_name(image),
                                            parse_reference(reference).value()));
    }
    static Awaitable<Answer<std::string>> read_all(Registry* registry, std::string image,
                                                   Digest digest, std::uint64_t piece) {
        auto opened = co_await registry->open_blob(kAnyone, image_name(image), digest);
        if (!opened) co_return refuse(opened.error());
        auto& stream = *opened.value().content;
        std::string all;
        while (all.size() < stream.size_bytes()) {
            auto read = co_await stream.read(all.size(), piece);
            if (!read) co_return refuse(read.error());
            all += as_text(read.value().bytes);
        }
        co_return all;
    }
    // The first time the upstream goes away in the middle; the second time is at once.
    static Awaitable<Answer<std::string>> read_twice(Registry* registry, FakeContent* content,
                                                     std::string image, Digest digest) {
        content->fails_after_cut = true;
        const auto first = co_await read_all(registry, image, digest, 1'000'000);
        if (first) co_return refuse({Errc::exists, "the first one was whole"});
        content->failure.reset();
        co_return co_await read_all(registry, image, digest, 1'000'000);
    }
    Answer<std::string> blob(const std::string& image, const std::string& content) {
        return run(read_all(registry_.get(), image, digest_of(content), 1'000'000));
    }

    std::unique_ptr<StoreUnderTest> under_test_;
    RegistryOptions options_;
    FakeUpstreams upstreams_;
    FakeClock clock_;
    sim::SimRandom random_{1};
    Metrics metrics_;
    std::unique_ptr<Remotes> remotes_;
    std::unique_ptr<Registry> registry_;
};

// DIST-PROXY-12.
TEST_P(RemotesTest, ATagIsFetchedOnceAndThenAskedForNowAndThen) {
    const auto first = put_image("library/app", "1", {});
    const auto pulled = pull("acme/mirror/library/app", "1");
    ASSERT_TRUE(pulled) << pulled.error().message;
    EXPECT_EQ(pulled.value().source.cache, PullSource::Cache::miss);
    EXPECT_EQ(pulled.value().info.digest, digest_of(first));
    EXPECT_EQ(pull("acme/mirror/library/app", "1").value().source.cache, PullSource::Cache::hit);
    EXPECT_EQ(upstream().gets, 1);
    EXPECT_EQ(upstream().heads, 0);

    clock_.advance_ms(5 * 60'000 + 1);
    EXPECT_EQ(pull("acme/mirror/library/app", "1").value().source.cache,
              PullSource::Cache::revalidated);
    EXPECT_EQ(upstream().gets, 1);
    EXPECT_EQ(upstream().heads, 1);

    const auto second = put_image("library/app", "1", {"a layer"});
    EXPECT_EQ(pull("acme/mirror/library/app", "1").value().info.digest, digest_of(first));
    clock_.advance_ms(5 * 60'000 + 1);
    const auto moved = pull("acme/mirror/library/app", "1");
    EXPECT_EQ(moved.value().source.cache, PullSource::Cache::miss);
    EXPECT_EQ(moved.value().info.digest, digest_of(second));
    // What it was before is there by its digest.
    EXPECT_EQ(pull("acme/mirror/library/app", digest_of(first).to_string()).value().source.cache,
              PullSource::Cache::hit);
}

// DIST-PROXY-13.
TEST_P(RemotesTest, AnUpstreamThatDoesNotSayTheDigestIsReadAndHashed) {
    put_image("app", "1", {});
    upstream().says_digests = false;
    ASSERT_TRUE(pull("acme/mirror/app", "1"));
    clock_.advance_ms(5 * 60'000 + 1);
    ASSERT_TRUE(pull("acme/mirror/app", "1"));
    EXPECT_EQ(upstream().gets, 2);
}

// DIST-PROXY-14, DIST-PROXY-15, REL-22.
TEST_P(RemotesTest, WhatIsKeptIsServedWhileTheUpstreamFails) {
    const auto text = put_image("app", "1", {});
    ASSERT_TRUE(pull("acme/mirror/app", "1"));
    clock_.advance_ms(5 * 60'000 + 1);
    using Kind = UpstreamFailure::Kind;
    for (const auto kind : {Kind::unavailable, Kind::throttled, Kind::untrusted}) {
        upstream().failure = UpstreamFailure{kind, "it is so", 1000};
        const auto stale = pull("acme/mirror/app", "1");
        ASSERT_TRUE(stale) << stale.error().message;
        EXPECT_EQ(stale.value().source.cache, PullSource::Cache::stale);
        EXPECT_NE(stale.value().source.warning.find("it is so"), std::string::npos);
        clock_.advance_ms(120'000);
    }
    EXPECT_EQ(pull("acme/mirror/app", digest_of(text).to_string()).value().source.cache,
              PullSource::Cache::hit);
    // Not for ever.
    under_test_->advance_ms(31ULL * 24 * 3'600'000);
    EXPECT_EQ(error_of(pull("acme/mirror/app", "1")), Errc::upstream_untrusted);
}

// DIST-PROXY-16.
TEST_P(RemotesTest, EachFailureIsItsOwnAnswer) {
    using Kind = UpstreamFailure::Kind;
    const std::vector<std::pair<Kind, Errc>> answers{
        {Kind::not_found, Errc::manifest_unknown},
        {Kind::denied, Errc::denied},
        {Kind::throttled, Errc::throttled},
        {Kind::unavailable, Errc::upstream_unavailable},
        {Kind::untrusted, Errc::upstream_untrusted}};
    int number = 0;
    for (const auto& [kind, errc] : answers) {
        upstream().failure = UpstreamFailure{kind, "so", std::nullopt};
        EXPECT_EQ(error_of(pull("acme/mirror/app", "t" + std::to_string(number++))), errc);
        clock_.advance_ms(120'000);
    }
}

// SEC-69.
TEST_P(RemotesTest, WhatIsNotThereIsNotAskedForAgainForAWhile) {
    EXPECT_EQ(error_of(pull("acme/mirror/app", "1")), Errc::manifest_unknown);
    EXPECT_EQ(error_of(pull("acme/mirror/app", "1")), Errc::manifest_unknown);
    EXPECT_EQ(upstream().gets, 1);
    put_image("app", "1", {});
    clock_.advance_ms(30'001);
    EXPECT_TRUE(pull("acme/mirror/app", "1"));
}

TEST_P(RemotesTest, ATagThatIsGoneThereIsGoneHere) {
    const auto text = put_image("app", "1", {});
    ASSERT_TRUE(pull("acme/mirror/app", "1"));
    upstream().tags.clear();
    clock_.advance_ms(5 * 60'000 + 1);
    EXPECT_EQ(error_of(pull("acme/mirror/app", "1")), Errc::manifest_unknown);
    clock_.advance_ms(60'000);
    upstream().failure = UpstreamFailure{UpstreamFailure::Kind::unavailable, "down"};
    EXPECT_EQ(error_of(pull("acme/mirror/app", "1")), Errc::upstream_unavailable);
    EXPECT_TRUE(pull("acme/mirror/app", digest_of(text).to_string()));
}

// DIST-PROXY-19, DIST-PROXY-21, DIST-PROXY-22, SEC-66, REL-24. The upstream says text/plain of everything.
TEST_P(RemotesTest, NothingWrongIsKept) {
    const auto layer = content_of(300'000, 'a');
    const auto text = put_image("app", "1", {layer});
    upstream().wrong_bytes = "{}";
    EXPECT_EQ(error_of(pull("acme/mirror/app", "1")), Errc::upstream_untrusted);
    upstream().wrong_bytes = R"({"schemaVersion": 1, "name": "app"})";
    EXPECT_EQ(error_of(pull("acme/mirror/app", "1")), Errc::manifest_unknown);
    upstream().wrong_bytes = image_text({"another", {}, "", ""});
    EXPECT_EQ(error_of(pull("acme/mirror/app", digest_of(text).to_string())),
              Errc::upstream_untrusted);
    upstream().wrong_bytes = content_of(300'000, 'b');
    const auto read = blob("acme/mirror/app", layer);
    EXPECT_EQ(error_of(read), Errc::upstream_untrusted);
    upstream().wrong_bytes.clear();
    clock_.advance_ms(120'000);
    EXPECT_EQ(blob("acme/mirror/app", layer).value(), layer);
    EXPECT_EQ(pull("acme/mirror/app", "1").value().info.digest, digest_of(text));
}

// DIST-PROXY-20, SEC-69.
TEST_P(RemotesTest, OneTransferForAllWhoAsk) {
    const auto layer = content_of(1'500'000, 'a');
    upstream().put_blob("app", layer);
    std::vector<Awaitable<Answer<std::string>>> readers;
    for (const std::uint64_t piece : {1'000'000ULL, 1000ULL, 65'536ULL, 7ULL * 9973})
        readers.push_back(read_all(registry_.get(), "acme/mirror/app", digest_of(layer), piece));
    for (const auto& read : under_test_->run_all(std::move(readers))) {
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(read.value(), layer);
    }
    EXPECT_EQ(upstream().transfers, 1);
    EXPECT_EQ(upstream().bytes, layer.size());
    EXPECT_EQ(blob("acme/mirror/app", layer).value(), layer);
    EXPECT_EQ(upstream().transfers, 1);
}

// REL-23.
TEST_P(RemotesTest, ATransferGoesOnWhereItWasCut) {
    clock_.sleeps_pass = true;
    const auto layer = content_of(900'000, 'a');
    upstream().put_blob("app", layer);
    upstream().cut_after = 333'333;
    EXPECT_EQ(blob("acme/mirror/app", layer).value(), layer);
    EXPECT_EQ(upstream().offsets, (std::vector<std::uint64_t>{0, 333'333}));
    EXPECT_EQ(upstream().bytes, layer.size());

    const auto other = content_of(900'000, 'b');
    upstream().put_blob("app", other);
    upstream().ranges = false;
    upstream().cut_after = 333'333;
    EXPECT_EQ(blob("acme/mirror/app", other).value(), other);
}

// Who asks again as soon as it failed begins anew, where the last one came.
TEST_P(RemotesTest, ATransferThatFailedIsJoinedByNobody) {
    const auto layer = content_of(900'000, 'a');
    upstream().put_blob("app", layer);
    upstream().cut_after = 333'333;
    clock_.sleeps_pass = true;
    std::vector<Awaitable<Answer<std::string>>> readers;
    readers.push_back(
        read_twice(registry_.get(), &upstream(), "acme/mirror/app", digest_of(layer)));
    const auto read = under_test_->run_all(std::move(readers));
    ASSERT_TRUE(read[0]) << read[0].error().message;
    EXPECT_EQ(read[0].value(), layer);
    EXPECT_EQ(upstream().bytes, layer.size());
}

// SEC-68.
TEST_P(RemotesTest, AnotherNameIsServedWhatTheUpstreamHasUnderIt) {
    const auto layer = content_of(200'000, 'a');
    upstream().put_blob("one", layer);
    upstream().put_blob("two", layer);
    ASSERT_TRUE(blob("acme/mirror/one", layer));
    // Kept under another name, and the upstream has it under this one: nothing is transferred (SEC-68).
    EXPECT_EQ(blob("acme/mirror/two", layer).value(), layer);
    EXPECT_EQ(upstream().transfers, 1);
    EXPECT_EQ(error_of(blob("acme/mirror/three", layer)), Errc::blob_unknown);
}

TEST_P(RemotesTest, OfflineAsksNobody) {
    options_.projects[0].repositories[2].remote.offline = true;
    registry_.reset();
    remotes_.reset();
    start();
    put_image("app", "1", {});
    EXPECT_EQ(error_of(pull("acme/mirror/app", "1")), Errc::manifest_unknown);
    EXPECT_EQ(upstream().gets + upstream().heads, 0);
}

// DIST-PROXY-23, SEC-71.
TEST_P(RemotesTest, NothingIsChangedInARemoteRepository) {
    put_image("app", "1", {});
    ASSERT_TRUE(pull("acme/mirror/app", "1"));
    const auto image = image_name("acme/mirror/app");
    const auto text = image_text({"c", {}, "", ""});
    PutManifestRequest request{image, tag_name("1"), bytes_of(text), "", {}, {}};
    EXPECT_EQ(error_of(run(registry_->put_manifest(kAnyone, std::move(request)))),
              Errc::unsupported);
    EXPECT_EQ(error_of(run(registry_->start_upload(kAnyone, image, DigestAlgorithm::sha256))),
              Errc::unsupported);
    EXPECT_EQ(error_of(run(registry_->begin_blob(kAnyone, image, digest_of("x"), 1))),
              Errc::unsupported);
    EXPECT_EQ(error_of(run(registry_->mount(kAnyone, image, digest_of("x"), std::nullopt))),
              Errc::unsupported);
    EXPECT_EQ(error_of(run(registry_->delete_manifest(kAnyone, image, tag_name("1")))),
              Errc::unsupported);
    EXPECT_EQ(error_of(run(registry_->delete_blob(kAnyone, image, digest_of("x")))),
              Errc::unsupported);
}

// --- virtual repositories ---

// SEC-70.
TEST_P(RemotesTest, EveryCombinationOfWhatTwoMembersSay) {
    using Kind = UpstreamFailure::Kind;
    enum class Said { found, absent, error, refused };
    struct Row {
        bool local;
        Said remote;
        Errc expected;
        std::string member;
    };
    const std::vector<Row> table{
        {true, Said::found, Errc{}, "internal"},
        {true, Said::absent, Errc{}, "internal"},
        {true, Said::error, Errc{}, "internal"},
        {true, Said::refused, Errc{}, "internal"},
        {false, Said::found, Errc{}, "mirror"},
        {false, Said::absent, Errc::manifest_unknown, ""},
        {false, Said::error, Errc::upstream_unavailable, ""},
        {false, Said::refused, Errc::denied, ""},
    };
    for (std::size_t i = 0; i < table.size(); ++i) {
        const auto& row = table[i];
        SCOPED_TRACE(i);
        const auto name = "app" + std::to_string(i);
        upstream().failure.reset();
        if (row.local) push("acme/internal/" + name, "1");
        if (row.remote == Said::found) put_image(name, "1", {});
        if (row.remote == Said::error)
            upstream().failure = UpstreamFailure{Kind::unavailable, "down"};
        if (row.remote == Said::refused) upstream().failure = UpstreamFailure{Kind::denied, "no"};
        const auto pulled = pull("acme/all/" + name, "1");
        EXPECT_EQ(error_of(pulled), row.expected);
        if (pulled) {
            EXPECT_EQ(pulled.value().source.member, row.member);
        }
        clock_.advance_ms(120'000);
    }
}

// SEC-70.
TEST_P(RemotesTest, ANameThatALocalMemberHoldsIsAskedOfNoRemoteOne) {
    push("acme/more/secret", "1");
    put_image("secret", "9", {});
    EXPECT_EQ(error_of(pull("acme/all/secret", "9")), Errc::manifest_unknown);
    EXPECT_EQ(upstream().gets + upstream().heads, 0);
    // Where it is said that a name may come from both, it may.
    push("acme/internal/secret", "1");
    EXPECT_EQ(pull("acme/shared/secret", "9").value().source.member, "mirror");

    const auto why = run(registry_->explain_pull(image_name("acme/all/secret"), tag_name("9")));
    ASSERT_EQ(why.steps.size(), 3U);
    EXPECT_EQ(why.steps[2].member, "mirror");
    EXPECT_EQ(why.steps[2].outcome, "not asked");
    EXPECT_EQ(why.steps[2].reason, "the name belongs to member internal");
}

TEST_P(RemotesTest, PushesGoToTheMemberThatTakesThem) {
    const auto config = std::string{"config"};
    auto writer = run(registry_->begin_blob(kAnyone, image_name("acme/all/app"), digest_of(config),
                                            config.size()));
    ASSERT_TRUE(writer);
    ASSERT_TRUE(run(write_all(*writer.value(), config, 100)));
    ASSERT_TRUE(run(writer.value()->finish(digest_of(config))));
    const auto text = image_text({config, {}, "", ""});
    PutManifestRequest request{
        image_name("acme/all/app"), tag_name("1"), bytes_of(text), "", {}, {}};
    ASSERT_TRUE(run(registry_->put_manifest(kAnyone, std::move(request))));
    EXPECT_TRUE(pull("acme/internal/app", "1"));
    PutManifestRequest refused{
        image_name("acme/shared/app"), tag_name("1"), bytes_of(text), "", {}, {}};
    EXPECT_EQ(error_of(run(registry_->put_manifest(kAnyone, std::move(refused)))),
              Errc::unsupported);
    EXPECT_TRUE(
        run(registry_->delete_manifest(kAnyone, image_name("acme/all/app"), tag_name("1"))));
    EXPECT_EQ(error_of(pull("acme/internal/app", "1")), Errc::manifest_unknown);
}

// DIST-PROXY-25.
TEST_P(RemotesTest, ListsOfMembersAreMergedAndPaged) {
    for (const auto* tag : {"a", "c", "e"}) push("acme/internal/app", tag);
    for (const auto* tag : {"b", "c", "d"}) put_image("app", tag, {});
    std::vector<std::string> all;
    std::string after;
    for (bool more = true; more;) {
        const auto page =
            run(registry_->list_tags(kAnyone, image_name("acme/shared/app"), after, 2));
        ASSERT_TRUE(page) << page.error().message;
        all.insert(all.end(), page.value().items.begin(), page.value().items.end());
        more = page.value().more;
        if (more) after = page.value().items.back();
    }
    EXPECT_EQ(all, (std::vector<std::string>{"a", "b", "c", "d", "e"}));
    ASSERT_TRUE(pull("acme/mirror/app", "b"));
    const auto names = run(registry_->list_images(kAnyone, "", 100));
    ASSERT_TRUE(names);
    EXPECT_EQ(names.value().items,
              (std::vector<std::string>{"acme/all/app", "acme/internal/app", "acme/mirror/app",
                                        "acme/shared/app"}));
}

// That there is no such name is remembered as what it is, and nothing that is kept shows through.
TEST_P(RemotesTest, AListOfTagsThatTheUpstreamDoesNotHaveIsRefusedAlike) {
    put_image("app", "1", {});
    ASSERT_TRUE(pull("acme/mirror/app", "1"));
    upstream().tags.clear();
    for (int ask = 0; ask < 2; ++ask) {
        const auto listed =
            run(registry_->list_tags(kAnyone, image_name("acme/mirror/app"), "", 10));
        EXPECT_EQ(error_of(listed), Errc::name_unknown) << "ask " << ask;
    }
}

std::vector<StoreFactory> factories() { return {model_factory(), embedded_factories().front()}; }

INSTANTIATE_TEST_SUITE_P(All, RemotesTest, testing::ValuesIn(factories()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace orbitalreg::engine
