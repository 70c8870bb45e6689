#pragma once
// Remotes is the content of remote repositories: what another registry has, fetched when it is asked for and kept. For a
// digest that is kept the upstream is never asked; for a tag it is asked whether that moved, once in
// RemoteSettings::revalidate_after_ms however many ask, and where it does not answer the tag is served as it was.
//
// Each blob is transferred once, whatever the number of clients; they read it while it is being stored.
//
// Life     made before the Registry that uses it; stop() before the store stops, with the factory stopped first.
// Durable  what was fetched and verified; and of a transfer what was marked (RemoteLimits::mark_every_bytes).
// Threads  any reactor of the store's. Parameters are values.
// Limits   kTransfersMax transfers; kRemembered answers of each kind are remembered.
// Errors   Errc::manifest_unknown, blob_unknown, name_unknown; denied; throttled; upstream_unavailable, upstream_untrusted;
//          the store's own.

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "engine/document_store.h"
#include "engine/registry_store.h"
#include "engine/upstream.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

// Where an answer came from.
struct PullSource {
    enum class Cache : std::uint8_t {
        none,         // of a local repository
        hit,          // kept, and the upstream was not asked
        revalidated,  // kept, and the upstream says that it is still so
        miss,         // fetched for this request, or while it waited
        stale,        // kept, and the upstream did not answer
    };
    Cache cache = Cache::none;
    std::string member;   // of a virtual repository: which one answered
    std::string warning;  // for whoever asks; empty: all is well
};
std::string_view to_string(PullSource::Cache cache) noexcept;

struct FoundManifest {
    ManifestInfo info;
    PullSource source;
};

struct FoundBlob {
    BlobInfo info;
    PullSource source;
};

struct OpenedBlob {
    std::unique_ptr<BlobStream> content;
    PullSource source;
};

struct RemoteLimits {
    // So much of a transfer is asked for again at most after a power cut.
    std::uint64_t mark_every_bytes = 16_MiB;
    // Of the newest bytes, in memory for readers that keep up.
    std::uint64_t window_bytes = 1_MiB;
};

struct RemotesEnvironment {
    RegistryStore& store;
    DocumentStore& documents;
    UpstreamFactory& factory;
    Clock& clock;
    Random& random;
    Log& log;
    Metrics& metrics;
    RegistryLimits limits;
    RemoteLimits remote_limits{};
};

// An image name in a remote repository, and what it is called at the upstream.
struct RemotePlace {
    RepositoryObject repository;
    std::shared_ptr<const RemoteSettings> settings;
    ImageName image;
    ImageName upstream_name;
};

// What an operator may want to know of one remote repository.
struct RemoteStatus {
    std::string repository;
    std::string url;
    std::uint64_t transfers = 0;         // under way
    bool answers = true;                 // false: it did not of late, and is left alone for a while
    std::string trouble;                 // the last one, while it lasts
    std::int64_t left_alone_for_ms = 0;  // because of errors, or because it asked for it
    UpstreamBudget budget;
};

class Remotes {
public:
    static constexpr std::size_t kTransfersMax = 256;
    static constexpr std::size_t kRemembered = 50'000;

    explicit Remotes(RemotesEnvironment environment);
    ~Remotes();
    Remotes(const Remotes&) = delete;
    Remotes& operator=(const Remotes&) = delete;

    // Ends what is under way; what has come is kept.
    Awaitable<void> stop();

    // `whole`: its bytes will be read, so they are fetched; else what the upstream says of a manifest is enough.
    Awaitable<Answer<FoundManifest>> find_manifest(RemotePlace place, Reference reference,
                                                   bool whole);
    Awaitable<Answer<FoundBlob>> stat_blob(RemotePlace place, Digest digest);
    Awaitable<Answer<OpenedBlob>> open_blob(RemotePlace place, Digest digest);
    // The upstream's, in byte order; those of kept manifests where it does not answer.
    Awaitable<Answer<Page<std::string>>> list_tags(RemotePlace place, std::string after,
                                                   std::uint32_t count);
    Awaitable<Answer<Page<Referrer>>> list_referrers(RemotePlace place, ReferrersQuery query);

    std::vector<RemoteStatus> status() const;

private:
    struct Rooms;
    std::unique_ptr<Rooms> rooms_;
};

}  // namespace orbitalreg::engine
