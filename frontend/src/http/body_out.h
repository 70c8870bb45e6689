#pragma once
// Sending a response: the header goes in one write with the first bytes of the body, then piece by piece as the peer takes
// them. A source that fails before the header was sent leaves room for another answer; afterwards the caller cuts the
// connection, so that no peer takes what it got for the whole (REL-10, DIST-BLOB-22).
//
// Limits   one piece at a time, of at most kPieceBytesMax (SEC-82); of kFirstPieceBytes until kRampBytes were taken, so that
//          a peer that takes little holds little.

#include "http/response.h"
#include "net/connection.h"

namespace orbitalreg::frontend {

inline constexpr std::uint64_t kPieceBytesMax = 512_KiB;
inline constexpr std::uint64_t kFirstPieceBytes = 64_KiB;
// More than a socket holds for a peer that does not read: kUnsentBytesMax and what is under way.
inline constexpr std::uint64_t kRampBytes = 512_KiB;

struct SendOutcome {
    bool header_sent = false;
    std::int64_t first_byte_ns = 0;  // steady time at which the header had been written
    std::uint64_t body_bytes = 0;    // written
    ErrorCode source_error;          // the source failed
    ErrorCode peer_error;            // the connection failed
    bool complete() const noexcept { return header_sent && !source_error && !peer_error; }
};

// `head` is the status line and all fields, the closing empty line included. `with_body` is false for HEAD and for
// statuses that have none. All arguments outlive the call.
Awaitable<SendOutcome> send_response(Connection& connection, Response& response,
                                     const std::string& head, bool with_body);

}  // namespace orbitalreg::frontend
