#include "check/replayed_store.h"

#include "base/errors.h"

#include <cerrno>

namespace orbitalreg::cas {

Result<OpenedDirectory> open_directory(Io& io, Hold hold) {
    if (const auto super = io.stat("SUPER"); !super) {
        if (super.error() == errno_code(ENOENT)) return fail(Errc::not_a_store);
        return fail(super.error());
    }
    OpenedDirectory opened;
    if (hold != Hold::none) {
        ORB_TRY(opened.lock, io.lock("LOCK", hold == Hold::exclusive));
    }
    const SuperblockFile file{io, Durability::full};
    ORB_TRY(opened.choice, file.read());
    return opened;
}

ReplayedStore::ReplayedStore(Io& io, const Superblock& superblock, CatalogMachine& catalog,
                             Log& log)
    : io_{io}, superblock_{superblock}, log_{log}, tables_{io, catalog, log} {}

Result<ReplayedLog> ReplayedStore::replay(const std::function<void(const ScannedFrame&)>& visit) {
    if (superblock_.checkpoint_id != 0) {
        ORB_TRY(checkpoint_, load_checkpoint(io_, superblock_, tables_.state, {}, log_));
    }
    return replay_log(io_, superblock_, replay_start(superblock_), tables_.state, log_, visit);
}

StoreIdentity ReplayedStore::identity() const noexcept {
    return {superblock_.uuid, AddressSeed{superblock_.secret}};
}

}  // namespace orbitalreg::cas
