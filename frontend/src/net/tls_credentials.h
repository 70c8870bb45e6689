#pragma once
// TlsCredentials holds what the server proves itself with, and hands it to each new connection: certificate chain, key and
// the authorities of client certificates. A connection keeps what it began with while later ones get what load() read since.
//
// Life     outlives the connections that ask it.
// Threads  context() from any; load() from one at a time.
// Limits   TLS 1.2 and 1.3, suites with forward secrecy and authenticated encryption, no compression, no renegotiation, no
//          session cache, no tickets, no early data (SEC-108); ALPN names http/1.1 alone (DIST-HTTP-05).
// Errors   load() says in words which file is wrong and how; what was in use stays in use.

#include "base/clock.h"
#include "base/metrics.h"
#include "frontend/options.h"

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace orbitalreg::frontend {

using SslContext = std::shared_ptr<SSL_CTX>;

class TlsCredentials {
public:
    explicit TlsCredentials(Metrics& metrics);

    // Reads the files. What is wrong with them, or nothing.
    std::string load(const TlsOptions& options);
    // Null until load() has succeeded once.
    SslContext context() const;
    // When the certificate in use ends, in seconds since 1970; 0 without one.
    std::int64_t not_after_s() const noexcept {
        return not_after_s_.load(std::memory_order_relaxed);
    }

    void count_handshake(bool succeeded) noexcept { (succeeded ? succeeded_ : failed_).add(); }

private:
    mutable std::mutex mutex_;
    SslContext context_;
    std::atomic<std::int64_t> not_after_s_{0};
    Counter& succeeded_;
    Counter& failed_;
    Counter& loads_;
    Counter& refused_loads_;
};

}  // namespace orbitalreg::frontend
