#pragma once
// A digest in the bodies of cas records: one byte of algorithm, then the hash.

#include "base/digest.h"

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

inline flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> encode_digest(
    flatbuffers::FlatBufferBuilder& builder, const Digest& digest) {
    const ByteView hash = digest.hash();
    std::uint8_t* out = nullptr;
    const auto vector = builder.CreateUninitializedVector(1 + hash.size(), &out);
    out[0] = static_cast<std::uint8_t>(digest.algorithm());
    std::memcpy(out + 1, hash.data(), hash.size());
    return vector;
}

// Behind what is in `to`, for records that pack several.
inline void append_digest(std::vector<std::uint8_t>& to, const Digest& digest) {
    to.push_back(static_cast<std::uint8_t>(digest.algorithm()));
    const auto* hash = reinterpret_cast<const std::uint8_t*>(digest.hash().data());
    to.insert(to.end(), hash, hash + digest.hash().size());
}

// None when the bytes are not one encoded digest.
inline std::optional<Digest> decode_digest(
    const flatbuffers::Vector<std::uint8_t>* encoded) noexcept {
    if (encoded == nullptr || encoded->size() < 1) return std::nullopt;
    const std::uint8_t number = encoded->Get(0);
    if (number != 1 && number != 2) return std::nullopt;
    const auto algorithm = static_cast<DigestAlgorithm>(number);
    if (encoded->size() != 1 + digest_size_bytes(algorithm)) return std::nullopt;
    const auto* bytes = reinterpret_cast<const std::byte*>(encoded->data());
    return Digest{algorithm, {bytes + 1, digest_size_bytes(algorithm)}};
}

}  // namespace orbitalreg::cas
