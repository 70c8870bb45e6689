#pragma once
// UniqueFd owns a file descriptor and closes it. -1 means empty.

#include <unistd.h>
#include <utility>

namespace orbitalreg {

class UniqueFd {
public:
    UniqueFd() noexcept = default;
    explicit UniqueFd(int fd) noexcept : fd_{fd} {}
    UniqueFd(UniqueFd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() {
        if (fd_ >= 0) ::close(fd_);
    }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    // The caller closes it from now on.
    int release() noexcept { return std::exchange(fd_, -1); }
    void reset() noexcept { UniqueFd{}.swap(*this); }
    void swap(UniqueFd& other) noexcept { std::swap(fd_, other.fd_); }

private:
    int fd_ = -1;
};

}  // namespace orbitalreg
