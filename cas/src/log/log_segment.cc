#include "log/log_segment.h"

#include "base/assert.h"
#include "base/errors.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "format/page_buffer.h"

#include <algorithm>
#include <cerrno>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kZeroPieceSize = 256_KiB;  // larger writes hold up commits beside them

bool lacks_space(const ErrorCode& error) noexcept {
    return error == errno_code(ENOSPC) || error == errno_code(EDQUOT);
}

Result<void> write_zeros(File& file, std::uint64_t size_bytes) {
    const PageBuffer zeros{kZeroPieceSize};
    for (std::uint64_t offset = 0; offset < size_bytes; offset += kZeroPieceSize) {
        const std::uint64_t left = size_bytes - offset;
        ORB_TRY(file.write(offset, zeros.first(std::min<std::uint64_t>(left, kZeroPieceSize))));
    }
    return ok();
}

Result<void> write_segment_header(File& file, const SegmentPlan& plan, std::uint32_t segment) {
    const PageBuffer page{kPageSize};
    const LogSegmentHeader header{segment, plan.incarnation, plan.identity.uuid,
                                  static_cast<std::uint32_t>(plan.size_bytes / kPageSize)};
    encode_log_segment_header(header, plan.identity.seed, page.bytes());
    ORB_TRY(file.write(0, page.bytes()));
    if (plan.durability == Durability::full) {
        ORB_TRY(file.datasync());
    }
    return ok();
}

// A header is written once all else is there, so that a header tells a whole preparation.
Result<void> fill_segment(File& file, const SegmentPlan& plan, std::uint32_t segment,
                          SegmentFill fill) {
    ORB_TRY(file.allocate(0, plan.size_bytes));
    if (fill == SegmentFill::zeros) {
        ORB_TRY(write_zeros(file, plan.size_bytes));
    }
    return write_segment_header(file, plan, segment);
}

Result<void> sync_log_directory(Io& io, Durability durability) {
    if (durability == Durability::none || ORB_PLANTED(skip_directory_sync)) return ok();
    return io.sync_directory("log");
}

// The file goes under its new name before it says so itself: under the old one it would be another segment's. None when
// it must stay as it is.
Result<std::unique_ptr<File>> recycle_log_segment(Io& io, const SegmentPlan& plan,
                                                  std::uint32_t from, std::uint32_t to) {
    ORB_TRY(auto file, io.open(log_segment_path(from), {.write = true, .direct = true}));
    ORB_TRY(const auto found, file->stat());
    if (found.link_count != 1 || found.size_bytes < plan.size_bytes) return nullptr;
    const std::string path = log_segment_path(to);
    ORB_TRY(io.rename(log_segment_path(from), path));
    Result<void> made = sync_log_directory(io, plan.durability);
    if (made) made = write_segment_header(*file, plan, to);
    if (made) return file;
    file.reset();
    ORB_TRY(io.remove(path));
    return fail(made.error());
}

}  // namespace

Result<std::unique_ptr<File>> make_log_segment(Io& io, const SegmentPlan& plan,
                                               std::uint32_t segment, SegmentFill fill) {
    const std::string path = log_segment_path(segment);
    auto opened = io.open(path, {.write = true, .create = true, .exclusive = true, .direct = true});
    if (!opened && lacks_space(opened.error())) return fail(Errc::no_space);  // no inode, no block
    ORB_TRY(auto file, std::move(opened));
    const auto filled = fill_segment(*file, plan, segment, fill);
    if (!filled && lacks_space(filled.error())) {
        file.reset();
        ORB_TRY(io.remove(path));
        return fail(Errc::no_space);
    }
    if (!filled) return fail(filled.error());
    ORB_TRY(sync_log_directory(io, plan.durability));
    return file;
}

SegmentSpares::SegmentSpares(Io& io, const SegmentPlan& plan, std::uint32_t spares_wanted,
                             Metrics& metrics)
    : io_{io},
      plan_{plan},
      spares_wanted_{spares_wanted},
      missing_{metrics.counter("log_spare_missing_total",
                               "Log segments that were not ready when they were needed.")} {}

Result<std::unique_ptr<File>> SegmentSpares::adopt_one(std::uint32_t segment) {
    ORB_TRY(auto file, io_.open(log_segment_path(segment), {.write = true, .direct = true}));
    ORB_TRY(const auto found, file->stat());
    const PageBuffer page{kPageSize};
    ORB_TRY(const auto size, file->read(0, page.bytes()));
    const auto header = decode_log_segment_header(page.first(size), segment, plan_.identity.uuid,
                                                  plan_.identity.seed);
    if (!header || header.value().size_bytes() != plan_.size_bytes ||
        found.size_bytes < plan_.size_bytes) {
        return std::unique_ptr<File>{};
    }
    if (plan_.durability == Durability::full) {
        ORB_TRY(file->datasync());
    }
    return file;
}

Result<void> SegmentSpares::adopt(std::uint32_t last_used, bool clean) {
    next_ = last_used + 1;
    ORB_TRY(const auto names, io_.list("log"));
    for (const std::string& name : names) {  // in order of id
        const std::uint32_t segment = parse_log_segment_name(name);
        if (segment <= last_used) continue;
        std::unique_ptr<File> file;
        // Only a run of ids without gaps can be used up in order; more than are wanted give their room back.
        if (clean && segment == next_ && ready_.size() < spares_wanted_) {
            ORB_TRY(file, adopt_one(segment));
        }
        if (file) {
            ready_[segment] = std::move(file);
            ++next_;
        } else {
            ORB_TRY(io_.remove(log_segment_path(segment)));
        }
    }
    return sync_log_directory(io_, plan_.durability);
}

Result<std::unique_ptr<File>> SegmentSpares::take(std::uint32_t segment) {
    std::unique_lock lock{mutex_};
    if (making_ == segment) {
        missing_.add();
        made_.wait(lock, [&] { return making_ != segment; });
    }
    if (auto node = ready_.extract(segment)) return std::move(node.mapped());
    // From here on prepare_one() leaves this id alone.
    next_ = std::max(next_, segment + 1);
    lock.unlock();
    missing_.add();
    return make_log_segment(io_, plan_, segment, SegmentFill::allocated);
}

Result<bool> SegmentSpares::finish_making(std::uint32_t segment,
                                          Result<std::unique_ptr<File>> made) {
    const std::lock_guard lock{mutex_};
    making_ = 0;
    const bool ready = made && made.value() != nullptr;
    if (ready) {
        ready_[segment] = std::move(made).value();
    } else if (next_ == segment + 1) {
        next_ = segment;
    }
    made_.notify_all();
    if (!made) return fail(made.error());
    return ready;
}

Result<bool> SegmentSpares::prepare_one() {
    std::unique_lock lock{mutex_};
    if (!wanted()) return false;
    const std::uint32_t segment = next_++;
    making_ = segment;
    lock.unlock();
    ORB_TRY(finish_making(segment, make_log_segment(io_, plan_, segment, SegmentFill::zeros)));
    lock.lock();
    return wanted();
}

Result<bool> SegmentSpares::recycle(std::uint32_t segment) {
    std::unique_lock lock{mutex_};
    if (making_ != 0 || ready_.size() >= spares_wanted_ + kRecycledMax) return false;
    const std::uint32_t next = next_++;
    making_ = next;
    lock.unlock();
    return finish_making(next, recycle_log_segment(io_, plan_, segment, next));
}

std::size_t SegmentSpares::ready() const {
    const std::lock_guard lock{mutex_};
    return ready_.size();
}

Result<std::shared_ptr<File>> SegmentFiles::open(std::uint32_t segment) {
    const std::lock_guard lock{mutex_};
    const auto found = std::find_if(recent_.begin(), recent_.end(), [segment](const auto& entry) {
        return entry.first == segment;
    });
    if (found != recent_.end()) {
        recent_.splice(recent_.begin(), recent_, found);
        return recent_.front().second;
    }
    ORB_TRY(auto opened,
            io_.open(log_segment_path(segment), {.direct = true, .random_access = true}));
    recent_.emplace_front(segment, std::move(opened));
    if (recent_.size() > kOpenMax) recent_.pop_back();
    return recent_.front().second;
}

void SegmentFiles::forget(std::uint32_t segment) noexcept {
    const std::lock_guard lock{mutex_};
    recent_.remove_if([segment](const auto& entry) { return entry.first == segment; });
}

}  // namespace orbitalreg::cas
