#include "auth/jws.h"

#include "auth/strict_json.h"
#include "base/base64.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;

constexpr std::size_t kHeaderDepthMax = 4;
constexpr std::size_t kClaimsDepthMax = 8;

// Each would make the verifier trust what the token brings along, or read it in another way than it looks.
constexpr std::array<std::string_view, 9> kForbiddenFields{"crit", "b64", "jwk", "jku", "x5u",
                                                           "x5c",  "zip", "enc", "cty"};

std::optional<json::object> read_object(std::string_view encoded, std::size_t depth_max) {
    const auto bytes = decode_base64url(encoded);
    if (!bytes) return std::nullopt;
    auto value = parse_strict_json(as_text(*bytes), depth_max);
    if (!value || !value->is_object()) return std::nullopt;
    return std::move(value->get_object());
}

// A text, or empty where there is none; nothing where it is something else.
std::optional<std::string> optional_text(const json::object& object, std::string_view name) {
    if (!object.contains(name)) return std::string{};
    const auto text = text_claim(object, name);
    return text && !text->empty() ? std::optional{std::string{*text}} : std::nullopt;
}

std::string_view read_header(const json::object& header, Jws& jws) {
    for (const auto name : kForbiddenFields) {
        if (header.contains(name)) return "a header field that is not accepted";
    }
    const auto algorithm = text_claim(header, "alg");
    const auto known = algorithm ? parse_signature_algorithm(*algorithm) : std::nullopt;
    if (!known) return "an algorithm that is not accepted";
    jws.algorithm = *known;
    auto key_id = optional_text(header, "kid");
    auto type = optional_text(header, "typ");
    if (!key_id || !type || key_id->size() > kKeyIdSizeMax) return "a header field that is no text";
    jws.key_id = std::move(*key_id);
    jws.type = std::move(*type);
    return {};
}

}  // namespace

JwsReading read_jws(std::string_view token) {
    if (token.size() > kJwsSizeMax) return {{}, "too large"};
    if (std::count(token.begin(), token.end(), '.') != 2) return {{}, "not three parts"};
    const auto first = token.find('.');
    const auto second = token.rfind('.');
    const auto header = read_object(token.substr(0, first), kHeaderDepthMax);
    if (!header) return {{}, "the header is no JSON object in base64url"};
    Jws jws;
    if (const auto fault = read_header(*header, jws); !fault.empty()) return {{}, fault};
    auto signature = decode_base64url(token.substr(second + 1));
    if (!signature || signature->empty()) return {{}, "the signature is not base64url"};
    auto claims = read_object(token.substr(first + 1, second - first - 1), kClaimsDepthMax);
    if (!claims) return {{}, "the claims are no JSON object in base64url"};
    jws.claims = std::move(*claims);
    jws.signed_part = token.substr(0, second);
    jws.signature = std::move(*signature);
    return {std::move(jws), {}};
}

std::string write_jws(const SigningKey& key, std::string_view type, const json::object& claims) {
    const json::object header{
        {"alg", to_string(key.algorithm())}, {"kid", key.public_key().thumbprint()}, {"typ", type}};
    std::string token = encode_base64url(as_bytes(json::serialize(header)));
    token.append(".").append(encode_base64url(as_bytes(json::serialize(claims))));
    const auto signature = key.sign(as_bytes(token));
    if (signature.empty()) return {};
    return token + '.' + encode_base64url(signature);
}

std::optional<std::string_view> text_claim(const json::object& claims, std::string_view name) {
    const auto* value = claims.if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    const auto& text = value->get_string();
    return std::string_view{text.data(), text.size()};
}

std::optional<std::int64_t> number_claim(const json::object& claims, std::string_view name) {
    const auto* value = claims.if_contains(name);
    if (value == nullptr || !value->is_int64()) return std::nullopt;
    return value->get_int64();
}

}  // namespace orbitalreg::frontend
