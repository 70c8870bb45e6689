#include "frontend/http_client.h"

#include "base/clock.h"
#include "http/ascii.h"
#include "outbound/address_rules.h"

#include <algorithm>
#include <array>
#include <curl/curl.h>
#include <memory>
#include <sys/socket.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kWatchEveryNs = 500'000'000;
constexpr int kPollMs = 250;
constexpr std::size_t kAnswerHeadersMax = 256;
constexpr std::size_t kUrlSizeMax = 8 * 1024;
constexpr std::array<std::string_view, 6> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

// Both kinds of handle are void to the compiler.
struct FreeEasy {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct FreeMulti {
    void operator()(CURLM* handle) const noexcept { curl_multi_cleanup(handle); }
};
struct Free {
    void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
    void operator()(char* text) const noexcept { curl_free(text); }
};

bool library_ready() noexcept {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return ready;
}

// Transfer is one request and what has come of it. libcurl is C: nothing may be thrown through it, and out of memory ends
// the process as everywhere.
class Transfer {
public:
    Transfer(const HttpRequest& request, const HttpPolicy& policy, const WatchProgress& watch)
        : request_{request},
          policy_{policy},
          watch_{watch},
          addresses_{policy.any_address, policy.allow_networks},
          easy_{curl_easy_init()},
          multi_{curl_multi_init()} {}

    HttpAnswer run();

private:
    static std::size_t take_header(char* data, std::size_t size, std::size_t count,
                                   void* self) noexcept;
    static std::size_t take_body(char* data, std::size_t size, std::size_t count,
                                 void* self) noexcept;
    static curl_socket_t open_socket(void* self, curlsocktype purpose,
                                     curl_sockaddr* address) noexcept;

    std::string_view request_fault() const;
    bool prepare();
    void prepare_request();
    void prepare_headers();
    void prepare_limits();
    void prepare_trust();
    CURLcode perform();
    bool watched(std::int64_t& next_ns);
    bool take_header_line(std::string_view line);
    HttpAnswer failed(HttpFailure failure, std::string trouble);
    HttpAnswer outcome(CURLcode code);

    template <class T>
    void set(CURLoption option, T value) noexcept {
        prepared_ = prepared_ && curl_easy_setopt(easy_.get(), option, value) == CURLE_OK;
    }

    const HttpRequest& request_;
    const HttpPolicy& policy_;
    const WatchProgress& watch_;
    const AddressRules addresses_;
    std::unique_ptr<CURL, FreeEasy> easy_;
    std::unique_ptr<CURLM, FreeMulti> multi_;
    std::unique_ptr<curl_slist, Free> header_list_;
    std::array<char, CURL_ERROR_SIZE> error_{};
    bool prepared_ = true;
    bool too_large_ = false;
    bool stopped_ = false;
    std::size_t head_bytes_ = 0;
    std::string refused_address_;  // why the last one was refused
    HttpAnswer answer_;
};

bool Transfer::take_header_line(std::string_view line) {
    head_bytes_ += line.size();
    if (head_bytes_ > kHttpAnswerHeadMax || answer_.headers.size() >= kAnswerHeadersMax) {
        too_large_ = true;
        return false;
    }
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) {  // of this answer, or of one after a redirect or a 100
        answer_.headers.clear();
        answer_.body.clear();
        return true;
    }
    const auto colon = line.find(':');
    if (colon == line.npos) return true;
    std::string name{line.substr(0, colon)};
    std::transform(name.begin(), name.end(), name.begin(), to_lower);
    answer_.headers.push_back({std::move(name), std::string{trim_blanks(line.substr(colon + 1))}});
    return true;
}

std::size_t Transfer::take_header(char* data, std::size_t size, std::size_t count,
                                  void* self) noexcept {
    const bool taken = static_cast<Transfer*>(self)->take_header_line({data, size * count});
    return taken ? size * count : 0;
}

std::size_t Transfer::take_body(char* data, std::size_t size, std::size_t count,
                                void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::size_t bytes = size * count;
    if (bytes > transfer.policy_.answer_bytes_max - transfer.answer_.body.size()) {
        transfer.too_large_ = true;
        return 0;
    }
    transfer.answer_.body.append(data, bytes);
    return bytes;
}

curl_socket_t Transfer::open_socket(void* self, curlsocktype purpose,
                                    curl_sockaddr* address) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
    auto refusal = transfer.addresses_.refusal(&address->addr);
    if (!refusal.empty()) {
        transfer.refused_address_ = std::move(refusal);
        return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// What no request may be, before anything is sent.
std::string_view Transfer::request_fault() const {
    if (std::find(kMethods.begin(), kMethods.end(), request_.method) == kMethods.end())
        return "the method is not one of those that are sent";
    const auto url = parse_http_url(request_.url);
    if (!url) return "the URL is none of http or https";
    if (url->scheme == "http" && !policy_.http_allowed) return "plain HTTP is not allowed here";
    for (const auto& [name, value] : request_.headers) {
        const bool named =
            !name.empty() && std::all_of(name.begin(), name.end(), is_token_character);
        const bool valued = std::all_of(value.begin(), value.end(),
                                        [](char c) { return is_visible_ascii(c) || c == ' '; });
        if (!named || !valued) return "a header field is none";
    }
    return {};
}

void Transfer::prepare_request() {
    const bool bodiless =
        request_.body.empty() && (request_.method == "GET" || request_.method == "HEAD");
    set(CURLOPT_URL, request_.url.c_str());
    if (request_.method == "HEAD") {
        set(CURLOPT_NOBODY, 1L);
    } else if (bodiless) {
        set(CURLOPT_HTTPGET, 1L);
    } else {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        set(CURLOPT_POSTFIELDS, request_.body.c_str());
        set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
    const bool plain = policy_.http_allowed;
    set(CURLOPT_PROTOCOLS_STR, plain ? "http,https" : "https");
    const auto redirects = std::min(policy_.redirects_max, kHttpRedirectsMax);
    set(CURLOPT_FOLLOWLOCATION, bodiless && redirects > 0 ? 1L : 0L);
    set(CURLOPT_MAXREDIRS, static_cast<long>(redirects));
    set(CURLOPT_REDIR_PROTOCOLS_STR, request_.url.starts_with("https:") ? "https" : "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    if (!policy_.environment_proxy) set(CURLOPT_PROXY, "");
}

void Transfer::prepare_headers() {
    const auto add = [this](const std::string& line) {
        auto* list = curl_slist_append(header_list_.get(), line.c_str());
        prepared_ = prepared_ && list != nullptr;
        if (list == nullptr) return;
        static_cast<void>(header_list_.release());
        header_list_.reset(list);
    };
    bool typed = false;
    bool agent = false;
    for (const auto& [name, value] : request_.headers) {
        // libcurl's way of writing a field without a value.
        add(value.empty() ? name + ';' : name + ": " + value);
        typed = typed || equals_ignoring_case(name, "content-type");
        agent = agent || equals_ignoring_case(name, "user-agent");
    }
    // What libcurl would add by itself.
    if (!typed) add("Content-Type:");
    add("Expect:");
    if (!agent) set(CURLOPT_USERAGENT, "orbitalreg");
    set(CURLOPT_HTTPHEADER, header_list_.get());
}

void Transfer::prepare_limits() {
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(policy_.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(policy_.total_timeout.count()));
    set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(policy_.answer_bytes_max));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_HEADERFUNCTION, &Transfer::take_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    set(CURLOPT_WRITEFUNCTION, &Transfer::take_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::open_socket);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
}

void Transfer::prepare_trust() {
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (policy_.ca_file.empty()) return;
    set(CURLOPT_CAINFO, policy_.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
}

bool Transfer::prepare() {
    if (!library_ready() || !easy_ || !multi_) return false;
    prepare_request();
    prepare_headers();
    prepare_limits();
    prepare_trust();
    return prepared_ && curl_multi_add_handle(multi_.get(), easy_.get()) == CURLM_OK;
}

// False when the caller wants no more of it.
bool Transfer::watched(std::int64_t& next_ns) {
    const auto now_ns = system_clock().steady_ns();
    if (!watch_ || now_ns < next_ns) return true;
    next_ns = now_ns + kWatchEveryNs;
    curl_off_t sent = 0;
    curl_off_t received = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_UPLOAD_T, &sent);
    curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_DOWNLOAD_T, &received);
    stopped_ = !watch_({static_cast<std::uint64_t>(sent), static_cast<std::uint64_t>(received)});
    return !stopped_;
}

CURLcode Transfer::perform() {
    std::int64_t next_ns = system_clock().steady_ns() + kWatchEveryNs;
    int running = 1;
    while (running > 0) {
        if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) return CURLE_FAILED_INIT;
        if (running == 0) break;
        if (!watched(next_ns)) return CURLE_ABORTED_BY_CALLBACK;
        if (curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr) != CURLM_OK)
            return CURLE_FAILED_INIT;
    }
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
    return message != nullptr && message->msg == CURLMSG_DONE ? message->data.result
                                                              : CURLE_FAILED_INIT;
}

HttpAnswer Transfer::failed(HttpFailure failure, std::string trouble) {
    // Half an answer is none.
    return {0, {}, {}, failure, request_.method + ' ' + request_.url + ": " + std::move(trouble)};
}

HttpFailure failure_of(CURLcode code) noexcept {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return HttpFailure::not_resolved;
        case CURLE_COULDNT_CONNECT:
            return HttpFailure::not_connected;
        case CURLE_OPERATION_TIMEDOUT:
            return HttpFailure::too_slow;
        case CURLE_FILESIZE_EXCEEDED:
            return HttpFailure::too_large;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ISSUER_ERROR:
            return HttpFailure::not_trusted;
        default:
            return HttpFailure::broken_off;
    }
}

HttpAnswer Transfer::outcome(CURLcode code) {
    if (code == CURLE_OK) {
        long status = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
        answer_.status = static_cast<unsigned>(status);
        return std::move(answer_);
    }
    if (stopped_) return failed(HttpFailure::stopped, "stopped");
    if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
        return failed(
            HttpFailure::too_large,
            "the answer is larger than " + std::to_string(policy_.answer_bytes_max) + " bytes");
    }
    // Where one of several addresses was refused and the others did not answer, the refusal is what an operator must know.
    if (code == CURLE_COULDNT_CONNECT && !refused_address_.empty())
        return failed(HttpFailure::address_refused, refused_address_);
    const std::string said{error_.data()};
    return failed(failure_of(code), said.empty() ? curl_easy_strerror(code) : said);
}

HttpAnswer Transfer::run() {
    if (const auto fault = request_fault(); !fault.empty())
        return failed(HttpFailure::request_invalid, std::string{fault});
    if (!prepare()) return failed(HttpFailure::broken_off, "libcurl cannot be used");
    const auto code = perform();
    auto answer = outcome(code);
    curl_multi_remove_handle(multi_.get(), easy_.get());
    return answer;
}

std::string url_part(CURLU* url, CURLUPart part) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
    const std::unique_ptr<char, Free> owned{text};
    return text;
}

Awaitable<HttpAnswer> fetch_there(HttpRequest request, HttpPolicy policy) {
    co_return fetch(request, policy);
}

}  // namespace

std::optional<std::string_view> HttpAnswer::header(std::string_view name) const {
    for (const auto& field : headers) {
        if (field.name == name) return field.value;
    }
    return std::nullopt;
}

HttpAnswer fetch(const HttpRequest& request, const HttpPolicy& policy, const WatchProgress& watch) {
    return Transfer{request, policy, watch}.run();
}

Awaitable<HttpAnswer> fetch(asio::thread_pool& pool, HttpRequest request, HttpPolicy policy) {
    auto work = fetch_there(std::move(request), std::move(policy));
    co_return co_await asio::co_spawn(pool, std::move(work), asio::use_awaitable);
}

std::optional<HttpUrl> parse_http_url(std::string_view text) {
    if (text.empty() || text.size() > kUrlSizeMax ||
        !std::all_of(text.begin(), text.end(), is_visible_ascii) || text.find('#') != text.npos)
        return std::nullopt;
    const std::unique_ptr<CURLU, Free> url{curl_url()};
    if (!url) return std::nullopt;
    constexpr unsigned kFlags = CURLU_DISALLOW_USER;
    if (curl_url_set(url.get(), CURLUPART_URL, std::string{text}.c_str(), kFlags) != CURLUE_OK)
        return std::nullopt;
    HttpUrl parts{url_part(url.get(), CURLUPART_SCHEME), url_part(url.get(), CURLUPART_HOST),
                  url_part(url.get(), CURLUPART_PORT), url_part(url.get(), CURLUPART_PATH)};
    std::transform(parts.host.begin(), parts.host.end(), parts.host.begin(), to_lower);
    if ((parts.scheme != "http" && parts.scheme != "https") || parts.host.empty())
        return std::nullopt;
    return parts;
}

bool is_loopback_host(std::string_view host) {
    if (host == "localhost") return true;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto network = parse_network(host);
    if (!network || network->bits != 128) return false;
    const auto kind = special_address_kind(network->prefix, false);
    return kind == "loopback";
}

}  // namespace orbitalreg::frontend
