#pragma once
// The one place where a refusal of the registry becomes a status and an OCI error code (DIST-ERR-01, DIST-ERR-02).

#include "engine/errors.h"
#include "http/response.h"

namespace orbitalreg::frontend {

// What the request was about, where one refusal has two answers.
enum class Subject : std::uint8_t { blob_pull, blob_push, manifest_pull, manifest_push, listing };

Response refusal_response(const engine::Refusal& refusal, Subject subject);

}  // namespace orbitalreg::frontend
