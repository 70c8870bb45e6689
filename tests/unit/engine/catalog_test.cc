#include "cas/errors.h"
#include "engine/embedded_store.h"
#include "unit/engine/catalog_fixture.h"

#include <gtest/gtest.h>

#include <random>

namespace orbitalreg::engine {
namespace {

ReferrersQuery referrers_of(const Digest& subject, std::uint32_t count_max = 100) {
    return {subject, {}, {}, count_max, 0};
}

TEST(Catalog, CountsEachHolderOfAManifestAndEachDistinctEdgeOnce) {
    CatalogUnderTest t;
    t.push("p/a", "m1", {"layer", "config"});
    t.push("p/b", "m1", {"layer", "config"});
    t.push("p/a", "m2", {"layer"});
    EXPECT_EQ(t.blobs.count(digest_of("m1")), 2);     // by p/a and p/b
    EXPECT_EQ(t.blobs.count(digest_of("layer")), 2);  // by m1 and m2
    EXPECT_EQ(t.blobs.count(digest_of("config")), 1);
    EXPECT_EQ(t.recount(), t.blobs.counts());

    t.apply(ManifestDeleteRecord{image("p/a"), digest_of("m1"), {}});
    EXPECT_EQ(t.blobs.count(digest_of("config")), 1) << "p/b still holds m1";
    t.apply(ManifestDeleteRecord{image("p/b"), digest_of("m1"), {}});
    EXPECT_EQ(t.blobs.count(digest_of("config")), 0);
    EXPECT_EQ(t.blobs.count(digest_of("layer")), 1);
    EXPECT_EQ(t.recount(), t.blobs.counts());
    t.catalog.check_invariants();
}

// DIST-MAN-05, DIST-TAG-04, DIST-DEL-01, DIST-DEL-02, DIST-LIST-11.
TEST(Catalog, TagsFollowPushesAndDeletes) {
    CatalogUnderTest t;
    t.push("p/a", "m1", {}, {tag("latest"), tag("v1")});
    t.push("p/a", "m2", {}, {tag("latest")});
    const auto& images = t.catalog.images();
    EXPECT_EQ(images.find_tag("p/a", "latest"), t.id("m2"));
    EXPECT_EQ(images.find_tag("p/a", "v1"), t.id("m1"));
    t.apply(TagDeleteRecord{image("p/a"), tag("latest"), {}});
    EXPECT_FALSE(images.find_tag("p/a", "latest"));
    EXPECT_TRUE(images.find_manifest("p/a", t.id("m2"))) << "only the tag went";
    t.apply(TagSetRecord{image("p/a"), tag("again"), digest_of("m1"), {}});
    t.apply(ManifestDeleteRecord{image("p/a"), digest_of("m1"), {}});
    EXPECT_TRUE(images.list_tags("p/a", "", 100)->items.empty());
    t.catalog.check_invariants();
}

// DIST-LIST-02, DIST-LIST-03, DIST-LIST-05, DIST-LIST-06.
TEST(Catalog, ListsTagsInByteOrderWithExactPages) {
    CatalogUnderTest t;
    t.push("p/a", "m", {}, {tag("a"), tag("_"), tag("A"), tag("10"), tag("1"), tag("2")});
    const auto& images = t.catalog.images();
    const auto all = *images.list_tags("p/a", "", 100);
    EXPECT_EQ(all.items, (std::vector<std::string>{"1", "10", "2", "A", "_", "a"}));
    EXPECT_FALSE(all.more);
    EXPECT_FALSE(images.list_tags("p/a", "", 6)->more) << "exactly full is the end";
    EXPECT_TRUE(images.list_tags("p/a", "", 5)->more);
    EXPECT_EQ(images.list_tags("p/a", "10", 2)->items, (std::vector<std::string>{"2", "A"}));
    EXPECT_EQ(images.list_tags("p/a", "15", 1)->items, (std::vector<std::string>{"2"}))
        << "`last` need not exist";
    EXPECT_TRUE(images.list_tags("p/a", "a", 9)->items.empty());
    EXPECT_FALSE(images.list_tags("p/none", "", 9));
}

// DIST-CAT-01, DIST-CAT-03, DIST-NAME-06.
TEST(Catalog, ListsImagesThatHoldAManifest) {
    CatalogUnderTest t;
    for (const std::string name : {"a0", "a/b", "a-b"}) t.push(name, "m", {});
    t.blobs.add(digest_of("blob"));
    t.apply(LinkAddRecord{image("only/links"), digest_of("blob"), {}});
    const auto& images = t.catalog.images();
    EXPECT_EQ(images.list_images("", 9).items, (std::vector<std::string>{"a-b", "a/b", "a0"}));
    EXPECT_EQ(images.list_images("a-b", 1).items, (std::vector<std::string>{"a/b"}));
    EXPECT_TRUE(images.list_images("a-b", 1).more);
    EXPECT_EQ(images.presence("only/links"), ImageTable::Presence::links_only);
    t.apply(ManifestDeleteRecord{image("a/b"), digest_of("m"), {}});
    EXPECT_EQ(images.list_images("", 9).items, (std::vector<std::string>{"a-b", "a0"}));
    EXPECT_EQ(images.presence("a/b"), ImageTable::Presence::nothing);
}

// DIST-REF-06, DIST-REF-07, DIST-REF-09, DIST-REF-10, DIST-REF-11, DIST-REF-12.
TEST(Catalog, ListsReferrersBySubject) {
    CatalogUnderTest t;
    const auto subject = digest_of("subject, not here");
    for (int i = 0; i < 5; ++i) t.push("p/a", "r" + std::to_string(i), {}, {}, subject);
    t.push("p/b", "r0", {}, {}, subject);
    const auto& images = t.catalog.images();
    EXPECT_EQ(images.referrers("p/a", referrers_of(subject)).items.size(), 5u);
    EXPECT_EQ(images.referrers("p/b", referrers_of(subject)).items.size(), 1u)
        << "never across image names";
    EXPECT_TRUE(images.referrers("p/a", referrers_of(digest_of("other"))).items.empty());

    std::vector<Digest> paged;
    auto query = referrers_of(subject, 2);
    for (;;) {
        const auto page = images.referrers("p/a", query);
        for (const auto& referrer : page.items) paged.push_back(referrer.digest);
        if (!page.more) break;
        query.after = paged.back();
    }
    EXPECT_EQ(paged.size(), 5u);
    EXPECT_TRUE(std::is_sorted(paged.begin(), paged.end()));

    query = referrers_of(subject);
    query.artifact_types = {"other/type"};
    EXPECT_TRUE(images.referrers("p/a", query).items.empty());
    query.artifact_types.push_back("x/type");
    EXPECT_EQ(images.referrers("p/a", query).items.size(), 5u);

    t.apply(ManifestDeleteRecord{image("p/a"), digest_of("r3"), {}});
    EXPECT_EQ(images.referrers("p/a", referrers_of(subject)).items.size(), 4u);
    t.catalog.check_invariants();
}

TEST(Catalog, EndsAReferrersPageByItsText) {
    CatalogUnderTest t;
    const auto subject = digest_of("s");
    for (int i = 0; i < 4; ++i) t.push("p/a", "r" + std::to_string(i), {}, {}, subject);
    auto query = referrers_of(subject);
    query.text_max_bytes = 2 * std::string{"x/type"}.size();
    const auto page = t.catalog.images().referrers("p/a", query);
    EXPECT_EQ(page.items.size(), 2u);
    EXPECT_TRUE(page.more);
    query.text_max_bytes = 1;
    EXPECT_EQ(t.catalog.images().referrers("p/a", query).items.size(), 1u) << "always at least one";
}

// DIST-DEL-05.
TEST(Catalog, KnowsWhoUsesABlobInAnImage) {
    CatalogUnderTest t;
    t.push("p/a", "m1", {"layer"});
    t.push("p/b", "m2", {"layer"});
    for (int i = 0; i < 10; ++i) t.push("p/c", "other" + std::to_string(i), {});
    EXPECT_EQ(t.catalog.find_user_in("p/a", t.id("layer")), digest_of("m1"));
    EXPECT_EQ(t.catalog.find_user_in("p/b", t.id("layer")), digest_of("m2"));
    EXPECT_FALSE(t.catalog.find_user_in("p/c", t.id("layer")));
    EXPECT_FALSE(t.catalog.find_user_in("p/none", t.id("layer")));
    t.apply(ManifestDeleteRecord{image("p/a"), digest_of("m1"), {}});
    EXPECT_FALSE(t.catalog.find_user_in("p/a", t.id("layer")));
}

TEST(Catalog, ForgetDropsEveryLinkToABlob) {
    CatalogUnderTest t;
    const auto blob = t.blobs.add(digest_of("blob"));
    for (const std::string name : {"p/a", "p/b", "q"})
        t.apply(LinkAddRecord{image(name), digest_of("blob"), {}});
    t.push("p/b", "m", {});
    EXPECT_EQ(t.catalog.images().owners(blob, 10).size(), 3u);
    t.catalog.forget(blob, digest_of("blob"));
    EXPECT_FALSE(t.catalog.images().has_link("p/a", blob));
    EXPECT_TRUE(t.catalog.images().owners(blob, 10).empty());
    EXPECT_EQ(t.catalog.images().presence("p/a"), ImageTable::Presence::nothing);
    EXPECT_EQ(t.catalog.images().presence("p/b"), ImageTable::Presence::manifests);
    t.catalog.check_invariants();
}

TEST(Catalog, HoldsAnOptionalChildOnlyWhereItIs) {
    CatalogUnderTest t;
    t.blobs.add(digest_of("index"));
    t.blobs.add(digest_of("here"));
    ManifestPutRecord record{image("p/a"),
                             digest_of("index"),
                             ManifestKind::oci_index,
                             5,
                             {{digest_of("here"), true}, {digest_of("missing"), true}},
                             {},
                             "",
                             {},
                             {},
                             {}};
    t.apply(record);
    EXPECT_EQ(t.blobs.count(digest_of("here")), 1);
    t.blobs.add(digest_of("missing"));
    EXPECT_EQ(t.blobs.count(digest_of("missing")), 0);
    t.apply(record);  // pushed again, now that it is there
    EXPECT_EQ(t.blobs.count(digest_of("missing")), 1);
    EXPECT_EQ(t.blobs.count(digest_of("here")), 1);
    EXPECT_EQ(t.recount(), t.blobs.counts());
}

// DIST-PROXY-18: what is fetched piece by piece would go again with the first collection otherwise.
TEST(Catalog, HoldsWhatAManifestAwaitsFromTheMomentItComes) {
    CatalogUnderTest t;
    t.blobs.add(digest_of("index"));
    t.apply(ManifestPutRecord{image("p/a"),
                              digest_of("index"),
                              ManifestKind::oci_index,
                              5,
                              {{digest_of("layer"), true}, {digest_of("child"), true}},
                              {},
                              "",
                              {},
                              {},
                              {}});
    const auto index = t.id("index");
    EXPECT_TRUE(t.catalog.manifests().awaits(index, digest_of("layer")));
    t.blobs.add(digest_of("layer"));
    t.apply(LinkAddRecord{image("p/b"), digest_of("layer"), {}});
    EXPECT_EQ(t.blobs.count(digest_of("layer")), 1);
    EXPECT_FALSE(t.catalog.manifests().awaits(index, digest_of("layer")));
    t.push("p/a", "child", {});
    EXPECT_EQ(t.blobs.count(digest_of("child")), 2);  // as a manifest, and as a child
    EXPECT_EQ(t.recount(), t.blobs.counts());
    t.catalog.check_invariants();

    // What nobody awaits any more is not held when it comes.
    t.blobs.add(digest_of("other"));
    t.apply(ManifestPutRecord{image("p/a"),
                              digest_of("other"),
                              ManifestKind::oci_image,
                              5,
                              {{digest_of("late"), true}},
                              {},
                              "",
                              {},
                              {},
                              {}});
    t.apply(ManifestDeleteRecord{image("p/a"), digest_of("other"), {}});
    t.blobs.add(digest_of("late"));
    t.apply(LinkAddRecord{image("p/a"), digest_of("late"), {}});
    EXPECT_EQ(t.blobs.count(digest_of("late")), 0);
    t.catalog.check_invariants();
}

TEST(Catalog, RemembersRequestsForAWhile) {
    RegistryLimits limits;
    limits.request_outcomes_max = 2;
    limits.request_outcome_keep_ms = 1000;
    RequestTable table{limits};
    table.note({1, 1}, {7, nullptr}, 0);
    EXPECT_EQ(table.find({1, 1}, 999)->lsn, 7u);
    EXPECT_FALSE(table.find({1, 1}, 1000));
    EXPECT_FALSE(table.find({1, 2}, 0));
    table.note({0, 0}, {8, nullptr}, 0);
    EXPECT_FALSE(table.find({0, 0}, 0)) << "the zero id is no id";
    table.note({1, 1}, {9, nullptr}, 10);
    EXPECT_EQ(table.find({1, 1}, 10)->lsn, 7u) << "the first outcome stays";
    table.note({2, 2}, {10, nullptr}, 20);
    table.note({3, 3}, {11, nullptr}, 30);
    EXPECT_EQ(table.forgotten_early(), 1u);
    EXPECT_FALSE(table.find({1, 1}, 30));
    EXPECT_TRUE(table.find({2, 2}, 30));
}

TEST(Catalog, DocumentsExpireByStoreTime) {
    DocumentTable table;
    table.put({"a/1", 1, 100, {}}, 0);
    table.put({"a/2", 2, 0, {}}, 0);
    table.put({"b", 3, 0, {}}, 0);
    EXPECT_TRUE(table.find("a/1", 99));
    EXPECT_FALSE(table.find("a/1", 100));
    EXPECT_EQ(table.version("a/1", 100), 0u);
    EXPECT_EQ(table.list("a/", "", 9, 99).documents.size(), 2u);
    EXPECT_EQ(table.list("a/", "", 9, 100).documents.size(), 1u);
    EXPECT_TRUE(table.list("a/", "", 1, 99).more);
    EXPECT_EQ(table.list("a/", "a/1", 9, 99).documents.size(), 1u);
    EXPECT_EQ(table.list("", "", 9, 99).documents.size(), 3u);
    table.remove("b", 200);
    EXPECT_EQ(table.size(), 1u) << "a write sweeps what is over";
}

std::vector<CatalogChange> one_of_each() {
    const RequestId id{0x1122334455667788, 0x99aabbccddeeff00};
    const auto sha512 = Digest::of(DigestAlgorithm::sha512, as_bytes("x"));
    return {
        ManifestPutRecord{image("p/a"),
                          digest_of("m"),
                          ManifestKind::docker_list,
                          123,
                          {{digest_of("1"), false}, {sha512, true}},
                          sha512,
                          "type/x",
                          {{"k", "v"}, {"", ""}},
                          {tag("a"), tag("b")},
                          id},
        ManifestPutRecord{image("a"), sha512, ManifestKind::oci_image, 0, {}, {}, "", {}, {}, {}},
        TagSetRecord{image("p/a"), tag("t"), digest_of("m"), id},
        TagDeleteRecord{image("p/a"), tag("t"), id},
        ManifestDeleteRecord{image("p/a"), sha512, id},
        LinkAddRecord{image("p/a"), sha512, id},
        LinkDeleteRecord{image("p/a"), digest_of("m"), id},
        RepositoryPutRecord{{{"p", "a"}, RepositoryType::virtual_members, true}, id},
        DocumentPutRecord{"policy/x", {std::byte{1}, std::byte{0}}, 77, id},
        DocumentDeleteRecord{"policy/x", id},
    };
}

TEST(CatalogRecords, RoundTrip) {
    for (const auto& change : one_of_each()) {
        const auto record = encode(change);
        const auto decoded = decode({record.type, record.body, record.raw});
        ASSERT_TRUE(decoded) << record.type;
        EXPECT_EQ(decoded.value(), change) << record.type;
        EXPECT_NE(describe_record({record.type, record.body, record.raw})
                      .find(to_string(type_of(change))),
                  std::string::npos);
    }
}

TEST(CatalogRecords, NeverShowTheBytesOfADocument) {
    const auto text = std::string{"secret"};
    const auto view = as_bytes(text);
    const auto record = encode(DocumentPutRecord{"key", {view.begin(), view.end()}, 0, {}});
    EXPECT_EQ(describe_record({record.type, record.body, record.raw}).find("secret"),
              std::string::npos);
}

TEST(CatalogRecords, RefuseWhatIsDamaged) {
    for (const auto& change : one_of_each()) {
        const auto record = encode(change);
        for (std::size_t cut = 0; cut < record.body.size(); cut += 3) {
            const auto decoded = decode({record.type, ByteView{record.body}.first(cut), {}});
            if (!decoded) {
                EXPECT_EQ(decoded.error(), cas::Errc::catalog_unreadable);
            }
        }
        // Flips must not crash; what decodes must encode.
        for (std::size_t at = 0; at < record.body.size(); ++at) {
            auto body = record.body;
            body[at] ^= std::byte{0x55};
            const auto decoded = decode({record.type, body, {}});
            if (decoded) encode(decoded.value());
        }
    }
    EXPECT_EQ(decode({0, {}, {}}).error(), cas::Errc::catalog_unreadable);
    EXPECT_EQ(decode({999, {}, {}}).error(), cas::Errc::catalog_unreadable);
}

// A random history gives the same state when its records are replayed, and counts equal a recount
// throughout.
TEST(Catalog, ReplayGivesTheSameState) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937 random{seed};
        const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        const auto name = [&] { return "p/" + std::to_string(pick(4)); };
        const auto content = [&] { return "m" + std::to_string(pick(8)); };
        const auto some_tag = [&] { return tag("t" + std::to_string(pick(5))); };
        CatalogUnderTest t;
        for (int step = 0; step < 200; ++step) {
            switch (pick(8)) {
                case 0:
                case 1:
                case 2: {
                    // The same bytes always refer to the same children.
                    const auto m = content();
                    const auto subject = m == "m3" ? std::optional{digest_of("m1")} : std::nullopt;
                    t.push(name(), m, {"c" + m, "shared"},
                           pick(2) == 0 ? std::vector{some_tag()} : std::vector<Tag>{}, subject);
                    break;
                }
                case 3:
                    t.apply(TagSetRecord{image(name()), some_tag(), digest_of(content()), {}});
                    break;
                case 4:
                    t.apply(TagDeleteRecord{image(name()), some_tag(), {}});
                    break;
                case 5:
                    t.apply(ManifestDeleteRecord{image(name()), digest_of(content()), {}});
                    break;
                case 6:
                    t.apply(LinkAddRecord{image(name()), digest_of("shared"), {}});
                    break;
                case 7:
                    t.apply(LinkDeleteRecord{image(name()), digest_of("shared"), {}});
                    break;
            }
            if (step % 20 == 0) t.catalog.check_invariants();
        }
        EXPECT_EQ(t.recount(), t.blobs.counts());

        Catalog replayed{RegistryLimits{}};
        // All blobs are there from the start; what a record finds missing in the first run does not
        // occur in it.
        FakeBlobs blobs = t.blobs;
        for (const auto& [id, count] : t.blobs.counts()) {
            for (int i = 0; i < count; ++i) blobs.release(id);
        }
        std::uint64_t lsn = 0;
        for (const auto& record : t.log) {
            const cas::CatalogRecordView view{record.type, record.body, record.raw};
            ++lsn;
            replayed.apply({cas::Lsn{lsn}, lsn * 1000}, {&view, 1}, blobs);
        }
        EXPECT_EQ(replayed.fingerprint(), t.catalog.fingerprint()) << "seed " << seed;
        EXPECT_EQ(blobs.counts(), t.blobs.counts());
    }
}

TEST(Catalog, FingerprintTellsStatesApart) {
    std::set<std::uint64_t> seen;
    CatalogUnderTest t;
    seen.insert(t.catalog.fingerprint());
    t.push("p/a", "m", {"c"}, {tag("t")});
    EXPECT_TRUE(seen.insert(t.catalog.fingerprint()).second);
    t.apply(TagSetRecord{image("p/a"), tag("u"), digest_of("m"), {}});
    EXPECT_TRUE(seen.insert(t.catalog.fingerprint()).second);
    t.apply(LinkAddRecord{image("p/a"), digest_of("c"), {}});
    EXPECT_TRUE(seen.insert(t.catalog.fingerprint()).second);
    t.apply(RepositoryPutRecord{{{"p", "a"}, RepositoryType::local, false}, {}});
    EXPECT_TRUE(seen.insert(t.catalog.fingerprint()).second);
    t.apply(DocumentPutRecord{"d", {}, 0, {}});
    EXPECT_TRUE(seen.insert(t.catalog.fingerprint()).second);
    t.push("p/a", "r", {}, {}, digest_of("m"));
    EXPECT_TRUE(seen.insert(t.catalog.fingerprint()).second);
}

// The catalog's share of the 160 bytes a blob that are promised; cas has 71 of them. Ten blobs a
// manifest, one tag each, nothing shared.
TEST(Catalog, Needs80BytesABlobAtMost) {
    CatalogUnderTest t;
    std::uint64_t blobs = 0;
    for (int i = 0; i < 20; ++i) {
        const auto name = "project/repository/image" + std::to_string(i);
        for (int m = 0; m < 50; ++m) {
            const auto manifest = "m" + std::to_string(i) + "." + std::to_string(m);
            std::vector<std::string> children;
            for (int child = 0; child < 9; ++child) {
                children.push_back(manifest + "." + std::to_string(child));
                t.blobs.add(digest_of(children.back()));
                t.apply(LinkAddRecord{image(name), digest_of(children.back()), {}});
            }
            t.push(name, manifest, children, {tag("v" + std::to_string(m))});
            blobs += 10;
        }
    }
    EXPECT_LT(t.catalog.stats().catalog_memory_bytes / blobs, 80u);
}

TEST(Catalog, TellsWatchersWhileTheyWatch) {
    CatalogUnderTest t;
    std::vector<std::string> seen;
    auto watch =
        t.catalog.watch_documents("a/", [&](const std::string& name) { seen.push_back(name); });
    t.apply(DocumentPutRecord{"a/1", {}, 0, {}});
    t.apply(DocumentPutRecord{"b/1", {}, 0, {}});
    t.apply(DocumentDeleteRecord{"a/1", {}});
    watch.reset();
    t.apply(DocumentPutRecord{"a/2", {}, 0, {}});
    EXPECT_EQ(seen, (std::vector<std::string>{"a/1", "a/1"}));
}

}  // namespace
}  // namespace orbitalreg::engine
