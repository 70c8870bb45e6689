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
//   I4  a manifest with a tag has no time at which it lost its last one.
//
// Stored   names by number, and by the numbers of image names their manifests, tags and links: four
//          tables of a checkpoint; the times of manifests and tags in a fifth. Whoever changes a row of
//          one tells it first.
//
// Threads  changes only from apply(), one thread; look-ups from any. Look-ups copy out.

#include "base/digest.h"
#include "base/result.h"
#include "cas/references.h"
#include "cas/walked_table.h"
#include "catalog/blob_sets.h"
#include "catalog/retention_times.h"
#include "catalog/table_number.h"
#include "engine/names.h"
#include "engine/registry_store.h"

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
#include <tuple>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

class ManifestTable;

class ImageTable {
public:
    struct ManifestEntry {
        ManifestKind kind = ManifestKind::oci_image;
        std::uint32_t tag_count = 0;
        ManifestTimes times;
    };
    struct TagEntry {
        std::uint32_t manifest = 0;
        TagTimes times;
    };
    enum class Presence : std::uint8_t { nothing, links_only, manifests };

    // `manifests` is told who holds its rows while a checkpoint is loaded.
    explicit ImageTable(ManifestTable& manifests);
    ~ImageTable();

    // --- apply only ---
    void add_link(std::string_view image, cas::BlobId blob);
    void remove_link(std::string_view image, cas::BlobId blob);
    // Every link to the blob, under any image name.
    void forget(cas::BlobId blob);
    // The manifest, the tags set to it and its place among the referrers of `subject`, under one
    // hold. False if the image name held the manifest before.
    bool put_manifest(std::string_view image, cas::BlobId manifest, const Referrer& described,
                      const std::optional<Digest>& subject, const std::vector<Tag>& tags,
                      std::uint32_t now_s);
    // With its tags. False if it was not there.
    bool remove_manifest(std::string_view image, cas::BlobId manifest);
    void set_tag(std::string_view image, const std::string& tag, cas::BlobId manifest,
                 std::uint32_t now_s);
    void remove_tag(std::string_view image, const std::string& tag, std::uint32_t now_s);
    // A pull of the manifest, by the tag where there is one and it still points there. The kind, where the image name holds it.
    std::optional<ManifestKind> note_pull(std::string_view image, cas::BlobId manifest,
                                          const std::string* tag, std::uint32_t pulled_s);
    // Pulls are noted from now on, unless they were before.
    void begin_history(std::uint32_t now_s);

    // --- checkpoints: the sequencer, and whoever opens the store ---
    // In load order, behind the manifests.
    std::vector<cas::CheckpointTable*> checkpoint_tables();
    // Behind all of those, and other tables.
    cas::CheckpointTable& times_table() noexcept { return times_rows_; }
    // What a row of times says. Nothing for a row that says something else.
    struct TimesRow {
        std::uint32_t image = 0;      // number; 0: of the whole store
        std::uint32_t manifest = 0;   // 0: of a tag
        std::string tag;              // empty: of a manifest
        std::uint32_t history_s = 0;  // of the whole store
        ManifestTimes of_manifest;
        TagTimes of_tag;
    };
    static std::optional<TimesRow> read_times_row(ByteView row);
    // For a rebuild. False where there is nothing of that name.
    bool restore_times(std::string_view image, cas::BlobId manifest, const ManifestTimes& times);
    bool restore_times(std::string_view image, const std::string& tag, const TagTimes& times);
    // Rows that name a blob from `end` on are refused: memory goes with the largest id.
    void expect_blobs_below(std::uint32_t end) noexcept { loaded_blobs_end_ = end; }
    // The manifests that image names hold, walked apart from the checkpoint.
    cas::CheckpointTable& recount_table() noexcept { return recounted_rows_; }
    static cas::BlobId held_manifest_of_row(ByteView row) noexcept;

    // --- any thread ---
    Presence presence(std::string_view image) const;
    bool has_link(std::string_view image, cas::BlobId blob) const;
    std::vector<std::string> owners(cas::BlobId blob, std::uint32_t count_max) const;
    std::size_t owner_count(cas::BlobId blob) const;
    // An image name that holds the manifest, and one of the tags that point at it there.
    struct Holder {
        std::string image;
        std::optional<std::string> tag;
    };
    // At most `count_max`, those with a tag first. Looks at every image name: for explanations only.
    std::vector<Holder> holders(cas::BlobId manifest, std::uint32_t count_max) const;
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

    // Since when pulls are noted, in seconds of store time; 0: they are not.
    std::uint32_t history_since_s() const noexcept {
        return history_since_s_.load(std::memory_order_relaxed);
    }
    // For retention: what an image name holds, in slices. Each goes on behind the one before, which its caller keeps.
    struct HeldSlice {
        struct Manifest {
            cas::BlobId id;
            ManifestEntry entry;
            std::optional<Digest> subject;
            std::string artifact_type;
        };
        struct NamedTag {
            std::string tag;
            TagEntry entry;
        };
        std::vector<Manifest> manifests;
        std::vector<NamedTag> tags;
        bool more = false;
    };
    HeldSlice manifests_after(std::string_view image, std::uint32_t after,
                              std::uint32_t count_max) const;
    HeldSlice tags_after(std::string_view image, const std::string& after,
                         std::uint32_t count_max) const;
    std::optional<ManifestEntry> manifest_entry(std::string_view image, cas::BlobId manifest) const;
    std::optional<TagEntry> tag_entry(std::string_view image, const std::string& tag) const;

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

    using ManifestKey = std::pair<std::uint32_t, std::uint32_t>;  // image number, manifest
    using TagKey = std::pair<std::uint32_t, std::string>;         // image number, tag
    using LinkKey = std::pair<std::uint32_t, std::uint32_t>;      // blob, image number

    struct NameRows {
        using Key = std::uint32_t;
        ImageTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const noexcept;
        void encode(Key number, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const { return ok(); }
    };
    struct HeldRows {
        using Key = ManifestKey;
        ImageTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(const Key& key, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const;
    };
    struct TagRows {
        using Key = TagKey;
        ImageTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(const Key& key, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const { return ok(); }
    };
    struct LinkRows {
        using Key = LinkKey;
        ImageTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(const Key& key, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const;
    };

    // Image number; manifest, or UINT32_MAX behind all of them; tag. All zero: of the whole store.
    using TimesKey = std::tuple<std::uint32_t, std::uint32_t, std::string>;
    struct TimesRows {
        using Key = TimesKey;
        ImageTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(const Key& key, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const;
    };

    Shard& shard_of(std::string_view image) const noexcept;
    Image* image_of(std::uint32_t number) const noexcept;
    Image* image_of_row(std::uint32_t number) const noexcept;
    Image& obtain(Shard& shard, std::string_view image);
    void drop_if_empty(Shard& shard, Image& image);
    void before_change_of(const Image& image, std::uint32_t manifest);
    void list(const std::string& name);
    void unlist(const std::string& name);
    void point_tag(Image& image, const std::string& tag, cas::BlobId manifest, std::uint32_t now_s);
    void release_tag(Image& image, std::uint32_t manifest, std::uint32_t now_s);
    void before_times_of(const Image& image, std::uint32_t manifest);
    void before_change_of_tag(const Image& image, const std::string& tag);
    Result<void> load_times(const TimesRow& row);
    void note_referrer(Image& image, cas::BlobId manifest, const Referrer& described,
                       const std::optional<Digest>& subject);
    void drop_referrer(Image& image, cas::BlobId manifest);

    ManifestTable& manifest_table_;
    std::unique_ptr<std::array<Shard, kShards>> shards_;

    // Image names that hold a manifest, in byte order.
    mutable std::shared_mutex listed_mutex_;
    std::set<std::string, std::less<>> listed_;

    // Who links a blob, by image number. Written by apply(), read by owners().
    mutable std::shared_mutex owners_mutex_;
    BlobSets owners_;
    std::vector<Image*> by_number_{nullptr};  // 0 is no number
    std::vector<std::uint32_t> free_numbers_;
    // While a checkpoint is loaded: the number that each image name had in it, from number 1 on. Names are numbered anew,
    // without gaps, so that memory goes with their count and not with the largest number.
    std::vector<std::uint32_t> written_numbers_;
    std::uint32_t loaded_blobs_end_ = UINT32_MAX;

    std::atomic<std::uint32_t> history_since_s_{0};

    std::atomic<std::uint64_t> manifest_count_{0};
    std::atomic<std::uint64_t> tag_count_{0};
    std::atomic<std::uint64_t> link_count_{0};
    std::atomic<std::uint64_t> referrer_bytes_{0};

    cas::WalkedTable<NameRows> name_rows_{number_of(TableNumber::image_names), {this}};
    cas::WalkedTable<HeldRows> held_rows_{number_of(TableNumber::held_manifests), {this}};
    cas::WalkedTable<HeldRows> recounted_rows_{number_of(TableNumber::held_manifests), {this}};
    cas::WalkedTable<TagRows> tag_rows_{number_of(TableNumber::tags), {this}};
    cas::WalkedTable<LinkRows> link_rows_{number_of(TableNumber::links), {this}};
    cas::WalkedTable<TimesRows> times_rows_{number_of(TableNumber::times), {this}};
};

}  // namespace orbitalreg::engine
