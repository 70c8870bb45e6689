#pragma once
// The checkpoint files of a store beside the one that is written: loading the one that the superblock names, and removing
// those that it does not name.

#include "base/log.h"
#include "base/result.h"
#include "cas/io.h"
#include "checkpoint/checkpoint_reader.h"
#include "format/superblock.h"
#include "log/frame_scanner.h"
#include "log/group.h"

#include <cstdint>

namespace orbitalreg::cas {

// What the superblock says of its checkpoint; id 0: there is none.
CheckpointName checkpoint_name(const Superblock& superblock) noexcept;

// Where replay starts and what the first frame must succeed.
ChainEnd replay_start(const Superblock& superblock) noexcept;

struct LoadedCheckpoint {
    CheckpointHeader header;
    std::uint64_t rows = 0;
    std::vector<CheckpointReader::Flaw> flaws;
};

// Feeds every row of the superblock's checkpoint to `target`, which is empty. Says in the log what was wrong with one
// copy. Errors of CheckpointReader; version_unsupported for a table that this version does not know; checkpoint_corrupt
// for rows that do not fit each other.
Result<LoadedCheckpoint> load_checkpoint(Io& io, const Superblock& superblock, FrameTarget& target,
                                         const CheckpointReader::Options& options, Log& log);

// Removes all checkpoint files but those of `id`, and returns the highest id seen. A file that cannot be removed stays.
Result<std::uint64_t> remove_other_checkpoints(Io& io, std::uint64_t id);

}  // namespace orbitalreg::cas
