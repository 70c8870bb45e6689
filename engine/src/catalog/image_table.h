#pragma once
// ImageTable holds what belongs to each image name: links to blobs, manifests, tags, referrers. 64
// shards by name, each under a mutex of its own; one change to an image name is made under one
// hold, so that a reader sees all of it or nothing.
//
// Links and manifests are kept by blob id, subjects by digest: an id is reused after its blob is
// gone, which a held manifest and a forgotten link outlive never, and a subject may be absent.
//
// Invariants
//   I1  a tag points at a manifest of the same image name.
//   I2  an image name exists while it has a link or a manifest, and is listed while it has a manifest.
//   I3  blob b has image name i among its owners if and only if i has a link to b.
//
// Threads  changes only from apply(), one thread; look-ups from any. Look-ups copy out.

#include "base/digest.h"
#include "cas/references.h"
#include "catalog/blob_sets.h"
#include "engine/names.h"
#include "engine/registry_store.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

class ImageTable {
public:
    struct ManifestEntry {
        ManifestKind kind = ManifestKind::oci_image;
        std::uint32_t tag_count = 0;
    };
    enum class Presence : std::uint8_t { nothing, links_only, manifests };

    ImageTable();
    ~ImageTable();

    // --- apply only ---
    void add_link(std::string_view image, cas::BlobId blob);
    void remove_link(std::string_view image, cas::BlobId blob);
    // Every link to the blob, under any image name.
    void forget(cas::BlobId blob);
    // The manifest, the tags set to it and its place among the referrers of `subject`, under one
    // hold. False if the image name held the manifest before.
    bool put_manifest(std::string_view image, cas::BlobId manifest, const Referrer& described,
                      const std::optional<Digest>& subject, const std::vector<Tag>& tags);
    // With its tags. False if it was not there.
    bool remove_manifest(std::string_view image, cas::BlobId manifest);
    void set_tag(std::string_view image, const std::string& tag, cas::BlobId manifest);
    void remove_tag(std::string_view image, const std::string& tag);

    // --- any thread ---
    Presence presence(std::string_view image) const;
    bool has_link(std::string_view image, cas::BlobId blob) const;
    std::vector<std::string> owners(cas::BlobId blob, std::uint32_t count_max) const;
    std::optional<ManifestKind> find_manifest(std::string_view image, cas::BlobId manifest) const;
    std::optional<cas::BlobId> find_tag(std::string_view image, const std::string& tag) const;
    // Nothing where the image name holds no manifest.
    std::optional<Page<std::string>> list_tags(std::string_view image, const std::string& after,
                                               std::uint32_t count_max) const;
    Page<std::string> list_images(const std::string& after, std::uint32_t count_max) const;
    Page<Referrer> referrers(std::string_view image, const ReferrersQuery& query) const;
    std::size_t referrer_count(std::string_view image, const Digest& subject) const;
    // The manifests of the image name, in no order.
    std::vector<cas::BlobId> manifests(std::string_view image) const;
    std::size_t manifest_count(std::string_view image) const;

    void visit_manifests(const std::function<void(cas::BlobId)>& held) const;
    // Adds up images, manifests, tags and links.
    void count(RegistryStoreStats& stats) const;
    std::uint64_t fingerprint() const;
    std::uint64_t memory_bytes() const;
    void check_invariants() const;

private:
    struct Image;
    struct Shard;
    static constexpr std::size_t kShards = 64;

    Shard& shard_of(std::string_view image) const noexcept;
    Image& obtain(Shard& shard, std::string_view image);
    void drop_if_empty(Shard& shard, Image& image);
    void list(const std::string& name);
    void unlist(const std::string& name);
    void point_tag(Image& image, const std::string& tag, cas::BlobId manifest);
    void note_referrer(Image& image, cas::BlobId manifest, const Referrer& described,
                       const std::optional<Digest>& subject);
    void drop_referrer(Image& image, cas::BlobId manifest);

    std::unique_ptr<std::array<Shard, kShards>> shards_;

    // Image names that hold a manifest, in byte order.
    mutable std::shared_mutex listed_mutex_;
    std::set<std::string, std::less<>> listed_;

    // Who links a blob, by image number. Written by apply(), read by owners().
    mutable std::shared_mutex owners_mutex_;
    BlobSets owners_;
    std::vector<Image*> by_number_;
    std::vector<std::uint32_t> free_numbers_;

    std::atomic<std::uint64_t> manifest_count_{0};
    std::atomic<std::uint64_t> tag_count_{0};
    std::atomic<std::uint64_t> link_count_{0};
    std::atomic<std::uint64_t> referrer_bytes_{0};
};

}  // namespace orbitalreg::engine
