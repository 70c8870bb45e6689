#pragma once
// What an errno of a lane's write, allocate or read means.

#include "base/result.h"
#include "cas/errors.h"

#include <cerrno>

namespace orbitalreg::cas {

inline bool is_lack_of_space(ErrorCode error) noexcept {
    return error.category() == boost::system::system_category() &&
           (error.value() == ENOSPC || error.value() == EDQUOT);
}

// Lack of space parks the upload; anything else is the device's failure.
inline ErrorCode write_error(ErrorCode error) noexcept {
    if (error.category() != boost::system::system_category()) return error;
    return is_lack_of_space(error) ? Errc::no_space : Errc::io_error;
}

}  // namespace orbitalreg::cas
