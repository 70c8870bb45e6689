#pragma once
// TlsSession is the client's side of TLS over one connected, blocking socket. Nothing is verified:
// what is measured is what TLS costs, on an address that the caller has chosen.
//
// Life     made after connect(); ends before its socket does.
// Threads  one thread each.

#include "base/bytes.h"

#include <openssl/ssl.h>

#include <memory>

namespace orbitalreg::load {

class TlsSession {
public:
    // Shakes hands; empty when that fails. SIGPIPE is the caller's to ignore.
    static std::unique_ptr<TlsSession> connect(int socket);

    bool send(ByteView bytes);
    // How many bytes came; 0: the end, or an error.
    std::size_t receive(MutableByteView room);

private:
    struct Free {
        void operator()(SSL* session) const { SSL_free(session); }
    };
    explicit TlsSession(SSL* session) : session_{session} {}

    std::unique_ptr<SSL, Free> session_;
};

}  // namespace orbitalreg::load
