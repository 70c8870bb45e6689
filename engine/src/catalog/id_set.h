#pragma once
// IdSet is a set of 32-bit ids in 8 bytes: most blobs have one link and one user, and there are
// millions of them. One id is kept in place; more are kept sorted on the heap.
//
// Threads  as a plain value.

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <utility>

namespace orbitalreg::engine {

class IdSet {
public:
    IdSet() noexcept = default;
    IdSet(IdSet&& other) noexcept : words_{std::exchange(other.words_, {})} {}
    IdSet& operator=(IdSet&& other) noexcept {
        std::swap(words_, other.words_);
        return *this;
    }
    IdSet(const IdSet&) = delete;
    IdSet& operator=(const IdSet&) = delete;
    ~IdSet();

    bool empty() const noexcept { return (words_[0] | words_[1]) == 0; }
    std::uint32_t size() const noexcept;
    bool contains(std::uint32_t id) const noexcept;
    // These and no others, which ascend, in no more memory than they need.
    void assign(std::span<const std::uint32_t> ids);
    // False if it was there already.
    bool insert(std::uint32_t id);
    // False if it was not there.
    bool erase(std::uint32_t id) noexcept;
    // The ids in ascending order; valid until the next change.
    const std::uint32_t* begin() const noexcept;
    const std::uint32_t* end() const noexcept { return begin() + size(); }
    std::uint64_t heap_bytes() const noexcept;

private:
    struct Block {
        std::uint32_t size;
        std::uint32_t capacity;
        std::uint32_t* ids() noexcept { return reinterpret_cast<std::uint32_t*>(this + 1); }
        const std::uint32_t* ids() const noexcept {
            return reinterpret_cast<const std::uint32_t*>(this + 1);
        }
    };
    // Zero: empty. An odd first word: one id in the second. Else the address of a Block, in two
    // words so that a set aligns like an id.
    using Words = std::array<std::uint32_t, 2>;
    static constexpr std::uint32_t kSingle = 1;

    static Block* make_block(std::uint32_t capacity);
    bool single() const noexcept { return (words_[0] & kSingle) != 0; }
    Block* block() const noexcept { return std::bit_cast<Block*>(words_); }
    void keep(Block* block) noexcept { words_ = std::bit_cast<Words>(block); }

    Words words_{};
};

}  // namespace orbitalreg::engine
