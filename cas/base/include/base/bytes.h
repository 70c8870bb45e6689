#pragma once
// Views of bytes, and little-endian loads and stores at any alignment.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace orbitalreg {

using ByteView = std::span<const std::byte>;
using MutableByteView = std::span<std::byte>;

static_assert(std::endian::native == std::endian::little,
              "the formats on disk are little-endian and copied as they are");

template <std::unsigned_integral T>
T load_le(const std::byte* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <std::unsigned_integral T>
void store_le(std::byte* to, T value) noexcept {
    std::memcpy(to, &value, sizeof value);
}

inline ByteView as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string_view as_text(ByteView bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) noexcept {
    return (value + multiple - 1) / multiple * multiple;
}

constexpr std::uint64_t round_down(std::uint64_t value, std::uint64_t multiple) noexcept {
    return value / multiple * multiple;
}

bool all_zero(ByteView bytes) noexcept;

std::string to_hex(ByteView bytes);
void append_hex(std::string& text, ByteView bytes);

// Whether eight characters are printable ASCII, blanks included: the top bit of a byte of `strange` is set where one is
// below 0x20 or above 0x7e.
constexpr bool printable_eight(std::uint64_t eight) noexcept {
    constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
    const auto strange = (eight - 0x20 * kOnes) | (eight + kOnes) | eight;
    return (strange & (0x80 * kOnes)) == 0;
}
// How many characters at the beginning are.
std::size_t printable_prefix(std::string_view text) noexcept;

inline constexpr std::size_t operator""_KiB(unsigned long long n) {
    return static_cast<std::size_t>(n) << 10;
}
inline constexpr std::size_t operator""_MiB(unsigned long long n) {
    return static_cast<std::size_t>(n) << 20;
}
inline constexpr std::uint64_t operator""_GiB(unsigned long long n) {
    return static_cast<std::uint64_t>(n) << 30;
}

}  // namespace orbitalreg
