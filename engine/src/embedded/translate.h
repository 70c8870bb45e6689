#pragma once
// What the errors of cas mean to the registry.

#include "engine/errors.h"

namespace orbitalreg::engine {

Refusal translate(const ErrorCode& error);

}  // namespace orbitalreg::engine
