#pragma once
// TlsFront takes TLS off connections and passes on what is in them to a port of this machine. Its certificate is its own
// authority, made anew for each.
//
// Life     made, listening -> destroyed, which cuts what is open.
// Threads  any.

#include "base/unique_fd.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace orbitalreg {

inline int connect_to_loopback(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr generic{};
    std::memcpy(&generic, &address, sizeof generic);
    if (::connect(fd, &generic, sizeof generic) != 0) ADD_FAILURE() << "nobody listens on " << port;
    return fd;
}

class TlsFront {
public:
    // `names` as in subjectAltName: `DNS:localhost,IP:127.0.0.1`. `version_max` as TLS1_1_VERSION; 0: the newest.
    // `valid_s`: until when from now.
    TlsFront(std::uint16_t to_port, const std::string& names, int version_max = 0,
             long valid_s = 3'600)
        : to_port_{to_port}, context_{SSL_CTX_new(TLS_server_method()), &SSL_CTX_free} {
        std::signal(SIGPIPE, SIG_IGN);
        make_certificate(names, valid_s);
        if (version_max != 0) {
            SSL_CTX_set_security_level(context_.get(), 0);
            SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
            SSL_CTX_set_max_proto_version(context_.get(), version_max);
        }
        listen();
        thread_ = std::thread{[this] { accept_all(); }};
    }
    ~TlsFront() {
        stopping_ = true;
        ::close(connect_to_loopback(port_));  // wakes accept()
        thread_.join();
        {
            const std::lock_guard lock{mutex_};
            for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
        }
        for (auto& thread : threads_) thread.join();
    }
    TlsFront(const TlsFront&) = delete;
    TlsFront& operator=(const TlsFront&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url(const std::string& host = "127.0.0.1") const {
        return "https://" + host + ':' + std::to_string(port_);
    }
    const std::string& authority_pem() const { return pem_; }

private:
    void make_certificate(const std::string& names, long valid_s) {
        EVP_PKEY* key = EVP_EC_gen("P-256");
        X509* certificate = X509_new();
        X509_set_version(certificate, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -3'600);
        X509_gmtime_adj(X509_getm_notAfter(certificate), valid_s);
        X509_NAME* name = X509_get_subject_name(certificate);
        const std::string common = "test " + std::to_string(to_port_);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1,
                                   0);
        X509_set_issuer_name(certificate, name);
        X509_set_pubkey(certificate, key);
        X509V3_CTX context;
        X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
        for (const auto& [kind, value] : {std::pair{NID_subject_alt_name, names.c_str()},
                                          std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
            X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
            X509_add_ext(certificate, extension, -1);
            X509_EXTENSION_free(extension);
        }
        X509_sign(certificate, key, EVP_sha256());
        SSL_CTX_use_certificate(context_.get(), certificate);
        SSL_CTX_use_PrivateKey(context_.get(), key);
        BIO* text = BIO_new(BIO_s_mem());
        PEM_write_bio_X509(text, certificate);
        char* data = nullptr;
        const long size = BIO_get_mem_data(text, &data);
        pem_.assign(data, static_cast<std::size_t>(size));
        BIO_free(text);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    void listen() {
        listener_ = UniqueFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr generic{};
        std::memcpy(&generic, &address, sizeof generic);
        ::bind(listener_.get(), &generic, sizeof generic);
        ::listen(listener_.get(), 64);
        socklen_t size = sizeof generic;
        ::getsockname(listener_.get(), &generic, &size);
        std::memcpy(&address, &generic, sizeof address);
        port_ = ntohs(address.sin_port);
    }
    void accept_all() {
        for (;;) {
            const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
            if (stopping_ || fd < 0) {
                if (fd >= 0) ::close(fd);
                return;
            }
            const std::lock_guard lock{mutex_};
            open_.push_back(fd);
            threads_.emplace_back([this, fd] { serve(fd); });
        }
    }
    void serve(int fd) {
        const std::unique_ptr<SSL, decltype(&SSL_free)> tls{SSL_new(context_.get()), &SSL_free};
        SSL_set_fd(tls.get(), fd);
        if (SSL_accept(tls.get()) == 1) {
            const UniqueFd inner{connect_to_loopback(to_port_)};
            pump(tls.get(), fd, inner.get());
        }
        const std::lock_guard lock{mutex_};
        open_.remove(fd);
        ::close(fd);
    }
    static void pump(SSL* tls, int outer, int inner) {
        std::array<char, 16'384> room{};
        for (;;) {
            std::array<pollfd, 2> both{{{outer, POLLIN, 0}, {inner, POLLIN, 0}}};
            if (SSL_pending(tls) == 0 && ::poll(both.data(), both.size(), -1) < 0) return;
            if (SSL_pending(tls) > 0 || both[0].revents != 0) {
                const int bytes = SSL_read(tls, room.data(), static_cast<int>(room.size()));
                if (bytes <= 0) return;
                if (::write(inner, room.data(), static_cast<std::size_t>(bytes)) != bytes) return;
            }
            if (both[1].revents == 0) continue;
            const auto bytes = ::read(inner, room.data(), room.size());
            if (bytes <= 0) {
                SSL_shutdown(tls);
                return;
            }
            if (SSL_write(tls, room.data(), static_cast<int>(bytes)) <= 0) return;
        }
    }

    const std::uint16_t to_port_;
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
    std::string pem_;
    UniqueFd listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;
    std::list<int> open_;
    std::list<std::thread> threads_;
    std::thread thread_;
};

}  // namespace orbitalreg
