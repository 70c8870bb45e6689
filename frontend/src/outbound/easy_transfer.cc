#include "outbound/easy_transfer.h"

#include "http/ascii.h"
#include "outbound/http_url.h"
#include "outbound/proxy_choice.h"

#include <algorithm>
#include <sys/socket.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kAnswerHeadersMax = 256;
constexpr std::array<std::string_view, 6> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
// libcurl keeps the authorities that it has read; a file that was replaced is read again after so long.
constexpr long kAuthoritiesKeptS = 60;
constexpr std::size_t kStatusLineMin = std::string_view{"HTTP/1.1 200"}.size();

// Of a line like `HTTP/1.1 200 OK`; 0 where it is none.
unsigned status_of_line(std::string_view line) noexcept {
    const auto blank = line.find(' ');
    if (line.size() < kStatusLineMin || blank == line.npos) return 0;
    return static_cast<unsigned>(parse_decimal(line.substr(blank + 1, 3)).value_or(0));
}

// libcurl would undo it, asked or not.
bool has_foreign_encoding(const std::vector<HttpHeader>& headers) noexcept {
    return std::any_of(headers.begin(), headers.end(), [](const HttpHeader& field) {
        return field.name == "transfer-encoding" && !equals_ignoring_case(field.value, "chunked");
    });
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

}  // namespace

bool curl_ready() noexcept {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return ready;
}

EasyTransfer::EasyTransfer(HttpRequest request, HttpPolicy policy)
    : request_{std::move(request)},
      policy_{std::move(policy)},
      addresses_{policy_.any_address, policy_.allow_networks},
      url_{parse_http_url(request_.url)} {
    if (curl_ready()) easy_.reset(curl_easy_init());
}

std::size_t EasyTransfer::on_header(char* data, std::size_t size, std::size_t count,
                                    void* self) noexcept {
    const bool taken = static_cast<EasyTransfer*>(self)->take_header_line({data, size * count});
    return taken ? size * count : 0;
}

std::size_t EasyTransfer::on_body(char* data, std::size_t size, std::size_t count,
                                  void* self) noexcept {
    return static_cast<EasyTransfer*>(self)->take_body({data, size * count});
}

curl_socket_t EasyTransfer::on_socket(void* self, curlsocktype purpose,
                                      curl_sockaddr* address) noexcept {
    auto& transfer = *static_cast<EasyTransfer*>(self);
    if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
    // A proxy is reached wherever it is: an operator named it, and no answer has a say in it.
    if (transfer.proxy_.empty()) {
        auto refusal = transfer.addresses_.refusal(&address->addr);
        if (!refusal.empty()) {
            transfer.refused_address_ = std::move(refusal);
            return CURL_SOCKET_BAD;
        }
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// A connection that is used again was made under the rules of another request.
int EasyTransfer::on_request(void* self, char* remote_address, char*, int, int) noexcept {
    auto& transfer = *static_cast<EasyTransfer*>(self);
    if (!transfer.proxy_.empty()) return CURL_PREREQFUNC_OK;
    auto refusal = transfer.addresses_.refusal(std::string_view{remote_address});
    if (refusal.empty()) return CURL_PREREQFUNC_OK;
    transfer.refused_address_ = std::move(refusal);
    return CURL_PREREQFUNC_ABORT;
}

bool EasyTransfer::take_header_line(std::string_view line) {
    head_bytes_ += line.size();
    if (head_bytes_ > kHttpAnswerHeadMax || headers_.size() >= kAnswerHeadersMax) {
        head_too_large_ = true;
        return false;
    }
    if (head_taken_) return true;  // a trailer decides nothing
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) {  // of this answer, or of one after a 100
        headers_.clear();
        status_ = status_of_line(line);
        return true;
    }
    if (line.empty()) {
        if (status_ < 200) return true;
        head_taken_ = true;
        encoded_ = has_foreign_encoding(headers_);
        if (encoded_) return false;
        take_head();
        return true;
    }
    const auto colon = line.find(':');
    if (colon == line.npos) return true;
    std::string name{line.substr(0, colon)};
    std::transform(name.begin(), name.end(), name.begin(), to_lower);
    headers_.push_back({std::move(name), std::string{trim_blanks(line.substr(colon + 1))}});
    return true;
}

// What no request may be, before anything is sent.
std::string_view EasyTransfer::request_fault() const {
    if (std::find(kMethods.begin(), kMethods.end(), request_.method) == kMethods.end())
        return "the method is not one of those that are sent";
    if (!url_) return "the URL is none of http or https";
    if (url_->scheme == "http" && !policy_.http_allowed) return "plain HTTP is not allowed here";
    for (const auto& [name, value] : request_.headers) {
        const bool named =
            !name.empty() && std::all_of(name.begin(), name.end(), is_token_character);
        const bool valued = std::all_of(value.begin(), value.end(),
                                        [](char c) { return is_visible_ascii(c) || c == ' '; });
        if (!named || !valued) return "a header field is none";
    }
    return {};
}

// What is asked of a proxy by name, only the proxy can look up; what is written as an address is refused as everywhere.
std::string EasyTransfer::proxied_target_fault() const {
    if (proxy_.empty()) return {};
    const auto& host = url_->host;
    if (host == "localhost" || host.ends_with(".localhost"))
        return addresses_.refusal(std::string_view{"127.0.0.1"});
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    const std::string address = bracketed ? host.substr(1, host.size() - 2) : host;
    return parse_network(address) ? addresses_.refusal(std::string_view{address}) : std::string{};
}

void EasyTransfer::prepare_request() {
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
    set(CURLOPT_PROTOCOLS_STR, policy_.http_allowed ? "http,https" : "https");
    // redirects.h follows them.
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(policy_.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(policy_.total_timeout.count()));
}

void EasyTransfer::prepare_headers() {
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
    // None of these is for the proxy.
    set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
}

void EasyTransfer::prepare_callbacks() {
    set(CURLOPT_NOSIGNAL, 1L);
    // Otherwise a request that is given up waits for a name service that does not answer.
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_HEADERFUNCTION, &EasyTransfer::on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    set(CURLOPT_WRITEFUNCTION, &EasyTransfer::on_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_OPENSOCKETFUNCTION, &EasyTransfer::on_socket);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
    set(CURLOPT_PREREQFUNCTION, &EasyTransfer::on_request);
    set(CURLOPT_PREREQDATA, static_cast<void*>(this));
}

void EasyTransfer::prepare_proxy() {
    proxy_ =
        choose_proxy(policy_.environment_proxy ? environment_proxies() : policy_.proxies, *url_);
    // Both are set, so that libcurl asks the environment for neither.
    set(CURLOPT_PROXY, proxy_.c_str());
    set(CURLOPT_NOPROXY, "");
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
}

void EasyTransfer::prepare_trust() {
    const bool checked = policy_.unverified_host.empty() || policy_.unverified_host != url_->host;
    set(CURLOPT_SSL_VERIFYPEER, checked ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, checked ? 2L : 0L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_CA_CACHE_TIMEOUT, kAuthoritiesKeptS);
    if (policy_.ca_file.empty()) return;
    set(CURLOPT_CAINFO, policy_.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
}

HttpTrouble EasyTransfer::prepare() {
    if (const auto fault = request_fault(); !fault.empty())
        return trouble(HttpFailure::request_invalid, fault);
    if (!easy_) return trouble(HttpFailure::broken_off, "libcurl cannot be used");
    prepare_request();
    prepare_headers();
    prepare_callbacks();
    prepare_proxy();
    prepare_trust();
    if (auto fault = proxied_target_fault(); !fault.empty())
        return trouble(HttpFailure::address_refused, fault);
    if (!prepared_) return trouble(HttpFailure::broken_off, "libcurl refuses an option");
    return {};
}

HttpTrouble EasyTransfer::trouble(HttpFailure failure, std::string_view text) const {
    std::string sentence = request_.method + ' ';
    sentence.append(without_query(request_.url)).append(": ").append(text);
    return {failure, std::move(sentence)};
}

HttpTrouble EasyTransfer::outcome_of(CURLcode code) const {
    // libcurl takes an end within the head for the end of the head.
    if (code == CURLE_OK && !head_taken_)
        return trouble(HttpFailure::broken_off, "the answer ends within its head");
    if (code == CURLE_OK) return {};
    if (head_too_large_) return trouble(HttpFailure::too_large, "the answer's head is too large");
    if (encoded_)
        return trouble(HttpFailure::broken_off, "the answer is encoded as nobody asked for");
    // Where one of several addresses was refused and the others did not answer, the refusal is what an operator must know.
    const bool refused = code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK;
    if (refused && !refused_address_.empty())
        return trouble(HttpFailure::address_refused, refused_address_);
    const std::string_view said{error_.data()};
    return trouble(failure_of(code), said.empty() ? curl_easy_strerror(code) : said);
}

}  // namespace orbitalreg::frontend
