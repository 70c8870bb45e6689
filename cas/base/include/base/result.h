#pragma once
// Result<T> is what every function that can fail returns: a value or an error_code, never an exception.
// ORB_TRY and ORB_CO_TRY leave the enclosing function or coroutine with the error of a failed expression.

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/success_failure.hpp>
#include <boost/outcome/try.hpp>
#include <boost/system/error_code.hpp>

namespace orbitalreg {

using ErrorCode = boost::system::error_code;

template <class T>
using Result = boost::outcome_v2::basic_result<T, ErrorCode, boost::outcome_v2::policy::terminate>;

// The success of a Result<void>: `return ok();`
inline auto ok() noexcept { return boost::outcome_v2::success(); }

// The failure of any Result, for an enumerator or an error_code: `return fail(Errc::not_found);`
inline auto fail(ErrorCode error) noexcept { return boost::outcome_v2::failure(error); }

}  // namespace orbitalreg

#define ORB_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
#define ORB_CO_TRY(...) BOOST_OUTCOME_CO_TRY(__VA_ARGS__)
