#pragma once
// Checksums (XXH3) that detect torn, misplaced or rotten bytes. Not digests: they defend against accidents only.

#include "base/bytes.h"

#include <array>
#include <cstdint>
#include <memory>

namespace orbitalreg {

struct Checksum128 {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    friend bool operator==(const Checksum128&, const Checksum128&) = default;
};

std::uint64_t checksum64(ByteView bytes, std::uint64_t seed = 0) noexcept;
Checksum128 checksum128(ByteView bytes, std::uint64_t seed = 0) noexcept;
// XXH3-64 of `bytes` under a secret of 136 bytes or more.
std::uint64_t checksum64_secret(ByteView bytes, ByteView secret) noexcept;
// Spreads two numbers over 64 bits.
std::uint64_t mix64(std::uint64_t a, std::uint64_t b) noexcept;

// StreamingChecksum64 sums bytes that arrive in pieces; equal to checksum64 over their concatenation.
class StreamingChecksum64 {
public:
    explicit StreamingChecksum64(std::uint64_t seed = 0);
    ~StreamingChecksum64();
    StreamingChecksum64(StreamingChecksum64&&) noexcept;
    StreamingChecksum64& operator=(StreamingChecksum64&&) noexcept;

    void reset(std::uint64_t seed) noexcept;
    void update(ByteView bytes) noexcept;
    std::uint64_t value() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace orbitalreg
