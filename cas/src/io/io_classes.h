#pragma once
// WaitingByClass holds what waits for its turn: first in, first out within a class, commit before
// read before bulk before background.
//
// Threads  one at a time.
// Limits   none of its own: who submits has admitted the bytes before (buffers of the memory
// ledger).

#include "base/assert.h"
#include "cas/io.h"

#include <array>
#include <cstddef>
#include <deque>
#include <utility>

namespace orbitalreg::cas {

template <class T>
class WaitingByClass {
public:
    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    void push(IoClass io_class, T item) {
        classes_[static_cast<std::size_t>(io_class)].push_back(std::move(item));
        ++size_;
    }
    // What waits longest in the highest class; there must be something.
    T pop() noexcept {
        ORB_ASSERT(size_ > 0);
        std::size_t highest = 0;
        while (classes_[highest].empty()) ++highest;
        T item = std::move(classes_[highest].front());
        classes_[highest].pop_front();
        --size_;
        return item;
    }

private:
    std::array<std::deque<T>, 4> classes_;
    std::size_t size_ = 0;
};

}  // namespace orbitalreg::cas
