#pragma once
// Conditional requests: an entity tag is the digest in quotes, strong, since the bytes under a digest never change
// (DIST-CACHE-01, DIST-CACHE-05, DIST-MAN-37).

#include "base/digest.h"
#include "net/request_head.h"

#include <string>
#include <string_view>

namespace orbitalreg::frontend {

std::string entity_tag(const Digest& digest);

// Whether a list of entity tags names the digest: quoted, unquoted, weak, or `*`.
bool names_entity(std::string_view list, const Digest& digest);

enum class Condition : std::uint8_t { proceed, not_modified, failed };
// If-Match, then If-None-Match, of a GET or HEAD.
Condition check_conditions(const RequestHead& head, const Digest& digest);

// If-Range absent, or exactly the current strong tag (DIST-BLOB-16).
bool range_applies(const RequestHead& head, const Digest& digest);

}  // namespace orbitalreg::frontend
