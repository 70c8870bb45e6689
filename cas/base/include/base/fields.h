#pragma once
// FieldWriter and FieldReader: the fields of a row behind each other, little-endian, without padding.
//
// Errors   a reader never reads beyond its bytes: from then on every field is zero or empty, and done() is false.

#include "base/bytes.h"
#include "base/digest.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace orbitalreg {

class FieldWriter {
public:
    // Appends to `to`, which outlives the writer.
    explicit FieldWriter(std::vector<std::byte>& to) noexcept : to_{to} {}

    template <std::unsigned_integral T>
    FieldWriter& number(T value) {
        const std::size_t at = to_.size();
        to_.resize(at + sizeof value);
        store_le(to_.data() + at, value);
        return *this;
    }
    FieldWriter& bytes(ByteView bytes) {
        to_.insert(to_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    // Its length in 4 bytes, then the text.
    FieldWriter& text(std::string_view text) {
        return number(static_cast<std::uint32_t>(text.size())).bytes(as_bytes(text));
    }
    // One byte of algorithm, then the hash.
    FieldWriter& digest(const Digest& digest) {
        return number(static_cast<std::uint8_t>(digest.algorithm())).bytes(digest.hash());
    }

private:
    std::vector<std::byte>& to_;
};

class FieldReader {
public:
    explicit FieldReader(ByteView from) noexcept : rest_{from} {}

    template <std::unsigned_integral T>
    T number() noexcept {
        const ByteView field = bytes(sizeof(T));
        return field.empty() ? T{0} : load_le<T>(field.data());
    }
    ByteView bytes(std::size_t size) noexcept {
        if (size > rest_.size()) short_ = true;
        if (short_) return {};
        const ByteView field = rest_.first(size);
        rest_ = rest_.subspan(size);
        return field;
    }
    std::string_view text() noexcept { return as_text(bytes(number<std::uint32_t>())); }
    // Nothing for an algorithm that is none, and beyond the end.
    std::optional<Digest> digest() noexcept {
        const auto algorithm = static_cast<DigestAlgorithm>(number<std::uint8_t>());
        if (algorithm != DigestAlgorithm::sha256 && algorithm != DigestAlgorithm::sha512)
            return std::nullopt;
        const ByteView hash = bytes(digest_size_bytes(algorithm));
        if (hash.empty()) return std::nullopt;
        return Digest{algorithm, hash};
    }
    ByteView rest() noexcept { return bytes(rest_.size()); }
    bool failed() const noexcept { return short_; }
    // Every byte was read, and none beyond.
    bool done() const noexcept { return !short_ && rest_.empty(); }

private:
    ByteView rest_;
    bool short_ = false;
};

}  // namespace orbitalreg
