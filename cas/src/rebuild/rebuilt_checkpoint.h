#pragma once
// Makes a state that nobody changes the store's own: a checkpoint of it, an empty log segment behind all others for what
// comes next, and a superblock that names both. What it replaces is moved to lost+found/.
//
// Durable  all of it when it returns; until the superblock is written the store is as it was.
// Threads  one; blocking.
// Memory   one block of the checkpoint, raw and stored.
// Errors   what the device says; checkpoint_corrupt when what was written does not read back.

#include "base/result.h"
#include "cas/io.h"
#include "log/frame_scanner.h"
#include "log/group.h"
#include "log/superblock_file.h"

#include <cstdint>
#include <string>
#include <vector>

namespace orbitalreg::cas {

struct RebuiltPlace {
    ChainEnd end;                    // of the last frame that the state holds
    std::uint32_t last_segment = 0;  // highest id of a file of the log
};

// Adds what it did, for people. `target` is not changed meanwhile.
Result<void> establish(Io& io, const SuperblockChoice& old, const RebuiltPlace& place,
                       FrameTarget& target, std::vector<std::string>& done);

}  // namespace orbitalreg::cas
