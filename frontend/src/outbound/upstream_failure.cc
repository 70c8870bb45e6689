#include "outbound/upstream_failure.h"

#include "outbound/answer_fields.h"
#include "outbound/http_url.h"

namespace orbitalreg::frontend {
namespace {

using Kind = UpstreamFailure::Kind;

Kind kind_of(HttpFailure failure) noexcept {
    switch (failure) {
        case HttpFailure::address_refused:
        case HttpFailure::redirect_refused:
        case HttpFailure::request_invalid:
        case HttpFailure::too_large:
            return Kind::untrusted;
        case HttpFailure::stopped:
            return Kind::stopped;
        default:
            return Kind::unavailable;
    }
}

Kind kind_of(unsigned status, bool foreign) noexcept {
    if (status == 404 || status == 410) return Kind::not_found;
    if (status == 401 || status == 403) return foreign ? Kind::unavailable : Kind::denied;
    if (status == 429) return Kind::throttled;
    if (status >= 500 || status == 408) return Kind::unavailable;
    return Kind::untrusted;
}

std::string sentence(const HttpRequest& request, std::string_view what) {
    std::string text = request.method + ' ';
    return text.append(without_query(request.url)).append(": ").append(what);
}

}  // namespace

UpstreamFailure failure_of(HttpTrouble trouble) {
    return {kind_of(trouble.failure), std::move(trouble.text), {}};
}

UpstreamFailure failure_of(const HttpStream& stream, bool foreign, std::int64_t wall_ns) {
    UpstreamFailure failure;
    failure.kind = kind_of(stream.status(), foreign);
    failure.message =
        sentence(stream.request(), "answered with status " + std::to_string(stream.status()));
    const bool may_come_back = failure.kind == Kind::throttled || failure.kind == Kind::unavailable;
    if (const auto after = stream.header("retry-after"); may_come_back && after)
        failure.retry_after_ms = parse_retry_after_ms(*after, wall_ns);
    return failure;
}

UpstreamFailure untrusted(const HttpRequest& request, std::string_view what) {
    return {Kind::untrusted, sentence(request, what), {}};
}

std::string_view to_string(Kind kind) noexcept {
    switch (kind) {
        case Kind::not_found:
            return "not_found";
        case Kind::denied:
            return "denied";
        case Kind::throttled:
            return "throttled";
        case Kind::unavailable:
            return "unavailable";
        case Kind::untrusted:
            return "untrusted";
        case Kind::unsupported:
            return "unsupported";
        case Kind::stopped:
            return "stopped";
    }
    return "unavailable";
}

}  // namespace orbitalreg::frontend
