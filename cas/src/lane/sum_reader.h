#pragma once
// MarkReader reads what the marks of one upload put into the log. SumReader reads the upload's chunk sums in order: those
// of its marks, then those made since.

#include "lane/upload_table.h"
#include "log/commit_log.h"

#include <cstdint>
#include <span>
#include <vector>

namespace orbitalreg::cas {

// Compaction moves marks while an upload goes on, and the segment that they were in may be in use for something else by
// then: the checksum made when a mark was applied tells, and the table knows where the bytes are now.
class MarkReader {
public:
    static constexpr int kAttempts = 4;

    MarkReader(CommitLog& log, IoQueue& queue, const UploadTable& uploads,
               const SessionId& session) noexcept
        : log_{log}, queue_{queue}, uploads_{uploads}, session_{session} {}

    // The raw bytes of a mark. Errc::io_error.
    Awaitable<Result<std::vector<std::byte>>> read(MarkPart part) const;

private:
    CommitLog& log_;
    IoQueue& queue_;
    const UploadTable& uploads_;
    const SessionId session_;
};

class SumReader {
public:
    // `parts` cover the sums up to number `fresh_first`, `fresh` those from there on.
    SumReader(const MarkReader& marks, std::vector<MarkPart> parts, std::uint64_t fresh_first,
              std::vector<std::uint64_t> fresh)
        : marks_{marks},
          parts_{std::move(parts)},
          fresh_first_{fresh_first},
          fresh_{std::move(fresh)} {}

    // The next `to.size()` sums.
    Awaitable<Result<void>> read(std::span<std::uint64_t> to);

private:
    const MarkReader marks_;
    const std::vector<MarkPart> parts_;
    const std::uint64_t fresh_first_;
    const std::vector<std::uint64_t> fresh_;
    std::size_t part_ = 0;            // the next to load
    std::vector<std::byte> loaded_;   // raw bytes of the part before it
    std::uint64_t loaded_first_ = 0;  // number of its first sum
    std::uint64_t loaded_sums_ = 0;
    std::uint64_t next_ = 0;
};

}  // namespace orbitalreg::cas
