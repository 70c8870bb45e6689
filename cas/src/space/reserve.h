#pragma once
// Reserve keeps some bytes of the file system back for what must go on when it is full: deletes, marks,
// moving tags, closing the store. New content is refused before they are touched.
//
//   kept ──the log cannot grow──> given up ──room again──> kept
//
// Life     adopt() -> open() once the log and the lanes are there; the file `reserve.bin` stays between runs.
// Threads  any; one give_up() or restore() at a time.
// Limits   StoreOptions::reserve_size_bytes, else 1 % of the file system within 4 MiB and 256 MiB.

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "cas/io.h"

#include <atomic>
#include <cstdint>
#include <mutex>

namespace orbitalreg::cas {

class Reserve {
public:
    // How old an answer of the file system may be when a push is admitted.
    static constexpr std::int64_t kSpaceAgeMaxNs = 100'000'000;

    Reserve(Io& io, Clock& clock, Log& log) noexcept : io_{io}, clock_{clock}, log_{log} {}

    // Before the log opens, which may need the room: takes over the file of the last run.
    void adopt() noexcept;
    // `headroom_bytes` must be free beside the reserve for a push to be admitted. A full file system is no
    // error: the reserve is made when there is room.
    void open(std::uint64_t size_bytes, std::uint64_t headroom_bytes);
    // Whether there is room for new content.
    bool admits_push() noexcept;
    // The log needs room now: removes the file. False when it is gone already.
    bool give_up() noexcept;
    // Blocking. Makes the file again when there is room for it and the headroom; restore_due() says when to ask.
    void restore() noexcept;
    bool restore_due() const noexcept;

private:
    Result<void> make_file() noexcept;

    Io& io_;
    Clock& clock_;
    Log& log_;
    std::uint64_t size_bytes_ = 0;
    std::uint64_t headroom_bytes_ = 0;
    std::mutex file_mutex_;
    std::atomic<bool> kept_{false};
    std::atomic<std::uint64_t> available_bytes_{0};
    std::atomic<std::int64_t> asked_ns_{INT64_MIN};
};

}  // namespace orbitalreg::cas
