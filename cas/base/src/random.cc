#include "base/random.h"

#include "base/assert.h"

#include <sys/random.h>

namespace orbitalreg {
namespace {

// What a thread asked for ahead: a request takes a few bytes several times, and each is a system call otherwise. Bytes are
// cleared as they are handed out. No process of ours forks and goes on: two would hand out the same.
class Pool {
public:
    static constexpr std::size_t kTakenMax = 32;

    void take(MutableByteView bytes) noexcept {
        if (left_ < bytes.size()) {
            draw(pool_);
            left_ = pool_.size();
        }
        const auto from = std::span{pool_}.subspan(left_ - bytes.size(), bytes.size());
        std::copy(from.begin(), from.end(), bytes.begin());
        ::explicit_bzero(from.data(), from.size());
        left_ -= bytes.size();
    }

    static void draw(MutableByteView bytes) noexcept {
        while (!bytes.empty()) {
            const ssize_t n = ::getrandom(bytes.data(), bytes.size(), 0);
            if (n < 0) continue;  // only EINTR is possible with valid arguments
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
    }

private:
    std::array<std::byte, 512> pool_;
    std::size_t left_ = 0;  // at its beginning
};

class SystemRandom final : public Random {
public:
    void fill(MutableByteView bytes) noexcept override {
        if (bytes.size() > Pool::kTakenMax) {
            Pool::draw(bytes);
            return;
        }
        thread_local Pool pool;
        pool.take(bytes);
    }
};

}  // namespace

Random& system_random() noexcept {
    static SystemRandom random;
    return random;
}

}  // namespace orbitalreg
