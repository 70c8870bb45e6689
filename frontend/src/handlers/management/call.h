#pragma once
// Call is one request to the management API on its way: who asks, the parts of the path, the body; and the steps that all
// handlers of the API share.
//
// Limits  bodies of 64 KiB, pages of 1,000.

#include "engine/access_control.h"
#include "handlers/services.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

struct Call {
    const Services& services;
    Exchange& exchange;
    std::shared_ptr<const engine::Identity> who;
    std::vector<std::string> arguments;  // what stood for `{}` in the path
    boost::json::object body;

    engine::AccessControl& access() const noexcept { return services.access; }
    engine::Accounts& accounts() const noexcept { return services.access.accounts(); }
    engine::Projects& projects() const noexcept { return services.access.projects(); }
    bool administers() const noexcept { return engine::AccessControl::administers(*who); }
    // The user of this name asks, with all of its rights.
    bool is_self(std::string_view user) const noexcept {
        return who->kind == engine::Identity::Kind::user && who->account == user && !who->at_most;
    }
};

// --- answers ---
Response api_error(unsigned status, std::string_view code, std::string_view message);
Response api_not_found();
Response api_denied(std::string_view message);
Response api_invalid(std::string_view message);
// What engine says no with.
Response api_refusal(const engine::Refusal& refusal);
Response api_answer(unsigned status, const boost::json::object& object);
// 201, and where the new object is: below the path that was asked.
Response api_created(const Call& call, const boost::json::object& object, std::string_view name);
Response api_gone();  // 204

struct ApiPage {
    std::string after;
    std::uint32_t size = 100;
};
// Nothing, and `refused` says why.
std::optional<ApiPage> read_page(const Call& call, std::optional<Response>& refused);
Response api_list(const Call& call, boost::json::array items, bool more, std::string_view last,
                  const ApiPage& page);

// --- bodies: a member is read by name and kind, and what is left over is refused (SEC-101) ---
class BodyMembers {
public:
    explicit BodyMembers(const boost::json::object& body) : body_{body} {}

    std::optional<std::string> text(std::string_view name);
    std::optional<bool> flag(std::string_view name);
    std::optional<std::int64_t> number(std::string_view name);
    // true, false or null.
    std::optional<std::optional<bool>> choice(std::string_view name);
    std::optional<std::vector<engine::Grant>> grants(std::string_view name);
    // Null: it is not there.
    const boost::json::object* object(std::string_view name);
    // `repositories` and `actions` of the body itself.
    std::optional<engine::Restriction> restriction();

    // What was wrong with those that were read, or names one that nobody asked for; nothing when all is well.
    std::optional<Response> refuse();

private:
    const boost::json::value* take(std::string_view name);
    void wrong(std::string_view name, std::string_view expected);

    const boost::json::object& body_;
    std::vector<std::string> taken_;
    std::string trouble_;
};

// Whether the caller may do something with the project as a whole: nothing when it may; 404 where it may not even see it,
// 403 where it may.
Awaitable<std::optional<Response>> refuse_project(const Call* call, engine::Action action,
                                                  std::string project);

}  // namespace orbitalreg::frontend
