#pragma once
// A JSON Web Signature in compact form, as tokens are: taken apart before any cryptography, and what cannot be read in one way
// only is refused (SEC-39, SEC-40). Whose key it is and what the claims mean is for the caller.
//
// Threads  any.
// Limits   8 KiB; work and memory linear in that.
// Source   RFC 7515, RFC 7519, RFC 8725.

#include "base/public_key.h"

#include <boost/json/object.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::size_t kJwsSizeMax = 8 * 1024;
inline constexpr std::size_t kKeyIdSizeMax = 128;

struct Jws {
    SignatureAlgorithm algorithm = SignatureAlgorithm::es256;
    std::string key_id;  // empty: none was given
    std::string type;    // `typ` as written; empty: none was given
    boost::json::object claims;
    std::string_view signed_part;  // of the text that was read
    std::vector<std::byte> signature;

    bool verify(const PublicKey& key) const {
        return key.verify(algorithm, as_bytes(signed_part), signature);
    }
};

struct JwsReading {
    std::optional<Jws> jws;  // refers to `token`
    std::string_view fault;  // why there is none; for logs, not for the one who sent it
};
JwsReading read_jws(std::string_view token);

// Empty when the library fails.
std::string write_jws(const SigningKey& key, std::string_view type,
                      const boost::json::object& claims);

// A claim that is a string; a number without fraction, written as one (a time is nothing else: SEC-42). Nothing for any other.
std::optional<std::string_view> text_claim(const boost::json::object& claims,
                                           std::string_view name);
std::optional<std::int64_t> number_claim(const boost::json::object& claims, std::string_view name);

}  // namespace orbitalreg::frontend
