#include "http/route_table.h"

#include <algorithm>
#include <array>
#include <span>

namespace orbitalreg::frontend {
namespace {

constexpr unsigned bit(Method method) noexcept { return 1U << static_cast<unsigned>(method); }
constexpr unsigned kRead = bit(Method::get) | bit(Method::head);

struct RouteFacts {
    Route route;
    std::string_view label;
    unsigned methods;
};
constexpr std::array<RouteFacts, kRoutes> kFacts{{
    {Route::ping, "ping", kRead},
    {Route::blob, "blob", kRead | bit(Method::delete_)},
    {Route::uploads, "uploads", bit(Method::post)},
    {Route::upload, "upload", kRead | bit(Method::patch) | bit(Method::put) | bit(Method::delete_)},
    {Route::manifest, "manifest", kRead | bit(Method::put) | bit(Method::delete_)},
    {Route::tags, "tags", kRead},
    {Route::referrers, "referrers", kRead},
    {Route::catalog, "catalog", kRead},
    {Route::system_gc, "system_gc", bit(Method::get) | bit(Method::post)},
    {Route::system_gc_blob, "system_gc_blob", bit(Method::get)},
    {Route::system_stats, "system_stats", bit(Method::get)},
    {Route::system_compaction, "system_compaction", bit(Method::get) | bit(Method::post)},
    {Route::system_scrub, "system_scrub", bit(Method::get) | bit(Method::post)},
    {Route::management, "management",
     kRead | bit(Method::post) | bit(Method::put) | bit(Method::patch) | bit(Method::delete_)},
    {Route::token, "token", bit(Method::get) | bit(Method::post)},
    {Route::jwks, "jwks", kRead},
    {Route::livez, "livez", kRead},
    {Route::readyz, "readyz", kRead},
    {Route::startupz, "startupz", kRead},
    {Route::metrics, "metrics", kRead},
    {Route::none, "none", 0},
}};

const RouteFacts& facts(Route route) noexcept { return kFacts[static_cast<std::size_t>(route)]; }

constexpr std::string_view kAny = "*";  // any component but an empty one; it is the reference

// Suffixes behind a repository name, longest first, and among equals the more fixed one first.
struct Suffix {
    Route route;
    std::array<std::string_view, 3> words;
    std::size_t count;
};
constexpr std::array<Suffix, 9> kSuffixes{{
    {Route::upload, {"blobs", "uploads", kAny}, 3},
    {Route::uploads, {"blobs", "uploads", ""}, 3},
    {Route::tags, {"tags", "list", ""}, 3},
    {Route::uploads, {"blobs", "uploads"}, 2},
    {Route::tags, {"tags", "list"}, 2},
    {Route::blob, {"blobs", kAny}, 2},
    {Route::manifest, {"manifests", kAny}, 2},
    {Route::referrers, {"referrers", kAny}, 2},
    {Route::none, {}, 0},
}};

bool fits(std::span<const std::string_view> segments, const Suffix& suffix) noexcept {
    if (segments.size() < suffix.count) return false;
    const auto tail = segments.last(suffix.count);
    for (std::size_t i = 0; i < suffix.count; ++i) {
        const bool same = suffix.words[i] == kAny ? !tail[i].empty() : tail[i] == suffix.words[i];
        if (!same) return false;
    }
    return true;
}

std::string join(std::span<const std::string_view> segments) {
    std::string name;
    for (const std::string_view& segment : segments) {
        if (&segment != &segments.front()) name += '/';
        name += segment;
    }
    return name;
}

// Paths without a repository name, of which `v2` is already taken.
Route fixed_route(std::span<const std::string_view> segments) noexcept {
    if (segments.empty() || (segments.size() == 1 && segments[0].empty())) return Route::ping;
    if (segments.size() == 1 && segments[0] == "_catalog") return Route::catalog;
    return Route::none;
}

// Below /api/v1/system/.
RouteMatch match_system(std::span<const std::string_view> segments) {
    RouteMatch match;
    if (segments.size() == 1 && segments[0] == "gc") match.route = Route::system_gc;
    if (segments.size() == 1 && segments[0] == "stats") match.route = Route::system_stats;
    if (segments.size() == 1 && segments[0] == "compaction") match.route = Route::system_compaction;
    if (segments.size() == 1 && segments[0] == "scrub") match.route = Route::system_scrub;
    if (segments.size() == 2 && segments[0] == "gc" && !segments[1].empty()) {
        match.route = Route::system_gc_blob;
        match.reference = segments[1];
    }
    return match;
}

bool begins_with(std::span<const std::string_view> segments,
                 std::initializer_list<std::string_view> words) noexcept {
    return segments.size() >= words.size() &&
           std::equal(words.begin(), words.end(), segments.begin());
}

// What is no registry's path but served beside it.
RouteMatch match_beside(std::span<const std::string_view> segments) {
    if (segments.size() > 3 && begins_with(segments, {"api", "v1", "system"}))
        return match_system(segments.subspan(3));
    RouteMatch match;
    if (segments.size() > 2 && begins_with(segments, {"api", "v1"}) && segments[2] != "system")
        match.route = Route::management;
    if ((segments.size() == 1 && begins_with(segments, {"token"})) ||
        (segments.size() == 2 && begins_with(segments, {"oauth2", "token"})))
        match.route = Route::token;
    if (segments.size() == 2 && begins_with(segments, {".well-known", "jwks.json"}))
        match.route = Route::jwks;
    return match;
}

}  // namespace

std::string_view to_string(Route route) noexcept { return facts(route).label; }

bool is_registry_path(const Target& target) noexcept {
    // A target that was refused half way still says where it was going.
    return !target.segments.empty() ? target.segments.front() == "v2"
                                    : target.path.starts_with("/v2/");
}

RouteMatch match_registry(const Target& target) {
    if (!is_registry_path(target)) return match_beside(target.segments);
    RouteMatch match;
    const auto segments = std::span{target.segments}.subspan(1);
    match.route = fixed_route(segments);
    if (match.route != Route::none) return match;
    // `_` begins the extension space; no repository component can (DIST-GEN-13).
    if (segments.front().starts_with('_')) return match;
    for (const Suffix& suffix : kSuffixes) {
        if (!fits(segments, suffix)) continue;
        match.route = suffix.route;
        if (suffix.count > 0 && suffix.words[suffix.count - 1] == kAny)
            match.reference = segments.back();
        if (suffix.count > 0) match.name = join(segments.first(segments.size() - suffix.count));
        return match;
    }
    return match;
}

RouteMatch match_admin(const Target& target) {
    RouteMatch match;
    if (target.segments.size() != 1) return match;
    for (const Route route : {Route::livez, Route::readyz, Route::startupz, Route::metrics}) {
        if (target.segments.front() == to_string(route)) match.route = route;
    }
    return match;
}

bool method_allowed(Route route, Method method) noexcept {
    return (facts(route).methods & bit(method)) != 0;
}

std::string allowed_methods(Route route) {
    std::string list;
    for (const Method method :
         {Method::get, Method::head, Method::post, Method::put, Method::patch, Method::delete_}) {
        if (!method_allowed(route, method)) continue;
        if (!list.empty()) list += ", ";
        list += to_string(method);
    }
    return list;
}

}  // namespace orbitalreg::frontend
