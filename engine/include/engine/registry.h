#pragma once
// Registry is what the front end calls: the rules of projects and repositories, upload sessions,
// mounts, manifests, listings, over a RegistryStore. It knows no HTTP; each refusal says what a
// client must be told.
//
// Life     made once, after the store is open; gates and observers are added before the first
//          request. Threads  any reactor. Parameters are values or outlive the call. Limits
//          RegistryOptions::limits.

#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "engine/access.h"
#include "engine/options.h"
#include "engine/ports.h"
#include "engine/registry_store.h"
#include "engine/remotes.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

// UploadTicket is a session that was just handed out: nothing is stored for it.
struct UploadTicket {
    std::string token;  // base64url, for the session's URL; holds all that is needed to come back
    std::string id;     // UUID form, for Docker-Upload-UUID
};

struct UploadPosition {
    std::uint64_t offset_bytes = 0;
    std::string id;
};

struct ResumeUpload {
    std::optional<std::uint64_t>
        start_offset_bytes;  // from Content-Range: must be where the upload stands
    std::optional<std::uint64_t> size_hint_bytes;  // of the whole blob, when the request says it
    std::optional<Digest> closing;  // of a closing PUT: makes repeating one that succeeded succeed
};

struct ResumedUpload {
    std::unique_ptr<UploadWriter>
        writer;  // empty when the upload is already finished with that digest
    std::optional<BlobInfo> finished;
    std::string id;
};

struct PutManifestRequest {
    ImageName image;
    Reference reference;
    std::vector<std::byte> bytes;
    std::string content_type;    // as it came; empty: none
    std::vector<Tag> more_tags;  // ?tag= on a push by digest; ignored on a push by tag
    TagExpectation expected;     // If-None-Match: *, If-Match: on a push by tag
    // Without the right to move tags a push makes new ones only; to push what a tag has already is no move.
    bool may_move_tags = true;
};

struct PutManifestReceipt {
    Digest digest;
    std::optional<Digest> subject;                 // for OCI-Subject
    std::vector<Tag> tags;                         // set from more_tags, for OCI-Tag
    std::vector<std::optional<Digest>> tags_were;  // where each tag that was set pointed before
};

struct OpenedManifest {
    ManifestInfo info;
    PullSource source;
    std::unique_ptr<BlobStream> content;
};

// How a pull of one reference is answered: each member that was looked at, in order, and what it said.
struct PullExplanation {
    struct Step {
        std::string member;  // of a virtual repository; else the repository itself
        RepositoryType type = RepositoryType::local;
        std::string image;     // what it is called there
        std::string upstream;  // of a remote one: its URL
        std::string outcome;   // found, absent, refused, error, not asked
        std::string reason;
    };
    std::string repository;
    RepositoryType type = RepositoryType::local;
    std::vector<Step> steps;
    std::optional<FoundManifest> found;
    std::optional<Refusal> refusal;
};

class Projects;

class Registry {
public:
    // `projects`: those that are neither declared nor made by pushes; `remotes`: without it remote repositories are not offered.
    // Both may be null, and outlive it.
    Registry(RegistryStore& store, Random& random, Log& log, Metrics& metrics,
             RegistryOptions options, Projects* projects = nullptr, Remotes* remotes = nullptr);
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    // Before the first request. Both outlive the Registry.
    void add_gate(Gate& gate);
    void add_observer(ManifestObserver& observer);
    // At most one. Outlives the Registry.
    void set_pull_observer(PullObserver& observer);

    const RegistryOptions& options() const noexcept;
    // Null: remote repositories are not offered.
    const Remotes* remotes() const noexcept;
    RegistryStoreStats stats() const;

    // --- blobs ---
    Awaitable<Answer<FoundBlob>> stat_blob(Principal principal, ImageName image, Digest digest);
    Awaitable<Answer<OpenedBlob>> open_blob(Principal principal, ImageName image, Digest digest);
    Awaitable<Answer<void>> delete_blob(Principal principal, ImageName image, Digest digest);
    // Nothing when there is nothing to mount: the caller starts an ordinary upload (DIST-MNT-02).
    // Only from where `access` may pull; null: from anywhere. Without `source` it looks wherever that is.
    Awaitable<Answer<std::optional<BlobInfo>>> mount(
        Principal principal, ImageName target, Digest digest, std::optional<ImageName> source,
        std::shared_ptr<const RequestAccess> access = nullptr);

    // --- uploads ---
    // Errc::too_many_uploads: here, where no byte has been sent (SEC-36, DIST-RATE-02). Of those that have begun all the same
    // the last are Errc::overloaded.
    Awaitable<Answer<UploadTicket>> start_upload(Principal principal, ImageName image,
                                                 DigestAlgorithm hint);
    // All of these: Errc::upload_unknown for a token that is forged, foreign, expired, or of a
    // closed session.
    Awaitable<Answer<UploadPosition>> upload_position(Principal principal, ImageName image,
                                                      std::string token);
    Awaitable<Answer<ResumedUpload>> resume_upload(Principal principal, ImageName image,
                                                   std::string token, ResumeUpload resume);
    Awaitable<Answer<void>> cancel_upload(Principal principal, ImageName image, std::string token);
    // A push in one request, without a session.
    Awaitable<Answer<std::unique_ptr<UploadWriter>>> begin_blob(
        Principal principal, ImageName image, Digest digest,
        std::optional<std::uint64_t> size_hint_bytes);

    // --- manifests ---
    Awaitable<Answer<PutManifestReceipt>> put_manifest(Principal principal,
                                                       PutManifestRequest request);
    // Both ask the gates.
    Awaitable<Answer<FoundManifest>> stat_manifest(Principal principal, ImageName image,
                                                   Reference reference);
    Awaitable<Answer<OpenedManifest>> open_manifest(Principal principal, ImageName image,
                                                    Reference reference);
    // What stat_manifest() would do, and why. Asks upstreams, fetches nothing.
    Awaitable<PullExplanation> explain_pull(ImageName image, Reference reference);
    // A tag: only the tag. A digest: the manifest with all its tags. DIST-DEL-01, DIST-DEL-02.
    Awaitable<Answer<void>> delete_manifest(Principal principal, ImageName image,
                                            Reference reference);

    // --- listings; `count` is clamped to the limits, 0 gives an empty page without more ---
    Awaitable<Answer<Page<std::string>>> list_tags(Principal principal, ImageName image,
                                                   std::string after,
                                                   std::optional<std::uint64_t> count);
    // Only what `access` may list; null: all. A page may then be short and have more behind it; it goes on after `last`.
    struct ImagePage {
        std::vector<std::string> items;
        bool more = false;
        std::string last;  // up to which all has been looked at
    };
    Awaitable<Answer<ImagePage>> list_images(Principal principal, std::string after,
                                             std::optional<std::uint64_t> count,
                                             std::shared_ptr<const RequestAccess> access = nullptr);
    // An image name nobody has heard of has no referrers (DIST-REF-04).
    Awaitable<Answer<Page<Referrer>>> list_referrers(Principal principal, ImageName image,
                                                     Digest subject,
                                                     std::vector<std::string> artifact_types,
                                                     std::optional<Digest> after,
                                                     std::optional<std::uint64_t> count);

private:
    struct Rooms;
    std::unique_ptr<Rooms> rooms_;
};

}  // namespace orbitalreg::engine
