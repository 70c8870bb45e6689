#pragma once
// Readers of blobs: out of a lane chunk by chunk, or out of the log whole.

#include "cas/blob_reader.h"
#include "lane/lane_rooms.h"

#include <memory>

namespace orbitalreg::cas {

// Errc::overloaded without a pull buffer.
Result<std::unique_ptr<BlobReader>> make_blob_reader(std::shared_ptr<LaneRooms> rooms,
                                                     PinnedBlob blob);

}  // namespace orbitalreg::cas
