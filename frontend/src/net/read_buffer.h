#pragma once
// ReadBuffer holds bytes that were received and not yet used: a header being collected, or what follows a body.
// It is small while a connection idles and gives memory back after a large header (SEC-82).

#include "base/bytes.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

class ReadBuffer {
public:
    static constexpr std::size_t kIdleBytes = 4_KiB;

    bool empty() const noexcept { return begin_ == end_; }
    std::size_t size() const noexcept { return end_ - begin_; }
    std::string_view text() const noexcept {
        return {reinterpret_cast<const char*>(bytes_.data()) + begin_, size()};
    }

    // Room for at least `size_min` more bytes; filled(n) says how many came. Views taken before are void.
    MutableByteView room(std::size_t size_min) {
        if (bytes_.size() - end_ < size_min) {
            compact();
            if (bytes_.size() - end_ < size_min)
                bytes_.resize(std::max(end_ + size_min, kIdleBytes));
        }
        return {bytes_.data() + end_, bytes_.size() - end_};
    }
    void filled(std::size_t size) noexcept { end_ += size; }

    void consume(std::size_t size) noexcept {
        begin_ += std::min(size, this->size());
        if (begin_ == end_) begin_ = end_ = 0;
    }
    // Moves up to to.size() bytes out.
    std::size_t take(MutableByteView to) noexcept {
        const auto size = std::min(to.size(), this->size());
        if (size > 0) std::memcpy(to.data(), bytes_.data() + begin_, size);
        consume(size);
        return size;
    }
    // Puts bytes that were taken, or received past their end, in front of those that wait.
    void put_back(ByteView bytes) {
        if (bytes.empty()) return;
        if (begin_ >= bytes.size()) {
            begin_ -= bytes.size();
        } else {
            const auto gap = bytes.size() - begin_;
            room(gap);
            std::memmove(bytes_.data() + bytes.size(), bytes_.data() + begin_, size());
            end_ += bytes.size() - begin_;
            begin_ = 0;
        }
        std::memcpy(bytes_.data() + begin_, bytes.data(), bytes.size());
    }
    void shrink() {
        if (!empty() || bytes_.size() <= kIdleBytes) return;
        std::vector<std::byte>(kIdleBytes).swap(bytes_);
    }

private:
    void compact() noexcept {
        if (begin_ == 0) return;
        std::memmove(bytes_.data(), bytes_.data() + begin_, size());
        end_ -= begin_;
        begin_ = 0;
    }

    std::vector<std::byte> bytes_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace orbitalreg::frontend
