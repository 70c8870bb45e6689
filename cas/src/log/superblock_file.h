#pragma once
// The file SUPER: reading its copies, rewriting them in the order that keeps one valid, and making
// a store.
//
// Durable  write() has made the superblock durable when it returns: copies 0 and 1, sync, copies 2
//          and 3, sync.

#include "base/random.h"
#include "base/result.h"
#include "cas/io.h"
#include "cas/options.h"
#include "format/superblock.h"

#include <memory>

namespace orbitalreg::cas {

class SuperblockFile {
public:
    SuperblockFile(Io& io, Durability durability) noexcept : io_{io}, durability_{durability} {}

    // Errc::not_a_store when there is no SUPER, superblock_corrupt, wrong_store. A copy that cannot
    // be read counts as invalid; io_error when no other is valid. Looks at no version.
    Result<SuperblockChoice> read() const;
    // The superblock in use from now on, which `next` replaces: sequence and previous checksum are
    // set here.
    void adopt(const SuperblockChoice& choice) noexcept;
    Result<void> write(Superblock next);
    const Superblock& current() const noexcept { return current_; }

private:
    Io& io_;
    const Durability durability_;
    Superblock current_;
    Checksum128 checksum_;
};

// Whether the directory is one to make a store in: empty, or what a crash left of making one.
// Errc::not_a_store for anything else; superblock_corrupt for a store that has lost its SUPER.
Result<void> check_directory_empty(Io& io);

// Makes a store: segment 1, then SUPER under another name, synced and renamed. A crash leaves
// something that the next call replaces. Holds LOCK, after check_directory_empty().
Result<void> create_store(Io& io, const StoreOptions& options, Random& random);

}  // namespace orbitalreg::cas
