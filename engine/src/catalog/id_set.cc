#include "catalog/id_set.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace orbitalreg::engine {

static_assert(sizeof(IdSet) == 8 && alignof(IdSet) == 4);

IdSet::~IdSet() {
    if (!empty() && !single()) ::operator delete(block());
}

IdSet::Block* IdSet::make_block(std::uint32_t capacity) {
    void* memory = ::operator new(sizeof(Block) + capacity * sizeof(std::uint32_t));
    return new (memory) Block{0, capacity};
}

std::uint32_t IdSet::size() const noexcept {
    if (empty()) return 0;
    return single() ? 1 : block()->size;
}

const std::uint32_t* IdSet::begin() const noexcept {
    if (empty()) return nullptr;
    return single() ? &words_[1] : block()->ids();
}

bool IdSet::contains(std::uint32_t id) const noexcept {
    return std::binary_search(begin(), end(), id);
}

void IdSet::assign(std::span<const std::uint32_t> ids) {
    IdSet assigned;
    if (ids.size() == 1) {
        assigned.words_ = {kSingle, ids[0]};
    } else if (!ids.empty()) {
        auto* exact = make_block(static_cast<std::uint32_t>(ids.size()));
        std::copy(ids.begin(), ids.end(), exact->ids());
        exact->size = exact->capacity;
        assigned.keep(exact);
    }
    *this = std::move(assigned);
}

bool IdSet::insert(std::uint32_t id) {
    if (empty()) {
        words_ = {kSingle, id};
        return true;
    }
    const auto* place = std::lower_bound(begin(), end(), id);
    if (place != end() && *place == id) return false;
    const auto index = static_cast<std::uint32_t>(place - begin());
    const auto count = size();
    if (single() || block()->capacity == count) {
        auto* grown = make_block(single() ? 4 : count + count / 2);
        std::copy(begin(), end(), grown->ids());
        if (!single()) ::operator delete(block());
        keep(grown);
    }
    auto* ids = block()->ids();
    std::copy_backward(ids + index, ids + count, ids + count + 1);
    ids[index] = id;
    block()->size = count + 1;
    return true;
}

bool IdSet::erase(std::uint32_t id) noexcept {
    const auto* place = std::lower_bound(begin(), end(), id);
    if (place == end() || *place != id) return false;
    if (single()) {
        words_ = {};
        return true;
    }
    auto* ids = block()->ids();
    auto* hole = ids + (place - ids);
    std::copy(hole + 1, ids + block()->size, hole);
    if (--block()->size == 1) {
        const auto last = ids[0];
        ::operator delete(block());
        words_ = {kSingle, last};
    }
    return true;
}

std::uint64_t IdSet::heap_bytes() const noexcept {
    return empty() || single() ? 0 : sizeof(Block) + block()->capacity * sizeof(std::uint32_t);
}

}  // namespace orbitalreg::engine
