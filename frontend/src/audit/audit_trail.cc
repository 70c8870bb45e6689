#include "audit/audit_trail.h"

namespace orbitalreg::frontend {
namespace {

bool changes(const Exchange& exchange) noexcept {
    const Method method = exchange.head.method;
    // Tokens too: what was used once must be known to have been.
    return (method != Method::get && method != Method::head && method != Method::options) ||
           exchange.match.route == Route::token;
}

// Empty: a request of this kind is not recorded when it is granted.
std::string_view granted_action(const Exchange& exchange, unsigned status, bool pulls) noexcept {
    const Method method = exchange.head.method;
    const bool reads = method == Method::get || method == Method::head;
    switch (exchange.match.route) {
        case Route::manifest:
        case Route::blob:
            if (method == Method::delete_) return "delete";
            if (method == Method::put) return "push";
            return pulls && method == Method::get ? "pull" : "";
        case Route::uploads:
            return status == 201 && exchange.query.get("mount") ? "mount" : "";
        case Route::system_gc:
            return reads ? "" : "gc";
        case Route::system_compaction:
            return reads ? "" : "compact";
        case Route::system_scrub:
            return reads ? "" : "scrub";
        case Route::token:
        case Route::management:
            return exchange.notes.action;
        default:
            return "";
    }
}

std::string_view refused_action(const Exchange& exchange) noexcept {
    const Method method = exchange.head.method;
    switch (exchange.match.route) {
        case Route::manifest:
        case Route::blob:
        case Route::tags:
        case Route::referrers:
        case Route::catalog:
            if (method == Method::delete_) return "delete.refused";
            return method == Method::put ? "push.refused" : "pull.refused";
        case Route::uploads:
        case Route::upload:
            return "push.refused";
        case Route::token:
            return "token.refused";
        case Route::management:
        case Route::system_gc:
        case Route::system_gc_blob:
        case Route::system_stats:
        case Route::system_compaction:
        case Route::system_scrub:
            return "management.refused";
        default:
            return "";
    }
}

AuditEvent event_of(const Exchange& exchange, std::string_view action, unsigned status) {
    AuditEvent event;
    event.action = action;
    event.principal = exchange.principal.name;
    event.credential = exchange.notes.credential;
    event.address = exchange.client_address;
    event.request_id = exchange.request_id;
    const bool api = exchange.match.route == Route::management;
    event.object = api ? std::string{exchange.target.path} : exchange.match.name;
    event.reference = exchange.notes.reference;
    event.digest = exchange.notes.digest;
    event.old_digest = exchange.notes.old_digest;
    event.status = status;
    event.rule = exchange.notes.rule;
    event.reason = exchange.notes.reason;
    return event;
}

}  // namespace

std::optional<Response> AuditTrail::refuse(const Exchange& exchange) {
    if (!options_.required || !changes(exchange) || !log_.failed()) return std::nullopt;
    AuditEvent again;
    again.action = "audit.resumed";
    again.granted = true;
    if (log_.append(again)) return std::nullopt;
    auto response =
        error_response(503, "UNAVAILABLE", "the audit log cannot be written: nothing is changed");
    response.headers.add("Retry-After", "10");
    return response;
}

// Apart from what was asked with it: who guesses shall be found by one word.
void AuditTrail::record_login(const Exchange& exchange, unsigned status) {
    using Login = AccessNotes::Login;
    if (exchange.notes.login == Login::none) return;
    const bool accepted = exchange.notes.login == Login::accepted;
    auto event = event_of(exchange, accepted ? "login" : "login.fail", status);
    event.granted = accepted;
    event.object = "user " + exchange.notes.login_name;
    event.reference.clear();
    event.rule.clear();
    // What was asked for and how it ended is another line.
    static_cast<void>(log_.append(event));
}

void AuditTrail::record(const Exchange& exchange, const Response& response) {
    const auto status = response.status;
    record_login(exchange, status);
    const bool granted = status >= 200 && status < 300;
    // What somebody unknown is refused is not: anybody could fill the disk with it.
    const bool refused = status == 403 || (status >= 400 && !exchange.notes.reason.empty());
    if (!granted && !refused) return;
    const auto action =
        granted ? granted_action(exchange, status, options_.pulls) : refused_action(exchange);
    if (action.empty()) return;
    auto event = event_of(exchange, action, status);
    event.granted = granted;
    // A failure is told by the log and by failed(); the answer is not taken back.
    static_cast<void>(log_.append(event));
}

void AuditTrail::record(std::string_view action, std::string_view reason) {
    AuditEvent event;
    event.action = action;
    event.granted = true;
    event.reason = reason;
    static_cast<void>(log_.append(event));
}

}  // namespace orbitalreg::frontend
