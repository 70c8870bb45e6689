#pragma once
// RetentionStore is what retention asks of the store beside pushing and pulling: the times of manifests and tags, what would
// become free, and deletions that happen only if nothing has changed since they were decided.
//
// Times    seconds of store time, 0 for what is not known: data from before times were kept, and what a rebuild lost.
// Durable  as of RegistryStore.
// Threads  any reactor. Snapshots and sums are made on the background executor, in slices.

#include "base/asio.h"
#include "base/digest.h"
#include "engine/errors.h"
#include "engine/manifest.h"
#include "engine/names.h"
#include "engine/request_id.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

// A pull of a manifest: by the tag, or by its digest.
struct PullNote {
    Digest digest;
    std::optional<Tag> tag;
    std::uint32_t pulled_s = 0;

    friend bool operator==(const PullNote&, const PullNote&) = default;
};

struct ImagePulls {
    explicit ImagePulls(ImageName name, std::vector<PullNote> noted = {})
        : image{std::move(name)}, pulls{std::move(noted)} {}

    ImageName image;
    std::vector<PullNote> pulls;

    friend bool operator==(const ImagePulls&, const ImagePulls&) = default;
};

struct HeldManifest {
    Digest digest;
    ManifestKind kind = ManifestKind::oci_image;
    std::uint64_t size_bytes = 0;
    std::uint32_t pushed_s = 0;    // first push
    std::uint32_t put_s = 0;       // last push
    std::uint32_t untagged_s = 0;  // lost its last tag
    std::uint32_t pulled_s = 0;
    std::vector<std::uint32_t> children;  // of ImageSnapshot::manifests, those of an index
    std::optional<Digest> subject;
    std::string artifact_type;  // of one with a subject
};

struct HeldTag {
    std::string tag;
    std::uint32_t manifest = 0;  // of ImageSnapshot::manifests
    std::uint32_t pushed_s = 0;  // last set, also to the same manifest
    std::uint32_t pulled_s = 0;
};

// What an image name holds. Taken in slices: what changes meanwhile may be seen or not, and is found out at the deletion.
struct ImageSnapshot {
    std::string image;
    std::uint32_t taken_s = 0;
    std::uint32_t history_since_s = 0;
    std::vector<HeldManifest> manifests;
    std::vector<HeldTag> tags;  // in byte order
};

// What is to be deleted, as it was when that was decided.
struct JudgedTag {
    Tag tag;
    Digest digest;
    std::uint32_t pushed_s = 0;
    std::uint32_t pulled_s = 0;
};
struct JudgedManifest {
    Digest digest;
    std::uint32_t put_s = 0;
    std::uint32_t pulled_s = 0;
    std::optional<std::uint32_t> untagged_s;  // none: its tags went by the same judgement
};
enum class JudgedFate : std::uint8_t { deleted, changed };

struct ImageManifest {
    std::string image;
    Digest digest;
};
struct ReleasedContent {
    std::uint64_t blobs = 0;
    std::uint64_t bytes = 0;
};

class RetentionStore {
public:
    static constexpr std::size_t kJudgedMax = 64;  // in one call
    static constexpr std::size_t kPullsMax = 256;  // in one call

    virtual ~RetentionStore() = default;

    // The store's own clock, in seconds.
    virtual std::uint32_t now_s() const noexcept = 0;
    // Since when pulls are noted; 0: never yet.
    virtual std::uint32_t history_since_s() const noexcept = 0;
    // Asked in the turn of a deletion, on the sequencer: whether a pull of the manifest waits to be written. Before the first one.
    virtual void set_waiting_pulls(
        std::function<bool(const ImageName&, const Digest&)> is_waiting) = 0;
    // What is no longer there is passed over. The first call, also without a pull, begins the history.
    virtual Awaitable<Answer<void>> note_pulls(RequestId id, std::vector<ImagePulls> pulls) = 0;
    // Errc::name_unknown for an image name without a manifest.
    virtual Awaitable<Answer<ImageSnapshot>> snapshot(ImageName image) = 0;
    // Each tag only if it points at the same manifest and was neither set nor pulled since; at most kJudgedMax.
    virtual Awaitable<Answer<std::vector<JudgedFate>>> delete_judged_tags(
        RequestId id, ImageName image, std::vector<JudgedTag> tags) = 0;
    // Each manifest only if it has no tag, is part of no index, and was neither pushed, pulled nor tagged since; at most kJudgedMax.
    virtual Awaitable<Answer<std::vector<JudgedFate>>> delete_judged_manifests(
        RequestId id, ImageName image, std::vector<JudgedManifest> manifests) = 0;
    // What nothing would refer to any more once these were gone, and collection would delete: counted once however many share it.
    virtual Awaitable<ReleasedContent> release_of(std::vector<ImageManifest> gone) = 0;
    // The bytes of a manifest that an image name held, while its blob is still there. Errc::blob_unknown, too_large.
    virtual Awaitable<Answer<std::vector<std::byte>>> read_released(Digest digest,
                                                                    std::uint64_t size_max) = 0;
};

}  // namespace orbitalreg::engine
