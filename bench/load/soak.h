#pragma once
// A soak: very many slow transfers at once, from one thread, for a fixed time. Each pull of a large
// blob and each push of a smaller one goes on as fast as the server lets it; one that ends is
// followed by the next over the same connection, one that fails by another try a second later.
//
// The clock starts when all transfers are in flight, at the latest kRampSeconds after the first.
// In flight: a pull whose 200 has come and not all of its bytes; a push whose POST was answered and
// whose PUT was not.
//
// Light    of most pulls the kernel throws the bytes away (MSG_TRUNC); each kVerifyEvery-th compares
//          all of them. Pushes differ in their last block alone, so that a digest costs one block.

#include "workload.h"

#include <cstdint>
#include <string>

namespace orbitalreg::load {

inline constexpr unsigned kRampSeconds = 60;
inline constexpr unsigned kVerifyEvery = 16;

struct SoakOptions {
    Endpoint server;
    std::string name;
    unsigned pulls = 2000;
    unsigned pushes = 500;
    unsigned seconds = 120;
    std::uint64_t pull_bytes = 1_GiB;
    std::uint64_t push_bytes = 32_MiB;
    unsigned blobs = 4;     // that the pulls share; pushed before the clock starts
    bool announce = false;  // print an empty line when the clock starts
    std::uint64_t seed = 0;
};

// Of one direction, while the clock ran.
struct SoakFigures {
    double in_flight_mean = 0;
    unsigned in_flight_min = 0;
    std::uint64_t bytes = 0;
    std::uint64_t finished = 0;
    std::uint64_t verified_bytes = 0;  // pulls: compared; pushes: read back afterwards and hashed
    // What the connections moved each: the least, the middle, the most.
    std::uint64_t least_bytes = 0;
    std::uint64_t median_bytes = 0;
    std::uint64_t most_bytes = 0;
    double stall_seconds_max = 0;  // the longest time that one in flight moved nothing
};

struct SoakOutcome {
    SoakFigures pull;
    SoakFigures push;
    double seconds = 0;
    double ramp_seconds = 0;
    std::uint64_t failures = 0;  // the ramp's too
    std::uint64_t refusals = 0;  // of these: 429 and 503
    std::string first_failure;
};

SoakOutcome soak(const SoakOptions& options);

}  // namespace orbitalreg::load
