#pragma once
// Errors of frontend: what a peer, its bytes or a configuration file did wrong. Errors of the kernel travel as they are.

#include "base/result.h"

#include <boost/system/error_code.hpp>

namespace orbitalreg::frontend {

enum class Errc {
    peer_closed = 1,   // the peer went away in the middle of a message
    body_malformed,    // chunked framing that is not what RFC 9112 says
    body_too_large,    // more body than the request's limit allows
    no_memory_left,    // of what requests may hold
    body_late,         // read after the answer was sent
    response_aborted,  // the body's source failed after the header was sent; the connection was cut
    address_invalid,   // not `address:port`
    tls_failed,        // a peer broke off a handshake, or what it sent is not TLS
    tls_expected,      // a peer spoke plain HTTP where TLS is spoken
    config_invalid,    // the findings say where and why
};

const boost::system::error_category& category() noexcept;
inline ErrorCode make_error_code(Errc error) noexcept {
    return {static_cast<int>(error), category()};
}

}  // namespace orbitalreg::frontend

template <>
struct boost::system::is_error_code_enum<orbitalreg::frontend::Errc> : std::true_type {};
