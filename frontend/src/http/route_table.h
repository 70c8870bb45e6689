#pragma once
// The routes, as data. A repository name has any number of components and may contain every word that routes are made of,
// so a path is matched from the right: the longest fixed suffix wins and all that stands before it is the name
// (DIST-GEN-01, DIST-GEN-02, SEC-03).

#include "http/target.h"
#include "net/request_head.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

enum class Route : std::uint8_t {
    ping,
    blob,
    uploads,  // where uploads are opened
    upload,   // one of them
    manifest,
    tags,
    referrers,
    catalog,
    system_gc,
    system_gc_blob,  // why one is there
    system_stats,
    system_compaction,
    system_scrub,
    management,  // the rest of /api/v1; which noun is in the target
    token,
    jwks,
    livez,
    readyz,
    startupz,
    metrics,
    none,
};
inline constexpr std::size_t kRoutes = static_cast<std::size_t>(Route::none) + 1;

// For logs and metrics: a word from a fixed set, never a client's text (SEC-107).
std::string_view to_string(Route route) noexcept;

struct RouteMatch {
    Route route = Route::none;
    std::string name;  // as it was written, decoded; not yet checked against the grammar
    std::string_view
        reference;  // of the target; what the last component of the suffix stood for: digest, tag, session
};

// Whether the target belongs to the registry's API, where errors carry the API's headers.
bool is_registry_path(const Target& target) noexcept;

RouteMatch match_registry(const Target& target);
RouteMatch match_admin(const Target& target);

bool method_allowed(Route route, Method method) noexcept;
// The value of `Allow`.
std::string allowed_methods(Route route);

}  // namespace orbitalreg::frontend
