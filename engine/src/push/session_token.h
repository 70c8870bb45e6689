#pragma once
// SessionTokens makes and checks the names of upload sessions. Opening a session writes nothing:
// the token itself says that this registry handed it out, when, to whom and for which image name,
// so that a forged or foreign one is as unknown as none at all (DIST-UPL-06, SEC-33).
//
// Token: base64url of 40 bytes, 54 characters.
//
//   offset  size  field
//        0     1  version           1
//        1     1  digest algorithm  1 sha256, 2 sha512: what to hash with while bytes arrive
//        2     6  issue time        store time in seconds, little-endian
//        8    16  session id        random
//       24    16  tag               HMAC-SHA256 over bytes 0..23, image name and principal, cut to 128 bits
//
// Threads  any.

#include "base/digest.h"
#include "engine/access.h"
#include "engine/names.h"
#include "engine/registry_store.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_mac_ctx_st;

namespace orbitalreg::engine {

struct SessionClaims {
    SessionId session{};
    std::uint64_t issued_store_time_s = 0;  // below 2^48
    DigestAlgorithm algorithm = DigestAlgorithm::sha256;

    friend bool operator==(const SessionClaims&, const SessionClaims&) = default;
};

class SessionTokens {
public:
    // `key` is what RegistryStore::derive_key() gives for kKeyLabel.
    static constexpr std::string_view kKeyLabel = "upload session token 1";
    explicit SessionTokens(const std::array<std::byte, 32>& key);

    std::string issue(const SessionClaims& claims, const ImageName& image,
                      const Principal& principal) const;
    // Nothing for anything that issue() did not give for this image name and principal.
    std::optional<SessionClaims> verify(std::string_view token, const ImageName& image,
                                        const Principal& principal) const;

private:
    using Tag16 = std::array<std::byte, 16>;
    Tag16 tag_of(ByteView claims, const ImageName& image, const Principal& principal) const;

    struct FreeMac {
        void operator()(evp_mac_ctx_st* mac) const noexcept;
    };
    using Mac = std::unique_ptr<evp_mac_ctx_st, FreeMac>;

    Mac keyed_;  // each tag begins as a copy of it: to set the key takes longer than the tag
};

// 8-4-4-4-12 hexadecimal digits, for Docker-Upload-UUID.
std::string uuid_text(const SessionId& session);

}  // namespace orbitalreg::engine
