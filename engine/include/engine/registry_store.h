#pragma once
// RegistryStore is the seam between the registry and where its content lies: whole operations, not
// keys and values, so that the embedded store does each in one frame and a distributed one in
// ordered idempotent steps. One suite with one model as its oracle runs on all implementations
// (tests/contract/registry_store_test.cc).
//
// It knows no policy: type and settings of repositories, gates and rights are the Registry's.
//
// Durable  an operation that answered with success survives power loss and is seen by every reader.
// Ids      repeating a request id within RegistryLimits::request_outcome_keep_ms gives the first
//          outcome again, refusals too. Errc::unknown: it may or may not have happened, ask again
//          with the same id.
// Errors   Errc is the closed set of outcomes; any operation may end in no_space, read_only,
//          overloaded, io_error, stopped, and one that changes something in unknown.
// Threads  any reactor. Answers are copies.
// Limits   pages are at most what the caller asks for; the Registry clamps.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "engine/document_store.h"
#include "engine/errors.h"
#include "engine/manifest.h"
#include "engine/names.h"
#include "engine/options.h"
#include "engine/request_id.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

using SessionId = std::array<std::byte, 16>;

struct BlobInfo {
    Digest digest;
    std::uint64_t size_bytes = 0;
};

struct BlobPiece {
    ByteView bytes;                     // never empty
    std::shared_ptr<const void> owner;  // keeps them
};

// BlobStream reads one blob in verified pieces. While it lives the bytes stay in place, whatever is
// deleted meanwhile.
//
// Threads  one strand, the reactor it was opened on.
class BlobStream {
public:
    virtual ~BlobStream() = default;

    virtual const Digest& digest() const noexcept = 0;
    virtual std::uint64_t size_bytes() const noexcept = 0;
    // At least one byte from `offset`, at most `length_max`; offset < size_bytes(). Errc::damaged
    // when the bytes fail their checksum: what was sent so far must not be taken for the whole.
    virtual Awaitable<Answer<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) = 0;
};

// FollowedUpload reads what an UploadWriter has taken in while it goes on: sound bytes, but whether they are the blob that
// was meant is known only when the writer has finished.
//
// Threads  any reactor, several at once. May outlive the writer.
class FollowedUpload {
public:
    virtual ~FollowedUpload() = default;

    // From 0 up to here read() has an answer; only grows.
    virtual std::uint64_t readable_bytes() const noexcept = 0;
    // At least one byte from `offset` < readable_bytes(), at most `length_max`. Errc::io_error, Errc::overloaded.
    virtual Awaitable<Answer<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) = 0;
};

// UploadWriter takes in the bytes of one blob, and links it under its image name when it is
// finished.
//
// Life     RegistryStore::open_upload() or begin_blob() -> { buffer() -> advance() }* -> mark() |
//          finish() | cancel(). Destroying it drops what came after the last mark; without a
//          session all of it.
// Durable  what mark() acknowledged; the blob once finish() answered with success.
// Threads  one strand, the reactor it was opened on.
class UploadWriter {
public:
    virtual ~UploadWriter() = default;

    // Bytes received so far, marked or not.
    virtual std::uint64_t offset() const noexcept = 0;
    // Room for the next bytes: 1 byte to 256 KiB, lent until the next call of any other function
    // here. Waits for the device when all buffers are in flight; not reading the socket meanwhile
    // is the back-pressure.
    virtual Awaitable<Answer<MutableByteView>> buffer() = 0;
    // `size` bytes at the start of what buffer() lent were filled. Errc::too_large.
    virtual Awaitable<Answer<void>> advance(std::size_t size) = 0;
    // Makes the offset durable and returns it. Without a session there is nothing to mark:
    // Errc::unsupported.
    virtual Awaitable<Answer<std::uint64_t>> mark() = 0;
    // Compares, commits, links, closes the session: all or nothing. Errc::digest_mismatch ends the
    // session.
    virtual Awaitable<Answer<BlobInfo>> finish(Digest expected) = 0;
    // Lets others read what arrives; before the first advance().
    virtual Awaitable<Answer<std::shared_ptr<FollowedUpload>>> follow() = 0;
    // Ends the session; durable when it returns.
    virtual Awaitable<Answer<void>> cancel() = 0;
};

struct UploadStart {
    SessionId session{};
    std::uint64_t issued_store_time_s = 0;
    DigestAlgorithm algorithm = DigestAlgorithm::sha256;
    std::optional<std::uint64_t> size_hint_bytes;
};

struct UploadStatus {
    enum class State : std::uint8_t {
        unknown,  // never heard of: stands at offset 0
        open,
        finished,
        cancelled,
    };
    State state = State::unknown;
    std::uint64_t offset_bytes = 0;  // the last acknowledged one
    std::optional<Digest> digest;    // of a finished one
    bool busy = false;               // a writer is open
};

// What a tag is expected to be when an operation takes its turn.
struct TagExpectation {
    enum class Kind : std::uint8_t { anything, absent, digest, absent_or_digest };
    Kind kind = Kind::anything;
    Digest digest;

    static TagExpectation anything() noexcept { return {}; }
    static TagExpectation absent_or_at(const Digest& d) noexcept {
        return {Kind::absent_or_digest, d};
    }
    static TagExpectation absent() noexcept { return {Kind::absent, {}}; }
    static TagExpectation at(const Digest& d) noexcept { return {Kind::digest, d}; }
};

// RepositoryObject is what the catalog keeps about `<project>/<repo>`.
struct RepositoryObject {
    RepositoryName name;
    RepositoryType type = RepositoryType::local;
    bool sparse_index_allowed = false;

    friend bool operator==(const RepositoryObject&, const RepositoryObject&) = default;
};

// PushTarget is an image name and the repository object that rules it.
struct PushTarget {
    ImageName image;
    RepositoryObject repository;
    bool create_repository = false;  // kept in the catalog from this push on, unless it is there
};

struct ManifestInfo {
    Digest digest;
    ManifestKind kind = ManifestKind::oci_image;
    std::uint64_t size_bytes = 0;
    std::vector<std::optional<Digest>> tags_were{};  // of a push: where each tag pointed before
};

struct ManifestPut {
    PushTarget target;
    Digest digest;  // of `bytes`, already computed from them
    std::vector<std::byte> bytes;
    Manifest manifest;                            // parsed from `bytes`
    std::vector<Tag> tags;                        // set to this manifest in the same step
    TagExpectation expected;                      // of each tag
    bool children_may_be_missing = false;         // sparse index: children are not looked for
    std::uint32_t referrers_per_subject_max = 0;  // 0: no limit; beyond it Errc::denied
    std::vector<DocumentWrite> documents;         // written in the same step, or nothing is
    // From an upstream: nothing that it refers to needs to be there, until it is asked for.
    bool fetched = false;
};

struct Referrer {
    Digest digest;
    ManifestKind kind = ManifestKind::oci_image;
    std::uint64_t size_bytes = 0;
    std::string artifact_type;  // empty: none
    Annotations annotations;
};

template <class T>
struct Page {
    std::vector<T> items;
    bool more = false;  // there are items behind the last one
};

struct ReferrersQuery {
    Digest subject;
    std::vector<std::string> artifact_types;  // any of these; empty: all
    std::optional<Digest> after;
    std::uint32_t count_max = 0;
    std::uint64_t text_max_bytes =
        0;  // the page ends early when annotations and types pass it; 0: no limit
};

struct RegistryStoreStats {
    std::uint64_t images = 0;  // image names that hold a manifest
    std::uint64_t manifests = 0;
    std::uint64_t tags = 0;
    std::uint64_t links = 0;
    std::uint64_t repositories = 0;
    std::uint64_t documents = 0;
    std::uint64_t catalog_memory_bytes = 0;  // estimate
};

struct StoreCapabilities {
    bool multi_writer = false;    // several processes may use it at once
    bool verified_reads = false;  // each piece is checked before it is handed out
};

class RegistryStore {
public:
    virtual ~RegistryStore() = default;

    virtual StoreCapabilities capabilities() const noexcept = 0;
    // 32 bytes that only this store can derive for `label`; the same at every start.
    virtual std::array<std::byte, 32> derive_key(std::string_view label) const noexcept = 0;
    // The store's own clock; never falls.
    virtual std::uint64_t store_time_ms() const noexcept = 0;

    // Uploads. A session stands at its last mark, an unknown one at 0. Errc::upload_unknown for a
    // closed one, Errc::offset_mismatch while another writer is open.
    virtual Awaitable<Answer<std::unique_ptr<UploadWriter>>> open_upload(PushTarget target,
                                                                         UploadStart start) = 0;
    virtual Awaitable<Answer<std::unique_ptr<UploadWriter>>> begin_blob(
        PushTarget target, DigestAlgorithm algorithm, std::optional<std::uint64_t> size_hint) = 0;
    // No further session can hold bytes for now. Any thread.
    virtual bool uploads_full() const noexcept = 0;
    virtual Awaitable<Answer<UploadStatus>> upload_status(SessionId session) = 0;
    virtual Awaitable<Answer<void>> cancel_upload(UploadStart start) = 0;

    // Blobs: only what is linked under `image`. Errc::blob_unknown, a damaged blob included.
    virtual Awaitable<Answer<BlobInfo>> stat_blob(ImageName image, Digest digest) = 0;
    virtual Awaitable<Answer<std::unique_ptr<BlobStream>>> read_blob(ImageName image,
                                                                     Digest digest) = 0;
    // Links under `target` what is linked under `source`. Errc::blob_unknown when it is not.
    virtual Awaitable<Answer<BlobInfo>> mount(RequestId id, PushTarget target, Digest digest,
                                              ImageName source) = 0;
    // Image names that link the blob, at most `count_max`, in no promised order.
    virtual Awaitable<Answer<std::vector<ImageName>>> find_links(Digest digest,
                                                                 std::uint32_t count_max) = 0;
    // Errc::blob_unknown, Errc::name_unknown, Errc::in_use while a manifest of the image name
    // refers to it.
    virtual Awaitable<Answer<void>> delete_link(RequestId id, ImageName image, Digest digest) = 0;

    // Manifests. Errc::child_missing with each missing digest, Errc::manifest_invalid for a size
    // that contradicts the stored one, Errc::precondition_failed.
    virtual Awaitable<Answer<ManifestInfo>> put_manifest(RequestId id, ManifestPut put) = 0;
    // Errc::name_unknown for an image name that holds nothing, else Errc::manifest_unknown.
    virtual Awaitable<Answer<ManifestInfo>> resolve(ImageName image, Reference reference) = 0;
    virtual Awaitable<Answer<std::unique_ptr<BlobStream>>> read_manifest(ImageName image,
                                                                         Digest digest) = 0;
    // With all its tags. Errc::manifest_unknown, Errc::name_unknown.
    virtual Awaitable<Answer<void>> delete_manifest(RequestId id, ImageName image,
                                                    Digest digest) = 0;
    // Errc::manifest_unknown when `digest` is not here, Errc::precondition_failed.
    virtual Awaitable<Answer<void>> set_tag(RequestId id, ImageName image, Tag tag, Digest digest,
                                            TagExpectation expected) = 0;
    virtual Awaitable<Answer<void>> delete_tag(RequestId id, ImageName image, Tag tag,
                                               TagExpectation expected) = 0;

    // Listings, in byte order. `after` need not exist; empty: from the start.
    // Errc::name_unknown for an image name without a manifest.
    virtual Awaitable<Answer<Page<std::string>>> list_tags(ImageName image, std::string after,
                                                           std::uint32_t count_max) = 0;
    // Image names that hold a manifest.
    virtual Awaitable<Answer<Page<std::string>>> list_images(std::string after,
                                                             std::uint32_t count_max) = 0;
    // In the order of the digests; nothing there is an empty page.
    virtual Awaitable<Answer<Page<Referrer>>> referrers(ImageName image, ReferrersQuery query) = 0;

    // Repository objects made by pushes. Errc::name_unknown.
    virtual Awaitable<Answer<RepositoryObject>> find_repository(RepositoryName name) = 0;

    virtual RegistryStoreStats stats() const = 0;
};

}  // namespace orbitalreg::engine
