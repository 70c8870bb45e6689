#pragma once
// Content that the store suites push: blobs and manifests made from short names.

#include "engine/manifest.h"
#include "engine/names.h"
#include "engine/registry_store.h"

#include <string>
#include <vector>

namespace orbitalreg::engine {

inline ImageName image_name(const std::string& text) { return ImageName::parse(text).value(); }
inline Tag tag_name(const std::string& text) { return Tag::parse(text).value(); }
inline Digest digest_of(const std::string& content,
                        DigestAlgorithm algorithm = DigestAlgorithm::sha256) {
    return Digest::of(algorithm, as_bytes(content));
}
inline std::vector<std::byte> bytes_of(const std::string& text) {
    const auto view = as_bytes(text);
    return {view.begin(), view.end()};
}
inline PushTarget target_of(const std::string& name) {
    auto image = image_name(name);
    auto repository = ruling_repository(image, "library").value();
    return {std::move(image), {std::move(repository), RepositoryType::local, false}, true};
}

inline std::string descriptor_text(const std::string& type, const std::string& content) {
    return R"({"mediaType":")" + type + R"(","digest":")" + digest_of(content).to_string() +
           R"(","size":)" + std::to_string(content.size()) + "}";
}

struct ImageContent {
    std::string config;
    std::vector<std::string> layers;
    std::string subject;  // content of the manifest it refers to; empty: none
    std::string padding;  // makes it long
};

inline std::string image_text(const ImageContent& content) {
    std::string text =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
        descriptor_text("application/vnd.test.config", content.config) + R"(,"layers":[)";
    for (std::size_t i = 0; i < content.layers.size(); ++i) {
        text += (i > 0 ? "," : "") +
                descriptor_text("application/vnd.oci.image.layer.v1.tar", content.layers[i]);
    }
    text += "]";
    if (!content.subject.empty()) {
        text +=
            R"(,"subject":)" +
            descriptor_text(std::string{media_type_of(ManifestKind::oci_image)}, content.subject);
        text += R"(,"annotations":{"k":"v"})";
    }
    if (!content.padding.empty()) text += R"(,"padding":")" + content.padding + "\"";
    return text + "}";
}

inline std::string index_text(const std::vector<std::string>& manifests) {
    std::string text =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)";
    for (std::size_t i = 0; i < manifests.size(); ++i) {
        text += (i > 0 ? "," : "") +
                descriptor_text(std::string{media_type_of(ManifestKind::oci_image)}, manifests[i]);
    }
    return text + "]}";
}

inline ManifestPut put_of(const std::string& image, const std::string& text,
                          const std::vector<std::string>& tags = {},
                          TagExpectation expected = TagExpectation::anything()) {
    const RegistryLimits limits;
    ManifestPut put{target_of(image),
                    digest_of(text),
                    bytes_of(text),
                    Manifest::parse(as_bytes(text), "", limits).value(),
                    {},
                    expected,
                    false,
                    0,
                    {}};
    for (const auto& tag : tags) put.tags.push_back(tag_name(tag));
    return put;
}

// Receives `content` in pieces of at most `piece_max`.
inline Awaitable<Answer<void>> write_all(UploadWriter& writer, std::string content,
                                         std::size_t piece_max) {
    std::size_t at = 0;
    while (at < content.size()) {
        const auto lent = co_await writer.buffer();
        if (!lent) co_return refuse(lent.error());
        const auto size = std::min({content.size() - at, lent.value().size(), piece_max});
        std::memcpy(lent.value().data(), content.data() + at, size);
        const auto advanced = co_await writer.advance(size);
        if (!advanced) co_return refuse(advanced.error());
        at += size;
    }
    co_return ok();
}

inline Awaitable<Answer<BlobInfo>> push_blob(RegistryStore& store, std::string image,
                                             std::string content) {
    const auto digest = digest_of(content);
    auto writer = co_await store.begin_blob(target_of(image), digest.algorithm(), content.size());
    if (!writer) co_return refuse(writer.error());
    const auto written = co_await write_all(*writer.value(), content, 100'000);
    if (!written) co_return refuse(written.error());
    co_return co_await writer.value()->finish(digest);
}

inline Awaitable<Answer<std::string>> read_all(Answer<std::unique_ptr<BlobStream>> opened) {
    if (!opened) co_return refuse(opened.error());
    auto& stream = *opened.value();
    std::string content;
    while (content.size() < stream.size_bytes()) {
        const auto piece = co_await stream.read(content.size(), 300'000);
        if (!piece) co_return refuse(piece.error());
        content += as_text(piece.value().bytes);
    }
    co_return content;
}

inline Awaitable<Answer<std::string>> pull_blob(RegistryStore& store, std::string image,
                                                Digest digest) {
    auto opened = co_await store.read_blob(image_name(image), digest);
    co_return co_await read_all(std::move(opened));
}

inline Awaitable<Answer<std::string>> pull_manifest(RegistryStore& store, std::string image,
                                                    Digest digest) {
    auto opened = co_await store.read_manifest(image_name(image), digest);
    co_return co_await read_all(std::move(opened));
}

}  // namespace orbitalreg::engine
