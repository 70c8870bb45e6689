#pragma once
// AddressSeed gives each place of a store a 64-bit seed that nobody outside can guess: checksums of headers are made
// under it, so that content a client pushed, or a header copied from elsewhere, never passes for the header of this place.

#include "base/bytes.h"
#include "base/checksum.h"

#include <array>
#include <cstdint>

namespace orbitalreg::cas {

enum class AddressKind : std::uint8_t { log = 1, lane = 2, checkpoint = 3 };

class AddressSeed {
public:
    using Secret = std::array<std::byte, 32>;

    AddressSeed() = default;
    explicit AddressSeed(const Secret& secret) noexcept
        : high_{load_le<std::uint64_t>(secret.data())},
          low_{load_le<std::uint64_t>(secret.data() + 8)} {}

    // XXH3-64 of {kind, file, byte offset}, seeded from the store's secret.
    std::uint64_t at(AddressKind kind, std::uint64_t file, std::uint64_t offset) const noexcept {
        const std::uint64_t place[4] = {static_cast<std::uint64_t>(kind), file, offset, high_};
        return checksum64(std::as_bytes(std::span{place}), low_);
    }

private:
    std::uint64_t high_ = 0;
    std::uint64_t low_ = 0;
};

// Seed of the checksum of one 64 KiB chunk: binds identity and position.
inline std::uint64_t chunk_seed(std::uint64_t uid, std::uint64_t chunk_number) noexcept {
    return mix64(uid, chunk_number);
}

using StoreUuid = std::array<std::byte, 16>;

}  // namespace orbitalreg::cas
