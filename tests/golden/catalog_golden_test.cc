// The catalog's records as version 1 of the format wrote them, kept in golden/data: they read today
// as they read then. To make the file anew after a change of format (code-style, section 9):
// ORB_WRITE_GOLDEN=1 catalog_golden_test
//
// The file is a sequence of {type 2, size of the body 4, body}.

#include "catalog/catalog_records.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace orbitalreg::engine {
namespace {

const std::string kPath = std::string{ORB_GOLDEN_DATA} + "/catalog_records.bin";

ImageName image(const char* text) { return ImageName::parse(text).value(); }
Tag tag(const char* text) { return Tag::parse(text).value(); }

std::vector<CatalogChange> golden_changes() {
    const RequestId id{0x0102030405060708, 0x1112131415161718};
    const auto sha256 = Digest::of(DigestAlgorithm::sha256, as_bytes("golden"));
    const auto sha512 = Digest::of(DigestAlgorithm::sha512, as_bytes("golden"));
    return {
        ManifestPutRecord{
            image("acme/internal/app"),
            sha256,
            ManifestKind::oci_image,
            1234,
            {{sha512, false}, {Digest::of(DigestAlgorithm::sha256, as_bytes("x")), true}},
            sha512,
            "application/vnd.example",
            {{"key", "value"}, {"empty", ""}},
            {tag("latest"), tag("v1")},
            id},
        TagSetRecord{image("app"), tag("V1"), sha256, id},
        TagDeleteRecord{image("acme/app"), tag("v1"), id},
        ManifestDeleteRecord{image("acme/app"), sha512, id},
        LinkAddRecord{image("acme/app"), sha256, id},
        LinkDeleteRecord{image("acme/app"), sha256, id},
        RepositoryPutRecord{{{"acme", "app"}, RepositoryType::local, true}, id},
        DocumentPutRecord{"jti/1", {std::byte{1}, std::byte{2}}, 99, id},
        DocumentDeleteRecord{"jti/1", id},
        PullTimesRecord{
            {ImagePulls{image("acme/app"), {{sha256, tag("v1"), 1234}, {sha512, std::nullopt, 99}}},
             ImagePulls{image("acme/web")}},
            id},
    };
}

void write_golden() {
    std::ofstream file{kPath, std::ios::binary};
    for (const auto& change : golden_changes()) {
        const auto record = encode(change);
        std::array<std::byte, 6> head;
        store_le<std::uint16_t>(head.data(), record.type);
        store_le<std::uint32_t>(head.data() + 2, static_cast<std::uint32_t>(record.body.size()));
        file << as_text(head) << as_text(record.body);
    }
}

TEST(CatalogGolden, ReadsAsItWasWritten) {
    if (std::getenv("ORB_WRITE_GOLDEN") != nullptr) write_golden();
    std::ifstream file{kPath, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    ByteView rest = as_bytes(text);
    for (const auto& expected : golden_changes()) {
        ASSERT_GE(rest.size(), 6u);
        const auto type = load_le<std::uint16_t>(rest.data());
        const auto size = load_le<std::uint32_t>(rest.data() + 2);
        ASSERT_GE(rest.size() - 6, size);
        const auto read = decode({type, rest.subspan(6, size), {}});
        ASSERT_TRUE(read) << "record type " << type;
        EXPECT_EQ(read.value(), expected) << "record type " << type;
        rest = rest.subspan(6 + size);
    }
    EXPECT_TRUE(rest.empty());
}

TEST(CatalogGolden, NumbersStay) {
    std::uint16_t number = 1;
    for (const auto& change : golden_changes()) {
        EXPECT_EQ(static_cast<std::uint16_t>(type_of(change)), number++);
    }
}

}  // namespace
}  // namespace orbitalreg::engine
