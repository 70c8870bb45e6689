// The Registry over the model and over the embedded store: what it decides does not depend on which.

#include "engine/registry.h"

#include "contract/registry_store_content.h"
#include "contract/store_under_test.h"
#include "support/sim_random.h"

#include <gtest/gtest.h>

namespace orbitalreg::engine {
namespace {

const Principal kAnyone{};
const Principal kAlice{"alice"};

class RegistryTest : public testing::TestWithParam<StoreFactory> {
protected:
    void SetUp() override { make({}); }
    void make(RegistryOptions options) {
        registry_.reset();
        under_test_ = GetParam().make(options.limits);
        options_ = std::move(options);
        start();
    }
    // The registry dies with its store, and comes back with it.
    void reopen() {
        registry_.reset();
        under_test_->reopen();
        start();
    }
    Registry& registry() { return *registry_; }
    StoreUnderTest& under_test() { return *under_test_; }
    template <class T>
    T run(Awaitable<T> operation) {
        return under_test_->run(std::move(operation));
    }
    static Errc error_of(const auto& answer) {
        return answer.has_value() ? Errc{} : static_cast<Errc>(answer.error().code.value());
    }

    Answer<PutManifestReceipt> put(const std::string& image, const std::string& reference,
                                   const std::string& text, std::vector<Tag> more_tags = {}) {
        return run(registry().put_manifest(kAnyone, {image_name(image),
                                                     parse_reference(reference).value(),
                                                     bytes_of(text),
                                                     "",
                                                     std::move(more_tags),
                                                     {}}));
    }
    Answer<BlobInfo> push(const std::string& image, const std::string& content) {
        auto writer = run(
            registry().begin_blob(kAnyone, image_name(image), digest_of(content), content.size()));
        if (!writer) return refuse(writer.error());
        EXPECT_TRUE(run(write_all(*writer.value(), content, 1000)));
        return run(writer.value()->finish(digest_of(content)));
    }
    // An image manifest and its config, pushed.
    std::string push_image(const std::string& image, const std::string& name,
                           const std::string& reference) {
        EXPECT_TRUE(push(image, "config of " + name));
        const auto text = image_text({"config of " + name, {}, "", ""});
        EXPECT_TRUE(put(image, reference.empty() ? digest_of(text).to_string() : reference, text));
        return text;
    }
    UploadTicket start_upload(const std::string& image) {
        return run(registry().start_upload(kAlice, image_name(image), DigestAlgorithm::sha256))
            .value();
    }
    // Opens the session, receives `content` and marks it.
    void send(const std::string& image, const std::string& token, const std::string& content) {
        auto resumed = run(registry().resume_upload(kAlice, image_name(image), token, {}));
        ASSERT_TRUE(resumed) << resumed.error().message;
        ASSERT_TRUE(run(write_all(*resumed.value().writer, content, 1000)));
        ASSERT_TRUE(run(resumed.value().writer->mark()));
    }

private:
    void start() {
        registry_ = std::make_unique<Registry>(under_test_->registry(), random_, null_log(),
                                               metrics_, options_);
    }

    sim::SimRandom random_{1};
    Metrics metrics_;
    RegistryOptions options_;
    std::unique_ptr<StoreUnderTest> under_test_;
    std::unique_ptr<Registry> registry_;
};

// DIST-UPL-01, DIST-UPL-06, DIST-UPL-26, SEC-33.
TEST_P(RegistryTest, AnUploadIsWhereItsTokenSays) {
    const auto ticket = start_upload("p/a");
    EXPECT_EQ(ticket.id.size(), 36u);
    const auto position = [&](const Principal& who, const std::string& image,
                              const std::string& token) {
        return run(registry().upload_position(who, image_name(image), token));
    };
    EXPECT_EQ(position(kAlice, "p/a", ticket.token).value().offset_bytes, 0u);
    EXPECT_EQ(position(kAlice, "p/a", ticket.token).value().id, ticket.id);
    EXPECT_EQ(error_of(position(kAnyone, "p/a", ticket.token)), Errc::upload_unknown);
    EXPECT_EQ(error_of(position(kAlice, "p/b", ticket.token)), Errc::upload_unknown);
    EXPECT_EQ(error_of(position(kAlice, "p/a", "forged")), Errc::upload_unknown);
    send("p/a", ticket.token, "12345");
    EXPECT_EQ(position(kAlice, "p/a", ticket.token).value().offset_bytes, 5u);
    EXPECT_NE(start_upload("p/a").token, ticket.token);
}

// DIST-UPL-07: a session that wrote nothing survives too, since nothing was kept for it.
TEST_P(RegistryTest, SessionsSurviveAReopening) {
    const auto untouched = start_upload("p/a");
    const auto begun = start_upload("p/a");
    send("p/a", begun.token, "12345");
    reopen();
    EXPECT_EQ(run(registry().upload_position(kAlice, image_name("p/a"), untouched.token))
                  .value()
                  .offset_bytes,
              0u);
    EXPECT_EQ(run(registry().upload_position(kAlice, image_name("p/a"), begun.token))
                  .value()
                  .offset_bytes,
              5u);
    send("p/a", untouched.token, "abc");
    EXPECT_EQ(run(registry().upload_position(kAlice, image_name("p/a"), untouched.token))
                  .value()
                  .offset_bytes,
              3u);
}

// DIST-UPL-08.
TEST_P(RegistryTest, AnUntouchedSessionExpires) {
    const auto ticket = start_upload("p/a");
    under_test().advance_ms(24 * 3600 * 1000 + 10'000);
    EXPECT_EQ(error_of(run(registry().upload_position(kAlice, image_name("p/a"), ticket.token))),
              Errc::upload_unknown);
    EXPECT_EQ(error_of(run(registry().resume_upload(kAlice, image_name("p/a"), ticket.token, {}))),
              Errc::upload_unknown);
    EXPECT_EQ(error_of(run(registry().cancel_upload(kAlice, image_name("p/a"), ticket.token))),
              Errc::upload_unknown);
}

// DIST-UPL-22, DIST-UPL-23, DIST-UPL-37.
TEST_P(RegistryTest, AWrongOffsetIsAnsweredWithTheTrueOne) {
    const auto ticket = start_upload("p/a");
    send("p/a", ticket.token, "12345");
    for (const std::uint64_t wrong : {0u, 4u, 6u}) {
        const auto resumed =
            run(registry().resume_upload(kAlice, image_name("p/a"), ticket.token, {wrong, {}, {}}));
        ASSERT_EQ(error_of(resumed), Errc::offset_mismatch);
        EXPECT_EQ(resumed.error().offset_bytes, 5u);
    }
    auto right =
        run(registry().resume_upload(kAlice, image_name("p/a"), ticket.token, {5u, {}, {}}));
    ASSERT_TRUE(right);
    const auto beside =
        run(registry().resume_upload(kAlice, image_name("p/a"), ticket.token, {5u, {}, {}}));
    EXPECT_EQ(error_of(beside), Errc::offset_mismatch) << "one writer at a time";
}

// DIST-UPL-32, DIST-UPL-35, DIST-UPL-36, DIST-UPL-39.
TEST_P(RegistryTest, AClosingPutMayBeRepeated) {
    const auto image = image_name("p/a");
    const auto ticket = start_upload("p/a");
    send("p/a", ticket.token, "content");
    const auto digest = digest_of("content");
    auto resumed = run(registry().resume_upload(kAlice, image, ticket.token, {{}, {}, digest}));
    ASSERT_TRUE(resumed.value().writer);
    ASSERT_TRUE(run(resumed.value().writer->finish(digest)));
    resumed.value().writer.reset();

    const auto again = run(registry().resume_upload(kAlice, image, ticket.token, {{}, {}, digest}));
    ASSERT_TRUE(again);
    EXPECT_FALSE(again.value().writer);
    EXPECT_EQ(again.value().finished->size_bytes, 7u);
    const auto other =
        run(registry().resume_upload(kAlice, image, ticket.token, {{}, {}, digest_of("other")}));
    EXPECT_EQ(error_of(other), Errc::upload_unknown);
    EXPECT_EQ(error_of(run(registry().resume_upload(kAlice, image, ticket.token, {}))),
              Errc::upload_unknown);
    EXPECT_EQ(error_of(run(registry().upload_position(kAlice, image, ticket.token))),
              Errc::upload_unknown);
    EXPECT_EQ(error_of(run(registry().cancel_upload(kAlice, image, ticket.token))),
              Errc::upload_unknown);
}

// DIST-UPL-51.
TEST_P(RegistryTest, ACancelledUploadIsUnknown) {
    const auto ticket = start_upload("p/a");
    send("p/a", ticket.token, "content");
    ASSERT_TRUE(run(registry().cancel_upload(kAlice, image_name("p/a"), ticket.token)));
    EXPECT_EQ(error_of(run(registry().cancel_upload(kAlice, image_name("p/a"), ticket.token))),
              Errc::upload_unknown);
    EXPECT_EQ(error_of(run(registry().upload_position(kAlice, image_name("p/a"), ticket.token))),
              Errc::upload_unknown);
}

// DIST-UPL-53: the request that still sends meets an unknown session at its next step.
TEST_P(RegistryTest, AnUploadIsCancelledWhileItIsWritten) {
    const auto image = image_name("p/a");
    for (const bool marked : {false, true}) {
        const auto ticket = start_upload("p/a");
        if (marked) send("p/a", ticket.token, "12345");
        auto resumed = run(registry().resume_upload(kAlice, image, ticket.token, {}));
        ASSERT_TRUE(resumed);
        auto& writer = resumed.value().writer;
        ASSERT_TRUE(run(write_all(*writer, "more", 10)));
        ASSERT_TRUE(run(registry().cancel_upload(kAlice, image, ticket.token)));
        const auto position = [&] {
            return run(registry().upload_position(kAlice, image, ticket.token));
        };
        EXPECT_EQ(error_of(position()), Errc::upload_unknown);
        EXPECT_EQ(error_of(run(registry().cancel_upload(kAlice, image, ticket.token))),
                  Errc::upload_unknown);
        EXPECT_EQ(error_of(run(writer->buffer())), Errc::upload_unknown);
        EXPECT_EQ(error_of(run(writer->mark())), Errc::upload_unknown);
        EXPECT_EQ(error_of(run(writer->finish(digest_of("more")))), Errc::upload_unknown);
        writer.reset();
        EXPECT_EQ(error_of(position()), Errc::upload_unknown);
        reopen();
        EXPECT_EQ(error_of(position()), Errc::upload_unknown) << "closed for good";
        EXPECT_EQ(error_of(run(registry().stat_blob(kAnyone, image, digest_of("more")))),
                  Errc::blob_unknown);
    }
}

// A writer that vanishes without a further step leaves the session unknown all the same.
TEST_P(RegistryTest, ACancelledUploadStaysUnknownWhenItsWriterVanishes) {
    const auto image = image_name("p/a");
    const auto ticket = start_upload("p/a");
    {
        auto resumed = run(registry().resume_upload(kAlice, image, ticket.token, {}));
        ASSERT_TRUE(run(registry().cancel_upload(kAlice, image, ticket.token)));
    }
    EXPECT_EQ(error_of(run(registry().upload_position(kAlice, image, ticket.token))),
              Errc::upload_unknown);
    EXPECT_EQ(error_of(run(registry().resume_upload(kAlice, image, ticket.token, {}))),
              Errc::upload_unknown);
}

// DIST-UPL-40.
TEST_P(RegistryTest, ATooLargeBlobIsRefusedByItsAnnouncedSize) {
    RegistryOptions options;
    options.limits.blob_size_max_bytes = 100;
    make(options);
    EXPECT_EQ(error_of(run(registry().begin_blob(kAnyone, image_name("p/a"), digest_of("x"), 101))),
              Errc::too_large);
    EXPECT_TRUE(run(registry().begin_blob(kAnyone, image_name("p/a"), digest_of("x"), 100)));
    const auto ticket = start_upload("p/a");
    EXPECT_EQ(error_of(run(registry().resume_upload(kAlice, image_name("p/a"), ticket.token,
                                                    {{}, 101, {}}))),
              Errc::too_large);
}

// DIST-NAME-03, DIST-NAME-06.
TEST_P(RegistryTest, ProjectsDecideWhatIsMade) {
    RegistryOptions options;
    options.auto_create_projects = false;
    options.default_project = "";
    options.projects = {{"closed",
                         false,
                         {{"app", RepositoryType::local, false, {}},
                          {"all", RepositoryType::virtual_members, false, {}}},
                         false,
                         {}},
                        {"open", true, {{"mirror", RepositoryType::remote, false, {}}}, false, {}}};
    make(options);
    EXPECT_EQ(error_of(push("closed/app/deep/er", "x")), Errc{});
    EXPECT_EQ(error_of(push("closed/other", "x")), Errc::name_unknown);
    EXPECT_EQ(error_of(push("open/anything", "x")), Errc{});
    EXPECT_EQ(error_of(push("open/anything/deeper", "x")), Errc{});
    EXPECT_EQ(error_of(push("nowhere/app", "x")), Errc::name_unknown);
    EXPECT_EQ(error_of(push("closed/all", "x")), Errc::unsupported);
    EXPECT_EQ(error_of(push("open/mirror/app", "x")), Errc::unsupported);
    EXPECT_EQ(
        error_of(run(registry().stat_blob(kAnyone, image_name("open/mirror/app"), digest_of("x")))),
        Errc::unsupported);
    const auto one = push("app", "x");
    ASSERT_EQ(error_of(one), Errc::name_unknown);
    EXPECT_NE(one.error().message.find("names need a project"), std::string::npos);

    // What a push has made stays.
    reopen();
    EXPECT_EQ(run(under_test().registry().find_repository({"open", "anything"})).value().type,
              RepositoryType::local);
    EXPECT_EQ(error_of(run(under_test().registry().find_repository({"closed", "app"}))),
              Errc::name_unknown)
        << "what the configuration declares is not kept";
}

// A one-component name is no alias of <default project>/<name>.
TEST_P(RegistryTest, AOneComponentNameIsItsOwn) {
    ASSERT_TRUE(push("app", "x"));
    EXPECT_TRUE(run(registry().stat_blob(kAnyone, image_name("app"), digest_of("x"))));
    EXPECT_EQ(
        error_of(run(registry().stat_blob(kAnyone, image_name("library/app"), digest_of("x")))),
        Errc::blob_unknown);
}

// DIST-MNT-01, DIST-MNT-02, DIST-MNT-04, DIST-MNT-07, SEC-27.
TEST_P(RegistryTest, AMountThatFindsNothingIsNoError) {
    ASSERT_TRUE(push("p/a", "x"));
    const auto mount = [&](const char* target, const std::string& content,
                           std::optional<ImageName> source) {
        return run(registry().mount(kAnyone, image_name(target), digest_of(content),
                                    std::move(source)))
            .value();
    };
    EXPECT_FALSE(mount("p/b", "x", image_name("p/none")));
    EXPECT_FALSE(mount("p/b", "never pushed", image_name("p/a")));
    EXPECT_FALSE(mount("p/b", "never pushed", std::nullopt));
    EXPECT_EQ(mount("p/b", "x", image_name("p/a"))->size_bytes, 1u);
    EXPECT_TRUE(mount("p/b", "x", image_name("p/none"))) << "it is there already";
    EXPECT_TRUE(mount("p/c", "x", std::nullopt));
    EXPECT_TRUE(run(registry().stat_blob(kAnyone, image_name("p/c"), digest_of("x"))));

    RegistryOptions options;
    options.mount_without_from = false;
    make(options);
    ASSERT_TRUE(push("p/a", "x"));
    EXPECT_FALSE(mount("p/b", "x", std::nullopt));
    EXPECT_TRUE(mount("p/b", "x", image_name("p/a")));
}

// DIST-MAN-02, DIST-MAN-03, DIST-MAN-04, DIST-DIG-06, DIST-DIG-07, SEC-11.
TEST_P(RegistryTest, AManifestIsNamedByTheAlgorithmItsClientUsed) {
    ASSERT_TRUE(push("p/a", "c"));
    const auto text = image_text({"c", {}, "", ""});
    const auto sha256 = digest_of(text);
    const auto sha512 = digest_of(text, DigestAlgorithm::sha512);
    EXPECT_EQ(put("p/a", "by-tag", text).value().digest, sha256);
    EXPECT_EQ(put("p/a", sha512.to_string(), text, {tag_name("by-512")}).value().digest, sha512);
    EXPECT_EQ(error_of(put("p/a", digest_of("other").to_string(), text)), Errc::digest_mismatch);
    EXPECT_EQ(error_of(put("p/a", sha512.to_string(), text + " ")), Errc::digest_mismatch);
    const auto tagged = [&](const char* tag) {
        return run(registry().stat_manifest(kAnyone, image_name("p/a"), tag_name(tag)))
            .value()
            .info.digest;
    };
    EXPECT_EQ(tagged("by-tag"), sha256);
    EXPECT_EQ(tagged("by-512"), sha512);
    auto opened = run(registry().open_manifest(kAnyone, image_name("p/a"), sha512));
    ASSERT_TRUE(opened);
    EXPECT_EQ(run(read_all(std::move(opened.value().content))).value(), text);
}

// DIST-MAN-24.
TEST_P(RegistryTest, APushByDigestMaySetTags) {
    ASSERT_TRUE(push("p/a", "c"));
    const auto text = image_text({"c", {}, "", ""});
    std::vector<Tag> tags;
    for (int i = 0; i < 100; ++i) tags.push_back(tag_name("t" + std::to_string(i)));
    EXPECT_EQ(put("p/a", digest_of(text).to_string(), text, tags).value().tags, tags);
    EXPECT_EQ(run(registry().list_tags(kAnyone, image_name("p/a"), "", {})).value().items.size(),
              100u);
    EXPECT_TRUE(put("p/a", "one", text, tags).value().tags.empty()) << "ignored on a push by tag";
    tags.push_back(tag_name("one-more"));
    EXPECT_EQ(error_of(put("p/a", digest_of(text).to_string(), text, tags)), Errc::limit_reached);
}

// DIST-MAN-18, DIST-MAN-21, DIST-GEN-15.
TEST_P(RegistryTest, ARefusedManifestLeavesNothing) {
    EXPECT_EQ(error_of(put("p/a", "t", std::string(4 * 1024 * 1024 + 1, ' '))), Errc::too_large);
    EXPECT_EQ(error_of(put("p/a", "t", "{}")), Errc::manifest_invalid);
    EXPECT_EQ(error_of(put("p/a", "t", image_text({"missing", {}, "", ""}))), Errc::child_missing);
    EXPECT_EQ(registry().stats().repositories, 0u);
    ASSERT_TRUE(push("p/a", "c"));
    const auto with_subject = image_text({"c", {}, "a subject that is not here", ""});
    EXPECT_EQ(put("p/a", "t", with_subject).value().subject,
              digest_of("a subject that is not here"));
}

// DIST-DEL-01, DIST-DEL-02, DIST-DEL-03.
TEST_P(RegistryTest, DeletesGoByTagOrByDigest) {
    const auto text = push_image("p/a", "one", "t");
    const auto image = image_name("p/a");
    ASSERT_TRUE(put("p/a", "u", text));
    ASSERT_TRUE(run(registry().delete_manifest(kAnyone, image, tag_name("t"))));
    EXPECT_EQ(error_of(run(registry().stat_manifest(kAnyone, image, tag_name("t")))),
              Errc::manifest_unknown);
    EXPECT_TRUE(run(registry().stat_manifest(kAnyone, image, tag_name("u"))));
    EXPECT_EQ(error_of(run(registry().delete_blob(kAnyone, image, digest_of("config of one")))),
              Errc::in_use);
    ASSERT_TRUE(run(registry().delete_manifest(kAnyone, image, digest_of(text))));
    EXPECT_EQ(error_of(run(registry().stat_manifest(kAnyone, image, tag_name("u")))),
              Errc::manifest_unknown);
    EXPECT_EQ(error_of(run(registry().delete_manifest(kAnyone, image, digest_of(text)))),
              Errc::manifest_unknown);
    EXPECT_TRUE(run(registry().delete_blob(kAnyone, image, digest_of("config of one"))));
    EXPECT_EQ(error_of(run(registry().delete_manifest(kAnyone, image, tag_name("u")))),
              Errc::name_unknown);
}

// DIST-LIST-04, DIST-LIST-06, DIST-LIST-09, DIST-CAT-02, SEC-05.
TEST_P(RegistryTest, PagesAreClamped) {
    RegistryOptions options;
    options.limits.list_page_max = 3;
    options.limits.catalog_page_default = 2;
    make(options);
    std::string text;
    for (const std::string tag : {"a", "b", "c", "d"}) text = push_image("p/" + tag, "x", "t");
    for (const std::string tag : {"a", "b", "c", "d"}) ASSERT_TRUE(put("p/a", tag, text));
    const auto tags = [&](std::optional<std::uint64_t> count) {
        return run(registry().list_tags(kAnyone, image_name("p/a"), "", count)).value();
    };
    EXPECT_EQ(tags(std::nullopt).items.size(), 3u);
    EXPECT_TRUE(tags(std::nullopt).more);
    EXPECT_EQ(tags(UINT64_MAX).items.size(), 3u);
    EXPECT_EQ(tags(2).items.size(), 2u);
    EXPECT_TRUE(tags(0).items.empty());
    EXPECT_FALSE(tags(0).more);
    EXPECT_EQ(error_of(run(registry().list_tags(kAnyone, image_name("p/none"), "", 0))),
              Errc::name_unknown);
    EXPECT_EQ(run(registry().list_images(kAnyone, "", {})).value().items.size(), 2u);
    EXPECT_EQ(run(registry().list_images(kAnyone, "p/b", 10)).value().items,
              (std::vector<std::string>{"p/c", "p/d"}));
}

// DIST-REF-04, SEC-23.
TEST_P(RegistryTest, NothingRefersToWhatNobodyHeardOf) {
    RegistryOptions options;
    options.auto_create_projects = false;
    options.default_project = "";
    make(options);
    for (const char* image : {"nowhere/app", "app"}) {
        const auto page =
            run(registry().list_referrers(kAnyone, image_name(image), digest_of("x"), {}, {}, {}));
        ASSERT_TRUE(page) << image;
        EXPECT_TRUE(page.value().items.empty());
        EXPECT_FALSE(page.value().more);
    }
}

class ClosedGate final : public Gate {
public:
    std::string_view name() const noexcept override { return "closed"; }
    Awaitable<Answer<void>> admit(const PullRequest& request) override {
        ++asked;
        if (request.digest != shut) co_return ok();
        co_return refuse({Errc::denied, "not this one"});
    }
    Digest shut;
    int asked = 0;
};

TEST_P(RegistryTest, EveryPullAsksTheGates) {
    const auto text = push_image("p/a", "one", "t");
    const auto image = image_name("p/a");
    ClosedGate gate;
    registry().add_gate(gate);
    EXPECT_TRUE(run(registry().stat_manifest(kAnyone, image, tag_name("t"))));
    EXPECT_TRUE(run(registry().open_manifest(kAnyone, image, tag_name("t"))));
    EXPECT_TRUE(run(registry().stat_blob(kAnyone, image, digest_of("config of one"))));
    EXPECT_TRUE(run(registry().open_blob(kAnyone, image, digest_of("config of one"))));
    EXPECT_EQ(gate.asked, 4);
    gate.shut = digest_of(text);
    EXPECT_EQ(error_of(run(registry().stat_manifest(kAnyone, image, tag_name("t")))), Errc::denied);
    EXPECT_EQ(error_of(run(registry().open_manifest(kAnyone, image, tag_name("t")))), Errc::denied);
    gate.shut = digest_of("config of one");
    EXPECT_EQ(error_of(run(registry().stat_blob(kAnyone, image, digest_of("config of one")))),
              Errc::denied);
    EXPECT_EQ(error_of(run(registry().open_blob(kAnyone, image, digest_of("config of one")))),
              Errc::denied);
    const int asked = gate.asked;
    EXPECT_EQ(error_of(run(registry().stat_blob(kAnyone, image, digest_of("none")))),
              Errc::blob_unknown);
    EXPECT_EQ(gate.asked, asked) << "a gate speaks only of what exists";
}

class Notary final : public ManifestObserver {
public:
    Answer<std::vector<DocumentWrite>> observe(const ManifestPush& push) override {
        if (refuse_all) return refuse({Errc::denied, "not signed"});
        std::vector<DocumentWrite> documents;
        documents.push_back({"seen/" + push.digest.hex(), bytes_of(push.image.text()), {}, 0});
        return documents;
    }
    bool refuse_all = false;
};

TEST_P(RegistryTest, AnObserverAddsToThePushOrStopsIt) {
    ASSERT_TRUE(push("p/a", "c"));
    const auto text = image_text({"c", {}, "", ""});
    Notary notary;
    registry().add_observer(notary);
    notary.refuse_all = true;
    EXPECT_EQ(error_of(put("p/a", "t", text)), Errc::denied);
    EXPECT_EQ(registry().stats().manifests, 0u);
    notary.refuse_all = false;
    ASSERT_TRUE(put("p/a", "t", text));
    EXPECT_EQ(run(under_test().documents().get("seen/" + digest_of(text).hex())).value().bytes,
              bytes_of("p/a"));
}

std::vector<StoreFactory> factories() { return {model_factory(), embedded_factories().front()}; }

INSTANTIATE_TEST_SUITE_P(All, RegistryTest, testing::ValuesIn(factories()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace orbitalreg::engine
