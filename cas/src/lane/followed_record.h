#pragma once
// FollowedRecord is what the readers behind an upload share with it: how far the device has come in its lane, and the sums.
// It reads the lane by itself: a lane's bytes are written once, so a range that was completed stays as it is until somebody
// punches it, and then its sum says so.
//
// Threads  the upload's reactor writes, any reads.
// I1       sums_ holds those of the chunks from 0 on, without a gap.

#include "cas/followed_blob.h"
#include "lane/lane_rooms.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace orbitalreg::cas {

class FollowedRecord final : public FollowedBlob {
public:
    FollowedRecord(std::shared_ptr<LaneRooms> rooms, std::uint64_t uid)
        : rooms_{std::move(rooms)}, uid_{uid} {}

    // --- the upload ---
    std::uint64_t sums() const noexcept;
    void add_sums(std::span<const std::uint64_t> sums);
    void set_place(std::uint32_t lane, std::uint32_t base_page) noexcept;
    // Of the payload, from 0 on without a gap.
    void set_completed(std::uint64_t bytes) noexcept;

    std::uint64_t readable_bytes() const noexcept override;
    Awaitable<Result<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) override;

private:
    struct Chunk {
        std::uint32_t lane = 0;
        std::uint64_t file_offset = 0;
        std::uint64_t sum = 0;
    };
    std::uint64_t readable() const noexcept;
    Chunk chunk_at(std::uint64_t number) const;
    Awaitable<Result<void>> read_chunk(IoQueue& queue, Chunk chunk, std::uint64_t seed,
                                       MutableByteView to);

    const std::shared_ptr<LaneRooms> rooms_;
    const std::uint64_t uid_;
    mutable std::mutex mutex_;
    std::uint32_t lane_ = 0;
    std::uint32_t base_page_ = 0;
    std::uint64_t completed_ = 0;
    std::vector<std::uint64_t> sums_;
};

}  // namespace orbitalreg::cas
