#pragma once
// Digest names content: an algorithm and a hash. The one grammar for digests in the product (DIST-DIG-01, DIST-DIG-02).

#include "base/bytes.h"
#include "base/result.h"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace orbitalreg {

// The values are those of the formats on disk; zero is never valid there.
enum class DigestAlgorithm : std::uint8_t { sha256 = 1, sha512 = 2 };

std::string_view to_string(DigestAlgorithm algorithm) noexcept;
constexpr std::size_t digest_size_bytes(DigestAlgorithm algorithm) noexcept {
    return algorithm == DigestAlgorithm::sha256 ? 32 : 64;
}
// `sha256` and `sha512`; anything else is BaseErrc::digest_unsupported.
Result<DigestAlgorithm> parse_digest_algorithm(std::string_view text) noexcept;

class Digest {
public:
    // All zero bytes under sha256: a value to assign to, equal to no digest of content anybody will find.
    Digest() noexcept = default;
    // `hash` has exactly digest_size_bytes(algorithm) bytes.
    Digest(DigestAlgorithm algorithm, ByteView hash) noexcept;

    // BaseErrc::digest_malformed, or digest_unsupported for a well-formed digest of another algorithm.
    static Result<Digest> parse(std::string_view text) noexcept;
    // The digest of `content`, computed at once.
    static Digest of(DigestAlgorithm algorithm, ByteView content) noexcept;

    DigestAlgorithm algorithm() const noexcept { return algorithm_; }
    ByteView hash() const noexcept { return {hash_.data(), digest_size_bytes(algorithm_)}; }
    std::string hex() const { return to_hex(hash()); }
    std::string to_string() const;
    // 64 bits of the hash: evenly spread by construction.
    std::uint64_t prefix() const noexcept { return load_le<std::uint64_t>(hash_.data()); }

    friend auto operator<=>(const Digest&, const Digest&) = default;
    friend bool operator==(const Digest& a, const Digest& b) noexcept {
        return a.algorithm_ == b.algorithm_ &&
               std::memcmp(a.hash_.data(), b.hash_.data(), a.hash_.size()) == 0;
    }

private:
    DigestAlgorithm algorithm_ = DigestAlgorithm::sha256;
    std::array<std::byte, 64> hash_{};  // unused bytes are zero
};

}  // namespace orbitalreg

template <>
struct std::hash<orbitalreg::Digest> {
    std::size_t operator()(const orbitalreg::Digest& digest) const noexcept {
        return digest.prefix();
    }
};
