#include "http/cors.h"

#include "http/ascii.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kReading = "GET, HEAD, OPTIONS, DELETE";
constexpr std::string_view kWriting = "GET, HEAD, OPTIONS, DELETE, POST, PUT, PATCH";
constexpr std::string_view kRequestHeaders =
    "Authorization, Accept, Cache-Control, Content-Type, Range, If-None-Match";
constexpr std::string_view kAnswerHeaders =
    "Docker-Content-Digest, WWW-Authenticate, Link, Location, Content-Range, Content-Length, ETag, "
    "OCI-Subject, OCI-Filters-Applied, Warning, Range, Docker-Upload-UUID";

bool listed(const CorsOptions& cors, const RequestHead& head) {
    const auto origin = head.field("Origin");
    return origin &&
           std::find(cors.origins.begin(), cors.origins.end(), *origin) != cors.origins.end();
}

}  // namespace

bool is_origin(std::string_view text) noexcept {
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) return false;
    const auto scheme = text.substr(0, scheme_end);
    const auto host = text.substr(scheme_end + 3);
    return (scheme == "https" || scheme == "http") && !host.empty() &&
           std::all_of(host.begin(), host.end(), [](char c) {
               return is_lower(c) || (c >= '0' && c <= '9') ||
                      std::string_view{".-:[]"}.find(c) != std::string_view::npos;
           });
}

void allow_origin(const CorsOptions& cors, const RequestHead& head, Headers& headers) {
    if (cors.origins.empty()) return;
    // The answer differs by origin, also where it allows none: a cache must not mix them up.
    headers.add("Vary", "Origin");
    if (!listed(cors, head)) return;
    headers.add("Access-Control-Allow-Origin", *head.field("Origin"));
    headers.add("Access-Control-Expose-Headers", kAnswerHeaders);
}

std::optional<Response> answer_preflight(const CorsOptions& cors, const RequestHead& head) {
    if (head.method != Method::options || !listed(cors, head)) return std::nullopt;
    if (!head.field("Access-Control-Request-Method")) return std::nullopt;
    Response response;
    response.status = 204;
    response.headers.add("Access-Control-Allow-Methods", cors.writing ? kWriting : kReading);
    response.headers.add("Access-Control-Allow-Headers", kRequestHeaders);
    response.headers.add(
        "Access-Control-Max-Age",
        static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(cors.max_age).count()));
    return response;
}

}  // namespace orbitalreg::frontend
