#pragma once
// SimDisk is what survives a simulated crash: files, directories and what of them is durable.
//
// Model    Each file has the content that reads see (current) and the one a power cut leaves for
// certain (durable), and
//          between the two a list of pending writes. A crash keeps a random subset of these, torn
//          at sectors of 512 bytes. A file's size changes apart from its bytes. Each directory has
//          pending operations until it is synced.
// Modes    strict: nothing is promised beyond what was synced. ordered: as ext4 with data=ordered:
// operations on
//          directories persist in order, any sync of a file makes those before it durable, and a
//          size never covers bytes that were not written.
// Damage   bits flipped, writes lost or misdirected: see flip_bit() and SimIo's faults.
// Threads  one.

#include "base/bytes.h"
#include "cas/io.h"
#include "support/sim_random.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::sim {

inline constexpr std::size_t kSectorSize = 512;

enum class SimDiskMode : std::uint8_t { strict, ordered };

// What a power cut leaves of what was not synced: as chance has it, or one of its extremes.
enum class SimSurvival : std::uint8_t { drawn, all, none };

struct SimInode {
    struct PendingWrite {
        std::uint64_t offset = 0;
        std::vector<std::byte> bytes;  // empty for a mere change of size
        std::uint64_t size_after = 0;  // of the file
        bool lost = false;             // a failed sync dropped it: no later sync makes it durable
    };
    using Entries = std::map<std::string, std::shared_ptr<SimInode>, std::less<>>;

    std::uint64_t id = 0;
    std::string name;  // the one it was made under
    bool directory = false;
    std::uint64_t links = 0;
    std::vector<std::byte> current;
    std::vector<std::byte> durable;
    std::vector<bool> allocated;  // pages
    std::vector<PendingWrite> pending;
    bool dirty = false;  // current may differ from durable
    Entries entries;
    Entries durable_entries;
    int shared_locks = 0;
    bool exclusive_lock = false;
};

using SimInodePtr = std::shared_ptr<SimInode>;

class SimDisk {
public:
    explicit SimDisk(SimDiskMode mode, std::uint64_t capacity_bytes = 64_MiB);

    SimDiskMode mode() const noexcept { return mode_; }
    SimSurvival survival() const noexcept { return survival_; }
    void set_survival(SimSurvival survival) noexcept { survival_ = survival; }

    // Look-ups by path; the root is the empty path. Null when there is none.
    SimInodePtr find(std::string_view path) const;
    // The directory that holds `path` and the last part of it; null when that directory does not
    // exist.
    struct Place {
        SimInodePtr directory;
        std::string name;
    };
    Place place(std::string_view path) const;

    SimInodePtr create(const Place& place, bool directory);
    void rename(const Place& from, const Place& to);
    void remove(const Place& place);
    void sync_directory(SimInode& directory);

    // False when there is no room.
    bool write(SimInode& file, std::uint64_t offset, ByteView bytes);
    // Not where its writer meant it to be: nobody watches.
    bool write_astray(SimInode& file, std::uint64_t offset, ByteView bytes);
    bool allocate(SimInode& file, std::uint64_t offset, std::uint64_t length);
    void punch(SimInode& file, std::uint64_t offset, std::uint64_t length);
    void sync(SimInode& file);
    // Makes the bytes of one range durable and leaves the rest pending.
    void sync_range(SimInode& file, std::uint64_t offset, std::uint64_t length);
    // A sync that fails: what was pending stays visible and will never become durable, in part or
    // all.
    void fail_sync(SimInode& file, SimRandom& random);

    std::uint64_t capacity_bytes() const noexcept { return capacity_bytes_; }
    std::uint64_t used_bytes() const noexcept;
    // While set, nothing that needs a page more succeeds.
    void set_full(bool full) noexcept { full_ = full; }
    bool full() const noexcept { return full_; }

    // The process is killed, the machine stays up: only its locks go.
    void release_locks();
    // Power is cut: what is not durable survives in part. Open files of before are of no use
    // afterwards.
    void crash(SimRandom& random);
    // What is stored becomes `bytes`: a file of another time or place was put over it.
    void replace(SimInode& file, std::vector<std::byte> bytes);
    // Flips one bit of what is stored.
    void flip_bit(SimInode& file, std::uint64_t offset, unsigned bit);
    // Called with each write, before it is made.
    using WriteWatch =
        std::function<void(const SimInode& file, std::uint64_t offset, ByteView bytes)>;
    void watch_writes(WriteWatch watch) { write_watch_ = std::move(watch); }
    // Every file with its path, in order.
    void visit(const std::function<void(const std::string& path, SimInode& file)>& visitor) const;
    // Of all durable content and names.
    std::uint64_t fingerprint() const;

private:
    struct PendingLink {
        SimInodePtr directory;
        std::string name;
        SimInodePtr target;           // null: the name goes
        SimInodePtr other_directory;  // of a rename: where the name came from
        std::string other_name;
    };

    static void apply(const PendingLink& link);
    void crash_file(SimInode& file, SimRandom& random);
    static void allocate_what_holds_bytes(SimInode& file);
    bool has_room(const SimInode& file, std::uint64_t offset, std::uint64_t length) const;
    void take_pages(SimInode& file, std::uint64_t offset, std::uint64_t length);
    void forget_if_unlinked(SimInode& inode);

    const SimDiskMode mode_;
    SimSurvival survival_ = SimSurvival::drawn;
    const std::uint64_t capacity_bytes_;
    bool full_ = false;
    std::uint64_t pages_used_ = 0;
    std::uint64_t next_id_ = 1;
    SimInodePtr root_;
    std::vector<PendingLink> pending_links_;
    WriteWatch write_watch_;
};

}  // namespace orbitalreg::sim
