#include "auth/token_request.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kParametersMax = 128;

TokenRequest read(std::string_view text, bool form, std::string_view wanted = {}) {
    TokenRequest request;
    const auto query = Query::parse(text, kParametersMax);
    EXPECT_EQ(form ? read_token_form(query, request) : read_token_query(query, request), wanted)
        << text;
    return request;
}

TEST(TokenRequest, ReadsTheQueryOfDocker) {
    const auto request = read(
        "service=reg.example&scope=repository%3Aacme%2Fapp%3Apull%2Cpush&account=alice"
        "&client_id=docker&offline_token=true",
        false);
    EXPECT_FALSE(request.form);
    EXPECT_EQ(request.service, "reg.example");
    EXPECT_EQ(request.client_id, "docker");
    EXPECT_TRUE(request.offline);
    EXPECT_TRUE(request.scoped);
    ASSERT_EQ(request.scopes.size(), 1u);
    EXPECT_EQ(to_string(request.scopes[0]), "repository:acme/app:pull,push");
    EXPECT_TRUE(request.names_service("reg.example"));
    EXPECT_FALSE(request.names_service("other.example"));
    EXPECT_TRUE(read("", false).names_service("reg.example"));
    EXPECT_FALSE(read("offline_token=1", false).offline);
    EXPECT_EQ(read("account=alice", false).user, "");  // says nothing about who it is
}

TEST(TokenRequest, ReadsSeveralScopesInBothForms) {
    const auto two = "scope=repository:a/b:pull&scope=repository:c/d:push+registry:catalog:*";
    for (const bool form : {false, true}) {
        EXPECT_EQ(read(two, form).scopes.size(), 3u);
        // What is no scope is left out, and was named all the same.
        const auto odd = read("scope=nonsense", form);
        EXPECT_TRUE(odd.scopes.empty());
        EXPECT_TRUE(odd.scoped);
        EXPECT_FALSE(read("scope=", form).scoped);
        std::string many = "scope=";
        for (int i = 0; i < 33; ++i) many += "repository:a/b:pull+";
        read(many, form, "too many scopes: at most 32");
    }
}

TEST(TokenRequest, ReadsTheFormOfOauth) {
    const auto login = read(
        "grant_type=password&service=s&client_id=c&access_type=offline&username=alice&password=a%"
        "3Db",
        true);
    EXPECT_TRUE(login.form);
    EXPECT_EQ(login.grant_type, "password");
    EXPECT_TRUE(login.offline);
    EXPECT_EQ(login.user, "alice");
    EXPECT_EQ(login.secret, "a=b");
    EXPECT_EQ(read("refresh_token=ort_x", true).refresh_token, "ort_x");
    const auto exchange = read(
        "subject_token=t&subject_token_type=y&requested_token_type=r&audience=a&resource=u", true);
    EXPECT_EQ(exchange.subject_token, "t");
    EXPECT_EQ(exchange.subject_token_type, "y");
    EXPECT_EQ(exchange.requested_token_type, "r");
    EXPECT_EQ(exchange.audience, "a");
    EXPECT_EQ(exchange.resource, "u");
    EXPECT_FALSE(exchange.has_actor);
    EXPECT_TRUE(read("actor_token=", true).has_actor);
    EXPECT_TRUE(read("actor_token_type=x", true).has_actor);
}

// SEC-50.
TEST(TokenRequest, NoCredentialsStandInAnAddress) {
    for (const auto* name : {"password", "refresh_token", "access_token", "subject_token"}) {
        for (const auto* value : {"", "=", "=x"}) {
            read(std::string{name} + value, false, "credentials are not accepted in an address");
        }
    }
}

// SEC-05.
TEST(TokenRequest, AParameterIsGivenOnce) {
    for (const auto* name : {"service", "account", "client_id", "offline_token"})
        read(std::string{name} + "=a&" + name + "=a", false, "a parameter is given more than once");
    for (const auto* name :
         {"grant_type", "service", "client_id", "username", "password", "refresh_token",
          "access_type", "subject_token", "subject_token_type", "audience", "requested_token_type",
          "resource", "actor_token", "actor_token_type"}) {
        read(std::string{name} + "=a&" + name + "=b", true, "a parameter is given more than once");
    }
    std::string many;
    for (std::size_t i = 0; i <= kParametersMax; ++i) many += "x=1&";
    for (const bool form : {false, true}) read(many, form, "too many parameters");
}

}  // namespace
}  // namespace orbitalreg::frontend
