#pragma once
// Passwords as they are kept: Argon2id in a PHC string (SEC-96), or bcrypt where they were imported from an htpasswd file.
// A slow function each: call it where nobody waits for the thread (HashingPool).
//
// Source  RFC 9106; PHC string format; crypt(5) for `$2y$`.

#include "base/random.h"

#include <string>
#include <string_view>

namespace orbitalreg::engine {

// What Argon2id costs: memory in KiB and passes, with one lane.
inline constexpr unsigned kArgonMemoryKiB = 19 * 1024;
inline constexpr unsigned kArgonPasses = 2;
inline constexpr std::size_t kPasswordSizeMin = 8;
inline constexpr std::size_t kPasswordSizeMax = 1024;
// bcrypt looks at no more: a longer password must not pass for its beginning.
inline constexpr std::size_t kBcryptPasswordSizeMax = 72;

// Empty when the library fails.
std::string hash_password(std::string_view password, Random& random);
// False for a hash of any other kind. Of an empty one too, after the same work: who is unknown shall not be told by the time.
bool verify_password(const std::string& hash, std::string_view password);
// Whether `hash` is of a kind that verify_password() takes: Argon2id, or bcrypt of cost 10 to 14.
bool is_password_hash(std::string_view hash) noexcept;
// Whether it is weaker than what hash_password() makes today.
bool wants_rehash(std::string_view hash) noexcept;
// Why a password is refused, or nothing: too short, too long, or one of those that everybody tries first.
std::string_view password_trouble(std::string_view password, std::string_view user) noexcept;

}  // namespace orbitalreg::engine
