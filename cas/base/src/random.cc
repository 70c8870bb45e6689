#include "base/random.h"

#include "base/assert.h"

#include <sys/random.h>

namespace orbitalreg {
namespace {

class SystemRandom final : public Random {
public:
    void fill(MutableByteView bytes) noexcept override {
        while (!bytes.empty()) {
            const ssize_t n = ::getrandom(bytes.data(), bytes.size(), 0);
            if (n < 0) continue;  // only EINTR is possible with valid arguments
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
    }
};

}  // namespace

Random& system_random() noexcept {
    static SystemRandom random;
    return random;
}

}  // namespace orbitalreg
