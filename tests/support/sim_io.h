#pragma once
// SimIo is an Io over a SimDisk: one life of the process that uses the disk. At its crash point the
// power is cut in the middle of a call; from then on every call fails with EIO and changes nothing.
//
// Blocking calls take effect at once. Asynchronous ones take effect and complete later, in the
// order that the queue's executor chooses; those in flight at the crash may have happened, in part.
// Faults are drawn from the seed, each once in so many calls.
// Boundaries  every call that changes or syncs something is one; crash_at counts them.
//
// Threads  one.

#include "cas/io.h"
#include "support/sim_disk.h"
#include "support/sim_random.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::sim {

// Each is "once in so many calls"; 0 is never.
struct SimFaults {
    std::uint64_t read_error = 0;      // EIO
    std::uint64_t write_error = 0;     // EIO; the bytes are written in part
    std::uint64_t sync_error = 0;      // EIO; what was pending is dropped, the next sync succeeds
    std::uint64_t dsync_error = 0;     // EIO of write_dsync; the bytes are written in part
    std::uint64_t no_space = 0;        // ENOSPC of a call that needs room
    std::uint64_t lost_write = 0;      // reports success, changes nothing
    std::uint64_t lost_log_write = 0;  // of write_dsync: reports success, changes nothing; once
    std::uint64_t misdirected_write = 0;  // lands on another page of the file
    std::uint64_t cache_miss = 4;         // read_now answers EAGAIN
};

class SimIo;

// Bytes that the device does not give back for once, although they are there; and the next write there is reported and
// never made. So a genuine stale frame comes to stand where its replacement should.
struct SimStalePlace {
    std::uint64_t file = 0;  // 0: none
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

// What all lives of one simulation add up.
struct SimTrace {
    std::uint64_t calls = 0;
    std::uint64_t boundaries = 0;
    std::uint64_t hash = 0;
    void add(std::uint64_t call, std::uint64_t file, std::uint64_t offset,
             std::uint64_t value) noexcept;
};

struct SimIoOptions {
    std::uint64_t crash_at = 0;  // the boundary of this life at which the power is cut; 0: never
    SimFaults faults{};
    // At the power cut a frame that is being written survives whole, and SimIo::cut_frame() says where.
    bool keep_cut_frame = false;
    SimStalePlace stale{};
    bool read_only = false;  // a caller that promises to write nothing: writes fail with EROFS
};

class SimIo final : public cas::Io {
public:
    SimIo(SimDisk& disk, SimRandom& random, SimTrace& trace, SimIoOptions options);
    ~SimIo() override;

    bool crashed() const noexcept { return crashed_; }
    std::uint64_t boundaries() const noexcept { return boundaries_; }
    // Cuts the power now, between two calls.
    void crash();
    // Kills the process between two calls: what it wrote stays, synced or not, for as long as the power does.
    void kill();
    // The last durable write was reported and never made.
    bool last_dsync_lost() const noexcept { return last_dsync_lost_; }
    const SimStalePlace& cut_frame() const noexcept { return cut_frame_; }
    // False once the write there was lost.
    bool stale_place_waits() const noexcept { return options_.stale.file != 0; }
    void set_crash_at(std::uint64_t boundary) noexcept { options_.crash_at = boundary; }
    void set_faults(const SimFaults& faults) noexcept { options_.faults = faults; }
    // Offset and length of each read_ahead(), of whatever file.
    const std::vector<std::pair<std::uint64_t, std::uint64_t>>& read_ahead() const noexcept {
        return read_ahead_;
    }
    // Faults that damaged stored bytes without telling; the oracle then accepts a refusal, never
    // wrong bytes.
    std::uint64_t silent_faults() const noexcept { return silent_faults_; }
    std::uint64_t loud_faults() const noexcept { return loud_faults_; }

    std::string_view name() const noexcept override { return "simulated"; }
    std::string_view reason() const noexcept override { return "a simulation"; }
    Result<std::unique_ptr<cas::File>> open(std::string_view path,
                                            cas::OpenMode mode) noexcept override;
    Result<void> make_directory(std::string_view path) noexcept override;
    Result<void> sync_directory(std::string_view path) noexcept override;
    Result<void> rename(std::string_view from, std::string_view to) noexcept override;
    Result<void> remove(std::string_view path) noexcept override;
    Result<std::vector<std::string>> list(std::string_view path) noexcept override;
    Result<cas::FileStat> stat(std::string_view path) noexcept override;
    Result<cas::SpaceStat> space() noexcept override;
    Result<std::unique_ptr<cas::File>> lock(std::string_view path,
                                            bool exclusive) noexcept override;
    std::unique_ptr<cas::IoQueue> make_queue(asio::any_io_executor executor) override;

private:
    friend class SimFile;
    friend class SimQueue;

    enum class Call : std::uint8_t {
        open = 1,
        make_directory,
        sync_directory,
        rename,
        remove,
        list,
        stat,
        lock,
        read,
        write,
        write_dsync,
        datasync,
        allocate,
        punch
    };

    // Counts the call. EIO after the crash.
    Result<void> enter(Call call, std::uint64_t file, std::uint64_t offset,
                       std::uint64_t value) noexcept;
    // True when this boundary is the crash point: the caller leaves its effect pending, then calls
    // crash().
    bool is_crash_point() noexcept;
    bool draw_fault(std::uint64_t one_in) noexcept;

    Result<std::size_t> read(SimInode& file, std::uint64_t offset, MutableByteView to) noexcept;
    Result<void> write(SimInode& file, std::uint64_t offset, ByteView from, bool durable) noexcept;
    void write_in_part(SimInode& file, std::uint64_t offset, ByteView from, bool durable) noexcept;
    void write_before_crash(SimInode& file, std::uint64_t offset, ByteView from,
                            bool durable) noexcept;
    bool is_stale_place(const SimInode& file, std::uint64_t offset,
                        std::uint64_t length) const noexcept;
    bool write_astray(SimInode& file, std::uint64_t offset, ByteView from, bool durable) noexcept;
    Result<void> datasync(SimInode& file) noexcept;
    Result<void> allocate(SimInode& file, std::uint64_t offset, std::uint64_t length) noexcept;
    Result<void> punch(SimInode& file, std::uint64_t offset, std::uint64_t length) noexcept;

    SimDisk& disk_;
    SimRandom& random_;
    SimTrace& trace_;
    SimIoOptions options_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> read_ahead_;
    std::uint64_t boundaries_ = 0;
    bool crashed_ = false;
    std::uint64_t silent_faults_ = 0;
    std::uint64_t loud_faults_ = 0;
    bool last_dsync_lost_ = false;
    SimStalePlace cut_frame_;
};

}  // namespace orbitalreg::sim
