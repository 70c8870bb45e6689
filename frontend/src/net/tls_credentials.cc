#include "net/tls_credentials.h"

#include "frontend/server.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>

namespace orbitalreg::frontend {
namespace {

// TLS 1.2: ephemeral keys and authenticated encryption only. TLS 1.3 has no others.
constexpr const char* kCiphers12 = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* kCiphers13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// As on the wire: a length and the name.
constexpr std::array<unsigned char, 9> kProtocols{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

// The last reason OpenSSL gave on this thread.
std::string last_reason() {
    const auto code = ERR_peek_last_error();
    const char* reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return reason != nullptr ? reason : "no reason given";
}

std::string trouble_with(std::string_view key, const std::string& file, const std::string& what) {
    return "http.tls." + std::string{key} + ": " + file + ": " + what;
}

// The kernel's word on a file that cannot be read; OpenSSL's own says less.
std::string unreadable(std::string_view key, const std::string& file) {
    std::ifstream in{file, std::ios::binary};
    if (in) return {};
    return trouble_with(key, file, std::string{"cannot be read: "} + std::strerror(errno));
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) noexcept {
    unsigned char* match = nullptr;
    const int found = SSL_select_next_proto(&match, chosen_size, kProtocols.data(),
                                            kProtocols.size(), offered, offered_size);
    if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = match;
    return SSL_TLSEXT_ERR_OK;
}

SslContext make_context() {
    const SslContext context{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
    if (!context) return nullptr;
    SSL_CTX* raw = context.get();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION);
    SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(raw, 0);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    // Buffers live while bytes wait in them: an idle connection holds none (SEC-82).
    SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(raw, 1);
    SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
    const bool suited = SSL_CTX_set_cipher_list(raw, kCiphers12) == 1 &&
                        SSL_CTX_set_ciphersuites(raw, kCiphers13) == 1;
    return suited ? context : nullptr;
}

std::string use_certificate(SSL_CTX* context, const TlsOptions& options) {
    if (auto trouble = unreadable("certificate", options.certificate); !trouble.empty())
        return trouble;
    if (auto trouble = unreadable("key", options.key); !trouble.empty()) return trouble;
    if (SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1) {
        return trouble_with("certificate", options.certificate,
                            "is not a certificate chain in PEM: " + last_reason());
    }
    if (SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return trouble_with(
            "key", options.key,
            "is not the certificate's key in PEM, without a password: " + last_reason());
    }
    return {};
}

std::string use_client_ca(SSL_CTX* context, const TlsOptions& options) {
    if (options.client_ca.empty()) return {};
    if (auto trouble = unreadable("client_ca", options.client_ca); !trouble.empty()) return trouble;
    auto* names = SSL_load_client_CA_file(options.client_ca.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(context, options.client_ca.c_str()) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return trouble_with("client_ca", options.client_ca,
                            "holds no certificates in PEM: " + last_reason());
    }
    SSL_CTX_set_client_CA_list(context, names);
    const int required = options.client_certificate_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, nullptr);
    return {};
}

std::int64_t end_of(const X509* certificate) noexcept {
    std::tm parts{};
    if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1)
        return 0;
    return ::timegm(&parts);
}

std::string build_context(const TlsOptions& options, SslContext& built) {
    ERR_clear_error();
    built = make_context();
    if (!built) return "http.tls: OpenSSL cannot be set up: " + last_reason();
    if (auto trouble = use_certificate(built.get(), options); !trouble.empty()) return trouble;
    return use_client_ca(built.get(), options);
}

}  // namespace

TlsCredentials::TlsCredentials(Metrics& metrics)
    : succeeded_{metrics.counter("tls_handshakes_total", "TLS handshakes, by how they ended.",
                                 {{"result", "ok"}})},
      failed_{metrics.counter("tls_handshakes_total", "TLS handshakes, by how they ended.",
                              {{"result", "failed"}})},
      loads_{metrics.counter("tls_certificate_loads_total",
                             "Times that certificate and key were read, by how that ended.",
                             {{"result", "ok"}})},
      refused_loads_{metrics.counter("tls_certificate_loads_total",
                                     "Times that certificate and key were read, by how that ended.",
                                     {{"result", "refused"}})} {
    metrics.gauge_function("tls_certificate_not_after_seconds",
                           "When the certificate in use ends, in seconds since 1970; 0: none.", {},
                           [this] { return static_cast<double>(not_after_s()); });
}

std::string TlsCredentials::load(const TlsOptions& options) {
    SslContext built;
    auto trouble = build_context(options, built);
    if (!trouble.empty()) {
        refused_loads_.add();
        return trouble;
    }
    not_after_s_.store(end_of(SSL_CTX_get0_certificate(built.get())), std::memory_order_relaxed);
    loads_.add();
    const std::lock_guard lock{mutex_};
    context_ = std::move(built);
    return {};
}

SslContext TlsCredentials::context() const {
    const std::lock_guard lock{mutex_};
    return context_;
}

std::string check_tls(const TlsOptions& options) {
    SslContext built;
    return options.enabled() ? build_context(options, built) : std::string{};
}

}  // namespace orbitalreg::frontend
