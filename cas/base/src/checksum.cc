#include "base/checksum.h"

#include <xxhash.h>

#include <cstdlib>
#include <new>

namespace orbitalreg {

std::uint64_t checksum64(ByteView bytes, std::uint64_t seed) noexcept {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Checksum128 checksum128(ByteView bytes, std::uint64_t seed) noexcept {
    const XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
    return {hash.low64, hash.high64};
}

std::uint64_t checksum64_secret(ByteView bytes, ByteView secret) noexcept {
    return XXH3_64bits_withSecret(bytes.data(), bytes.size(), secret.data(), secret.size());
}

std::uint64_t mix64(std::uint64_t a, std::uint64_t b) noexcept {
    const std::uint64_t pair[2] = {a, b};
    return XXH3_64bits(pair, sizeof pair);
}

struct StreamingChecksum64::State {
    XXH3_state_t* xxh = XXH3_createState();
    State() {
        if (xxh == nullptr) throw std::bad_alloc{};
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { XXH3_freeState(xxh); }
};

StreamingChecksum64::StreamingChecksum64(std::uint64_t seed) : state_{std::make_unique<State>()} {
    reset(seed);
}
StreamingChecksum64::~StreamingChecksum64() = default;
StreamingChecksum64::StreamingChecksum64(StreamingChecksum64&&) noexcept = default;
StreamingChecksum64& StreamingChecksum64::operator=(StreamingChecksum64&&) noexcept = default;

void StreamingChecksum64::reset(std::uint64_t seed) noexcept {
    XXH3_64bits_reset_withSeed(state_->xxh, seed);
}
void StreamingChecksum64::update(ByteView bytes) noexcept {
    XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}
std::uint64_t StreamingChecksum64::value() const noexcept {
    return XXH3_64bits_digest(state_->xxh);
}

}  // namespace orbitalreg
