// What upstreams answer, as anybody may write it who is between us and them: challenges, fields, tokens, lists of tags, and
// where redirects lead.

#include "base/assert.h"
#include "outbound/answer_fields.h"
#include "outbound/challenge.h"
#include "outbound/http_url.h"
#include "outbound/redirects.h"
#include "outbound/tag_page.h"
#include "outbound/token_source.h"

#include <cstdint>
#include <string>
#include <string_view>

using namespace orbitalreg;
using namespace orbitalreg::frontend;

namespace {

std::string quoted(std::string_view name, std::string_view value) {
    std::string text{name};
    text += "=\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
    }
    return text + '"';
}

std::string written(const Challenge& challenge) {
    std::string text = challenge.scheme == Challenge::Scheme::bearer ? "Bearer " : "Basic ";
    return text + quoted("realm", challenge.realm) + ',' + quoted("service", challenge.service) +
           ',' + quoted("scope", challenge.scope) + ',' + quoted("error", challenge.error);
}

void check_challenges(std::string_view text) {
    const auto challenges = parse_challenges(text);
    ORB_ASSERT(challenges.size() <= kChallengesMax);
    for (const auto& challenge : challenges) {
        const auto again = written(challenge);
        if (again.size() > kChallengeTextMax) continue;
        const auto read = parse_challenges(again);
        ORB_ASSERT(read.size() == 1 && read.front() == challenge);
    }
}

void check_fields(std::string_view text) {
    if (const auto range = parse_content_range(text)) {
        ORB_ASSERT(range->first <= range->last);
        ORB_ASSERT(!range->total || range->last < *range->total);
    }
    parse_unsatisfied_range(text);
    parse_rate_field(text);
    if (const auto after = parse_retry_after_ms(text, 1'700'000'000'000'000'000))
        ORB_ASSERT(*after >= 0 && *after <= kRetryAfterMsMax);
    if (const auto token = parse_token_answer(text, 1'700'000'000'000'000'000)) {
        ORB_ASSERT(!token->token.empty() && token->lifetime_s >= 0);
        ORB_ASSERT(token->token.find_first_of(" \r\n\t") == token->token.npos);
    }
    if (const auto page = parse_tag_page(text, "b", 3)) ORB_ASSERT(page->tags.size() <= 3);
    if (const auto link = next_link(text)) ORB_ASSERT(link->size() < text.size());
}

// SEC-64, for whatever is written there.
void check_redirect(std::string_view location) {
    const HttpRequest request{
        "GET", "https://h.example/v2/a/blobs/b", {{"Authorization", "secret"}}, {}};
    const auto hop = next_hop(request, location);
    ORB_ASSERT(hop.request.has_value() == hop.fault.empty());
    if (!hop.request) return;
    const auto url = parse_http_url(hop.request->url);
    ORB_ASSERT(url && url->scheme == "https");
    const bool same = url->host == "h.example" && url->port == "443";
    ORB_ASSERT(hop.request->headers.empty() != same);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    check_challenges(text);
    check_fields(text);
    check_redirect(text);
    return 0;
}
