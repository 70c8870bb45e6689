#pragma once
// LaneFiles opens lanes for reading and keeps the descriptors of those read last.
//
// Threads  any; one lock, not held while a file is opened.
// Limits   kOpenMax descriptors; readers may hold more for a while.

#include "cas/io.h"
#include "format/lane_record.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

namespace orbitalreg::cas {

class LaneFiles {
public:
    static constexpr std::size_t kOpenMax = 256;

    explicit LaneFiles(Io& io) noexcept : io_{io} {}

    // Through the page cache, without the kernel's read-ahead.
    Result<std::shared_ptr<File>> buffered(std::uint32_t lane) {
        {
            const std::lock_guard lock{mutex_};
            if (const auto found = files_.find(lane); found != files_.end()) return found->second;
        }
        ORB_TRY(std::shared_ptr<File> file, io_.open(lane_path(lane), {.random_access = true}));
        const std::lock_guard lock{mutex_};
        if (!files_.emplace(lane, file).second) return file;
        order_.push_back(lane);
        if (order_.size() > kOpenMax) {
            files_.erase(order_.front());
            order_.pop_front();
        }
        return file;
    }

    // The lane is gone: its bytes go with the last reader.
    void forget(std::uint32_t lane) {
        const std::lock_guard lock{mutex_};
        if (files_.erase(lane) != 0) std::erase(order_, lane);
    }

    // Past the page cache, for bytes that failed their sums once. Not kept.
    Result<std::shared_ptr<File>> direct(std::uint32_t lane) {
        ORB_TRY(std::shared_ptr<File> file, io_.open(lane_path(lane), {.direct = true}));
        return file;
    }

private:
    Io& io_;
    std::mutex mutex_;
    std::map<std::uint32_t, std::shared_ptr<File>> files_;
    std::deque<std::uint32_t> order_;  // of opening
};

}  // namespace orbitalreg::cas
