#pragma once
// What a client asks of the token endpoint, from the query of a GET or the form of a POST.

#include "auth/scope.h"
#include "http/target.h"

#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

struct TokenRequest {
    bool form = false;
    std::string grant_type;
    std::string service;
    std::string client_id;
    std::vector<Scope> scopes;
    bool scoped = false;   // a scope was named, whatever became of it
    bool offline = false;  // wants a refresh token
    std::string user;
    std::string secret;
    std::string refresh_token;
    // RFC 8693
    std::string subject_token;
    std::string subject_token_type;
    std::string requested_token_type;
    std::string audience;
    std::string resource;
    bool has_actor = false;

    // Clients that name none mean the one they speak to.
    bool names_service(std::string_view ours) const noexcept {
        return service.empty() || service == ours;
    }
};

// What is wrong with it, or nothing.
std::string_view read_token_query(const Query& query, TokenRequest& request);
std::string_view read_token_form(const Query& form, TokenRequest& request);

}  // namespace orbitalreg::frontend
