// Tokens as anybody may send them: none is accepted that the key did not sign. And tokens made of the input: what is written is
// read again, by the type it was written for and by no other (SEC-38 to SEC-43).

#include "auth/access_token.h"

#include "auth/jws.h"
#include "base/assert.h"

#include <boost/json/serialize.hpp>

#include <cstdint>
#include <string_view>

using namespace orbitalreg;
using namespace orbitalreg::frontend;

namespace {

using Type = AccessToken::Type;

constexpr std::int64_t kNow = 1'768'478'400;

KeySet make_keys() {
    KeySet keys{SigningKey::generate(SignatureAlgorithm::eddsa).value(), {}, {}};
    keys.verifying.emplace(keys.active.public_key().thumbprint(), keys.active.public_key());
    return keys;
}

// Text is JSON where it is written: what is no UTF-8 is no name either.
std::string plain(std::string_view text) {
    std::string kept;
    for (const char c : text.substr(0, 100)) kept += c > ' ' && c <= '~' ? c : '.';
    return kept;
}

AccessToken make_token(std::string_view text) {
    const auto first = text.empty() ? 0U : static_cast<unsigned char>(text.front());
    AccessToken token;
    token.type = first % 2 == 0 ? Type::access : Type::login;
    auto& identity = token.identity;
    constexpr std::array<std::string_view, 3> kPrefixes{"user:", "robot:", "oidc:"};
    identity.kind = static_cast<engine::Identity::Kind>(1 + first / 2 % 3);
    identity.principal.name = std::string{kPrefixes[first / 2 % 3]} + plain(text);
    identity.generation = first;
    identity.credential = plain(text);
    if (identity.kind == engine::Identity::Kind::federated) {
        identity.groups = {plain(text)};
        identity.rules = {plain(text), "r"};
        identity.grants = {{plain(text), engine::Role::guest, {"acme/**"}, {}, {}}};
    } else {
        identity.account = plain(text);
        identity.account_id = "abcdefghijkl";
    }
    if (auto scopes = parse_scopes({std::string{text}})) token.access = std::move(*scopes);
    token.issued_s = kNow;
    token.expires_s = kNow + 60 + first;
    token.id = plain(text);
    return token;
}

void check_made(const KeySet& keys, const TokenNames& names, const AccessToken& token) {
    const auto text = write_access_token(keys.active, names, token);
    ORB_ASSERT(!text.empty() && text.size() <= kJwsSizeMax);
    const auto other = token.type == Type::access ? Type::login : Type::access;
    ORB_ASSERT(!read_access_token(text, keys, names, other, kNow).token);
    ORB_ASSERT(!read_access_token(text, keys, {names.issuer, "other"}, token.type, kNow).token);
    ORB_ASSERT(!read_access_token(text, keys, {"other", names.service}, token.type, kNow).token);
    const auto late = token.expires_s + kClockLeeway_s;
    ORB_ASSERT(!read_access_token(text, keys, names, token.type, late).token);
    const auto read = read_access_token(text, keys, names, token.type, kNow).token;
    ORB_ASSERT(read.has_value());
    ORB_ASSERT(read->identity.kind == token.identity.kind);
    ORB_ASSERT(read->identity.principal == token.identity.principal);
    ORB_ASSERT(read->identity.account == token.identity.account);
    ORB_ASSERT(read->identity.credential == token.identity.credential);
    ORB_ASSERT(read->identity.grants == token.identity.grants);
    ORB_ASSERT(read->identity.rules == token.identity.rules);
    ORB_ASSERT(read->access.size() <= token.access.size());
    for (const auto& scope : read->access) {
        if (!scope.image) continue;
        std::uint8_t wanted = 0;
        for (const auto& each : token.access) {
            if (each.image == scope.image) wanted |= each.actions;
        }
        ORB_ASSERT((scope.actions & ~wanted) == 0);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto keys = make_keys();
    static const TokenNames names{"https://reg.example", "reg.example"};
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    for (const auto type : {Type::access, Type::login}) {
        const auto reading = read_access_token(text, keys, names, type, kNow);
        ORB_ASSERT(!reading.token && !reading.fault.empty());
    }
    check_made(keys, names, make_token(text));
    return 0;
}
