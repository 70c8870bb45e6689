#include "tls_session.h"

namespace orbitalreg::load {
namespace {

// One for the process, as a client has it.
SSL_CTX* context() {
    struct Free {
        void operator()(SSL_CTX* made) const { SSL_CTX_free(made); }
    };
    static const std::unique_ptr<SSL_CTX, Free> context{SSL_CTX_new(TLS_client_method())};
    return context.get();
}

}  // namespace

std::unique_ptr<TlsSession> TlsSession::connect(int socket) {
    std::unique_ptr<TlsSession> made{new TlsSession{SSL_new(context())}};
    SSL* const session = made->session_.get();
    if (session == nullptr || SSL_set_fd(session, socket) != 1 || SSL_connect(session) != 1)
        return nullptr;
    return made;
}

bool TlsSession::send(ByteView bytes) {
    std::size_t sent = 0;
    // Without SSL_MODE_ENABLE_PARTIAL_WRITE it is all or nothing.
    return bytes.empty() || SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &sent) == 1;
}

std::size_t TlsSession::receive(MutableByteView room) {
    std::size_t count = 0;
    return SSL_read_ex(session_.get(), room.data(), room.size(), &count) == 1 ? count : 0;
}

}  // namespace orbitalreg::load
