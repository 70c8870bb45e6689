#include "engine/manifest.h"

#include "base/base64.h"

#include <gtest/gtest.h>

namespace orbitalreg::engine {
namespace {

const std::string kImageType = "application/vnd.oci.image.manifest.v1+json";
const std::string kIndexType = "application/vnd.oci.image.index.v1+json";
const std::string kDockerType = "application/vnd.docker.distribution.manifest.v2+json";
const std::string kListType = "application/vnd.docker.distribution.manifest.list.v2+json";
const std::string kLayerType = "application/vnd.oci.image.layer.v1.tar+gzip";
const std::string kConfigType = "application/vnd.oci.image.config.v1+json";

std::string digest_text(char fill) { return "sha256:" + std::string(64, fill); }

std::string descriptor(const std::string& type, char fill, int size, const std::string& more = "") {
    return R"({"mediaType":")" + type + R"(","digest":")" + digest_text(fill) + R"(","size":)" +
           std::to_string(size) + more + "}";
}

std::string image(const std::string& more = "", const std::string& layers = "") {
    return R"({"schemaVersion":2,"mediaType":")" + kImageType + R"(","config":)" +
           descriptor(kConfigType, 'c', 2) + R"(,"layers":[)" + layers + "]" + more + "}";
}

std::string index(const std::string& manifests = "", const std::string& more = "") {
    return R"({"schemaVersion":2,"mediaType":")" + kIndexType + R"(","manifests":[)" + manifests +
           "]" + more + "}";
}

Answer<Manifest> parse(const std::string& text, const std::string& type = "",
                       RegistryLimits limits = {}) {
    return Manifest::parse(as_bytes(text), type, limits);
}

void expect_invalid(const std::string& text, const std::string& type = "") {
    const auto parsed = parse(text, type);
    ASSERT_FALSE(parsed) << text.substr(0, 300);
    EXPECT_EQ(parsed.error().code, Errc::manifest_invalid) << parsed.error().message;
    EXPECT_FALSE(parsed.error().message.empty());
}

TEST(Manifest, KnowsWhatAnImageRefersTo) {
    const auto parsed =
        parse(image("", descriptor(kLayerType, 'a', 10) + "," + descriptor(kLayerType, 'b', 20)),
              kImageType);
    ASSERT_TRUE(parsed) << parsed.error().message;
    const auto& manifest = parsed.value();
    EXPECT_EQ(manifest.kind(), ManifestKind::oci_image);
    EXPECT_EQ(manifest.media_type(), kImageType);
    ASSERT_EQ(manifest.edges().size(), 3u);
    EXPECT_EQ(manifest.edges()[0].descriptor.digest.to_string(), digest_text('c'));
    EXPECT_EQ(manifest.edges()[1].descriptor.size_bytes, 10u);
    EXPECT_FALSE(manifest.edges()[1].to_manifest);
    EXPECT_FALSE(manifest.subject());
    EXPECT_EQ(manifest.artifact_type(), kConfigType);
}

// DIST-MAN-15: buildkit's cache indexes list layers and a config.
TEST(Manifest, LooksUpChildrenByTheirMediaType) {
    const auto parsed =
        parse(index(descriptor(kImageType, 'a', 1) + "," + descriptor(kListType, 'b', 1) + "," +
                    descriptor(kLayerType, 'c', 1)));
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed.value().edges().size(), 3u);
    EXPECT_TRUE(parsed.value().edges()[0].to_manifest);
    EXPECT_TRUE(parsed.value().edges()[1].to_manifest);
    EXPECT_FALSE(parsed.value().edges()[2].to_manifest);
}

struct TypeCase {
    const char* what;
    std::string content_type;
    std::string text;
    std::optional<ManifestKind> kind;
};

// DIST-MAN-05 to DIST-MAN-09, SEC-13, SEC-19.
TEST(Manifest, DecidesItsKind) {
    const std::string bare_image =
        R"({"schemaVersion":2,"config":)" + descriptor(kConfigType, 'c', 2) + "}";
    const std::string bare_index = R"({"schemaVersion":2,"manifests":[]})";
    const std::string list =
        R"({"schemaVersion":2,"mediaType":")" + kListType + R"(","manifests":[]})";
    const std::string docker = R"({"schemaVersion":2,"mediaType":")" + kDockerType +
                               R"(","config":)" + descriptor(kConfigType, 'c', 2) +
                               R"(,"layers":[]})";
    const std::string both =
        R"({"schemaVersion":2,"config":)" + descriptor(kConfigType, 'c', 2) + R"(,"manifests":[]})";
    const std::vector<TypeCase> cases{
        {"both agree", kImageType, image(), ManifestKind::oci_image},
        {"parameters are ignored", kImageType + "; charset=utf-8", image(),
         ManifestKind::oci_image},
        {"case and space of the header", " Application/vnd.oci.image.manifest.v1+JSON ;x=y",
         image(), ManifestKind::oci_image},
        {"only the body", "", index(), ManifestKind::oci_index},
        {"only the header", kImageType, bare_image, ManifestKind::oci_image},
        {"only the header, docker", kDockerType, bare_image, ManifestKind::docker_image},
        {"docker", kDockerType, docker, ManifestKind::docker_image},
        {"list", kListType, list, ManifestKind::docker_list},
        {"neither: config", "", bare_image, ManifestKind::oci_image},
        {"neither: manifests", "", bare_index, ManifestKind::oci_index},
        {"they differ", kIndexType, image(), {}},
        {"they differ within the vendor", kDockerType, image(), {}},
        {"a type that says nothing", "application/json", image(), {}},
        {"schema 1",
         "application/vnd.docker.distribution.manifest.v1+prettyjws",
         R"({"schemaVersion":2})",
         {}},
        {"artifact manifest",
         "application/vnd.oci.artifact.manifest.v1+json",
         R"({"schemaVersion":2})",
         {}},
        {"nothing to go by", "", R"({"schemaVersion":2})", {}},
        {"both shapes as image", kImageType, both, {}},
        {"both shapes as index", kIndexType, both, {}},
        {"both shapes, undeclared", "", both, {}},
        {"layers and manifests",
         kIndexType,
         R"({"schemaVersion":2,"manifests":[],"layers":[]})",
         {}},
        {"index declared as image", kImageType, bare_index, {}},
        {"image declared as index", kIndexType, bare_image, {}},
        {"image without config", kImageType, R"({"schemaVersion":2,"layers":[]})", {}},
        {"index without manifests", kIndexType, R"({"schemaVersion":2})", {}},
    };
    for (const auto& c : cases) {
        const auto parsed = parse(c.text, c.content_type);
        if (c.kind) {
            ASSERT_TRUE(parsed) << c.what << ": " << parsed.error().message;
            EXPECT_EQ(parsed.value().kind(), *c.kind) << c.what;
        } else {
            ASSERT_FALSE(parsed) << c.what;
            EXPECT_EQ(parsed.error().code, Errc::manifest_invalid) << c.what;
        }
    }
}

// DIST-MAN-10, SEC-14.
TEST(Manifest, RefusesAmbiguousJson) {
    const auto config = R"("config":)" + descriptor(kConfigType, 'c', 2);
    const auto head = R"({"schemaVersion":2,)" + config;
    const std::vector<std::string> texts{
        "",
        "[]",
        "null",
        "\"text\"",
        "2",
        "true",
        image() + "x",
        image() + "{}",
        "\xEF\xBB\xBF" + image(),                       // BOM
        head + R"(,"schemaVersion":2})",                // duplicate key
        head + R"(,"x":{"y":1,"y":2}})",                // duplicate in what is ignored
        head + R"(,"annotations":{"a":"1","a":"2"}})",  // duplicate annotation
        head + R"(,"Config":{}})",                      // known field in another case
        head + R"(,"SUBJECT":null})",
        head + ",\"layer\xC5\xBF\":[]}",  // folds to `layers`
        R"({"schemaVersion":2,"config":{"mediaType":"a","digest":")" + digest_text('c') +
            R"(","size":1,"Size":2}})",
        head + ",\"x\":\"\xff\"}",   // not UTF-8
        head + R"(,"x":"\ud800"})",  // lone surrogate
        head + R"(,"x":"\udc00"})",
        head + R"(,"x":NaN})",
        head + R"(,"x":1,})",
        head + R"(/* comment */})",
        head,
        R"({)" + config + "}",  // no schemaVersion
        R"({"schemaVersion":1,)" + config + "}",
        R"({"schemaVersion":"2",)" + config + "}",
        R"({"schemaVersion":2.0,)" + config + "}",
    };
    for (const auto& text : texts) expect_invalid(text, kImageType);
}

// DIST-MAN-11, DIST-MAN-12, DIST-MAN-17, DIST-MAN-20.
TEST(Manifest, AcceptsWhatItNeedNotKnow) {
    const auto layer = descriptor(kLayerType, 'a', 10);
    const std::vector<std::string> texts{
        image(R"(,"x":{"config":[1,2,{"deep":null}],"y":-1.5e3},"z":[true,false,"text",[[]]])"),
        image("", layer + "," + layer),             // the same layer twice
        image("", descriptor(kLayerType, 'c', 2)),  // config and layer in one
        image("", descriptor("application/vnd.wasm.content.layer.v1", 'a', 1)),
        image(R"(,"annotations":{})"),
        image(R"(,"annotations":null,"artifactType":"x/y")"),
        image("",
              descriptor(kLayerType, 'a', 1,
                         R"(,"platform":{"os":"linux","os.version":"x"},"annotations":{"k":"v"})")),
        R"({"schemaVersion":2,"layers":null,"config":)" + descriptor(kConfigType, 'c', 2) + "}",
        image() + " \n\t\r\n",
    };
    for (const auto& text : texts) {
        const auto parsed = parse(text, kImageType);
        EXPECT_TRUE(parsed) << text << ": " << parsed.error().message;
    }
    EXPECT_EQ(parse(texts[1]).value().edges().size(), 2u);
    EXPECT_EQ(parse(texts[2]).value().edges().size(), 1u);
}

// DIST-MAN-22, SEC-07, SEC-16: fields of the wrong type or value.
TEST(Manifest, RefusesBadDescriptors) {
    const auto with_layer = [](const std::string& layer) { return image("", layer); };
    const std::vector<std::string> texts{
        with_layer("{}"),
        with_layer("1"),
        with_layer("\"text\""),
        with_layer("null"),
        with_layer("[]"),
        with_layer(R"({"mediaType":"a","digest":")" + digest_text('a') + R"("})"),  // no size
        with_layer(R"({"digest":")" + digest_text('a') + R"(","size":1})"),         // no type
        with_layer(R"({"mediaType":"a","size":1})"),                                // no digest
        with_layer(R"({"mediaType":"a","digest":"sha256:abc","size":1})"),
        with_layer(R"({"mediaType":"a","digest":")" + digest_text('A') + R"(","size":1})"),
        with_layer(R"({"mediaType":"a","digest":"md5:d41d8cd98f00b204e9800998ecf8427e","size":1})"),
        with_layer(R"({"mediaType":"a","digest":5,"size":1})"),
        with_layer(R"({"mediaType":1,"digest":")" + digest_text('a') + R"(","size":1})"),
        with_layer(R"({"mediaType":"a","digest":")" + digest_text('a') + R"(","size":-1})"),
        with_layer(R"({"mediaType":"a","digest":")" + digest_text('a') + R"(","size":"1"})"),
        with_layer(R"({"mediaType":"a","digest":")" + digest_text('a') + R"(","size":1e3})"),
        with_layer(R"({"mediaType":"a","digest":")" + digest_text('a') +
                   R"(","size":9223372036854775808})"),
        with_layer(R"({"mediaType":"a","digest":")" + digest_text('a') + R"(","size":true})"),
        with_layer(descriptor(kLayerType, 'a', 1, R"(,"urls":"x")")),
        with_layer(descriptor(kLayerType, 'a', 1, R"(,"urls":[{}])")),
        with_layer(descriptor(kLayerType, 'a', 1, R"(,"annotations":{"k":1})")),
        with_layer(descriptor(kLayerType, 'a', 1, R"(,"annotations":[])")),
        with_layer(descriptor(kLayerType, 'a', 1) + "," +
                   descriptor(kLayerType, 'a', 2)),  // two sizes
        image(R"(,"subject":{})"),
        image(R"(,"subject":null)"),
        image(R"(,"subject":"x")"),
        image(R"(,"subject":[])"),
        image(R"(,"subject":{"digest":"x"})"),
        image(R"(,"annotations":{"k":{}})"),
        image(R"(,"annotations":"x")"),
        image(R"(,"artifactType":{})"),
        R"({"schemaVersion":2,"config":[],"layers":[]})",
        R"({"schemaVersion":2,"config":null,"layers":[]})",
        R"({"schemaVersion":2,"layers":{},"config":)" + descriptor(kConfigType, 'c', 2) + "}",
        R"({"schemaVersion":2,"mediaType":5,"config":)" + descriptor(kConfigType, 'c', 2) + "}",
    };
    for (const auto& text : texts) expect_invalid(text);
}

// DIST-MAN-12.
TEST(Manifest, ChecksEmbeddedData) {
    const auto content = std::string{"{}"};
    const auto digest = Digest::of(DigestAlgorithm::sha256, as_bytes(content)).to_string();
    const auto with_data = [&](const std::string& data, int size) {
        return R"({"schemaVersion":2,"config":{"mediaType":"a","digest":")" + digest +
               R"(","size":)" + std::to_string(size) + R"(,"data":")" + data + R"("},"layers":[]})";
    };
    EXPECT_TRUE(parse(with_data("e30=", 2)));
    expect_invalid(with_data("e30=", 3));
    expect_invalid(with_data("e31=", 2));  // other bytes
    expect_invalid(with_data("e30", 2));   // no padding
    expect_invalid(with_data("e3!=", 2));
}

// DIST-MAN-14, SEC-18.
TEST(Manifest, NeedsNoForeignLayers) {
    const std::string foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    const auto parsed =
        parse(image("", descriptor(foreign, 'a', 1, R"(,"urls":["http://example.com/x"])") + "," +
                            descriptor(foreign, 'b', 1) + "," +
                            descriptor(kLayerType, 'd', 1, R"(,"urls":["http://example.com/x"])")));
    ASSERT_TRUE(parsed);
    EXPECT_FALSE(parsed.value().edges()[0].foreign);
    EXPECT_TRUE(parsed.value().edges()[1].foreign);
    EXPECT_FALSE(parsed.value().edges()[2].foreign) << "without urls it must be here";
    EXPECT_FALSE(parsed.value().edges()[3].foreign) << "an ordinary type must be here";
}

// DIST-MAN-21, DIST-MAN-22, DIST-REF-02, DIST-REF-03.
TEST(Manifest, DescribesItselfAsReferrer) {
    const auto subject = R"(,"subject":)" + descriptor(kImageType, 'f', 9);
    const auto annotated = subject + R"(,"annotations":{"z":"1","a":"2"})";

    const auto image_parsed = parse(image(annotated)).value();
    EXPECT_EQ(image_parsed.subject()->to_string(), digest_text('f'));
    EXPECT_EQ(image_parsed.artifact_type(), kConfigType);
    EXPECT_EQ(image_parsed.annotations(), (Annotations{{"z", "1"}, {"a", "2"}}));
    EXPECT_EQ(parse(image(subject + R"(,"artifactType":"x/sbom")")).value().artifact_type(),
              "x/sbom");
    EXPECT_EQ(parse(image(subject + R"(,"artifactType":"")")).value().artifact_type(), kConfigType);
    EXPECT_EQ(parse(index("", subject)).value().artifact_type(), "");
    EXPECT_EQ(parse(index("", subject + R"(,"artifactType":"x/y")")).value().artifact_type(),
              "x/y");

    // Only what a listing needs is kept.
    EXPECT_TRUE(parse(image(R"(,"annotations":{"a":"2"})")).value().annotations().empty());
    // A Docker type has no subject.
    const auto docker =
        R"({"schemaVersion":2,"config":)" + descriptor(kConfigType, 'c', 2) + annotated + "}";
    EXPECT_FALSE(parse(docker, kDockerType).value().subject());
    EXPECT_TRUE(parse(docker, kImageType).value().subject());
}

// DIST-MAN-18, SEC-15.
TEST(Manifest, KeepsToItsLimits) {
    RegistryLimits limits;
    limits.manifest_size_max_bytes = image().size();
    EXPECT_TRUE(parse(image(), "", limits));
    EXPECT_EQ(parse(image() + " ", "", limits).error().code, Errc::too_large);

    limits = {};
    limits.manifest_references_max = 3;
    const auto layers = [](int count) {
        std::string all;
        for (int i = 0; i < count; ++i) all += (i > 0 ? "," : "") + descriptor(kLayerType, 'a', 1);
        return all;
    };
    EXPECT_TRUE(parse(image("", layers(2)), "", limits));
    EXPECT_EQ(parse(image("", layers(3)), "", limits).error().code, Errc::manifest_invalid);

    limits = {};
    limits.manifest_annotations_max = 2;
    EXPECT_TRUE(parse(image(R"(,"annotations":{"a":"","b":""})"), "", limits));
    EXPECT_FALSE(parse(image(R"(,"annotations":{"a":"","b":"","c":""})"), "", limits));

    limits = {};
    limits.manifest_string_max_bytes = 100;
    EXPECT_TRUE(parse(image(R"(,"x":")" + std::string(1000, 'x') + "\""), "", limits));
    EXPECT_FALSE(parse(image(R"(,"artifactType":")" + std::string(1000, 'x') + "\""), "", limits));

    limits = {};
    limits.referrer_annotations_max_bytes = 3;
    const auto subject = R"(,"subject":)" + descriptor(kImageType, 'f', 9);
    EXPECT_TRUE(parse(image(subject + R"(,"annotations":{"a":"12"})"), "", limits));
    EXPECT_FALSE(parse(image(subject + R"(,"annotations":{"a":"123"})"), "", limits));
}

TEST(Manifest, RefusesDeepNesting) {
    const auto nested = [](int depth) {
        return image(R"(,"x":)" + std::string(static_cast<std::size_t>(depth), '[') +
                     std::string(static_cast<std::size_t>(depth), ']'));
    };
    EXPECT_TRUE(parse(nested(31)));  // the manifest itself is the first level
    expect_invalid(nested(32));
    expect_invalid(nested(100'000));
}

TEST(Base64, ReadsTheStandardAlphabet) {
    EXPECT_EQ(as_text(*decode_base64("aGVsbG8=")), "hello");
    EXPECT_EQ(decode_base64("")->size(), 0u);
    EXPECT_FALSE(decode_base64("aGVsbG8"));
    EXPECT_FALSE(decode_base64("aGVsbG9=")) << "spare bits";
    EXPECT_FALSE(decode_base64("aGVs bG8="));
    EXPECT_FALSE(decode_base64("===="));
}

TEST(Base64, UrlSafeRoundTrip) {
    std::vector<std::byte> bytes;
    for (int i = 0; i < 70; ++i) {
        const auto text = encode_base64url(bytes);
        EXPECT_EQ(text.find_first_of("+/="), std::string::npos);
        EXPECT_EQ(*decode_base64url(text), bytes);
        bytes.push_back(static_cast<std::byte>(i * 37));
    }
}

}  // namespace
}  // namespace orbitalreg::engine
