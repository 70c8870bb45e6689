// Reads tokens, one a line, and says of each what the federation of a configuration file makes of it: a line of JSON. Keys come
// over the network as in the server; the test around it is the identity provider.

#include "base/clock.h"
#include "base/log.h"
#include "federation/federation.h"
#include "frontend/config.h"

#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace {

namespace json = boost::json;
using namespace orbitalreg;
using namespace orbitalreg::frontend;

std::string_view name_of(FederationError error) {
    switch (error) {
        case FederationError::none:
            return "none";
        case FederationError::invalid_request:
            return "invalid_request";
        case FederationError::invalid_target:
            return "invalid_target";
        case FederationError::temporarily_unavailable:
            return "temporarily_unavailable";
    }
    return {};
}

json::object describe(const FederationAnswer& answer) {
    json::object object{{"error", name_of(answer.error)},
                        {"reason", answer.reason},
                        {"issuer", answer.issuer_name},
                        {"subject", answer.subject}};
    if (!answer.identity) return object;
    json::array rules;
    for (const auto& rule : answer.identity->rules) rules.emplace_back(rule);
    json::array grants;
    for (const auto& grant : answer.identity->grants)
        grants.push_back(json::object{{"project", grant.project}, {"role", to_string(grant.role)}});
    object["rules"] = std::move(rules);
    object["grants"] = std::move(grants);
    object["ttl"] = answer.identity->ttl_s;
    object["token_id"] = answer.identity->token_id;
    return object;
}

FederationAnswer accept(Federation& federation, std::string token) {
    asio::io_context context;
    FederationAnswer accepted;
    asio::co_spawn(
        context, federation.accept(std::move(token)),
        [&accepted](std::exception_ptr, FederationAnswer answer) { accepted = std::move(answer); });
    context.run();
    return accepted;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const auto loaded = load_config({argv[1]}, {});
    for (const auto& error : loaded.errors) std::cerr << error.text() << '\n';
    if (!loaded.ok()) return 2;
    const auto log = make_stderr_log(LogLevel::warn, LogFormat::text);
    asio::thread_pool pool{2};
    Federation federation{loaded.config.oidc, system_clock(), *log, fetch_on(pool)};
    for (std::string token; std::getline(std::cin, token);)
        std::cout << json::serialize(describe(accept(federation, token))) << std::endl;
    pool.join();
    return 0;
}
