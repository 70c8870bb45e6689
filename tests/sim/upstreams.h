#pragma once
// SimHub is the registry that the simulated remote repository stands for: what it has, how its tags move, how it behaves.
// It outlives the processes that ask it, as another machine would, and keeps account of what each transfer gave.
//
// SimUpstreams is the way to it of one process: engine::Upstream without a network, with every fault that one may have.
//
// Life     a SimHub as long as its seed; SimUpstreams as long as its process.
// Errors   what an engine may not ask goes to SimWorld::fail().

#include "engine/remotes.h"
#include "engine/upstream.h"
#include "sim/life.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::sim {

struct HubManifest {
    Digest digest;
    std::vector<std::byte> bytes;
    std::string media_type;
    std::uint32_t blobs = 0;  // that it refers to, a bit each
};

// What came of one blob under one name since its transfer was begun for the last time.
struct HubProgress {
    std::uint64_t marked = 0;  // so much must be durable by now
    std::uint64_t marked_store_time_ms = 0;
    std::uint64_t received_max = 0;
    bool doubtful = false;  // it lied, or came to the end: what is kept of it is open
};

class SimHub {
public:
    static constexpr std::size_t kImages = 2;
    static constexpr std::size_t kTags = 2;
    static constexpr std::size_t kBlobs = 8;
    static constexpr std::size_t kManifests = 6;
    static constexpr int kNone = -1;

    SimHub(SimRandom& random, const Universe& universe);

    engine::RemotePlace place(std::size_t image) const;
    // The second image lacks what only the last manifests of the first one need.
    bool has_blob(std::size_t image, std::size_t blob) const noexcept;
    bool has_manifest(std::size_t image, std::size_t manifest) const noexcept;
    int blob_of(const Digest& digest) const noexcept;
    int manifest_of(const Digest& digest) const noexcept;
    int image_of(const engine::ImageName& upstream_name) const noexcept;

    // An image and a blob whose transfer has not come to its end, if there are any.
    std::optional<std::pair<std::size_t, std::size_t>> unfinished() const;

    int tag(std::size_t image, std::size_t tag) const noexcept;
    void move_tag(SimRandom& random, std::int64_t now_ns);
    // Whether the tag stood there at some moment since then.
    bool stood_at(std::size_t image, std::size_t tag, int manifest, std::int64_t since_ns) const;

    std::vector<SimBlob> blobs;
    std::vector<HubManifest> manifests;
    std::vector<engine::ImageName> names;   // there
    std::vector<engine::ImageName> images;  // here
    std::vector<engine::Tag> tags;
    engine::RepositoryObject repository;
    std::shared_ptr<const engine::RemoteSettings> settings;
    engine::RemoteLimits limits;

    // How it behaves: drawn once for the seed.
    bool lies = false;
    std::uint64_t faults = 0;  // once in so many answers; 0: none
    std::uint64_t pauses = 4;
    std::int64_t pause_ns_max = 20'000'000;
    std::int64_t down_until_ns = 0;

    std::map<std::pair<std::size_t, std::size_t>, HubProgress> progress;  // by image and blob
    std::array<bool, kBlobs> lied{};  // wrong bytes, or a wrong size, were sent
    bool lied_of_manifests = false;
    std::uint64_t transfers = 0;
    std::uint64_t transferred_bytes = 0;

private:
    struct Moment {
        std::int64_t from_ns = 0;
        int manifest = kNone;
    };
    void add_image(const std::vector<std::size_t>& used, std::size_t number);

    std::array<std::array<std::vector<Moment>, kTags>, kImages> stood_;
};

class SimUpstreams final : public engine::UpstreamFactory {
public:
    SimUpstreams(SimWorld& of_world, SimHub& to_hub, SimClock& by_clock,
                 const engine::RegistryStore& for_store)
        : world{of_world}, hub{to_hub}, clock{by_clock}, store{for_store} {}

    std::shared_ptr<engine::Upstream> make(const engine::RemoteSettings& settings) override;
    // What is under way is broken off.
    void stop() noexcept { stopped = true; }
    std::uint64_t under_way() const noexcept;

    SimWorld& world;
    SimHub& hub;
    SimClock& clock;
    const engine::RegistryStore& store;
    bool stopped = false;
    std::array<std::uint64_t, SimHub::kBlobs> active{};  // transfers, of each blob
};

}  // namespace orbitalreg::sim
