#pragma once
// Clients that pull through a remote repository, and what must be true of what it keeps: a manifest that was served stays
// until it is deleted, and with it each blob of it that was served whole.
//
// Life     PullWorld as long as its seed.

#include "sim/upstreams.h"

#include <array>
#include <cstdint>

namespace orbitalreg::sim {

// What must be there, as far as it is certain.
class KeptRecord {
public:
    // A new process: no request is under way.
    void begin_life() noexcept;
    void begin_deletion(std::size_t image, std::size_t manifest) noexcept;
    void end_deletion(std::size_t image, std::size_t manifest) noexcept;

    // Of a request that takes time: what holds at its start and through to its end.
    class Watch {
    public:
        Watch(const KeptRecord& record, std::size_t image) noexcept;

    private:
        friend class KeptRecord;
        std::size_t image_;
        std::array<std::uint64_t, SimHub::kManifests> deletions_{};
        std::uint32_t quiet_ = 0;  // manifests that nobody was deleting
        std::uint32_t held_ = 0;
    };
    void served_manifest(const Watch& watch, std::size_t manifest) noexcept;
    void served_blob(const Watch& watch, const SimHub& hub, std::size_t blob) noexcept;

    bool holds(std::size_t image, std::size_t manifest) const noexcept {
        return (images_[image].held >> manifest & 1) != 0;
    }
    std::uint32_t blobs_of(std::size_t image, std::size_t manifest) const noexcept {
        return images_[image].blobs[manifest];
    }

private:
    struct Image {
        std::uint32_t held = 0;                                 // manifests
        std::array<std::uint32_t, SimHub::kManifests> blobs{};  // of each, those that came
        std::array<std::uint64_t, SimHub::kManifests> deletions{};
        std::array<std::uint64_t, SimHub::kManifests> deleting{};
    };
    std::array<Image, SimHub::kImages> images_;
};

struct PullWorld {
    PullWorld(SimRandom& random, const Universe& universe) : hub{random, universe} {}

    SimHub hub;
    KeptRecord kept;
};

// As run_client().
Awaitable<void> run_pull_client(Life& life);
// Compares what a remote repository keeps with what was served, and all bytes with the upstream's; sets `done`.
Awaitable<void> audit_pulls(Life& life, bool& done);

}  // namespace orbitalreg::sim
