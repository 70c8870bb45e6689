#pragma once
// What went wrong with an upstream, in the words of engine's port.

#include "engine/upstream.h"
#include "outbound/http_stream.h"

namespace orbitalreg::frontend {

using engine::UpstreamFailure;
using engine::UpstreamResult;

UpstreamFailure failure_of(HttpTrouble trouble);
// Of an answer whose status is no success. `foreign`: a redirect led away from the upstream, so that what it says of rights is
// no word of the upstream's.
UpstreamFailure failure_of(const HttpStream& stream, bool foreign, std::int64_t wall_ns);
UpstreamFailure untrusted(const HttpRequest& request, std::string_view what);

std::string_view to_string(UpstreamFailure::Kind kind) noexcept;

}  // namespace orbitalreg::frontend
