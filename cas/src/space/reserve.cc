#include "space/reserve.h"

#include "base/bytes.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr const char* kFileName = "reserve.bin";
constexpr std::uint64_t kSizeMin = 4_MiB;
constexpr std::uint64_t kSizeMax = 256_MiB;

}  // namespace

void Reserve::adopt() noexcept {
    const auto stat = io_.stat(kFileName);
    kept_ = stat && stat.value().allocated_bytes > 0;
}

void Reserve::open(std::uint64_t size_bytes, std::uint64_t headroom_bytes) {
    const auto space = io_.space();
    if (size_bytes == 0 && space) {
        size_bytes = std::clamp<std::uint64_t>(space.value().total_bytes / 100, kSizeMin, kSizeMax);
    }
    size_bytes_ = round_up(size_bytes, kPageSize);
    headroom_bytes_ = headroom_bytes;
    if (const auto stat = io_.stat(kFileName);
        stat && stat.value().allocated_bytes >= size_bytes_) {
        kept_ = true;
        return;
    }
    kept_ = false;
    restore();
    if (!kept_) {
        log_.warn("there is no room for the disk reserve; pushes are refused until there is",
                  {{"reserve_bytes", size_bytes_}});
    }
}

bool Reserve::admits_push() noexcept {
    const std::int64_t now_ns = clock_.steady_ns();
    if (now_ns - kSpaceAgeMaxNs >= asked_ns_.load(std::memory_order_relaxed)) {
        const auto space = io_.space();
        if (!space) return true;  // the write itself will say what is wrong
        available_bytes_.store(space.value().available_bytes, std::memory_order_relaxed);
        asked_ns_.store(now_ns, std::memory_order_relaxed);
    }
    const std::uint64_t missing = kept_.load(std::memory_order_relaxed) ? 0 : size_bytes_;
    return available_bytes_.load(std::memory_order_relaxed) >= headroom_bytes_ + missing;
}

bool Reserve::give_up() noexcept {
    const std::lock_guard lock{file_mutex_};
    if (!kept_) return false;
    kept_ = false;
    const auto removed = io_.remove(kFileName);
    if (!removed) return false;
    log_.warn("the file system is full: the disk reserve is in use now, pushes are refused",
              {{"reserve_bytes", size_bytes_}});
    return true;
}

bool Reserve::restore_due() const noexcept {
    return !kept_.load(std::memory_order_relaxed) &&
           available_bytes_.load(std::memory_order_relaxed) >= headroom_bytes_ + size_bytes_;
}

void Reserve::restore() noexcept {
    const std::lock_guard lock{file_mutex_};
    if (kept_) return;
    const auto space = io_.space();
    if (!space || space.value().available_bytes < size_bytes_ + headroom_bytes_) return;
    if (make_file()) {
        kept_ = true;
    } else {
        static_cast<void>(io_.remove(kFileName));  // a part of it is of no use
    }
}

Result<void> Reserve::make_file() noexcept {
    ORB_TRY(const auto file, io_.open(kFileName, OpenMode{.create = true}));
    return file->allocate(0, size_bytes_);
}

}  // namespace orbitalreg::cas
