// What a DistributionTree believes of directories that were not written by a registry.

#include "distribution_tree.h"

#include "support/distribution_folder.h"

#include <gtest/gtest.h>

#include <set>
#include <sys/stat.h>

namespace orbitalreg::program {
namespace {

using testing::DistributionFolder;
namespace fs = std::filesystem;

const Digest kSome = Digest::of(DigestAlgorithm::sha256, as_bytes("some"));

class DistributionTreeTest : public ::testing::Test {
protected:
    DistributionTree open() {
        auto tree = DistributionTree::open(folder_.root());
        EXPECT_TRUE(tree) << tree.error().what;
        return std::move(tree).value();
    }
    // `name`, or `! path: what` for what could not be looked at.
    std::multiset<std::string> repositories() {
        const auto tree = open();
        auto walk = tree.repositories();
        std::multiset<std::string> found;
        while (auto item = walk.next()) {
            const bool good = item->has_value();
            found.insert(good ? item->value().name
                              : "! " + item->error().path + ": " + item->error().what);
        }
        return found;
    }
    static SourceRepository first(RepositoryWalk walk) {
        auto item = walk.next();
        EXPECT_TRUE(item && *item);
        return std::move(item->value());
    }
    std::multiset<std::string> revisions() {
        const auto tree = open();
        const auto repository = first(tree.repositories());
        RevisionWalk walk{repository};
        std::multiset<std::string> found;
        while (auto item = walk.next()) {
            const bool good = item->has_value();
            found.insert(good ? item->value().digest.to_string() : "! " + item->error().what);
        }
        return found;
    }
    std::multiset<std::string> tags() {
        const auto tree = open();
        const auto repository = first(tree.repositories());
        TagWalk walk{repository};
        std::multiset<std::string> found;
        while (auto item = walk.next()) {
            const bool good = item->has_value();
            found.insert(good ? item->value().name + " " + item->value().digest.to_string()
                              : "! " + item->error().what);
        }
        return found;
    }

    DistributionFolder folder_;
};

TEST_F(DistributionTreeTest, IsFoundFromItsRootAndFromItsVersion) {
    EXPECT_TRUE(DistributionTree::open(folder_.root()));
    EXPECT_TRUE(DistributionTree::open(folder_.v2()));
    const auto elsewhere = DistributionTree::open(folder_.v2() / "blobs");
    ASSERT_FALSE(elsewhere);
    EXPECT_NE(elsewhere.error().what.find("rootdirectory"), std::string::npos);
    EXPECT_FALSE(DistributionTree::open(folder_.root() / "none"));
}

TEST_F(DistributionTreeTest, FindsRepositoriesAtEachDepth) {
    for (const auto* name : {"solo", "team/app", "team/app/below/it"})
        fs::create_directories(folder_.repository(name) / "_manifests");
    fs::create_directories(folder_.repository("team/app/_uploads/1"));
    fs::create_directories(folder_.repository("empty/folder"));
    DistributionFolder::write(folder_.repository("team") / "a-file", "x");
    EXPECT_EQ(repositories(),
              (std::multiset<std::string>{"solo", "team/app", "team/app/below/it"}));
}

TEST_F(DistributionTreeTest, FollowsNoLinkOfTheFileSystem) {
    fs::create_directories(folder_.repository("team/app") / "_manifests");
    fs::create_directory_symlink(folder_.repository("team"), folder_.repository("team/loop"));
    fs::create_directory_symlink("/", folder_.repository("outside"));
    const std::string below = "docker/registry/v2/repositories/";
    const std::string why = ": is a symbolic link, and those are not followed";
    EXPECT_EQ(repositories(),
              (std::multiset<std::string>{"team/app", "! " + below + "team/loop" + why,
                                          "! " + below + "outside" + why}));
}

TEST_F(DistributionTreeTest, NamesThatAreTooLongEndTheWayDown) {
    std::string deep = "d";
    while (deep.size() < 300) deep += "/d";
    fs::create_directories(folder_.repository(deep) / "_manifests");
    const auto found = repositories();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NE(found.begin()->find("longer than a name may be"), std::string::npos);
}

TEST_F(DistributionTreeTest, WhatAFolderIsCalledDrivesNoTerminal) {
    fs::create_directory_symlink("/", folder_.repository("\x1b[31mred\n"));
    EXPECT_EQ(repositories(), (std::multiset<std::string>{
                                  "! docker/registry/v2/repositories/\\x1b[31mred\\x0a: is a "
                                  "symbolic link, and those are not followed"}));
}

TEST_F(DistributionTreeTest, ALinkFileHoldsADigestAndNothingElse) {
    const auto link = folder_.revision_link("app", kSome);
    for (const std::string& content :
         {std::string{}, std::string{"../../../../etc/passwd"}, kSome.to_string() + "\n",
          " " + kSome.to_string(), kSome.to_string() + "/../data", kSome.hex(),
          "sha256:" + std::string(64, 'A'), "md5:" + std::string(32, 'a'),
          kSome.to_string() + std::string(1, '\0')}) {
        DistributionFolder::write(link, content);
        EXPECT_EQ(revisions(),
                  (std::multiset<std::string>{"! does not hold a digest, and nothing but that"}))
            << content;
    }
    DistributionFolder::write(link, kSome.to_string());
    EXPECT_EQ(revisions(), (std::multiset<std::string>{kSome.to_string()}));
}

TEST_F(DistributionTreeTest, ALinkFileThatIsHugeIsNotRead) {
    const auto link = folder_.revision_link("app", kSome);
    DistributionFolder::write(link, {});
    fs::resize_file(link, std::uintmax_t{1} << 40);
    EXPECT_EQ(revisions(), (std::multiset<std::string>{"! is longer than a digest: no link"}));
}

TEST_F(DistributionTreeTest, ALinkFileThatIsNoFileIsNotRead) {
    const auto link = folder_.revision_link("app", kSome);
    fs::create_directories(link.parent_path());
    ASSERT_EQ(::mkfifo(link.c_str(), 0600), 0) << "nobody writes to it: an open would wait";
    EXPECT_EQ(revisions(), (std::multiset<std::string>{"! is no regular file"}));
    fs::remove(link);
    DistributionFolder::write(folder_.root() / "elsewhere", kSome.to_string());
    fs::create_symlink(folder_.root() / "elsewhere", link);
    EXPECT_EQ(revisions(),
              (std::multiset<std::string>{"! is a symbolic link, and those are not followed"}));
}

TEST_F(DistributionTreeTest, RevisionsThatWereDeletedAreNone) {
    fs::create_directories(folder_.revision_link("app", kSome).parent_path());
    EXPECT_TRUE(revisions().empty());
}

TEST_F(DistributionTreeTest, RevisionsOfOtherAlgorithmsAndNamesAreTold) {
    const auto base = folder_.repository("app") / "_manifests/revisions";
    fs::create_directories(base / "md5" / std::string(32, 'a'));
    fs::create_directories(base / "sha256" / "abc");
    fs::create_directories(base / "sha256" / std::string(64, 'A'));
    const auto long_one = Digest::of(DigestAlgorithm::sha512, as_bytes("long"));
    DistributionFolder::write(folder_.revision_link("app", long_one), long_one.to_string());
    EXPECT_EQ(revisions(),
              (std::multiset<std::string>{"! is no algorithm that is supported", "! is no digest",
                                          "! is no digest", long_one.to_string()}));
}

TEST_F(DistributionTreeTest, TagsWithoutALinkAreTold) {
    DistributionFolder::write(folder_.tag_link("app", "v1"), kSome.to_string());
    fs::create_directories(folder_.repository("app") / "_manifests/tags/bare");
    fs::create_directories(folder_.repository("app") / "_manifests/tags/half/current");
    EXPECT_EQ(tags(), (std::multiset<std::string>{"v1 " + kSome.to_string(), "! is not there",
                                                  "! is not there"}));
}

TEST_F(DistributionTreeTest, BlobsAreFoundByTheirDigestAlone) {
    const auto short_one = folder_.put_blob("bytes");
    const auto long_one = folder_.put_blob("more bytes", DigestAlgorithm::sha512);
    const auto tree = open();
    EXPECT_EQ(tree.blob_size(short_one).value(), 5U);
    EXPECT_EQ(tree.open_blob(long_one).value().size_bytes, 10U);
    EXPECT_EQ(tree.measure([] { return true; }), 15U);
    EXPECT_EQ(tree.measure([] { return false; }), 0U);
    const auto missing = tree.open_blob(kSome);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().path, "docker/registry/v2/blobs/sha256/" + kSome.hex().substr(0, 2) +
                                        "/" + kSome.hex() + "/data");
}

TEST_F(DistributionTreeTest, BlobsElsewhereAreNotRead) {
    const auto digest = Digest::of(DigestAlgorithm::sha256, as_bytes("secret"));
    DistributionFolder::write(folder_.root() / "secret", "secret");
    fs::create_directories(folder_.blob(digest).parent_path());
    fs::create_symlink(folder_.root() / "secret", folder_.blob(digest));
    EXPECT_FALSE(open().open_blob(digest));
    EXPECT_FALSE(open().blob_size(digest));
    EXPECT_EQ(open().measure([] { return true; }), 0U);
    fs::remove(folder_.blob(digest));
    fs::create_directory(folder_.blob(digest));
    EXPECT_FALSE(open().open_blob(digest));
}

TEST_F(DistributionTreeTest, ALayerMayBeStoredUnderAnotherDigest) {
    const auto long_one = Digest::of(DigestAlgorithm::sha512, as_bytes("layer"));
    DistributionFolder::write(folder_.layer_link("app", long_one), kSome.to_string());
    fs::create_directories(folder_.repository("app") / "_manifests");
    const auto tree = open();
    const auto repository = first(tree.repositories());
    EXPECT_EQ(tree.layer(repository, long_one).value(), kSome);
    EXPECT_EQ(tree.layer(repository, kSome).value(), std::nullopt);
}

}  // namespace
}  // namespace orbitalreg::program
