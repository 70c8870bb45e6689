#pragma once
// Log segments as files: making them, keeping spares ready ahead, and reading applied bytes back.

#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "cas/io.h"
#include "cas/options.h"
#include "format/address.h"
#include "format/log_segment_header.h"

#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace orbitalreg::cas {

// Whose log it is: what every header is checked against.
struct LogIdentity {
    StoreUuid uuid{};
    AddressSeed seed;
};

// How new segments are made.
struct SegmentPlan {
    LogIdentity identity;
    std::uint64_t incarnation = 0;
    std::uint64_t size_bytes = 0;
    Durability durability = Durability::full;
};

enum class SegmentFill : std::uint8_t {
    zeros,      // written once: twice as fast to commit to
    allocated,  // reads as zero, at once
};

// Makes the file of `segment`; its header and name are durable when this returns. Errc::no_space
// leaves nothing behind; any other error is not to be tried again.
Result<std::unique_ptr<File>> make_log_segment(Io& io, const SegmentPlan& plan,
                                               std::uint32_t segment, SegmentFill fill);

// SegmentSpares keeps the next segments ready, so that no commit waits for zeros or a directory.
//
// Threads  take() on the sequencer, prepare_one() and recycle() on the background executor, which may be another
//          thread.
// Limits   `spares_wanted` that are made, kRecycledMax more that were in use before, until the store is opened again.
// I1       no id is made twice at a time: take() waits for the one that is being prepared.
class SegmentSpares {
public:
    SegmentSpares(Io& io, const SegmentPlan& plan, std::uint32_t spares_wanted, Metrics& metrics);

    // Looks at the files behind segment `last_used`: whole preparations are taken over after a
    // clean stop; others are removed. What an unclean end left may be readable although its sync
    // failed, and a sync now would not tell. Before any other call.
    Result<void> adopt(std::uint32_t last_used, bool clean);
    // Segment `segment`, the next one of the log. Without a spare an allocated one, counted.
    // Errc::no_space is not final.
    Result<std::unique_ptr<File>> take(std::uint32_t segment);
    // Makes one spare if one is wanted; whether another one is wanted then.
    Result<bool> prepare_one();
    // Makes a spare of the file of `segment`, which nobody needs any more: it gets the next id, then a header of its own;
    // the frames in it were sealed for the old id and are none under the new one. False when it is not wanted, or has
    // another name, in a backup perhaps: it stays as it is. After an error it is gone, or still there under its old name.
    Result<bool> recycle(std::uint32_t segment);

    // Made and not taken.
    std::size_t ready() const;

private:
    static constexpr std::size_t kRecycledMax = 2;

    Result<bool> finish_making(std::uint32_t segment, Result<std::unique_ptr<File>> made);
    Result<std::unique_ptr<File>> adopt_one(std::uint32_t segment);
    bool wanted() const noexcept { return making_ == 0 && ready_.size() < spares_wanted_; }

    Io& io_;
    const SegmentPlan plan_;
    const std::uint32_t spares_wanted_;
    Counter& missing_;

    mutable std::mutex mutex_;
    std::condition_variable made_;
    std::map<std::uint32_t, std::unique_ptr<File>> ready_;
    std::uint32_t making_ = 0;  // by prepare_one() or recycle(), 0: none
    std::uint32_t next_ = 0;    // the lowest id nobody made yet
};

// SegmentFiles holds segment files open for reading.
//
// Threads  any.
// Limits   kOpenMax files; the one used least recently is closed first. Who reads keeps its file.
class SegmentFiles {
public:
    static constexpr std::size_t kOpenMax = 64;

    explicit SegmentFiles(Io& io) noexcept : io_{io} {}
    Result<std::shared_ptr<File>> open(
        std::uint32_t segment);  // shared: a reader may outlast its place in here
    // The file goes away: its space is free once nobody reads it any more.
    void forget(std::uint32_t segment) noexcept;

private:
    Io& io_;
    std::mutex mutex_;
    std::list<std::pair<std::uint32_t, std::shared_ptr<File>>> recent_;  // the latest first
};

}  // namespace orbitalreg::cas
