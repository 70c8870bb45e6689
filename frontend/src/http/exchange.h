#pragma once
// Exchange is one request on its way through a handler, and Site is who answers: the registry on one listener, health and
// metrics on another. The session knows framing and connections, a Site what the requests mean.

#include "base/asio.h"
#include "engine/access.h"
#include "frontend/options.h"
#include "http/admission.h"
#include "http/body_in.h"
#include "http/response.h"
#include "http/route_table.h"
#include "http/target.h"
#include "net/request_head.h"

#include <memory>
#include <string>

namespace orbitalreg::frontend {

// What a handler adds to the request's line in the access log, and to its event in the audit log.
struct AccessNotes {
    enum class Login : std::uint8_t { none, accepted, failed };

    std::string reference;
    std::string digest;
    std::string old_digest;     // where the tag pointed before
    std::string member;         // of a virtual repository: who answered
    std::string_view cache;     // of a remote one: whether it was kept
    std::string credential;     // with which who asks proved it
    std::string rule;           // which decided that it is allowed, or what was missing
    std::string reason;         // why it was refused; not for the one who asks
    std::string_view action;    // of the audit log, where the route does not say it
    Login login = Login::none;  // a name and a secret were looked at, for the first time in a while
    std::string login_name;
};

struct Exchange {
    const RequestHead& head;
    const Target& target;
    const Query& query;
    RouteMatch match;
    BodyIn& body;
    const std::string& request_id;
    AccessNotes notes;
    const std::string& client_address;  // whom limits count
    Admission::Ticket ticket;           // kept until the answer is sent
    // Where a trusted proxy says that the client sees this server; else scheme and host of the connection.
    std::string seen_base{};
    bool encrypted = false;

    // On whose behalf, and what that may besides what was asked; null: everything (auth.mode: none).
    engine::Principal principal{};
    std::shared_ptr<const engine::RequestAccess> access{};
    bool open_to_all = true;  // who knows nobody here may read it as well
    bool may_move_tags = true;
};

class Site {
public:
    virtual ~Site() = default;

    virtual const ServerOptions& options() const noexcept = 0;
    virtual RouteMatch match(const Target& target) const = 0;
    // `exchange` outlives the call.
    virtual Awaitable<Response> answer(Exchange& exchange) = 0;
    // What every response of this site carries besides.
    virtual void decorate(const Exchange& exchange, Headers& headers) const = 0;
};

}  // namespace orbitalreg::frontend
