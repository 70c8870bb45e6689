#pragma once
// DistributionFolder writes directories as a CNCF Distribution would have, and as it never would.
//
// Life     made in a folder of its own, which goes with it.

#include "base/bytes.h"
#include "base/digest.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace orbitalreg::testing {

class DistributionFolder {
public:
    DistributionFolder() {
        std::string name = std::filesystem::temp_directory_path() / "orbitalreg-tree-XXXXXX";
        root_ = ::mkdtemp(name.data());
        std::filesystem::create_directories(v2() / "blobs");
        std::filesystem::create_directories(v2() / "repositories");
    }
    ~DistributionFolder() { std::filesystem::remove_all(root_); }
    DistributionFolder(const DistributionFolder&) = delete;
    DistributionFolder& operator=(const DistributionFolder&) = delete;

    const std::filesystem::path& root() const { return root_; }
    std::filesystem::path v2() const { return root_ / "docker/registry/v2"; }
    std::filesystem::path repository(const std::string& name) const {
        return v2() / "repositories" / name;
    }
    std::filesystem::path blob(const Digest& digest) const {
        const auto hex = digest.hex();
        return v2() / "blobs" / std::string{to_string(digest.algorithm())} / hex.substr(0, 2) /
               hex / "data";
    }

    static void write(const std::filesystem::path& path, const std::string& content) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream{path, std::ios::binary} << content;
    }

    Digest put_blob(const std::string& content,
                    DigestAlgorithm algorithm = DigestAlgorithm::sha256) const {
        const auto digest = Digest::of(algorithm, as_bytes(content));
        write(blob(digest), content);
        return digest;
    }
    std::filesystem::path layer_link(const std::string& name, const Digest& digest) const {
        return repository(name) / "_layers" / std::string{to_string(digest.algorithm())} /
               digest.hex() / "link";
    }
    std::filesystem::path revision_link(const std::string& name, const Digest& digest) const {
        return repository(name) / "_manifests/revisions" /
               std::string{to_string(digest.algorithm())} / digest.hex() / "link";
    }
    std::filesystem::path tag_link(const std::string& name, const std::string& tag) const {
        return repository(name) / "_manifests/tags" / tag / "current/link";
    }
    Digest put_layer(const std::string& name, const std::string& content) const {
        const auto digest = put_blob(content);
        write(layer_link(name, digest), digest.to_string());
        return digest;
    }
    Digest put_manifest(const std::string& name, const std::string& content,
                        const std::string& tag = {}) const {
        const auto digest = put_blob(content);
        write(revision_link(name, digest), digest.to_string());
        if (!tag.empty()) write(tag_link(name, tag), digest.to_string());
        return digest;
    }

    static std::string descriptor(const std::string& type, const Digest& digest, std::size_t size) {
        return R"({"mediaType":")" + type + R"(","digest":")" + digest.to_string() +
               R"(","size":)" + std::to_string(size) + "}";
    }
    // An OCI image of one layer, whose bytes are its configuration as well; `more` stands at the end of its manifest.
    static std::string image(const Digest& layer, std::size_t size, const std::string& more = {}) {
        const auto each = descriptor("application/octet-stream", layer, size);
        return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
               each + R"(,"layers":[)" + each + "]" + more + "}";
    }
    static std::string index(const std::string& children) {
        return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" +
               children + "]}";
    }
    Digest put_image(const std::string& name, const std::string& content,
                     const std::string& tag = {}, const std::string& more = {}) const {
        const auto layer = put_layer(name, content);
        return put_manifest(name, image(layer, content.size(), more), tag);
    }

private:
    std::filesystem::path root_;
};

}  // namespace orbitalreg::testing
