// What clients present, as anybody may send it: the Authorization field, and the query and form of the token endpoint.

#include "auth/credentials.h"
#include "auth/token_request.h"
#include "base/assert.h"
#include "base/base64.h"

#include <cstdint>
#include <string_view>

using namespace orbitalreg;
using namespace orbitalreg::frontend;

namespace {

void check_credentials(const Credentials& read) {
    using Kind = Credentials::Kind;
    ORB_ASSERT(read.kind != Kind::none);
    if (read.kind == Kind::malformed) ORB_ASSERT(read.user.empty() && read.secret.empty());
    if (read.kind == Kind::bearer) {
        ORB_ASSERT(read.user.empty() && !read.secret.empty());
        ORB_ASSERT(read.secret.find(' ') == read.secret.npos);
    }
    if (read.kind != Kind::basic) return;
    ORB_ASSERT(read.user.find(':') == read.user.npos);
    const auto both = read.user + ':' + read.secret;
    ORB_ASSERT(both.find('\0') == both.npos && both.find('\n') == both.npos);
    const auto again = parse_authorization("Basic " + encode_base64(as_bytes(both)));
    ORB_ASSERT(again.kind == Kind::basic && again.user == read.user && again.secret == read.secret);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    check_credentials(parse_authorization(text));
    check_credentials(parse_authorization("Basic " + std::string{text}));
    const auto query = Query::parse(text, 128);
    TokenRequest asked;
    if (read_token_query(query, asked).empty()) {
        ORB_ASSERT(!asked.form && asked.scopes.size() <= kScopesMax);
        // Nothing secret came out of an address (SEC-50).
        ORB_ASSERT(asked.secret.empty() && asked.refresh_token.empty() &&
                   asked.subject_token.empty());
    }
    TokenRequest posted;
    if (read_token_form(query, posted).empty()) {
        ORB_ASSERT(posted.form && posted.scopes.size() <= kScopesMax);
        ORB_ASSERT(posted.scoped || posted.scopes.empty());
        ORB_ASSERT(query.count("password") <= 1 && query.count("refresh_token") <= 1);
    }
    return 0;
}
