#pragma once
// Io is the seam between the store and the file system. Three implementations: io_uring, a pool of threads
// with the same guarantees, and a simulated disk. Nothing above it makes a file system call.
//
// Paths    are relative to the directory the Io was made for, `/` between parts, never a client's text.
// Blocking calls of Io and File do their work before they return; any thread. Reads and writes go on after EINTR,
//          EAGAIN and short counts until all is done or an error is final; a read ends early only at end of file.
// Async    calls go through an IoQueue, one per reactor, used from that reactor's thread only. The kernel co-owns an
//          operation's struct and buffer until `complete` is called. There is no cancellation.
// Errors   errno values in the system category. A failed write_dsync or datasync is never to be tried again.
// Direct   a File opened direct takes offsets, sizes and addresses that are multiples of kPageSize, and bypasses the
//          page cache. Where the file system refuses O_DIRECT the File works buffered and direct() is false.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::cas {

// The unit of all formats, whatever the device.
inline constexpr std::size_t kPageSize = 4096;

// In falling priority. Only bulk and background are ever held back.
enum class IoClass : std::uint8_t { commit, read, bulk, background };

struct FileStat {
    std::uint64_t size_bytes = 0;
    std::uint64_t allocated_bytes = 0;  // st_blocks * 512
    std::uint64_t link_count = 0;
    bool directory = false;
};

struct SpaceStat {
    std::uint64_t total_bytes = 0;
    std::uint64_t available_bytes = 0;
    std::uint64_t inodes_available = 0;
};

struct OpenMode {
    bool write = false;
    bool create = false;     // implies write
    bool exclusive = false;  // with create: EEXIST when it exists
    bool direct = false;
    bool random_access = false;  // no read-ahead by the kernel
};

class File {
public:
    virtual ~File() = default;

    bool direct() const noexcept { return direct_; }

    // The number of bytes read; fewer than asked only at end of file.
    virtual Result<std::size_t> read(std::uint64_t offset, MutableByteView to) noexcept = 0;
    // Durable only after datasync().
    virtual Result<void> write(std::uint64_t offset, ByteView from) noexcept = 0;
    // Durable when it returns success (pwritev2 with RWF_DSYNC).
    virtual Result<void> write_dsync(std::uint64_t offset, ByteView from) noexcept = 0;
    virtual Result<void> datasync() noexcept = 0;
    // fallocate mode 0: the size grows, the new bytes read as zero.
    virtual Result<void> allocate(std::uint64_t offset, std::uint64_t length) noexcept = 0;
    // Gives the range back; it reads as zero afterwards. The size stays.
    virtual Result<void> punch(std::uint64_t offset, std::uint64_t length) noexcept = 0;
    virtual Result<FileStat> stat() noexcept = 0;
    // The range will be read soon: the device may begin. A hint, with no outcome.
    virtual void read_ahead(std::uint64_t offset, std::uint64_t length) noexcept {
        static_cast<void>(offset);
        static_cast<void>(length);
    }

protected:
    explicit File(bool direct) noexcept : direct_{direct} {}

private:
    const bool direct_;
};

// One asynchronous operation. The caller keeps it, the file and the bytes until complete() is called, once, on the
// queue's thread, with the number of bytes or -errno. Short counts are continued by the queue, except at end of file.
struct IoOperation {
    enum class Kind : std::uint8_t { read, write, datasync, allocate, punch };
    Kind kind = Kind::read;
    IoClass io_class = IoClass::bulk;
    File* file = nullptr;
    std::uint64_t offset = 0;
    std::byte* data = nullptr;  // written to by a read, only read by a write
    std::uint64_t size = 0;
    void (*complete)(IoOperation& operation, std::int64_t result) noexcept = nullptr;
    void* context = nullptr;

    std::uint64_t done = 0;  // the queue's own: bytes finished so far
};

class IoQueue {
public:
    virtual ~IoQueue() = default;
    virtual asio::any_io_executor executor() const = 0;
    virtual void submit(IoOperation& operation) noexcept = 0;
    // A read that does not wait for the device: EAGAIN when the bytes are not in memory (RWF_NOWAIT).
    virtual Result<std::size_t> read_now(File& file, std::uint64_t offset,
                                         MutableByteView to) noexcept = 0;
    // Operations submitted and not completed.
    virtual std::size_t in_flight() const noexcept = 0;
};

class Io {
public:
    virtual ~Io() = default;

    // "uring", "threads" or "simulated"; and why it was chosen, for the log and /readyz?verbose.
    virtual std::string_view name() const noexcept = 0;
    virtual std::string_view reason() const noexcept = 0;

    virtual Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) noexcept = 0;
    // Succeeds when the directory exists.
    virtual Result<void> make_directory(std::string_view path) noexcept = 0;
    virtual Result<void> sync_directory(std::string_view path) noexcept = 0;
    virtual Result<void> rename(std::string_view from, std::string_view to) noexcept = 0;
    virtual Result<void> remove(std::string_view path) noexcept = 0;
    // Names in the directory, sorted, without . and ..
    virtual Result<std::vector<std::string>> list(std::string_view path) noexcept = 0;
    virtual Result<FileStat> stat(std::string_view path) noexcept = 0;
    virtual Result<SpaceStat> space() noexcept = 0;
    // Creates the file and holds flock on it until the File is destroyed: exclusive, or shared for readers.
    // Errc::locked when somebody else holds it.
    virtual Result<std::unique_ptr<File>> lock(std::string_view path, bool exclusive) noexcept = 0;

    // The queue completes on `executor`, which must be run by one thread. Destroy it after in_flight() is 0.
    virtual std::unique_ptr<IoQueue> make_queue(asio::any_io_executor executor) = 0;
};

enum class IoChoice : std::uint8_t { automatic, uring, threads };

struct IoOptions {
    IoChoice choice = IoChoice::automatic;
    unsigned threads = 4;  // of the pool, where it is used
    unsigned queue_depth_max =
        256;  // operations of one queue inside the kernel; more wait in the queue
};

// The Io for `root`, an existing directory. `automatic` probes io_uring with a real read and falls back to threads;
// `uring` fails with the probe's error instead. Counts operations and bytes, direct and buffered, in `metrics`:
// io_bytes_total{op,mode}, io_operations_total{op}, io_errors_total{op}.
Result<std::unique_ptr<Io>> make_io(std::string_view root, const IoOptions& options, Log& log,
                                    Metrics& metrics);

// Submits an operation and resumes with its result on the queue's executor.
Awaitable<Result<std::size_t>> async_read(IoQueue& queue, File& file, std::uint64_t offset,
                                          MutableByteView to, IoClass io_class);
Awaitable<Result<void>> async_datasync(IoQueue& queue, File& file, IoClass io_class);
Awaitable<Result<void>> async_write(IoQueue& queue, File& file, std::uint64_t offset, ByteView from,
                                    IoClass io_class);
Awaitable<Result<void>> async_allocate(IoQueue& queue, File& file, std::uint64_t offset,
                                       std::uint64_t length, IoClass io_class);
Awaitable<Result<void>> async_punch(IoQueue& queue, File& file, std::uint64_t offset,
                                    std::uint64_t length, IoClass io_class);

}  // namespace orbitalreg::cas
