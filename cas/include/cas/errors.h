#pragma once
// Errors of cas. Errors of the kernel travel as they are, in the system category (errno).

#include "base/result.h"

#include <boost/system/error_code.hpp>

namespace orbitalreg::cas {

enum class Errc {
    blob_not_found = 1,
    blob_damaged,    // the bytes fail their checksum; answers as absent until they are pushed again
    blob_too_large,  // above StoreOptions::blob_size_max_bytes
    digest_mismatch,  // the bytes received are not those the digest names; nothing became visible
    upload_closed,    // finished or cancelled; see Store::upload_status
    upload_busy,      // another request writes to this session
    upload_expired,   // idle for longer than uploads_idle_expiry
    offset_mismatch,  // an append that does not start at the upload's offset
    precondition_failed,  // a Change's check() refused
    change_too_large,     // a group above its limit in bytes or records
    no_space,             // ENOSPC, EDQUOT or below the reserve
    overloaded,           // a named limit is reached: try again later
    read_only,            // the store refuses writes until it is opened anew
    outcome_unknown,      // the frame's write failed: the change may or may not have happened
    stopped,              // the store is stopping
    io_error,             // the device failed; the bytes are not known to be bad
    locked,               // another process has this store open
    not_a_store,          // no superblock, and the directory is not empty
    wrong_store,          // a file carries another store's UUID or another place's identity
    version_unsupported,  // written by a newer version, or with features this one does not know
    log_corrupt,          // acknowledged frames are damaged: no opening for writing, see fsck
    superblock_corrupt,   // no copy of the superblock is valid
    catalog_unreadable,   // a catalog record that its machine does not understand
    bad_format,           // bytes that are not what the format says
    checkpoint_corrupt,   // a piece of the checkpoint is bad in both copies: no opening, see fsck
};

const boost::system::error_category& category() noexcept;
inline ErrorCode make_error_code(Errc error) noexcept {
    return {static_cast<int>(error), category()};
}

}  // namespace orbitalreg::cas

template <>
struct boost::system::is_error_code_enum<orbitalreg::cas::Errc> : std::true_type {};
