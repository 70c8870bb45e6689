#pragma once
// RemoteRepository is one remote repository: what is known of its tags, what its upstream was asked and did not have, the
// transfers that are under way.
//
// Life     shared: what it has begun keeps it.
// Threads  any.
// I1       of one digest there is at most one flight; of one reference at most one check.

#include "engine/remotes.h"
#include "remote/availability.h"
#include "remote/flight.h"
#include "remote/manifest_check.h"
#include "remote/remembered.h"
#include "remote/remote_rooms.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace orbitalreg::engine {

class RemoteRepository : public std::enable_shared_from_this<RemoteRepository> {
public:
    RemoteRepository(RemoteRooms& rooms, RepositoryObject object,
                     std::shared_ptr<const RemoteSettings> settings);

    const RemoteSettings& settings() const noexcept { return *settings_; }
    RemoteStatus status() const;
    // Flights end; nothing new begins.
    Awaitable<void> stop();

    Awaitable<Answer<FoundManifest>> find_manifest(RemotePlace place, Reference reference,
                                                   bool whole);
    Awaitable<Answer<FoundBlob>> stat_blob(RemotePlace place, Digest digest);
    Awaitable<Answer<OpenedBlob>> open_blob(RemotePlace place, Digest digest);
    Awaitable<Answer<Page<std::string>>> list_tags(RemotePlace place, std::string after,
                                                   std::uint32_t count);
    Awaitable<Answer<Page<Referrer>>> list_referrers(RemotePlace place, ReferrersQuery query);

private:
    struct TagState {
        std::int64_t seen_true_ms = -1;  // steady; -1: not since the start
        std::int64_t noted_ms = -1;      // when that was last written down
    };
    struct Absence {
        std::int64_t until_ms = 0;
        std::string message;
    };
    struct TagList {
        std::int64_t seen_ms = -1;
        std::shared_ptr<const std::vector<std::string>> tags;
    };

    // manifests: remote_manifests.cc
    bool is_fresh(const std::string& key) const;
    Awaitable<std::optional<PullSource>> stale_source(std::string key, std::string why);
    std::shared_ptr<ManifestCheck> join_check(const RemotePlace& place, const Reference& reference,
                                              std::optional<Digest> kept, bool whole,
                                              asio::any_io_executor executor);
    Awaitable<Answer<FoundManifest>> wait_for(std::shared_ptr<ManifestCheck> check,
                                              std::optional<ManifestInfo> kept, std::string key);
    static Awaitable<void> run_check(std::shared_ptr<RemoteRepository> self,
                                     std::shared_ptr<ManifestCheck> check, RemotePlace place,
                                     Reference reference, std::optional<Digest> kept, bool whole,
                                     std::string check_key);
    static Awaitable<void> watch_check(std::shared_ptr<RemoteRepository> self,
                                       std::shared_ptr<ManifestCheck> check);
    Awaitable<Answer<FoundManifest>> check(const RemotePlace& place, const Reference& reference,
                                           std::optional<Digest> kept, bool whole);
    Awaitable<Answer<FoundManifest>> fetch(const RemotePlace& place, const Reference& reference);
    Awaitable<Answer<FoundManifest>> keep(const RemotePlace& place, const Reference& reference,
                                          UpstreamManifest fetched);
    Awaitable<Answer<FoundManifest>> still_true(const RemotePlace& place, const Tag& tag,
                                                Digest digest, bool moved);
    Awaitable<void> drop_tag(const RemotePlace& place, const Tag& tag, Digest kept);
    Awaitable<void> note_true(std::string key);
    void note_sizes(const ImageName& image, const Manifest& manifest);
    void log_trouble(const std::string& asked, const std::string& error);
    Refusal failed(const UpstreamFailure& failure, const std::string& key, Errc not_found);

    // blobs: remote_blobs.cc
    Awaitable<Answer<std::shared_ptr<Flight>>> join_flight(const RemotePlace& place, Digest digest);
    std::shared_ptr<Flight> flight_of(const Digest& digest) const;
    // `not_found`: what it is when the upstream is remembered not to have it. `counted`: against its rate limit.
    Answer<void> may_ask(const std::string& key, Errc not_found, bool counted);
    Awaitable<Answer<std::optional<std::uint64_t>>> ask_for_blob(const RemotePlace& place,
                                                                 Digest digest);
    Awaitable<bool> adopt(const RemotePlace& place, Digest digest);
    static Awaitable<void> fly(std::shared_ptr<RemoteRepository> self,
                               std::shared_ptr<Flight> flight);
    static Awaitable<void> prefetch(std::shared_ptr<RemoteRepository> self, RemotePlace place,
                                    Digest manifest);
    Awaitable<Answer<OpenedBlob>> follow(std::shared_ptr<Flight> flight);
    void begin_prefetch(const RemotePlace& place, const Digest& manifest,
                        const asio::any_io_executor& executor);

    // lists: remote_lists.cc
    Awaitable<UpstreamResult<std::vector<std::string>>> all_tags(ImageName name);
    Awaitable<UpstreamResult<UpstreamManifest>> fetch_referrers(ImageName name, Digest subject);

    RemoteRooms& rooms_;
    const RepositoryObject object_;
    const std::shared_ptr<const RemoteSettings> settings_;
    const std::shared_ptr<Upstream> upstream_;
    Availability availability_;

    mutable std::mutex mutex_;
    bool stopped_ = false;
    mutable Remembered<TagState> tags_{Remotes::kRemembered};
    Remembered<Absence> absent_{Remotes::kRemembered};
    Remembered<TagList> lists_{16};
    Remembered<std::uint64_t> sizes_{
        Remotes::kRemembered};  // of what manifests name, by image name and digest
    std::map<std::string, std::shared_ptr<ManifestCheck>> checks_;
    std::map<Digest, std::shared_ptr<Flight>> flights_;
    std::set<Digest> prefetching_;
};

// `image:tag` or `image@digest`.
std::string key_of(const ImageName& image, const Reference& reference);

}  // namespace orbitalreg::engine
