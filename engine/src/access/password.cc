#include "access/password.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <argon2.h>
#include <array>
#include <charconv>
#include <crypt.h>
#include <memory>

namespace orbitalreg::engine {
namespace {

constexpr std::string_view kArgonPrefix = "$argon2id$v=19$";
constexpr std::uint32_t kLanes = 1;
constexpr std::size_t kSaltSize = 16;
constexpr std::size_t kHashSize = 32;
constexpr std::size_t kBcryptSize = 60;

// Of nobody's password: verified in the place of a hash that is not there.
constexpr const char* kNobody =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

constexpr std::array<std::string_view, 12> kTriedFirst{
    "password", "password1", "passw0rd", "12345678", "123456789",   "1234567890",
    "qwertyui", "admin123",  "changeme", "letmein1", "harbor12345", "orbitalreg"};

bool is_bcrypt(std::string_view hash) noexcept {
    if (hash.size() != kBcryptSize || !hash.starts_with("$2") || hash[3] != '$' || hash[6] != '$')
        return false;
    const auto cost = hash.substr(4, 2);
    return (hash[2] == 'y' || hash[2] == 'b') && cost >= "10" && cost <= "14" && cost[1] >= '0' &&
           cost[1] <= '9';
}

bool verify_bcrypt(const std::string& hash, std::string_view password) {
    // It stops at a zero byte.
    if (password.size() > kBcryptPasswordSizeMax || password.find('\0') != password.npos)
        return false;
    const auto data = std::make_unique<crypt_data>();
    const std::string text{password};
    const char* made = ::crypt_r(text.c_str(), hash.c_str(), data.get());
    const bool same = made != nullptr && std::string_view{made}.size() == hash.size() &&
                      CRYPTO_memcmp(made, hash.data(), hash.size()) == 0;
    OPENSSL_cleanse(data.get(), sizeof(crypt_data));
    return same;
}

// The number behind `name`, with which `text` begins; 0 where it does not. Both are taken off.
unsigned take_cost(std::string_view& text, std::string_view name) noexcept {
    if (!text.starts_with(name)) return 0;
    text.remove_prefix(name.size());
    unsigned cost = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), cost);
    if (read.ec != std::errc{}) return 0;
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    return cost;
}

}  // namespace

std::string hash_password(std::string_view password, Random& random) {
    std::array<std::byte, kSaltSize> salt;
    random.fill(salt);
    std::string encoded(
        argon2_encodedlen(kArgonPasses, kArgonMemoryKiB, kLanes, kSaltSize, kHashSize, Argon2_id),
        '\0');
    const int failed = argon2id_hash_encoded(kArgonPasses, kArgonMemoryKiB, kLanes, password.data(),
                                             password.size(), salt.data(), salt.size(), kHashSize,
                                             encoded.data(), encoded.size());
    if (failed != ARGON2_OK) return {};
    encoded.resize(encoded.find('\0'));
    return encoded;
}

bool verify_password(const std::string& hash, std::string_view password) {
    if (is_bcrypt(hash)) return verify_bcrypt(hash, password);
    const bool known = hash.starts_with(kArgonPrefix);
    const char* against = known ? hash.c_str() : kNobody;
    const bool same = argon2id_verify(against, password.data(), password.size()) == ARGON2_OK;
    return known && same;
}

bool is_password_hash(std::string_view hash) noexcept {
    return is_bcrypt(hash) || hash.starts_with(kArgonPrefix);
}

bool wants_rehash(std::string_view hash) noexcept {
    if (!hash.starts_with(kArgonPrefix)) return true;
    hash.remove_prefix(kArgonPrefix.size());
    const auto memory = take_cost(hash, "m=");
    const auto passes = take_cost(hash, ",t=");
    return memory < kArgonMemoryKiB || passes < kArgonPasses;
}

std::string_view password_trouble(std::string_view password, std::string_view user) noexcept {
    if (password.size() < kPasswordSizeMin) return "a password has at least 8 characters";
    if (password.size() > kPasswordSizeMax) return "a password has at most 1024 bytes";
    if (password.find('\0') != password.npos) return "a password has no zero byte";
    if (password == user) return "the password is the user's name";
    if (std::find(kTriedFirst.begin(), kTriedFirst.end(), password) != kTriedFirst.end())
        return "the password is one of those that are tried first";
    return {};
}

}  // namespace orbitalreg::engine
