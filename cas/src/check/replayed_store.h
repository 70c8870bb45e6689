#pragma once
// ReplayedStore is a store as its log says it is, in memory: what fsck and dump look at. Nothing is written.

#include "cas/inspect.h"
#include "checkpoint/checkpoint_files.h"
#include "format/lane_record.h"
#include "log/frame_scanner.h"
#include "log/recovery.h"
#include "log/superblock_file.h"
#include "store/tables_at_rest.h"

#include <functional>
#include <memory>
#include <optional>

namespace orbitalreg::cas {

// The shared lock and the superblock. Errc::not_a_store, locked; superblock_corrupt without a valid copy.
struct OpenedDirectory {
    std::unique_ptr<File> lock;
    SuperblockChoice choice;
};
// How LOCK is held meanwhile. Errc::locked while a server has the store open, but with none.
enum class Hold : std::uint8_t { none, shared, exclusive };
Result<OpenedDirectory> open_directory(Io& io, Hold hold = Hold::shared);

class ReplayedStore {
public:
    ReplayedStore(Io& io, const Superblock& superblock, CatalogMachine& catalog, Log& log);

    // The checkpoint, if there is one, and every frame behind it; `visit` may be null.
    Result<ReplayedLog> replay(const std::function<void(const ScannedFrame&)>& visit);

    const BlobTable& blobs() const noexcept { return tables_.blobs; }
    const Lanes& lanes() const noexcept { return tables_.lanes; }
    // What was loaded, once replay() came so far.
    const std::optional<LoadedCheckpoint>& checkpoint() const noexcept { return checkpoint_; }
    StoreIdentity identity() const noexcept;

private:
    Io& io_;
    const Superblock superblock_;
    Log& log_;
    TablesAtRest tables_;
    std::optional<LoadedCheckpoint> checkpoint_;
};

}  // namespace orbitalreg::cas
