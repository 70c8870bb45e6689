#pragma once
// What every handler of the registry works with, and the small steps that several of them share.

#include "engine/access_control.h"
#include "engine/names.h"
#include "engine/registry.h"
#include "engine/upkeep.h"
#include "frontend/options.h"
#include "http/error_map.h"
#include "http/exchange.h"

#include <optional>
#include <string>

namespace orbitalreg::engine {
class Retention;
}

namespace orbitalreg::frontend {

class AuditTrail;
class Authority;

struct Services {
    engine::Registry& registry;
    engine::Upkeep& upkeep;
    const ServerOptions& options;
    Random& random;
    engine::AccessControl& access;
    Authority* authority;  // null: auth.mode none
    asio::any_io_executor background;
    AuditTrail* audit = nullptr;             // null: nothing is recorded
    engine::Retention* retention = nullptr;  // null: not offered
};

// On whose behalf; without authentication there is one principal, and it has no name.
inline const engine::Principal& principal_of(const Exchange& exchange) {
    return exchange.principal;
}

// `/v2/<name>/<rest>` below the configured external URL, or as a path when there is none (DIST-DEC-08).
std::string location_of(const Services& services, const engine::ImageName& image,
                        std::string_view rest);

// 400 when one of the parameters that decide something is given twice (SEC-05).
std::optional<Response> refuse_repeated(const Query& query,
                                        std::initializer_list<std::string_view> names);
// 400 for a body that is encoded: its digest is over the bytes as sent (DIST-HTTP-09).
std::optional<Response> refuse_encoded(const RequestHead& head, std::string_view code);

// Reads what a request without a body brought all the same, and forgets it: beyond `limit` 413 and the connection closes
// (SEC-78, DIST-HTTP-10).
Awaitable<std::optional<Response>> ignore_body(BodyIn& body, std::uint64_t limit);

// A handler of requests whose body means nothing: it is read and forgotten first, where there is one.
using Handler = Awaitable<Response> (*)(const Services&, Exchange&);
Awaitable<Response> without_body(const Services& services, Exchange& exchange, Handler handler);
// A refusal, as a handler that is no coroutine answers it.
Awaitable<Response> refused(Response response);

// The answer to a body that could not be read; the connection is of no further use.
Response body_fault(ErrorCode error, std::string_view too_large_code);

// 503 where there is no room for a request (REL-28).
Response busy();

// Which member of a virtual repository answered, whether it was kept, and what the client should know of that. Nothing for
// local repositories.
void describe_source(Headers& headers, Exchange& exchange, const engine::PullSource& source);

// Adds what any answer with content carries: entity tag, digest, caching, no sniffing (SEC-12, DIST-CACHE-01, 02).
void describe_content(Headers& headers, const Exchange& exchange, const Digest& digest,
                      bool immutable);

}  // namespace orbitalreg::frontend
