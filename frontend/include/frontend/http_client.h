#pragma once
// The one way out: every request that the product itself sends over HTTP goes through fetch(), so that one place verifies
// certificates, says which addresses may be reached, and bounds time and memory (SEC-62, SEC-64, SEC-65).
//
// What is never done  a redirect is followed only where the policy says so; nothing is read from .netrc, no cookie is kept or
//          sent, no proxy is taken from the environment unless the policy says so, nothing is decompressed.
// Addresses  are checked on the socket that is about to be connected, after the system's resolver: another answer of the
//          name service a moment later changes nothing. A connection that is used again is checked again. Behind a proxy only a
//          host that is written as an address can be checked: the proxy looks up the names. Its own address is the operator's.
// Life     fetch() blocks; its second form runs it on a pool of the owner's, which outlives the call.
// Threads  any; a thread for each call.
// Limits   HttpPolicy; the head of an answer kHttpAnswerHeadMax.
// Errors   never throws; what went wrong is in the answer.

#include "base/asio.h"
#include "base/bytes.h"

#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::size_t kHttpAnswerHeadMax = 64_KiB;
inline constexpr std::uint32_t kHttpRedirectsMax = 5;  // SEC-64

struct HttpHeader {
    std::string name;
    std::string value;

    friend bool operator==(const HttpHeader&, const HttpHeader&) = default;
};

struct HttpRequest {
    std::string method = "GET";  // GET, HEAD, POST, PUT, PATCH, DELETE
    std::string url;
    std::vector<HttpHeader> headers;
    std::string body;
};

// A proxy as `http://host:port` or `https://host:port`, perhaps with a user name and a password; empty: none.
struct HttpProxies {
    std::string for_http;
    std::string for_https;
    std::string excepted;  // hosts that are reached without one, as in NO_PROXY

    friend bool operator==(const HttpProxies&, const HttpProxies&) = default;
};
// HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in small letters first.
HttpProxies environment_proxies();

struct HttpPolicy {
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds total_timeout{30'000};  // 0: none
    std::size_t answer_bytes_max = 512_KiB;           // of the body
    bool http_allowed = false;                        // plain HTTP too
    std::string ca_file;       // PEM; these authorities alone. Empty: those of the system
    bool any_address = false;  // for a program that somebody runs by hand
    std::vector<std::string>
        allow_networks;  // as parse_network() takes; beside the public addresses
    HttpProxies proxies;
    bool environment_proxy = false;   // those of the environment instead of `proxies`
    std::uint32_t redirects_max = 0;  // of GET and HEAD; never from https to http
    // The certificate of this host, as in HttpUrl, is not checked, under any port (SEC-65).
    std::string unverified_host;
    // Of an answer that is streamed, while its reader keeps up: how long nothing may come, and what must come of a body in a
    // second, averaged over that time. 0: any.
    std::chrono::milliseconds idle_timeout{0};
    std::uint64_t min_rate_bytes = 0;
};

enum class HttpFailure : std::uint8_t {
    none,
    request_invalid,  // no such method or scheme, a header that is none
    not_resolved,
    address_refused,  // by the policy
    not_connected,
    not_trusted,  // TLS: its certificate, or no agreement
    too_slow,
    too_large,
    broken_off,        // in the middle, or not HTTP
    stopped,           // by the caller
    redirect_refused,  // one too many, from https to http, or to nowhere
};

struct HttpAnswer {
    unsigned status = 0;              // 0: none came
    std::vector<HttpHeader> headers;  // names in small letters
    std::string body;
    HttpFailure failure = HttpFailure::none;
    std::string
        trouble;  // a sentence for people; empty: the whole answer is there, whatever its status

    bool whole() const noexcept { return failure == HttpFailure::none; }
    // The first of that name, in small letters.
    std::optional<std::string_view> header(std::string_view name) const;
};

struct HttpProgress {
    std::uint64_t sent_bytes = 0;
    std::uint64_t received_bytes = 0;
};
// Called about twice a second; false stops the request.
using WatchProgress = std::function<bool(const HttpProgress&)>;

HttpAnswer fetch(const HttpRequest& request, const HttpPolicy& policy,
                 const WatchProgress& watch = {});

// On a thread of `pool`; resumes where it was called.
Awaitable<HttpAnswer> fetch(asio::thread_pool& pool, HttpRequest request, HttpPolicy policy);

// A URL taken apart by what fetch() reads it with, so that both see the same host.
struct HttpUrl {
    std::string scheme;  // http or https
    std::string host;    // in small letters; an IPv6 address with its brackets
    std::string port;    // the scheme's own where none is given
    std::string path;    // from the first slash; `/` where there is none
};
// Nothing for another scheme, a user name, a fragment, or characters that no URL has.
std::optional<HttpUrl> parse_http_url(std::string_view text);

// Whether the host of a URL is this machine: localhost, 127.0.0.0/8, ::1.
bool is_loopback_host(std::string_view host);

}  // namespace orbitalreg::frontend
