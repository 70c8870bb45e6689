#pragma once
// Errors of the vocabulary itself. Each layer has an Errc of its own beside this one.

#include "base/result.h"

#include <boost/system/error_code.hpp>

namespace orbitalreg {

enum class BaseErrc {
    digest_malformed = 1,  // not algorithm:encoded, wrong length, upper-case hex
    digest_unsupported,    // well formed, but neither sha256 nor sha512
    hash_state_invalid,    // a saved hash state that cannot be one
};

const boost::system::error_category& base_category() noexcept;
inline ErrorCode make_error_code(BaseErrc error) noexcept {
    return {static_cast<int>(error), base_category()};
}

// The error_code of the calling thread's errno value `number`.
inline ErrorCode errno_code(int number) noexcept {
    return {number, boost::system::system_category()};
}

}  // namespace orbitalreg

template <>
struct boost::system::is_error_code_enum<orbitalreg::BaseErrc> : std::true_type {};
