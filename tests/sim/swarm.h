#pragma once
// What differs from one run of the simulation to the next, drawn once for all of its lives: what the run is about, the
// limits of the store, how often calls fail, what clients ask for, how time passes. One run does without half of what
// another one does all the time, so that what is rare in the mean is common somewhere.

#include "cas/options.h"
#include "sim/model.h"
#include "support/sim_executor.h"
#include "support/sim_io.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace orbitalreg::sim {

// What a seed is about, besides power cuts.
enum class Theme : std::uint8_t {
    crashes,
    errors,      // calls that fail, and say so
    rot,         // bits that flip
    lost_frame,  // a durable write that was never made
    stale_tail,  // a frame that cannot be read once, and is there again when its place was given to another
    astray,     // writes that are lost, or land elsewhere in their file
    rollback,   // files that go back to what they were, or are put over others; frames that rot
    pulls,      // through a remote repository; never drawn
    retention,  // beside pulls, over hours; never drawn
};

Theme draw_theme(SimRandom& random);
std::optional<Theme> theme_of(std::string_view name) noexcept;

// Limits so small that a few operations meet most of them.
cas::StoreOptions tiny_options();
cas::StoreOptions draw_options(SimRandom& random);
// Where a life may last for days: nothing that happens by itself does so every second.
cas::StoreOptions draw_options_for_hours(SimRandom& random);
SimFaults draw_errors(SimRandom& random);
SimFaults draw_astray(SimRandom& random);
SimPace draw_pace(SimRandom& random);

// How clients divide their time.
struct Workload {
    static constexpr std::size_t kKinds =
        static_cast<std::size_t>(Operation::Kind::read_document) + 1;

    std::array<std::uint64_t, kKinds> weights{};  // of requests, by their kind
    std::uint64_t pushes = 4;                     // once in so many steps a blob in one request
    std::uint64_t sessions = 3;                   // and of the rest, a step of an upload session
    std::uint32_t blobs = (1U << Universe::kBlobs) - 1;  // that this run is about, a bit each
    std::uint64_t reader_pauses = 3;                     // between two pieces of what is read
    std::uint64_t clock_jumps = 0;  // by years, once in so many requests; 0: none
    std::uint64_t pauses = 8;
    std::uint64_t pause_ns_max = 300'000'000;  // long enough for idle frames and housekeeping

    Workload() noexcept;
    Operation::Kind draw(SimRandom& random) const noexcept;
    std::size_t draw_blob(SimRandom& random) const noexcept;
};

Workload draw_workload(SimRandom& random);

}  // namespace orbitalreg::sim
