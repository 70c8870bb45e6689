#pragma once
// Secrets that the registry hands out: 256 random bits behind an id, with a prefix that scanners for leaked secrets find and a
// check that tells a typing error before anything is looked up.
//
//   orp_<id: 12 of base32>_<secret: 43 of base64url>_<check: 6 of base32>     67 characters
//
// The prefix says what it is: orp a personal token, orr a robot, ort a refresh token, orb the first administrator.
// What is kept is the SHA-256 of the whole: with 256 random bits a slow hash adds nothing (SEC-97).

#include "base/random.h"

#include <optional>
#include <string>
#include <string_view>

namespace orbitalreg::engine {

enum class SecretKind : std::uint8_t { personal, robot, refresh, bootstrap };

struct Secret {
    std::string id;
    std::string text;
    std::string hash() const;
};

// With the id that is given, or one of its own.
Secret make_secret(SecretKind kind, Random& random, std::string_view id = {});
// 12 characters of base32, 60 bits.
std::string make_secret_id(Random& random);
// Nothing for what make_secret() cannot have given. Its id views `text`.
std::optional<std::string_view> secret_id_of(SecretKind kind, std::string_view text);
bool looks_like_secret(SecretKind kind, std::string_view text) noexcept;
// SHA-256 of a text, in hexadecimal.
std::string secret_hash(std::string_view text);
// In a time that does not tell where they differ.
bool same_hash(std::string_view one, std::string_view other) noexcept;

}  // namespace orbitalreg::engine
