#pragma once
// Hasher computes a digest while bytes stream by, and can save its state in the middle and go on later.
//
// The saved state is canonical (the chaining words, the number of bytes, the partial block), so that it
// does not depend on the library that computed it. OpenSSL's EVP interface cannot export a midstate, hence
// the low-level contexts; self_test() proves at start that a saved state continues to the same digest.
//
// Threads  use from one thread at a time.

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"

#include <openssl/sha.h>

#include <cstdint>
#include <vector>

namespace orbitalreg {

class Hasher {
public:
    explicit Hasher(DigestAlgorithm algorithm) noexcept;

    DigestAlgorithm algorithm() const noexcept { return algorithm_; }
    std::uint64_t size_bytes() const noexcept { return size_bytes_; }

    void update(ByteView bytes) noexcept;
    // The digest of what was given so far; the hasher can go on afterwards.
    Digest digest() const noexcept;

    // 1 algorithm, 8 byte count, then the words (32 or 64 bytes, big-endian as in FIPS 180-4), then the partial block.
    std::vector<std::byte> save() const;
    static Result<Hasher> restore(ByteView state) noexcept;

    static bool self_test() noexcept;

private:
    DigestAlgorithm algorithm_;
    std::uint64_t size_bytes_ = 0;
    union {
        SHA256_CTX sha256_;
        SHA512_CTX sha512_;
    };
};

}  // namespace orbitalreg
