#include "support/sim_io.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "cas/errors.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>

namespace orbitalreg::sim {

using cas::File;
using cas::FileStat;
using cas::IoOperation;
using cas::kPageSize;

namespace {

bool is_log(const SimInode& file) noexcept { return file.name.ends_with(".olog"); }

}  // namespace

void SimTrace::add(std::uint64_t call, std::uint64_t file, std::uint64_t offset,
                   std::uint64_t value) noexcept {
    ++calls;
    hash = mix64(hash + call, mix64(file, mix64(offset, value)));
}

class SimFile final : public File {
public:
    SimFile(SimIo& io, SimInodePtr inode, cas::OpenMode mode) noexcept
        : File{mode.direct},
          io_{io},
          inode_{std::move(inode)},
          writable_{mode.write || mode.create} {}
    ~SimFile() override {
        if (io_.crashed()) return;
        if (lock_ == Lock::shared) --inode_->shared_locks;
        if (lock_ == Lock::exclusive) inode_->exclusive_lock = false;
    }

    Result<std::size_t> read(std::uint64_t offset, MutableByteView to) noexcept override {
        check_alignment(offset, to);
        return io_.read(*inode_, offset, to);
    }
    Result<void> write(std::uint64_t offset, ByteView from) noexcept override {
        return put(offset, from, false);
    }
    Result<void> write_dsync(std::uint64_t offset, ByteView from) noexcept override {
        return put(offset, from, true);
    }
    Result<void> datasync() noexcept override { return io_.datasync(*inode_); }
    Result<void> allocate(std::uint64_t offset, std::uint64_t length) noexcept override {
        if (!writable_) return fail(errno_code(EBADF));
        return io_.allocate(*inode_, offset, length);
    }
    Result<void> punch(std::uint64_t offset, std::uint64_t length) noexcept override {
        if (!writable_) return fail(errno_code(EBADF));
        return io_.punch(*inode_, offset, length);
    }
    Result<FileStat> stat() noexcept override { return stat_of(*inode_); }
    void read_ahead(std::uint64_t offset, std::uint64_t length) noexcept override {
        io_.read_ahead_.emplace_back(offset, length);
    }

    static FileStat stat_of(const SimInode& inode) noexcept {
        const auto pages = std::count(inode.allocated.begin(), inode.allocated.end(), true);
        return {inode.current.size(), static_cast<std::uint64_t>(pages) * kPageSize, inode.links,
                inode.directory};
    }

    Result<void> take_lock(bool exclusive) noexcept {
        if (inode_->exclusive_lock || (exclusive && inode_->shared_locks > 0))
            return fail(cas::Errc::locked);
        lock_ = exclusive ? Lock::exclusive : Lock::shared;
        if (exclusive) {
            inode_->exclusive_lock = true;
        } else {
            ++inode_->shared_locks;
        }
        return ok();
    }

private:
    enum class Lock : std::uint8_t { none, shared, exclusive };

    Result<void> put(std::uint64_t offset, ByteView from, bool durable) noexcept {
        check_alignment(offset, from);
        if (!writable_) return fail(errno_code(EBADF));
        return io_.write(*inode_, offset, from, durable);
    }
    void check_alignment(std::uint64_t offset, ByteView bytes) const noexcept {
        if (!direct()) return;
        ORB_ASSERT(offset % kPageSize == 0);
        ORB_ASSERT(bytes.size() % kPageSize == 0);
        ORB_ASSERT(reinterpret_cast<std::uintptr_t>(bytes.data()) % kPageSize == 0);
    }

    SimIo& io_;
    const SimInodePtr inode_;
    const bool writable_;
    Lock lock_ = Lock::none;
};

// An operation takes effect when its handler runs, and completes in the same handler.
class SimQueue final : public cas::IoQueue {
public:
    SimQueue(SimIo& io, asio::any_io_executor executor)
        : io_{io}, executor_{std::move(executor)}, in_flight_{std::make_shared<std::size_t>(0)} {}
    ~SimQueue() override { ORB_ASSERT(*in_flight_ == 0 || io_.crashed()); }

    asio::any_io_executor executor() const override { return executor_; }
    void submit(IoOperation& operation) noexcept override {
        ++*in_flight_;
        asio::post(executor_, [&operation, in_flight = in_flight_] {
            const std::int64_t result = run(operation);
            --*in_flight;
            operation.complete(operation, result);
        });
    }
    Result<std::size_t> read_now(File& file, std::uint64_t offset,
                                 MutableByteView to) noexcept override {
        if (io_.draw_fault(io_.options_.faults.cache_miss)) return fail(errno_code(EAGAIN));
        return file.read(offset, to);
    }
    std::size_t in_flight() const noexcept override { return *in_flight_; }

private:
    static std::int64_t run(const IoOperation& operation) noexcept {
        File& file = *operation.file;
        switch (operation.kind) {
            case IoOperation::Kind::read: {
                const auto count = file.read(operation.offset, {operation.data, operation.size});
                return count ? static_cast<std::int64_t>(count.value()) : -count.error().value();
            }
            case IoOperation::Kind::write:
                return count_of(file.write(operation.offset, {operation.data, operation.size}),
                                operation.size);
            case IoOperation::Kind::datasync:
                return count_of(file.datasync(), 0);
            case IoOperation::Kind::allocate:
                return count_of(file.allocate(operation.offset, operation.size), 0);
            case IoOperation::Kind::punch:
                return count_of(file.punch(operation.offset, operation.size), 0);
        }
        return -EINVAL;
    }
    static std::int64_t count_of(const Result<void>& result, std::uint64_t size) noexcept {
        return result ? static_cast<std::int64_t>(size) : -result.error().value();
    }

    SimIo& io_;
    const asio::any_io_executor executor_;
    const std::shared_ptr<std::size_t> in_flight_;  // handlers may outlive the queue
};

SimIo::SimIo(SimDisk& disk, SimRandom& random, SimTrace& trace, SimIoOptions options)
    : disk_{disk}, random_{random}, trace_{trace}, options_{options} {}

SimIo::~SimIo() = default;

void SimIo::crash() {
    if (crashed_) return;
    crashed_ = true;
    disk_.crash(random_);
}

void SimIo::kill() {
    if (crashed_) return;
    crashed_ = true;
    disk_.release_locks();
}

Result<void> SimIo::enter(Call call, std::uint64_t file, std::uint64_t offset,
                          std::uint64_t value) noexcept {
    if (crashed_) return fail(errno_code(EIO));
    trace_.add(static_cast<std::uint64_t>(call), file, offset, value);
    return ok();
}

bool SimIo::is_crash_point() noexcept {
    ++boundaries_;
    ++trace_.boundaries;
    return boundaries_ == options_.crash_at;
}

bool SimIo::draw_fault(std::uint64_t one_in) noexcept { return random_.one_in(one_in); }

Result<std::unique_ptr<File>> SimIo::open(std::string_view path, cas::OpenMode mode) noexcept {
    ORB_TRY(enter(Call::open, checksum64(as_bytes(path)), 0, 0));
    const bool writes = mode.write || mode.create;
    if (writes && options_.read_only) return fail(errno_code(EROFS));
    SimInodePtr inode = disk_.find(path);
    if (inode != nullptr && mode.create && mode.exclusive) return fail(errno_code(EEXIST));
    if (inode == nullptr) {
        const auto place = disk_.place(path);
        if (!mode.create || place.directory == nullptr) return fail(errno_code(ENOENT));
        const bool last = is_crash_point();
        if (!last && draw_fault(options_.faults.no_space)) {
            ++loud_faults_;
            return fail(errno_code(ENOSPC));
        }
        inode = disk_.create(place, false);
        if (last) {
            crash();
            return fail(errno_code(EIO));
        }
    }
    if (inode->directory && writes) return fail(errno_code(EISDIR));
    return std::unique_ptr<File>{std::make_unique<SimFile>(*this, std::move(inode), mode)};
}

Result<void> SimIo::make_directory(std::string_view path) noexcept {
    ORB_TRY(enter(Call::make_directory, checksum64(as_bytes(path)), 0, 0));
    if (options_.read_only) return fail(errno_code(EROFS));
    if (const SimInodePtr found = disk_.find(path))
        return found->directory ? Result<void>{ok()} : fail(errno_code(ENOTDIR));
    const auto place = disk_.place(path);
    if (place.directory == nullptr) return fail(errno_code(ENOENT));
    const bool last = is_crash_point();
    disk_.create(place, true);
    if (!last) return ok();
    crash();
    return fail(errno_code(EIO));
}

Result<void> SimIo::sync_directory(std::string_view path) noexcept {
    ORB_TRY(enter(Call::sync_directory, checksum64(as_bytes(path)), 0, 0));
    const SimInodePtr directory = disk_.find(path);
    if (directory == nullptr) return fail(errno_code(ENOENT));
    if (!directory->directory) return fail(errno_code(ENOTDIR));
    if (is_crash_point()) {
        crash();
        return fail(errno_code(EIO));
    }
    disk_.sync_directory(*directory);
    return ok();
}

Result<void> SimIo::rename(std::string_view from, std::string_view to) noexcept {
    ORB_TRY(enter(Call::rename, checksum64(as_bytes(from)), checksum64(as_bytes(to)), 0));
    if (options_.read_only) return fail(errno_code(EROFS));
    const auto target = disk_.place(to);
    if (disk_.find(from) == nullptr || target.directory == nullptr) return fail(errno_code(ENOENT));
    const bool last = is_crash_point();
    disk_.rename(disk_.place(from), target);
    if (!last) return ok();
    crash();
    return fail(errno_code(EIO));
}

Result<void> SimIo::remove(std::string_view path) noexcept {
    ORB_TRY(enter(Call::remove, checksum64(as_bytes(path)), 0, 0));
    if (options_.read_only) return fail(errno_code(EROFS));
    const SimInodePtr inode = disk_.find(path);
    if (inode == nullptr) return fail(errno_code(ENOENT));
    if (inode->directory && !inode->entries.empty()) return fail(errno_code(ENOTEMPTY));
    const bool last = is_crash_point();
    disk_.remove(disk_.place(path));
    if (!last) return ok();
    crash();
    return fail(errno_code(EIO));
}

Result<std::vector<std::string>> SimIo::list(std::string_view path) noexcept {
    ORB_TRY(enter(Call::list, checksum64(as_bytes(path)), 0, 0));
    const SimInodePtr directory = disk_.find(path);
    if (directory == nullptr) return fail(errno_code(ENOENT));
    if (!directory->directory) return fail(errno_code(ENOTDIR));
    std::vector<std::string> names;
    for (const auto& [name, inode] : directory->entries) names.push_back(name);
    return names;
}

Result<FileStat> SimIo::stat(std::string_view path) noexcept {
    ORB_TRY(enter(Call::stat, checksum64(as_bytes(path)), 0, 0));
    const SimInodePtr inode = disk_.find(path);
    if (inode == nullptr) return fail(errno_code(ENOENT));
    return SimFile::stat_of(*inode);
}

Result<cas::SpaceStat> SimIo::space() noexcept {
    if (crashed_) return fail(errno_code(EIO));
    const std::uint64_t used = std::min(disk_.used_bytes(), disk_.capacity_bytes());
    const std::uint64_t free = disk_.full() ? 0 : disk_.capacity_bytes() - used;
    return cas::SpaceStat{disk_.capacity_bytes(), free, 1'000'000};
}

Result<std::unique_ptr<File>> SimIo::lock(std::string_view path, bool exclusive) noexcept {
    ORB_TRY(enter(Call::lock, checksum64(as_bytes(path)), exclusive ? 1 : 0, 0));
    SimInodePtr inode = disk_.find(path);
    if (inode == nullptr) {
        const auto place = disk_.place(path);
        if (options_.read_only || place.directory == nullptr) return fail(errno_code(ENOENT));
        inode = disk_.create(place, false);
    }
    auto file =
        std::make_unique<SimFile>(*this, std::move(inode), cas::OpenMode{.write = exclusive});
    ORB_TRY(file->take_lock(exclusive));
    return std::unique_ptr<File>{std::move(file)};
}

std::unique_ptr<cas::IoQueue> SimIo::make_queue(asio::any_io_executor executor) {
    return std::make_unique<SimQueue>(*this, std::move(executor));
}

Result<std::size_t> SimIo::read(SimInode& file, std::uint64_t offset, MutableByteView to) noexcept {
    if (crashed_) return fail(errno_code(EIO));
    if (draw_fault(options_.faults.read_error)) {
        ++loud_faults_;
        trace_.add(static_cast<std::uint64_t>(Call::read), file.id, offset, ~std::uint64_t{0});
        return fail(errno_code(EIO));
    }
    const std::uint64_t size = file.current.size();
    const std::uint64_t count =
        offset >= size ? 0 : std::min<std::uint64_t>(to.size(), size - offset);
    std::copy_n(file.current.begin() + static_cast<std::ptrdiff_t>(std::min(offset, size)), count,
                to.begin());
    if (is_stale_place(file, offset, count)) {
        const std::uint64_t first = std::max(offset, options_.stale.offset);
        to[static_cast<std::size_t>(first - offset)] ^= std::byte{1};
    }
    trace_.add(static_cast<std::uint64_t>(Call::read), file.id, offset,
               checksum64(to.first(count)));
    return count;
}

// At a crash or a failed write any subset of the sectors may have reached the disk.
void SimIo::write_in_part(SimInode& file, std::uint64_t offset, ByteView from,
                          bool durable) noexcept {
    const std::uint64_t limit =
        random_.coin() ? from.size() : round_down(random_.below(from.size() + 1), kSectorSize);
    const bool ragged = random_.coin();
    for (std::uint64_t done = 0; done < limit; done += kSectorSize) {
        if (ragged && random_.coin()) continue;
        const std::uint64_t length = std::min<std::uint64_t>(kSectorSize, limit - done);
        if (!disk_.write(file, offset + done, from.subspan(done, length))) return;
        if (durable && random_.coin()) disk_.sync_range(file, offset + done, length);
    }
}

void SimIo::write_before_crash(SimInode& file, std::uint64_t offset, ByteView from,
                               bool durable) noexcept {
    if (options_.keep_cut_frame && is_log(file) && durable) {
        // Recovery writes the last frame once more, which was acknowledged: that is no frame that nobody heard of.
        const bool again = file.current.size() >= offset + from.size() &&
                           std::equal(from.begin(), from.end(),
                                      file.current.begin() + static_cast<std::ptrdiff_t>(offset));
        if (!disk_.write(file, offset, from)) return;
        disk_.sync_range(file, offset, from.size());
        if (!again) cut_frame_ = {file.id, offset, from.size()};
        return;
    }
    if (disk_.survival() == SimSurvival::none) return;
    if (disk_.survival() == SimSurvival::drawn) return write_in_part(file, offset, from, durable);
    static_cast<void>(disk_.write(file, offset, from));
}

bool SimIo::is_stale_place(const SimInode& file, std::uint64_t offset,
                           std::uint64_t length) const noexcept {
    const SimStalePlace& stale = options_.stale;
    return file.id == stale.file && stale.file != 0 && offset < stale.offset + stale.length &&
           stale.offset < offset + length;
}

// A write that reports success and is not where it should be. False when none was drawn.
bool SimIo::write_astray(SimInode& file, std::uint64_t offset, ByteView from,
                         bool durable) noexcept {
    const bool stale = is_stale_place(file, offset, from.size());
    if (stale) options_.stale = {};
    const bool lost_frame = durable && draw_fault(options_.faults.lost_log_write);
    if (lost_frame) options_.faults.lost_log_write = 0;
    if (stale || lost_frame || draw_fault(options_.faults.lost_write)) {
        ++silent_faults_;
        static_cast<void>(disk_.allocate(file, offset, from.size()));
        return true;
    }
    if (!draw_fault(options_.faults.misdirected_write)) return false;
    const std::uint64_t pages = file.current.size() / kPageSize;
    const std::uint64_t span = round_up(from.size(), kPageSize) / kPageSize;
    if (pages <= span) return false;
    const std::uint64_t target = random_.below(pages - span) * kPageSize;
    if (target == offset) return false;
    ++silent_faults_;
    static_cast<void>(disk_.write_astray(file, target, from));
    if (durable) disk_.sync_range(file, target, from.size());
    return true;
}

Result<void> SimIo::write(SimInode& file, std::uint64_t offset, ByteView from,
                          bool durable) noexcept {
    ORB_TRY(enter(durable ? Call::write_dsync : Call::write, file.id, offset, checksum64(from)));
    if (options_.read_only) return fail(errno_code(EROFS));
    if (is_crash_point()) {
        write_before_crash(file, offset, from, durable);
        crash();
        return fail(errno_code(EIO));
    }
    if (draw_fault(options_.faults.no_space)) {
        ++loud_faults_;
        return fail(errno_code(ENOSPC));
    }
    if (draw_fault(durable ? options_.faults.dsync_error : options_.faults.write_error)) {
        ++loud_faults_;
        write_in_part(file, offset, from, durable);
        disk_.fail_sync(file, random_);
        return fail(errno_code(EIO));
    }
    const bool astray = write_astray(file, offset, from, durable);
    if (durable && is_log(file)) last_dsync_lost_ = astray;
    if (astray) return ok();
    if (!disk_.write(file, offset, from)) return fail(errno_code(ENOSPC));
    if (durable) disk_.sync_range(file, offset, from.size());
    return ok();
}

Result<void> SimIo::datasync(SimInode& file) noexcept {
    ORB_TRY(enter(Call::datasync, file.id, 0, 0));
    if (is_crash_point()) {
        crash();
        return fail(errno_code(EIO));
    }
    if (draw_fault(options_.faults.sync_error)) {
        ++loud_faults_;
        disk_.fail_sync(file, random_);
        return fail(errno_code(EIO));
    }
    disk_.sync(file);
    return ok();
}

Result<void> SimIo::allocate(SimInode& file, std::uint64_t offset, std::uint64_t length) noexcept {
    ORB_TRY(enter(Call::allocate, file.id, offset, length));
    if (options_.read_only) return fail(errno_code(EROFS));
    const bool last = is_crash_point();
    if (!last && draw_fault(options_.faults.no_space)) {
        ++loud_faults_;
        return fail(errno_code(ENOSPC));
    }
    const bool done = disk_.allocate(file, offset, length);
    if (last) {
        crash();
        return fail(errno_code(EIO));
    }
    if (!done) return fail(errno_code(ENOSPC));
    return ok();
}

Result<void> SimIo::punch(SimInode& file, std::uint64_t offset, std::uint64_t length) noexcept {
    ORB_TRY(enter(Call::punch, file.id, offset, length));
    if (options_.read_only) return fail(errno_code(EROFS));
    const bool last = is_crash_point();
    disk_.punch(file, offset, length);
    if (!last) return ok();
    crash();
    return fail(errno_code(EIO));
}

}  // namespace orbitalreg::sim
