#pragma once
// Scrub reads everything that lives in the store, again and again, past the page cache, and holds it against its checksums,
// so that rot is found while there still are other copies to push again. In each digest_every-th pass it computes every
// digest too. What fails twice is marked damaged, as if a reader had found it; a mark whose bytes verify again goes.
//
// Coverage  a pass goes through the lanes in order, then through the small blobs in the log. Its place is durable: a restart
//           goes on where the last one stopped. Once a pass is through, whatever was stored when it began has been verified
//           since.
// Threads   any.
// Limits    StoreOptions: scrub_rate_bytes, scrub_full_every_ms, scrub_digest_every, damage_marks_per_minute_max.

#include <cstdint>

namespace orbitalreg::cas {

struct ScrubStatus {
    bool enabled = false;  // StoreOptions::scrub_rate_bytes is not 0, or a pass was asked for
    bool running = false;  // a pass is under way
    bool digests = false;  // and computes digests
    std::uint64_t pass = 0;
    std::uint64_t pass_begun_store_time_ms = 0;
    std::uint64_t blobs = 0;  // verified in this pass
    std::uint64_t bytes = 0;
    bool in_log = false;  // where it is
    std::uint32_t file = 0;
    // The last pass that went through, 0: none. Whatever was stored at its begin has been verified since.
    std::uint64_t full_pass = 0;
    std::uint64_t full_begun_store_time_ms = 0;
    std::uint64_t full_ended_store_time_ms = 0;
    // Since the store was opened.
    std::uint64_t damaged = 0;
    std::uint64_t unreadable = 0;
    std::uint64_t headers_damaged = 0;  // record headers, which reads do not need
    std::uint64_t cleared = 0;
    bool damage_storm = false;  // marking has stopped
};

// What one asked for pass is to do.
struct ScrubRequest {
    bool digests = true;
    std::uint64_t rate_bytes = 0;  // a second; 0: as fast as the device allows
};

class Scrubber {
public:
    // A pass from the beginning, now; one that is under way is given up for it. Nothing in a store that is read-only.
    virtual void request_pass(ScrubRequest request) = 0;
    virtual ScrubStatus scrub_status() const = 0;
    // After a damage storm: blobs found damaged are marked again.
    virtual void resume_marking() = 0;

protected:
    ~Scrubber() = default;
};

}  // namespace orbitalreg::cas
