#include "embedded/translate.h"

#include "cas/errors.h"

#include <boost/system/errc.hpp>

#include <cerrno>

namespace orbitalreg::engine {

namespace {

Errc meaning_of(cas::Errc error) noexcept {
    switch (error) {
        case cas::Errc::blob_not_found:
            return Errc::blob_unknown;
        case cas::Errc::blob_damaged:
            return Errc::damaged;
        case cas::Errc::blob_too_large:
            return Errc::too_large;
        case cas::Errc::digest_mismatch:
            return Errc::digest_mismatch;
        case cas::Errc::upload_closed:
        case cas::Errc::upload_expired:
            return Errc::upload_unknown;
        case cas::Errc::upload_busy:
        case cas::Errc::offset_mismatch:
            return Errc::offset_mismatch;
        case cas::Errc::precondition_failed:
            return Errc::precondition_failed;
        case cas::Errc::change_too_large:
            return Errc::too_large;
        case cas::Errc::no_space:
            return Errc::no_space;
        case cas::Errc::overloaded:
            return Errc::overloaded;
        case cas::Errc::read_only:
            return Errc::read_only;
        case cas::Errc::outcome_unknown:
            return Errc::unknown;
        case cas::Errc::catalog_unreadable:
            return Errc::unwritable;
        case cas::Errc::stopped:
            return Errc::stopped;
        default:
            return Errc::io_error;
    }
}

}  // namespace

Refusal translate(const ErrorCode& error) {
    if (error.category() == category()) return error;
    if (error.category() == cas::category())
        return meaning_of(static_cast<cas::Errc>(error.value()));
    if (error.category() == boost::system::system_category() &&
        (error.value() == ENOSPC || error.value() == EDQUOT)) {
        return Errc::no_space;
    }
    return Errc::io_error;
}

}  // namespace orbitalreg::engine
