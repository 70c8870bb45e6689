#pragma once
// ServerOptions: every limit and time of frontend, with unit and default. SEC-72 to SEC-86 name their origin.

#include "base/bytes.h"
#include "frontend/oidc.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace orbitalreg::frontend {

struct HttpLimits {
    std::size_t request_line_bytes = 8_KiB;  // above it 414 (SEC-77)
    std::size_t header_bytes = 32_KiB;       // request line and fields; above it 431
    std::size_t header_fields = 100;
    std::size_t query_parameters = 128;

    std::uint64_t ignored_body_bytes =
        4_KiB;                             // of a method that takes no body; above it 413 (SEC-78)
    std::uint64_t manifest_bytes = 4_MiB;  // above it 413
    std::uint64_t blob_bytes = 0;          // 0: no limit of its own; above it 413
    std::uint64_t drain_bytes = 64_KiB;    // of a body that nobody wants, after the answer (SEC-86)

    std::size_t chunk_extension_bytes = 256;          // of one chunk (SEC-76)
    std::size_t chunk_extensions_bytes_all = 16_KiB;  // of one request
    std::uint32_t small_chunks = 1'000'000;           // chunks under 64 bytes in one request

    std::uint32_t connections = 10'000;
    std::uint32_t connections_per_address = 1'024;

    std::uint32_t requests =
        5'000;  // in hand at once; pushes and lists three quarters of it (REL-28)
    // What they hold beside buffers: manifests that arrive, lists that are sent (SEC-82).
    std::uint64_t request_memory_bytes = 128_MiB;

    std::uint32_t page_size =
        10'000;  // entries of a tags list or catalog page; a larger `n` is clamped (SEC-05)
    std::uint32_t referrers_page = 1'000;  // entries of a page of referrers (SEC-22)
    std::size_t ranges = 1'024;            // of one request; more are answered whole (DIST-BLOB-15)
    std::uint32_t range_excess = 2;  // sum of ranges over this many times the blob: answered whole
    std::size_t tags_per_push = 16;  // `tag` parameters of a manifest PUT; more are 414

    friend bool operator==(const HttpLimits&, const HttpLimits&) = default;
};

struct HttpTimes {
    std::chrono::milliseconds handshake{10'000};  // of TLS, from accept to its end
    std::chrono::milliseconds header{10'000};  // from its first byte, or from accept, to its last
    std::chrono::milliseconds idle{60'000};    // keep-alive without a request
    std::chrono::milliseconds body_window{
        30'000};  // the average of a body's rate is taken over this
    std::chrono::milliseconds response_window{60'000};
    std::chrono::milliseconds drain{2'000};
    // While the server stops: an idle connection may be about to send, and is answered once more.
    std::chrono::milliseconds idle_while_stopping{500};
    std::chrono::milliseconds tick{250};  // how often all connections are looked at
    std::uint64_t rate_min = 1_KiB;       // bytes per second, of bodies in both directions

    friend bool operator==(const HttpTimes&, const HttpTimes&) = default;
};

// Files in PEM; read at start and on each reload.
struct TlsOptions {
    std::string
        address;  // where TLS is spoken beside plain HTTP; empty: on the main address, instead of it
    std::string certificate;  // the chain, leaf first; empty: no TLS
    std::string key;
    std::string client_ca;  // authorities of client certificates; empty: none is asked for
    bool client_certificate_required = false;

    bool enabled() const noexcept { return !certificate.empty(); }
    friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

// Of one address (SEC-109).
struct RateOptions {
    std::uint32_t requests_per_second =
        0;  // reads and new uploads, averaged over ten seconds; 0: no limit
    std::uint32_t requests_per_principal = 0;  // the same for one account, wherever it asks from
    std::uint64_t pulls = 0;                   // manifests read in a window; 0: no limit
    std::chrono::milliseconds pull_window{6 * 3'600'000LL};

    friend bool operator==(const RateOptions&, const RateOptions&) = default;
};

// Pages of other origins (DIST-CORS-01).
struct CorsOptions {
    std::vector<std::string> origins;            // exact; none: no page may
    bool writing = false;                        // POST, PUT and PATCH too
    std::chrono::milliseconds max_age{600'000};  // how long a browser may remember what it was told

    friend bool operator==(const CorsOptions&, const CorsOptions&) = default;
};

// Who may come in.
struct AuthOptions {
    bool on = false;  // auth.mode: token
    std::string
        service;  // the audience of tokens; empty: host and port of the external URL, else `orbitalreg`
    std::chrono::seconds token_life{300};
    bool basic_on_v2 = true;  // name and secret at each request, besides tokens
    bool rotate_refresh = false;
    std::chrono::seconds refresh_life{30 * 24 * 3600LL};  // without use
    std::uint32_t login_failures = 5;  // then each further one doubles the wait (SEC-48)
    bool offline = false;              // no identity provider is asked over the network
    std::string keys_path;             // of the keys that sign tokens
    std::string bootstrap_path;        // of the secret that makes the first administrator
    std::chrono::seconds key_life{90 * 24 * 3600LL};  // 0: keys change when asked only

    friend bool operator==(const AuthOptions&, const AuthOptions&) = default;
};

enum class AuditEnabled : std::uint8_t { automatic, on, off };
enum class AuditSync : std::uint8_t { interval, always };

// The audit log (SEC-106).
struct AuditOptions {
    std::string path;                                // empty: `audit` in the data directory
    AuditEnabled enabled = AuditEnabled::automatic;  // where requests are authenticated
    AuditSync sync = AuditSync::interval;            // always: before an append returns
    std::chrono::milliseconds sync_interval{1'000};  // of AuditSync::interval, at most so often
    std::uint64_t rotate_bytes = 64_MiB;             // a file is not made larger
    std::uint32_t files_max = 0;                     // older files are removed; 0: none is
    bool required = true;  // requests that change something are refused while it cannot be written
    bool pulls = false;    // granted pulls too

    friend bool operator==(const AuditOptions&, const AuditOptions&) = default;
};

struct ServerOptions {
    std::string address = "127.0.0.1:5000";  // port 0: a free one
    TlsOptions tls;
    std::string admin_address = "127.0.0.1:5001";  // empty: no admin listener
    std::string external_url;  // scheme, host and perhaps a path prefix; empty: relative URLs
    std::vector<std::string> trusted_proxies;  // networks whose forwarded headers are believed
    CorsOptions cors;
    RateOptions rates;
    AuthOptions auth;
    AuditOptions audit;
    OidcOptions oidc;
    bool mount_without_from = true;
    bool deletion = true;  // of manifests, tags and blobs by clients
    HttpLimits limits;
    HttpTimes times;

    friend bool operator==(const ServerOptions&, const ServerOptions&) = default;
};

}  // namespace orbitalreg::frontend
