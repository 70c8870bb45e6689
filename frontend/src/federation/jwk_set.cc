#include "federation/jwk_set.h"

#include "auth/jws.h"
#include "auth/strict_json.h"
#include "base/base64.h"

#include <boost/json/array.hpp>

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 8;

std::optional<std::vector<std::byte>> bytes_of(const json::object& object, std::string_view name) {
    const auto text = text_claim(object, name);
    return text ? decode_base64url(*text) : std::nullopt;
}

std::optional<PublicKey> read_ec(const json::object& object) {
    const auto curve = text_claim(object, "crv");
    const auto x = bytes_of(object, "x");
    const auto y = bytes_of(object, "y");
    if (!curve || !x || !y) return std::nullopt;
    if (*curve == "P-256") return PublicKey::from_ec(Curve::p256, *x, *y);
    if (*curve == "P-384") return PublicKey::from_ec(Curve::p384, *x, *y);
    return std::nullopt;
}

std::optional<PublicKey> read_octet(const json::object& object) {
    const auto x = bytes_of(object, "x");
    if (!x || text_claim(object, "crv") != "Ed25519") return std::nullopt;
    return PublicKey::from_ed25519(*x);
}

std::optional<PublicKey> read_rsa(const json::object& object) {
    const auto modulus = bytes_of(object, "n");
    const auto exponent = bytes_of(object, "e");
    if (!modulus || !exponent) return std::nullopt;
    return PublicKey::from_rsa(*modulus, *exponent);
}

std::optional<PublicKey> read_key(const json::object& object) {
    const auto type = text_claim(object, "kty");
    if (type == "EC") return read_ec(object);
    if (type == "OKP") return read_octet(object);
    if (type == "RSA") return read_rsa(object);
    return std::
        nullopt;  // `oct` above all: a symmetric key that is published is no secret (SEC-38)
}

bool is_for_signatures(const json::object& object) {
    if (object.contains("use") && text_claim(object, "use") != "sig") return false;
    const auto* operations = object.if_contains("key_ops");
    if (operations == nullptr) return true;
    return operations->is_array() &&
           std::find(operations->get_array().begin(), operations->get_array().end(), "verify") !=
               operations->get_array().end();
}

std::optional<PublishedKey> read_entry(const json::object& object) {
    const auto key_id = text_claim(object, "kid");
    if (!key_id || key_id->empty() || key_id->size() > kKeyIdSizeMax || !is_for_signatures(object))
        return std::nullopt;
    std::optional<SignatureAlgorithm> only;
    if (object.contains("alg")) {
        const auto name = text_claim(object, "alg");
        only = name ? parse_signature_algorithm(*name) : std::nullopt;
        if (!only) return std::nullopt;
    }
    auto key = read_key(object);
    if (!key || (only && !key->fits(*only))) return std::nullopt;
    return PublishedKey{std::string{*key_id}, only, std::move(*key)};
}

}  // namespace

std::optional<JwkSet> JwkSet::parse(std::string_view text) {
    if (text.size() > kJwkSetSizeMax) return std::nullopt;
    const auto value = parse_strict_json(text, kDepthMax);
    if (!value || !value->is_object()) return std::nullopt;
    const auto* list = value->get_object().if_contains("keys");
    if (list == nullptr || !list->is_array() || list->get_array().size() > kJwkSetKeysMax)
        return std::nullopt;
    JwkSet set;
    for (const auto& entry : list->get_array()) {
        if (!entry.is_object()) continue;
        if (auto key = read_entry(entry.get_object())) set.keys_.push_back(std::move(*key));
    }
    return set;
}

std::vector<PublicKey> JwkSet::find(std::string_view key_id, SignatureAlgorithm algorithm) const {
    std::vector<PublicKey> found;
    for (const auto& entry : keys_) {
        if (entry.key_id != key_id || !entry.key.fits(algorithm)) continue;
        if (!entry.only || *entry.only == algorithm) found.push_back(entry.key);
    }
    return found;
}

bool JwkSet::has(std::string_view key_id) const {
    return std::any_of(keys_.begin(), keys_.end(),
                       [key_id](const PublishedKey& entry) { return entry.key_id == key_id; });
}

}  // namespace orbitalreg::frontend
