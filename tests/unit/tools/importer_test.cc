// What an Importer takes over of a tree, in which order, and what it says of the rest.

#include "importer.h"

#include "support/distribution_folder.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <map>
#include <set>

namespace orbitalreg::program {
namespace {

using testing::DistributionFolder;
namespace fs = std::filesystem;

// A registry in memory that writes down what it was asked to do, and refuses a manifest whose children it has not.
class RecordingTarget final : public ImportTarget {
public:
    Awaitable<engine::Answer<bool>> prepare(engine::ImageName image) override {
        if (closed_projects.contains(std::string{image.component(0)}))
            co_return engine::refuse({engine::Errc::name_unknown, "no such project"});
        co_return false;
    }
    Awaitable<engine::Answer<bool>> has_blob(engine::ImageName image, Digest digest) override {
        co_return links.contains({image.text(), digest});
    }
    Awaitable<engine::Answer<bool>> link_blob(engine::ImageName image, Digest digest) override {
        if (!blobs.contains(digest)) co_return false;
        links.insert({image.text(), digest});
        co_return true;
    }
    Awaitable<engine::Answer<void>> store_blob(engine::ImageName image, Digest digest,
                                               SourceBlob source,
                                               std::atomic<std::uint64_t>* read) override {
        if (blobs_until_full == 0)
            co_return engine::refuse({engine::Errc::no_space, "the disk is full"});
        --blobs_until_full;
        std::string bytes(source.size_bytes, '\0');
        const auto size = ::pread(source.fd.get(), bytes.data(), bytes.size(), 0);
        *read += static_cast<std::uint64_t>(size);
        // Others have their turn while the bytes are on the way.
        const auto executor = co_await asio::this_coro::executor;
        co_await asio::post(executor, asio::use_awaitable);
        ++stored[digest];
        if (Digest::of(digest.algorithm(), as_bytes(bytes)) != digest)
            co_return engine::refuse(engine::Errc::digest_mismatch);
        blobs.insert(digest);
        links.insert({image.text(), digest});
        co_return ok();
    }
    Awaitable<engine::Answer<bool>> has_manifest(engine::ImageName image, Digest digest) override {
        co_return manifests.contains({image.text(), digest});
    }
    Awaitable<engine::Answer<void>> put_manifest(engine::ImageName image, Digest digest,
                                                 std::vector<std::byte> bytes) override {
        const auto manifest = engine::Manifest::parse(bytes, {}, limits_);
        for (const auto& edge : manifest.value().edges()) {
            const auto& child = edge.descriptor.digest;
            const bool there =
                manifests.contains({image.text(), child}) || links.contains({image.text(), child});
            if (!there && !edge.foreign && !sparse)
                co_return engine::refuse(
                    {engine::Errc::child_missing, "children are missing", {child}});
        }
        manifests.insert({image.text(), digest});
        co_return ok();
    }
    Awaitable<engine::Answer<TagOutcome>> set_tag(engine::ImageName image, engine::Tag tag,
                                                  Digest digest, bool overwrite) override {
        auto& now = tags[image.text() + ":" + tag.text()];
        if (now == digest) co_return TagOutcome::present;
        if (now != Digest{} && !overwrite) co_return TagOutcome::kept;
        const bool moved = now != Digest{};
        now = digest;
        co_return moved ? TagOutcome::moved : TagOutcome::set;
    }
    const engine::RegistryLimits& limits() const override { return limits_; }

    std::set<std::string> closed_projects;
    bool sparse = false;
    std::size_t blobs_until_full = 1'000'000;
    std::set<Digest> blobs;
    std::map<Digest, int> stored;
    std::set<std::pair<std::string, Digest>> links;
    std::set<std::pair<std::string, Digest>> manifests;
    std::map<std::string, Digest> tags;

private:
    engine::RegistryLimits limits_;
};

class ImporterTest : public ::testing::Test {
protected:
    void run(ImportOptions options = {}) {
        auto tree = DistributionTree::open(folder_.root());
        ASSERT_TRUE(tree);
        report_ = std::make_unique<ImportReport>();
        asio::io_context context{1};
        Importer importer{context.get_executor(), tree.value(), target_, std::move(options),
                          *report_};
        asio::co_spawn(context, importer.run(), asio::detached);
        context.run();
    }
    std::multiset<std::string> problems() const {
        std::multiset<std::string> all;
        for (const auto& each : report_->problems) {
            const auto shown =
                each.path.rfind("repositories/", 0) == 0
                    ? each.path
                    : fs::path{each.path}.lexically_relative("docker/registry/v2").string();
            all.insert(shown + ": " + each.what);
        }
        return all;
    }
    std::string relative(const fs::path& path) const {
        return path.lexically_relative(folder_.v2()).string();
    }

    DistributionFolder folder_;
    RecordingTarget target_;
    std::unique_ptr<ImportReport> report_;
};

TEST_F(ImporterTest, StoresABlobOnceWhateverLinksIt) {
    for (int i = 0; i < 8; ++i)
        folder_.put_image("team/app-" + std::to_string(i), "the base of all", "v1",
                          R"(,"annotations":{"n":")" + std::to_string(i) + "\"}");
    run();
    EXPECT_EQ(problems(), std::multiset<std::string>{});
    ASSERT_EQ(target_.stored.size(), 1U);
    EXPECT_EQ(target_.stored.begin()->second, 1);
    EXPECT_EQ(target_.links.size(), 8U);
    EXPECT_EQ(report_->repositories, 8U);
    EXPECT_EQ(report_->manifests_stored, 8U);
    EXPECT_EQ(report_->tags_set, 8U);
    EXPECT_EQ(report_->blobs_stored, 1U);
    EXPECT_EQ(report_->blobs_shared, 7U);
    EXPECT_EQ(report_->bytes_read, 15U);
    EXPECT_EQ(report_->bytes_stored, 15U);
    EXPECT_EQ(report_->bytes_shared, 7U * 15U);
}

// RecordingTarget refuses an index that comes before its children.
TEST_F(ImporterTest, ChildrenComeBeforeTheirIndex) {
    std::string children;
    for (int i = 0; i < 8; ++i) {
        const auto content = "layer " + std::to_string(i);
        const auto layer = folder_.put_layer("app", content);
        const auto image = DistributionFolder::image(layer, content.size());
        const auto child = folder_.put_manifest("app", image);
        children += (i == 0 ? "" : ",") +
                    DistributionFolder::descriptor("application/vnd.oci.image.manifest.v1+json",
                                                   child, image.size());
    }
    const auto index = DistributionFolder::index(children);
    const auto digest = folder_.put_manifest("app", index, "inner");
    folder_.put_manifest("app",
                         DistributionFolder::index(DistributionFolder::descriptor(
                             "application/vnd.oci.image.index.v1+json", digest, index.size())),
                         "outer");
    for (const std::size_t jobs : {1, 2, 8, 64}) {
        target_ = RecordingTarget{};
        ImportOptions options;
        options.jobs = jobs;
        run(options);
        EXPECT_EQ(problems(), std::multiset<std::string>{});
        EXPECT_EQ(target_.manifests.size(), 10U);
        EXPECT_EQ(target_.tags.size(), 2U);
        EXPECT_EQ(report_->indexes, 2U);
    }
}

TEST_F(ImporterTest, WhatIsThereIsNotDoneAgain) {
    folder_.put_image("app", "layer", "v1");
    run();
    run();
    EXPECT_EQ(target_.stored.begin()->second, 1);
    EXPECT_EQ(report_->manifests_present, 1U);
    EXPECT_EQ(report_->tags_present, 1U);
    EXPECT_EQ(report_->blobs_present, 1U);
    EXPECT_EQ(report_->bytes_present, 5U);
    EXPECT_EQ(report_->bytes_read, 0U);
    EXPECT_EQ(report_->manifests_stored + report_->tags_set + report_->blobs_stored, 0U);
}

TEST_F(ImporterTest, ADamagedLayerTakesItsImagesAndTheirTagsWithIt) {
    const auto good = folder_.put_image("app", "sound", "good");
    const auto bad = folder_.put_image("app", "rotten", "bad");
    const auto layer = Digest::of(DigestAlgorithm::sha256, as_bytes("rotten"));
    DistributionFolder::write(folder_.blob(layer), "rottem");
    run();
    EXPECT_EQ(target_.manifests, (std::set<std::pair<std::string, Digest>>{{"app", good}}));
    EXPECT_EQ(target_.tags.size(), 1U);
    EXPECT_EQ(problems(), (std::multiset<std::string>{
                              relative(folder_.revision_link("app", bad)) +
                                  ": docker/registry/v2/" + relative(folder_.blob(layer)) +
                                  ": is damaged: its bytes are not those of " + layer.to_string(),
                              relative(folder_.tag_link("app", "bad")) + ": its manifest " +
                                  bad.to_string() + " was not imported"}));
}

TEST_F(ImporterTest, ADamagedLayerIsReadOnce) {
    for (int i = 0; i < 5; ++i) folder_.put_image("app-" + std::to_string(i), "rotten", "v1");
    DistributionFolder::write(folder_.blob(Digest::of(DigestAlgorithm::sha256, as_bytes("rotten"))),
                              "rottem");
    run();
    EXPECT_EQ(report_->bytes_read, 6U);
    EXPECT_EQ(report_->problems_found, 10U);
}

TEST_F(ImporterTest, WhatIsIncompleteCostsNoCopy) {
    const auto whole = folder_.put_layer("app", "whole");
    const auto gone = folder_.put_layer("app", "gone");
    const auto manifest = folder_.put_manifest(
        "app",
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
            DistributionFolder::descriptor("application/octet-stream", whole, 5) +
            R"(,"layers":[)" + DistributionFolder::descriptor("application/octet-stream", gone, 4) +
            "]}");
    const auto link = folder_.revision_link("app", manifest);
    const auto expect = [&](const std::string& why) {
        run();
        EXPECT_EQ(problems(), (std::multiset<std::string>{relative(link) + ": " + why}));
        EXPECT_TRUE(target_.stored.empty());
        EXPECT_TRUE(target_.manifests.empty());
    };
    DistributionFolder::write(folder_.blob(gone), "short of it");
    expect("blob " + gone.to_string() + " has 11 bytes, and the manifest says 4");
    fs::remove(folder_.blob(gone));
    expect("docker/registry/v2/" + relative(folder_.blob(gone)) + ": is not there");
    fs::remove(folder_.layer_link("app", gone));
    expect("blob " + gone.to_string() +
           " has no link in this repository: the source does not serve it");
}

TEST_F(ImporterTest, DamagedAndForeignManifestsAreTold) {
    const auto rotten = folder_.put_manifest("app", "{}", "rotten");
    DistributionFolder::write(folder_.blob(rotten), "{ ");
    const auto empty = folder_.put_manifest("app", "");
    const auto old =
        folder_.put_manifest("app", R"({"schemaVersion":1,"name":"app","tag":"v1","fsLayers":[]})");
    const auto signed_old = folder_.put_manifest(
        "app",
        R"({"schemaVersion":1,"mediaType":"application/vnd.docker.distribution.manifest.v1+prettyjws","fsLayers":[]})");
    run();
    EXPECT_TRUE(target_.manifests.empty());
    const auto all = problems();
    EXPECT_EQ(all.size(), 5U);
    EXPECT_TRUE(all.contains(relative(folder_.blob(rotten)) +
                             ": is damaged: its bytes are not those of " + rotten.to_string()));
    std::string told;
    for (const auto& each : all) told += each + "\n";
    for (const auto& digest : {empty, old, signed_old})
        EXPECT_NE(told.find(digest.hex()), std::string::npos) << told;
    EXPECT_NE(told.find("schema 1"), std::string::npos) << told;
}

TEST_F(ImporterTest, AnIndexWithoutAChildIsForTheTargetToJudge) {
    const auto child = Digest::of(DigestAlgorithm::sha256, as_bytes("was deleted"));
    const auto index =
        folder_.put_manifest("app",
                             DistributionFolder::index(DistributionFolder::descriptor(
                                 "application/vnd.oci.image.manifest.v1+json", child, 11)),
                             "v1");
    run();
    EXPECT_TRUE(target_.manifests.empty());
    EXPECT_TRUE(problems().contains(
        relative(folder_.revision_link("app", index)) +
        ": children are missing: the source does not serve them in this repository " +
        child.to_string()));
    target_.sparse = true;
    run();
    EXPECT_EQ(problems(), std::multiset<std::string>{});
    EXPECT_TRUE(target_.manifests.contains({"app", index}));
}

// Nobody takes a half image for a whole one, even where a whole child may be missing.
TEST_F(ImporterTest, AnIndexWithADamagedChildIsLeftOut) {
    const auto layer = folder_.put_layer("app", "layer");
    const auto image = DistributionFolder::image(layer, 5);
    const auto child = folder_.put_manifest("app", image);
    folder_.put_manifest("app",
                         DistributionFolder::index(DistributionFolder::descriptor(
                             "application/vnd.oci.image.manifest.v1+json", child, image.size())),
                         "v1");
    DistributionFolder::write(folder_.blob(layer), "LAYER");
    target_.sparse = true;
    run();
    EXPECT_TRUE(target_.manifests.empty());
    EXPECT_TRUE(target_.tags.empty());
    EXPECT_EQ(report_->problems_found, 3U);
}

TEST_F(ImporterTest, ReferrersAndSignaturesAreCounted) {
    const auto subject = folder_.put_image("app", "layer", "v1");
    const auto more =
        R"(,"artifactType":"application/vnd.dev.cosign.artifact.sig.v1+json","subject":)" +
        DistributionFolder::descriptor("application/vnd.oci.image.manifest.v1+json", subject, 1);
    folder_.put_image("app", "signature", {}, more);
    const auto bare =
        R"(,"artifactType":"application/spdx+json","subject":)" +
        DistributionFolder::descriptor("application/vnd.oci.image.manifest.v1+json", subject, 1);
    folder_.put_image("app", "an SBOM", {}, bare);
    for (const auto* ending : {".sig", ".att", ".sbom"})
        folder_.put_image("app", ending, "sha256-" + subject.hex() + ending);
    folder_.put_image("app", "another", "sha256-abc.sig");
    run();
    EXPECT_EQ(problems(), std::multiset<std::string>{});
    EXPECT_EQ(report_->referrers, 2U);
    EXPECT_EQ(report_->signatures, 2U);
    EXPECT_EQ(report_->attachments, 2U);
}

TEST_F(ImporterTest, TagsThatNameSomethingElseAreKept) {
    const auto digest = folder_.put_image("app", "layer", "v1");
    const auto other = Digest::of(DigestAlgorithm::sha256, as_bytes("other"));
    target_.tags["app:v1"] = other;
    run();
    EXPECT_EQ(target_.tags["app:v1"], other);
    EXPECT_EQ(report_->tags_kept, 1U);
    EXPECT_EQ(report_->problems_found, 1U);
    ImportOptions options;
    options.overwrite_tags = true;
    run(options);
    EXPECT_EQ(target_.tags["app:v1"], digest);
    EXPECT_EQ(report_->tags_moved, 1U);
    EXPECT_EQ(report_->problems_found, 0U);
}

TEST_F(ImporterTest, NamesAreChosenAndPutBelowAnother) {
    for (const auto* name : {"solo", "team/app", "team/app/old", "other/app", "Upper/case"})
        folder_.put_image(name, "layer", "v1");
    ImportOptions options;
    options.into = "acme/old";
    options.include = {"team/**", "solo", "Upper/*"};
    options.exclude = {"team/*/old"};
    run(options);
    EXPECT_EQ(report_->repositories_left_out, 2U);
    EXPECT_EQ(target_.tags.size(), 2U);
    EXPECT_TRUE(target_.tags.contains("acme/old/solo:v1"));
    EXPECT_TRUE(target_.tags.contains("acme/old/team/app:v1"));
    const auto all = problems();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(
        all.begin()->find("repositories/Upper/case: would be called what no image may be called"),
        0U)
        << *all.begin();
}

TEST_F(ImporterTest, WhereAPushMayNotGoNothingIsCopied) {
    folder_.put_image("closed/app", "layer", "v1");
    folder_.put_image("open/app", "another", "v1");
    target_.closed_projects = {"closed"};
    run();
    EXPECT_EQ(problems(), (std::multiset<std::string>{"repositories/closed/app: no such project"}));
    EXPECT_EQ(target_.tags.size(), 1U);
    EXPECT_EQ(target_.stored.size(), 1U);
}

TEST_F(ImporterTest, AFullDiskEndsIt) {
    for (int i = 0; i < 20; ++i)
        folder_.put_image("app-" + std::to_string(i), "layer " + std::to_string(i), "v1");
    target_.blobs_until_full = 5;
    run();
    EXPECT_EQ(report_->stopped_by, "the disk is full");
    EXPECT_LT(report_->problems_found, 15U) << "one for each that was in hand, and no more";
    target_.blobs_until_full = 1'000;
    run();
    EXPECT_EQ(problems(), std::multiset<std::string>{});
    EXPECT_EQ(report_->stopped_by, "");
    EXPECT_EQ(target_.tags.size(), 20U);
    EXPECT_EQ(report_->blobs_present, 5U);
}

TEST_F(ImporterTest, TagsOutsideTheGrammarAndWithoutAManifestAreTold) {
    folder_.put_image("app", "layer", "v1");
    const auto gone = Digest::of(DigestAlgorithm::sha256, as_bytes("gone"));
    DistributionFolder::write(folder_.tag_link("app", "-dash"), gone.to_string());
    DistributionFolder::write(folder_.tag_link("app", "dangling"), gone.to_string());
    run();
    EXPECT_EQ(target_.tags.size(), 1U);
    EXPECT_EQ(report_->problems_found, 2U);
}

TEST_F(ImporterTest, WhatIsToldDrivesNoTerminal) {
    folder_.put_image("\x1b[2Jname", "layer", "v1");
    folder_.put_image("app", "layer", "v1");
    fs::rename(folder_.tag_link("app", "v1").parent_path().parent_path(),
               folder_.repository("app") / "_manifests/tags/\x1b[31m\xff");
    run();
    EXPECT_EQ(report_->problems_found, 2U);
    for (const auto& problem : report_->problems) {
        for (const char c : problem.path + problem.what)
            EXPECT_TRUE(c >= 0x20 && c < 0x7F) << problem.path << problem.what;
    }
}

TEST_F(ImporterTest, ADryRunCountsWithoutReading) {
    folder_.put_image("app", "layer", "v1");
    folder_.put_image("app2", "layer", "v1");
    auto tree = DistributionTree::open(folder_.root());
    ImportReport report;
    NoTarget nothing{{}};
    asio::io_context context{1};
    Importer importer{context.get_executor(), tree.value(), nothing, {}, report};
    asio::co_spawn(context, importer.run(), asio::detached);
    context.run();
    EXPECT_EQ(report.problems_found, 0U);
    EXPECT_EQ(report.manifests_stored, 2U);
    EXPECT_EQ(report.bytes_read, 0U);
    EXPECT_EQ(report.bytes_stored, 5U);
}

TEST_F(ImporterTest, ADryRunTellsOfChildrenThatAreNotThere) {
    const auto child = Digest::of(DigestAlgorithm::sha256, as_bytes("was deleted"));
    folder_.put_manifest("app", DistributionFolder::index(DistributionFolder::descriptor(
                                    "application/vnd.oci.image.manifest.v1+json", child, 11)));
    auto tree = DistributionTree::open(folder_.root());
    ImportReport report;
    NoTarget nothing{{}};
    asio::io_context context{1};
    Importer importer{context.get_executor(), tree.value(), nothing, {}, report};
    asio::co_spawn(context, importer.run(), asio::detached);
    context.run();
    ASSERT_EQ(report.problems_found, 1U);
    EXPECT_NE(report.problems.front().what.find("sparse_index: allow"), std::string::npos);
}

TEST(ImportReportTest, KeepsSoManyProblemsAndCountsAll) {
    ImportReport report;
    std::uint64_t told = 0;
    report.on_problem = [&told](const ImportProblem&) { ++told; };
    for (std::size_t i = 0; i < ImportReport::kProblemsMax + 5; ++i) report.add_problem("a", "b");
    EXPECT_EQ(report.problems.size(), ImportReport::kProblemsMax);
    EXPECT_EQ(report.problems_found, ImportReport::kProblemsMax + 5);
    EXPECT_EQ(told, report.problems_found);
}

}  // namespace
}  // namespace orbitalreg::program
