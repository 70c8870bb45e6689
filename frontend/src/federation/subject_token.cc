#include "federation/subject_token.h"

#include "base/digest.h"

#include <boost/json/array.hpp>

#include <algorithm>
#include <optional>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;

// Far enough for any token, and sums of two do not overflow.
constexpr std::int64_t kTimeMax = 1LL << 40;

bool is_time(std::optional<std::int64_t> time) noexcept {
    return time && *time >= 0 && *time <= kTimeMax;
}

std::int64_t seconds(std::chrono::milliseconds duration) noexcept {
    return duration.count() / 1000;
}

std::string_view time_fault(const json::object& claims, const OidcIssuer& issuer,
                            std::int64_t now_s) {
    const auto expires = number_claim(claims, "exp");
    const auto issued = number_claim(claims, "iat");
    if (!is_time(expires)) return "exp is missing or no time";
    if (!is_time(issued)) return "iat is missing or no time";
    if (*expires <= now_s - kClockSkewSeconds) return "expired";
    if (claims.contains("nbf")) {
        const auto begins = number_claim(claims, "nbf");
        if (!is_time(begins)) return "nbf is no time";
        if (*begins > now_s + kClockSkewSeconds) return "not valid yet";
    }
    if (*issued > now_s + kClockSkewSeconds) return "issued in the future";
    if (*expires <= *issued) return "expired before it was issued";
    if (*expires - *issued > seconds(issuer.token_life_max)) return "valid for longer than allowed";
    if (now_s - *issued > seconds(issuer.token_age_max)) return "issued too long ago";
    return {};
}

bool is_ours(const OidcIssuer& issuer, std::string_view audience) {
    return std::find(issuer.audiences.begin(), issuer.audiences.end(), audience) !=
           issuer.audiences.end();
}

struct AudienceFault {
    FederationError error = FederationError::none;
    std::string_view reason;
};

AudienceFault audience_fault(const json::object& claims, const OidcIssuer& issuer) {
    constexpr auto kMalformed = FederationError::invalid_request;
    constexpr auto kForeign = FederationError::invalid_target;
    if (const auto single = text_claim(claims, "aud")) {
        if (is_ours(issuer, *single)) return {};
        return {kForeign, "made for another audience"};
    }
    const auto* list = claims.if_contains("aud");
    if (list == nullptr || !list->is_array()) return {kMalformed, "aud is missing or no text"};
    const auto& audiences = list->get_array();
    bool ours = false;
    for (const auto& entry : audiences) {
        if (!entry.is_string()) return {kMalformed, "aud holds what is no text"};
        ours = ours || is_ours(issuer, {entry.get_string().data(), entry.get_string().size()});
    }
    if (!ours) return {kForeign, "made for another audience"};
    if (audiences.size() == 1) return {};
    const auto party = text_claim(claims, "azp");
    if (!party) return {kForeign, "made for several audiences, without azp"};
    if (!is_ours(issuer, *party)) return {kForeign, "made for several audiences, azp is another"};
    return {};
}

bool is_subject(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kSubjectSizeMax &&
           std::none_of(text.begin(), text.end(),
                        [](char c) { return (static_cast<unsigned char>(c) < 0x20) || c == 0x7f; });
}

// Without a jti the token stands for itself, but without its signature: of ECDSA there are two for each.
std::string id_of(const Jws& jws, std::string_view issuer, std::optional<std::string_view> jti) {
    std::string text{jti ? "jti" : "token"};
    text.append(1, '\0').append(issuer).append(1, '\0').append(jti ? *jti : jws.signed_part);
    return Digest::of(DigestAlgorithm::sha256, as_bytes(text)).hex();
}

SubjectClaims refuse(FederationError error, std::string_view reason) {
    SubjectClaims refused;
    refused.error = error;
    refused.reason = reason;
    return refused;
}

}  // namespace

SubjectClaims check_subject_claims(const Jws& jws, const OidcIssuer& issuer, std::int64_t now_s) {
    constexpr auto kInvalid = FederationError::invalid_request;
    const auto& claims = jws.claims;
    if (const auto fault = time_fault(claims, issuer, now_s); !fault.empty())
        return refuse(kInvalid, fault);
    if (const auto fault = audience_fault(claims, issuer); fault.error != FederationError::none)
        return refuse(fault.error, fault.reason);
    const auto subject = text_claim(claims, "sub");
    if (!subject || !is_subject(*subject)) return refuse(kInvalid, "sub is missing or no subject");
    const auto jti = text_claim(claims, "jti");
    if (claims.contains("jti") && (!jti || jti->empty())) return refuse(kInvalid, "jti is no text");
    SubjectClaims checked;
    checked.subject = *subject;
    checked.expires_s = *number_claim(claims, "exp");
    checked.token_id = id_of(jws, issuer.issuer, jti);
    return checked;
}

std::vector<std::string> groups_of(const Jws& jws, const OidcIssuer& issuer) {
    std::vector<std::string> groups;
    if (issuer.groups_claim.empty()) return groups;
    const auto add = [&groups](const json::value& value) {
        if (!value.is_string() || groups.size() >= kGroupsMax) return;
        const auto& text = value.get_string();
        if (!text.empty() && text.size() <= kGroupSizeMax)
            groups.emplace_back(text.c_str(), text.size());
    };
    const auto* value = jws.claims.if_contains(issuer.groups_claim);
    if (value == nullptr) return groups;
    if (!value->is_array()) {
        add(*value);
        return groups;
    }
    for (const auto& entry : value->get_array()) add(entry);
    return groups;
}

}  // namespace orbitalreg::frontend
