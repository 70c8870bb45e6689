// The RegistryStore suite, run on the model and on the embedded store.

#include "contract/registry_store_content.h"
#include "contract/store_under_test.h"

#include <gtest/gtest.h>

namespace orbitalreg::engine {
namespace {

class RegistryStoreSuite : public testing::TestWithParam<StoreFactory> {
protected:
    void SetUp() override { make({}); }
    void make(const RegistryLimits& limits) { under_test_ = GetParam().make(limits); }

    RegistryStore& store() { return under_test_->registry(); }
    StoreUnderTest& under_test() { return *under_test_; }
    template <class T>
    T run(Awaitable<T> operation) {
        return under_test_->run(std::move(operation));
    }
    RequestId next_id() { return {1, ++ids_}; }

    void push(const std::string& image, const std::string& content) {
        const auto pushed = run(push_blob(store(), image, content));
        ASSERT_TRUE(pushed) << pushed.error().message;
    }
    // With everything it refers to.
    std::string push_image(const std::string& image, const std::string& name,
                           const std::vector<std::string>& tags = {},
                           const std::string& subject = "") {
        push(image, "config of " + name);
        push(image, "layer of " + name);
        const auto text = image_text({"config of " + name, {"layer of " + name}, subject, ""});
        const auto put = run(store().put_manifest(next_id(), put_of(image, text, tags)));
        EXPECT_TRUE(put) << put.error().message;
        return text;
    }
    Errc error_of(const auto& answer) {
        if (answer.has_value()) return Errc{};
        EXPECT_EQ(answer.error().code.category(), category());
        return static_cast<Errc>(answer.error().code.value());
    }
    Errc stat_error(const std::string& image, const std::string& content) {
        return error_of(run(store().stat_blob(image_name(image), digest_of(content))));
    }
    Errc resolve_error(const std::string& image, const std::string& reference) {
        return error_of(
            run(store().resolve(image_name(image), parse_reference(reference).value())));
    }
    std::vector<std::string> tags(const std::string& image) {
        auto page = run(store().list_tags(image_name(image), "", 1000));
        return page ? page.value().items
                    : std::vector<std::string>{"error: " + page.error().message};
    }

private:
    std::unique_ptr<StoreUnderTest> under_test_;
    std::uint64_t ids_ = 0;
};

const std::string kLarge(300'000, 'L');  // goes to a lane

// DIST-BLOB-01, DIST-BLOB-05, DIST-DIG-10, SEC-28.
TEST_P(RegistryStoreSuite, BlobIsSeenOnlyWhereItIsLinked) {
    for (const auto& content : {std::string{}, std::string{"{}"}, std::string{"small"}, kLarge}) {
        EXPECT_EQ(stat_error("p/a", content), Errc::blob_unknown);
        push("p/a", content);
        const auto stat = run(store().stat_blob(image_name("p/a"), digest_of(content)));
        ASSERT_TRUE(stat);
        EXPECT_EQ(stat.value().size_bytes, content.size());
        EXPECT_EQ(run(pull_blob(store(), "p/a", digest_of(content))).value(), content);
        EXPECT_EQ(stat_error("p/b", content), Errc::blob_unknown);
        EXPECT_EQ(error_of(run(pull_blob(store(), "p/b", digest_of(content)))), Errc::blob_unknown);
    }
}

// DIST-DIG-03, DIST-DIG-09: sha512, hinted and not.
TEST_P(RegistryStoreSuite, TakesSha512) {
    for (const auto hint : {DigestAlgorithm::sha256, DigestAlgorithm::sha512}) {
        for (const auto& content : {std::string{"small 512"}, kLarge + "512"}) {
            const auto digest = digest_of(content, DigestAlgorithm::sha512);
            auto writer = run(store().begin_blob(target_of("p/a"), hint, std::nullopt));
            ASSERT_TRUE(writer);
            ASSERT_TRUE(run(write_all(*writer.value(), content, 70'000)));
            const auto done = run(writer.value()->finish(digest));
            ASSERT_TRUE(done) << done.error().message;
            EXPECT_EQ(run(pull_blob(store(), "p/a", digest)).value(), content);
        }
    }
}

// SEC-08, DIST-UPL-13, DIST-UPL-35.
TEST_P(RegistryStoreSuite, WrongDigestMakesNothingVisible) {
    for (const auto& content : {std::string{"right"}, kLarge}) {
        auto writer =
            run(store().begin_blob(target_of("p/a"), DigestAlgorithm::sha256, std::nullopt));
        ASSERT_TRUE(run(write_all(*writer.value(), content + "!", 1000)));
        EXPECT_EQ(error_of(run(writer.value()->finish(digest_of(content)))), Errc::digest_mismatch);
        writer.value().reset();
        EXPECT_EQ(stat_error("p/a", content), Errc::blob_unknown);
        EXPECT_EQ(stat_error("p/a", content + "!"), Errc::blob_unknown);
    }
}

// DIST-UPL-07, DIST-UPL-22, DIST-UPL-36, DIST-UPL-39.
TEST_P(RegistryStoreSuite, SessionStandsAtItsLastMark) {
    for (const auto& content : {std::string{"a short upload"}, kLarge + kLarge}) {
        UploadStart start;
        start.session.fill(static_cast<std::byte>(content.size() % 251));
        start.issued_store_time_s = store().store_time_ms() / 1000;
        const auto half = content.size() / 2 + 1;
        {
            auto writer = run(store().open_upload(target_of("p/a"), start));
            ASSERT_TRUE(writer) << writer.error().message;
            EXPECT_EQ(writer.value()->offset(), 0u);
            ASSERT_TRUE(run(write_all(*writer.value(), content.substr(0, half), 50'000)));
            EXPECT_EQ(run(writer.value()->mark()).value(), half);
            EXPECT_EQ(error_of(run(store().open_upload(target_of("p/a"), start))),
                      Errc::offset_mismatch)
                << "busy";
            ASSERT_TRUE(run(write_all(*writer.value(), "lost", 50'000)));
        }
        under_test().reopen();
        const auto status = run(store().upload_status(start.session)).value();
        EXPECT_EQ(status.state, UploadStatus::State::open);
        EXPECT_EQ(status.offset_bytes, half);
        {
            auto writer = run(store().open_upload(target_of("p/a"), start));
            ASSERT_TRUE(writer) << writer.error().message;
            EXPECT_EQ(writer.value()->offset(), half);
            ASSERT_TRUE(run(write_all(*writer.value(), content.substr(half), 50'000)));
            const auto done = run(writer.value()->finish(digest_of(content)));
            ASSERT_TRUE(done) << done.error().message;
            EXPECT_EQ(done.value().size_bytes, content.size());
        }
        EXPECT_EQ(run(pull_blob(store(), "p/a", digest_of(content))).value(), content);
        const auto closed = run(store().upload_status(start.session)).value();
        EXPECT_EQ(closed.state, UploadStatus::State::finished);
        EXPECT_EQ(closed.digest, digest_of(content));
        EXPECT_EQ(error_of(run(store().open_upload(target_of("p/a"), start))),
                  Errc::upload_unknown);
        EXPECT_EQ(error_of(run(store().cancel_upload(start))), Errc::upload_unknown);
    }
}

// DIST-UPL-51.
TEST_P(RegistryStoreSuite, CancelledSessionStaysCancelled) {
    UploadStart start;
    start.session.fill(std::byte{7});
    start.issued_store_time_s = store().store_time_ms() / 1000;
    {
        auto writer = run(store().open_upload(target_of("p/a"), start));
        ASSERT_TRUE(run(write_all(*writer.value(), "bytes", 10)));
        ASSERT_TRUE(run(writer.value()->mark()));
    }
    ASSERT_TRUE(run(store().cancel_upload(start)));
    EXPECT_EQ(error_of(run(store().open_upload(target_of("p/a"), start))), Errc::upload_unknown);
    under_test().reopen();
    EXPECT_EQ(run(store().upload_status(start.session)).value().state,
              UploadStatus::State::cancelled);
    EXPECT_EQ(error_of(run(store().open_upload(target_of("p/a"), start))), Errc::upload_unknown);
    EXPECT_EQ(stat_error("p/a", "bytes"), Errc::blob_unknown);
}

// DIST-MNT-01, DIST-MNT-02, DIST-MNT-06.
TEST_P(RegistryStoreSuite, MountLinksWhatTheSourceLinks) {
    push("p/a", "blob");
    EXPECT_EQ(error_of(run(store().mount(next_id(), target_of("p/c"), digest_of("blob"),
                                         image_name("p/b")))),
              Errc::blob_unknown);
    const auto mounted =
        run(store().mount(next_id(), target_of("p/b"), digest_of("blob"), image_name("p/a")));
    ASSERT_TRUE(mounted);
    EXPECT_EQ(mounted.value().size_bytes, 4u);
    EXPECT_EQ(run(store().find_links(digest_of("blob"), 10)).value().size(), 2u);
    ASSERT_TRUE(run(store().delete_link(next_id(), image_name("p/a"), digest_of("blob"))));
    EXPECT_EQ(stat_error("p/a", "blob"), Errc::blob_unknown);
    EXPECT_EQ(run(pull_blob(store(), "p/b", digest_of("blob"))).value(), "blob");
}

// DIST-MAN-01, DIST-MAN-05, DIST-MAN-26, DIST-MAN-30, DIST-MAN-36, DIST-BLOB-23.
TEST_P(RegistryStoreSuite, ManifestIsServedAsItCame) {
    const auto text = push_image("p/a", "one", {"v1", "latest"});
    for (const std::string& reference :
         {std::string{"v1"}, std::string{"latest"}, digest_of(text).to_string()}) {
        const auto info =
            run(store().resolve(image_name("p/a"), parse_reference(reference).value()));
        ASSERT_TRUE(info) << reference;
        EXPECT_EQ(info.value().digest, digest_of(text));
        EXPECT_EQ(info.value().kind, ManifestKind::oci_image);
        EXPECT_EQ(info.value().size_bytes, text.size());
    }
    EXPECT_EQ(run(pull_manifest(store(), "p/a", digest_of(text))).value(), text);
    EXPECT_EQ(stat_error("p/a", text), Errc::blob_unknown) << "a manifest is no blob";
    EXPECT_EQ(resolve_error("p/a", digest_of("layer of one").to_string()), Errc::manifest_unknown);
    EXPECT_EQ(resolve_error("p/a", "none"), Errc::manifest_unknown);
    EXPECT_EQ(resolve_error("p/none", "v1"), Errc::name_unknown);
    EXPECT_EQ(error_of(run(pull_manifest(store(), "p/b", digest_of(text)))), Errc::name_unknown);
}

// DIST-MAN-18: above the inline limit the bytes go through a writer first.
TEST_P(RegistryStoreSuite, LargeManifestIsOneStepToo) {
    push("p/a", "c");
    const auto text = image_text({"c", {}, "", std::string(3'900'000, 'x')});
    const auto id = next_id();
    ASSERT_TRUE(run(store().put_manifest(id, put_of("p/a", text, {"big"}))));
    EXPECT_EQ(run(pull_manifest(store(), "p/a", digest_of(text))).value(), text);
    EXPECT_TRUE(run(store().put_manifest(id, put_of("p/a", text, {"big"}))));
    const auto missing = image_text({"not here", {}, "", std::string(200'000, 'x')});
    EXPECT_EQ(error_of(run(store().put_manifest(next_id(), put_of("p/a", missing, {"big"})))),
              Errc::child_missing);
    EXPECT_EQ(resolve_error("p/a", digest_of(missing).to_string()), Errc::manifest_unknown);
    EXPECT_EQ(run(store().resolve(image_name("p/a"), tag_name("big"))).value().digest,
              digest_of(text));
}

// DIST-MAN-13, SEC-17, SEC-29.
TEST_P(RegistryStoreSuite, EachMissingChildIsNamed) {
    push("p/a", "config");
    push("p/b", "elsewhere");
    const auto text = image_text({"config", {"elsewhere", "nowhere"}, "", ""});
    const auto put = run(store().put_manifest(next_id(), put_of("p/a", text, {"v1"})));
    ASSERT_EQ(error_of(put), Errc::child_missing);
    EXPECT_EQ(put.error().digests, (std::vector{digest_of("elsewhere"), digest_of("nowhere")}));
    EXPECT_EQ(resolve_error("p/a", "v1"), Errc::manifest_unknown);
    EXPECT_EQ(stat_error("p/a", "elsewhere"), Errc::blob_unknown) << "no link was gained";
    EXPECT_EQ(tags("p/a"), (std::vector<std::string>{"error: repository not known"}));
}

// DIST-MAN-16, SEC-16.
TEST_P(RegistryStoreSuite, ContradictedSizeIsRefused) {
    push("p/a", "config");
    auto text = image_text({"config", {}, "", ""});
    text.replace(text.find("\"size\":6"), 8, "\"size\":7");
    EXPECT_EQ(error_of(run(store().put_manifest(next_id(), put_of("p/a", text)))),
              Errc::manifest_invalid);
}

// DIST-MAN-13, DIST-MAN-15, DIST-DEL-07.
TEST_P(RegistryStoreSuite, IndexNeedsItsManifests) {
    const auto child = push_image("p/a", "child");
    push("p/a", "only a blob");
    const auto good = index_text({child});
    ASSERT_TRUE(run(store().put_manifest(next_id(), put_of("p/a", good, {"multi"}))));
    const auto blob_as_manifest = index_text({"only a blob"});
    EXPECT_EQ(error_of(run(store().put_manifest(next_id(), put_of("p/a", blob_as_manifest)))),
              Errc::child_missing);

    auto sparse = put_of("p/a", index_text({child, "missing child"}), {"sparse"});
    EXPECT_EQ(error_of(run(store().put_manifest(next_id(), sparse))), Errc::child_missing);
    sparse.children_may_be_missing = true;
    EXPECT_TRUE(run(store().put_manifest(next_id(), sparse)));

    ASSERT_TRUE(run(store().delete_manifest(next_id(), image_name("p/a"), digest_of(child))));
    EXPECT_EQ(resolve_error("p/a", digest_of(child).to_string()), Errc::manifest_unknown);
    EXPECT_EQ(run(pull_manifest(store(), "p/a", digest_of(good))).value(), good);
}

// DIST-TAG-01, DIST-TAG-04, DIST-DEL-01, DIST-DEL-02, DIST-DEL-03, DIST-LIST-11.
TEST_P(RegistryStoreSuite, TagsMoveAndGo) {
    const auto one = push_image("p/a", "one", {"v1", "V1", "latest"});
    const auto two = push_image("p/a", "two", {"latest"});
    EXPECT_EQ(tags("p/a"), (std::vector<std::string>{"V1", "latest", "v1"}));
    EXPECT_EQ(run(store().resolve(image_name("p/a"), tag_name("latest"))).value().digest,
              digest_of(two));
    const auto any = TagExpectation::anything();
    ASSERT_TRUE(run(store().delete_tag(next_id(), image_name("p/a"), tag_name("latest"), any)));
    EXPECT_EQ(
        error_of(run(store().delete_tag(next_id(), image_name("p/a"), tag_name("latest"), any))),
        Errc::manifest_unknown);
    EXPECT_EQ(
        error_of(run(store().delete_tag(next_id(), image_name("p/x"), tag_name("latest"), any))),
        Errc::name_unknown);
    EXPECT_EQ(run(pull_manifest(store(), "p/a", digest_of(two))).value(), two)
        << "only the tag went";
    ASSERT_TRUE(run(store().delete_manifest(next_id(), image_name("p/a"), digest_of(one))));
    EXPECT_TRUE(tags("p/a").empty());
    EXPECT_EQ(error_of(run(store().delete_manifest(next_id(), image_name("p/a"), digest_of(one)))),
              Errc::manifest_unknown);
    EXPECT_EQ(error_of(run(store().set_tag(next_id(), image_name("p/a"), tag_name("x"),
                                           digest_of(one), any))),
              Errc::manifest_unknown);
    EXPECT_TRUE(
        run(store().set_tag(next_id(), image_name("p/a"), tag_name("x"), digest_of(two), any)));
    EXPECT_EQ(tags("p/a"), (std::vector<std::string>{"x"}));
}

// DIST-MAN-25.
TEST_P(RegistryStoreSuite, TagExpectationsHold) {
    const auto one = push_image("p/a", "one", {"t"});
    const auto two = push_image("p/a", "two");
    const auto put = [&](const std::string& text, TagExpectation expected) {
        return error_of(run(store().put_manifest(next_id(), put_of("p/a", text, {"t"}, expected))));
    };
    EXPECT_EQ(put(two, TagExpectation::absent()), Errc::precondition_failed);
    EXPECT_EQ(put(two, TagExpectation::at(digest_of(two))), Errc::precondition_failed);
    EXPECT_EQ(put(two, TagExpectation::at(digest_of(one))), Errc{});
    const auto tag = tag_name("t");
    EXPECT_EQ(error_of(run(store().set_tag(next_id(), image_name("p/a"), tag, digest_of(one),
                                           TagExpectation::at(digest_of(one))))),
              Errc::precondition_failed);
    EXPECT_EQ(error_of(run(store().delete_tag(next_id(), image_name("p/a"), tag,
                                              TagExpectation::at(digest_of(one))))),
              Errc::precondition_failed);
    EXPECT_TRUE(run(
        store().delete_tag(next_id(), image_name("p/a"), tag, TagExpectation::at(digest_of(two)))));
    EXPECT_EQ(put(two, TagExpectation::absent()), Errc{});
}

// DIST-DEL-04, DIST-DEL-05, DIST-DEL-08.
TEST_P(RegistryStoreSuite, BlobInUseIsNotDeleted) {
    const auto text = push_image("p/a", "one");
    ASSERT_TRUE(run(
        store().mount(next_id(), target_of("p/b"), digest_of("layer of one"), image_name("p/a"))));
    const auto refused =
        run(store().delete_link(next_id(), image_name("p/a"), digest_of("layer of one")));
    ASSERT_EQ(error_of(refused), Errc::in_use);
    EXPECT_EQ(refused.error().digests, (std::vector{digest_of(text)}));
    EXPECT_TRUE(run(store().delete_link(next_id(), image_name("p/b"), digest_of("layer of one"))))
        << "not used there";
    ASSERT_TRUE(run(store().delete_manifest(next_id(), image_name("p/a"), digest_of(text))));
    EXPECT_TRUE(run(store().delete_link(next_id(), image_name("p/a"), digest_of("layer of one"))));
    EXPECT_EQ(stat_error("p/a", "layer of one"), Errc::blob_unknown);
    EXPECT_EQ(
        error_of(run(store().delete_link(next_id(), image_name("p/a"), digest_of("layer of one")))),
        Errc::blob_unknown);
    EXPECT_EQ(error_of(run(
                  store().delete_link(next_id(), image_name("p/none"), digest_of("layer of one")))),
              Errc::name_unknown);
    EXPECT_EQ(push_image("p/a", "one"), text) << "pushed again at once";
    EXPECT_EQ(run(pull_blob(store(), "p/a", digest_of("layer of one"))).value(), "layer of one");
}

// DIST-REF-02, DIST-REF-04, DIST-REF-06, DIST-REF-09, DIST-REF-10, SEC-22.
TEST_P(RegistryStoreSuite, ReferrersFollowTheirManifests) {
    const auto subject = push_image("p/a", "subject");
    const auto referrer = push_image("p/a", "sbom", {}, subject);
    push_image("p/b", "sbom", {}, subject);
    const auto list = [&](const std::string& image) {
        return run(store().referrers(image_name(image), {digest_of(subject), {}, {}, 100, 0}))
            .value()
            .items;
    };
    ASSERT_EQ(list("p/a").size(), 1u);
    const auto entry = list("p/a")[0];
    EXPECT_EQ(entry.digest, digest_of(referrer));
    EXPECT_EQ(entry.size_bytes, referrer.size());
    EXPECT_EQ(entry.kind, ManifestKind::oci_image);
    EXPECT_EQ(entry.artifact_type, "application/vnd.test.config");
    EXPECT_EQ(entry.annotations, (Annotations{{"k", "v"}}));
    EXPECT_EQ(list("p/b").size(), 1u);
    EXPECT_TRUE(list("p/none").empty());

    push("p/a", "c");
    auto one_too_many = put_of("p/a", image_text({"c", {}, subject, ""}));
    one_too_many.referrers_per_subject_max = 1;
    EXPECT_EQ(error_of(run(store().put_manifest(next_id(), one_too_many))), Errc::denied);

    ASSERT_TRUE(run(store().delete_manifest(next_id(), image_name("p/a"), digest_of(subject))));
    EXPECT_EQ(list("p/a").size(), 1u) << "referrers outlive their subject";
    ASSERT_TRUE(run(store().delete_manifest(next_id(), image_name("p/a"), digest_of(referrer))));
    EXPECT_TRUE(list("p/a").empty());
}

// DIST-LIST-10, DIST-CAT-01, DIST-NAME-06.
TEST_P(RegistryStoreSuite, NamesAppearWithTheirFirstManifest) {
    push("p/a", "blob");
    EXPECT_TRUE(run(store().list_images("", 100)).value().items.empty());
    EXPECT_EQ(error_of(run(store().list_tags(image_name("p/a"), "", 100))), Errc::name_unknown);
    const auto text = push_image("p/a", "one");
    EXPECT_EQ(run(store().list_images("", 100)).value().items, (std::vector<std::string>{"p/a"}));
    EXPECT_TRUE(tags("p/a").empty());
    EXPECT_EQ(run(store().find_repository({"p", "a"})).value().type, RepositoryType::local);
    EXPECT_EQ(error_of(run(store().find_repository({"p", "b"}))), Errc::name_unknown);
}

TEST_P(RegistryStoreSuite, RepeatedRequestGivesItsFirstOutcome) {
    const auto one = push_image("p/a", "one", {"t"});
    const auto two = push_image("p/a", "two");
    const auto any = TagExpectation::anything();
    const auto move = next_id();
    ASSERT_TRUE(run(store().set_tag(move, image_name("p/a"), tag_name("t"), digest_of(two), any)));
    ASSERT_TRUE(
        run(store().set_tag(next_id(), image_name("p/a"), tag_name("t"), digest_of(one), any)));
    EXPECT_TRUE(run(store().set_tag(move, image_name("p/a"), tag_name("t"), digest_of(two), any)));
    EXPECT_EQ(run(store().resolve(image_name("p/a"), tag_name("t"))).value().digest, digest_of(one))
        << "it did not happen twice";

    const auto erase = next_id();
    ASSERT_TRUE(run(store().delete_tag(erase, image_name("p/a"), tag_name("t"), any)));
    EXPECT_TRUE(run(store().delete_tag(erase, image_name("p/a"), tag_name("t"), any)));

    const auto refused = next_id();
    EXPECT_EQ(error_of(run(store().delete_tag(refused, image_name("p/a"), tag_name("t"), any))),
              Errc::manifest_unknown);
    ASSERT_TRUE(
        run(store().set_tag(next_id(), image_name("p/a"), tag_name("t"), digest_of(one), any)));
    EXPECT_EQ(error_of(run(store().delete_tag(refused, image_name("p/a"), tag_name("t"), any))),
              Errc::manifest_unknown)
        << "refusals are remembered, too";

    under_test().advance_ms(static_cast<std::uint64_t>(RegistryLimits{}.request_outcome_keep_ms) +
                            1000);
    EXPECT_TRUE(run(store().delete_tag(refused, image_name("p/a"), tag_name("t"), any)))
        << "but not for ever";
}

TEST_P(RegistryStoreSuite, DocumentsTravelWithAManifestOrNotAtAll) {
    push("p/a", "c");
    const auto text = image_text({"c", {}, "", ""});
    auto put = put_of("p/a", text, {"t"});
    put.documents = {{"verdict/1", bytes_of("ok"), DocumentExpectation::absent(), 0}};
    ASSERT_TRUE(run(store().put_manifest(next_id(), put)));
    EXPECT_EQ(run(under_test().documents().get("verdict/1")).value().bytes, bytes_of("ok"));
    put.documents.insert(put.documents.begin(),
                         {"verdict/2", bytes_of("ok"), DocumentExpectation::anything(), 0});
    EXPECT_EQ(error_of(run(store().put_manifest(next_id(), put))), Errc::exists);
    EXPECT_EQ(error_of(run(under_test().documents().get("verdict/2"))), Errc::document_unknown);
}

TEST_P(RegistryStoreSuite, RequestsSideBySideAllLand) {
    push("p/a", "c");
    std::vector<Awaitable<Answer<ManifestInfo>>> puts;
    for (int i = 0; i < 50; ++i) {
        const auto text =
            image_text({"c", {}, "", std::string(static_cast<std::size_t>(i + 1), 'x')});
        puts.push_back(store().put_manifest(
            next_id(), put_of("p/a", text, {"t" + std::to_string(i), "last"})));
    }
    for (const auto& answer : under_test().run_all(std::move(puts))) EXPECT_TRUE(answer);
    EXPECT_EQ(tags("p/a").size(), 51u);
    const auto before = under_test().fingerprint();
    under_test().reopen();
    EXPECT_EQ(under_test().fingerprint(), before);
    EXPECT_EQ(tags("p/a").size(), 51u);
    EXPECT_EQ(store().stats().manifests, 50u);
}

// Exactly one of many that all expect the tag to be absent.
TEST_P(RegistryStoreSuite, OneOfManyConflictingRequestsWins) {
    push("p/a", "c");
    std::vector<Awaitable<Answer<ManifestInfo>>> puts;
    for (int i = 0; i < 20; ++i) {
        const auto text =
            image_text({"c", {}, "", std::string(static_cast<std::size_t>(i + 1), 'x')});
        puts.push_back(
            store().put_manifest(next_id(), put_of("p/a", text, {"t"}, TagExpectation::absent())));
    }
    int won = 0;
    for (const auto& answer : under_test().run_all(std::move(puts))) {
        if (answer)
            ++won;
        else
            EXPECT_EQ(error_of(answer), Errc::precondition_failed);
    }
    EXPECT_EQ(won, 1);
}

INSTANTIATE_TEST_SUITE_P(All, RegistryStoreSuite, testing::ValuesIn(all_factories()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace orbitalreg::engine
