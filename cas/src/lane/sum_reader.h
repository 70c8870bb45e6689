#pragma once
// SumReader reads the chunk sums of an upload in order: those of its marks from the log, then those
// made since.

#include "lane/upload_table.h"
#include "log/commit_log.h"

#include <cstdint>
#include <span>
#include <vector>

namespace orbitalreg::cas {

// The raw bytes of a mark, compared with the checksum made when it was applied; read twice if they
// differ. Errc::io_error.
Awaitable<Result<std::vector<std::byte>>> read_mark_part(CommitLog& log, IoQueue& queue,
                                                         MarkPart part);

class SumReader {
public:
    // `parts` cover the sums up to number `fresh_first`, `fresh` those from there on.
    SumReader(CommitLog& log, IoQueue& queue, std::vector<MarkPart> parts,
              std::uint64_t fresh_first, std::vector<std::uint64_t> fresh)
        : log_{log},
          queue_{queue},
          parts_{std::move(parts)},
          fresh_first_{fresh_first},
          fresh_{std::move(fresh)} {}

    // The next `to.size()` sums.
    Awaitable<Result<void>> read(std::span<std::uint64_t> to);

private:
    CommitLog& log_;
    IoQueue& queue_;
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
