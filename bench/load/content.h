#pragma once
// Content is what a blob of the generator is made of.
//
// Threads  a content's pieces are the thread's own: use it where it was made.
// Limits   a piece is valid until the next one of the same thread is asked for.

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/digest.h"
#include "base/hasher.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace orbitalreg::load {

inline constexpr std::size_t kBlockBytes = 1_MiB;
inline constexpr std::size_t kMarkBytes = 16;  // seed and number, at the beginning of a block

// One random block repeated, each repetition begun with seed and number: cheap, and no two blobs
// alike. The block is the thread's, filled once and no further than its contents need: to make one
// costs nothing, and a thousand threads do not begin by filling a thousand blocks.
class Content {
public:
    Content(std::uint64_t seed, std::uint64_t size_bytes)
        : seed_{seed}, size_bytes_{size_bytes}, block_{block_of_thread(size_bytes)} {}

    std::uint64_t size_bytes() const { return size_bytes_; }

    // The bytes from `offset` to the end of its block.
    ByteView piece(std::uint64_t offset) {
        const std::uint64_t number = offset / kBlockBytes;
        store_le(block_.data(), mix64(seed_, number));
        store_le(block_.data() + 8, number);
        const auto end = std::min<std::uint64_t>(size_bytes_ - number * kBlockBytes, block_.size());
        return ByteView{block_}.first(end).subspan(offset % kBlockBytes);
    }

    std::string digest() {
        Hasher hasher{DigestAlgorithm::sha256};
        for (std::uint64_t at = 0; at < size_bytes_; at += kBlockBytes) {
            hasher.update(piece(at));
        }
        return hasher.digest().to_string();
    }

private:
    static std::vector<std::byte>& block_of_thread(std::uint64_t size_bytes) {
        thread_local std::vector<std::byte> block;
        const auto needed = std::clamp<std::uint64_t>(size_bytes, kMarkBytes, kBlockBytes);
        for (std::size_t i = block.size(); i < needed; ++i)
            block.push_back(static_cast<std::byte>(mix64(i, 0x5eed)));
        return block;
    }

    std::uint64_t seed_;
    std::uint64_t size_bytes_;
    std::vector<std::byte>& block_;
};

}  // namespace orbitalreg::load
