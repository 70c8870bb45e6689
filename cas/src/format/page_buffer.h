#pragma once
// PageBuffer is page-aligned memory for direct I/O and for bytes laid out as they are on disk.
//
// Life     zeroed when made; its size is a multiple of kPageSize and never changes. Move-only.

#include "base/assert.h"
#include "base/bytes.h"
#include "cas/io.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace orbitalreg::cas {

class PageBuffer {
public:
    PageBuffer() = default;
    explicit PageBuffer(std::size_t size_bytes)
        : data_{static_cast<std::byte*>(std::aligned_alloc(kPageSize, size_bytes))},
          size_bytes_{size_bytes} {
        ORB_ASSERT(size_bytes > 0 && size_bytes % kPageSize == 0);
        if (!data_) throw std::bad_alloc{};
        std::memset(data_.get(), 0, size_bytes);
    }

    std::byte* data() const noexcept { return data_.get(); }
    std::size_t size() const noexcept { return size_bytes_; }
    MutableByteView bytes() const noexcept { return {data_.get(), size_bytes_}; }
    MutableByteView first(std::size_t size) const noexcept { return bytes().first(size); }
    // Reads use the same bytes as writes, hence shallow constness.
    MutableByteView subspan(std::size_t offset, std::size_t size) const noexcept {
        return bytes().subspan(offset, size);
    }

private:
    struct Free {
        void operator()(std::byte* data) const noexcept { std::free(data); }
    };
    std::unique_ptr<std::byte, Free> data_;
    std::size_t size_bytes_ = 0;
};

}  // namespace orbitalreg::cas
