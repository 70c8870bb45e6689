#pragma once
// EasyTransfer is one request as libcurl is to send it under a policy, and the head of what comes back. Both forms of the
// client are made of it, the one that blocks and the one that streams, so that there is one set of rules.
//
// Life     made -> prepare() -> performed by whoever owns the multi handle -> outcome_of(). The handle is in no multi handle when
//          it is destroyed.
// Threads  one at a time; libcurl calls back on the one that performs.
// Errors   nothing may be thrown through libcurl, and out of memory ends the process as everywhere.

#include "frontend/http_client.h"
#include "outbound/address_rules.h"
#include "outbound/curl_handles.h"

#include <array>

namespace orbitalreg::frontend {

struct HttpTrouble {
    HttpFailure failure = HttpFailure::none;
    std::string text;  // a sentence for people; without the query of the URL
};

class EasyTransfer {
public:
    EasyTransfer(HttpRequest request, HttpPolicy policy);
    virtual ~EasyTransfer() = default;
    EasyTransfer(const EasyTransfer&) = delete;
    EasyTransfer& operator=(const EasyTransfer&) = delete;

    // What keeps it from being sent; HttpFailure::none: nothing.
    HttpTrouble prepare();
    CURL* handle() const noexcept { return easy_.get(); }
    const HttpRequest& request() const noexcept { return request_; }
    const HttpPolicy& policy() const noexcept { return policy_; }

protected:
    // A piece of the body. Returns as CURLOPT_WRITEFUNCTION does.
    virtual std::size_t take_body(std::string_view piece) noexcept = 0;
    // The head of the answer is there; nothing of its body was taken yet.
    virtual void take_head() noexcept {}

    template <class T>
    void set(CURLoption option, T value) noexcept {
        prepared_ = prepared_ && curl_easy_setopt(easy_.get(), option, value) == CURLE_OK;
    }
    unsigned status() const noexcept { return status_; }
    const std::vector<HttpHeader>& headers() const noexcept { return headers_; }
    std::vector<HttpHeader> release_headers() noexcept { return std::move(headers_); }
    // What `code` means here. HttpFailure::none for a whole answer, whatever its status.
    HttpTrouble outcome_of(CURLcode code) const;
    HttpTrouble trouble(HttpFailure failure, std::string_view text) const;

private:
    static std::size_t on_header(char* data, std::size_t size, std::size_t count,
                                 void* self) noexcept;
    static std::size_t on_body(char* data, std::size_t size, std::size_t count,
                               void* self) noexcept;
    static curl_socket_t on_socket(void* self, curlsocktype purpose,
                                   curl_sockaddr* address) noexcept;
    static int on_request(void* self, char* remote_address, char* local_address, int remote_port,
                          int local_port) noexcept;

    std::string_view request_fault() const;
    std::string proxied_target_fault() const;
    bool take_header_line(std::string_view line);
    void prepare_request();
    void prepare_headers();
    void prepare_callbacks();
    void prepare_proxy();
    void prepare_trust();

    const HttpRequest request_;
    const HttpPolicy policy_;
    const AddressRules addresses_;
    std::optional<HttpUrl> url_;
    std::string proxy_;  // empty: none
    std::unique_ptr<curl_slist, FreeCurl> header_list_;
    std::array<char, CURL_ERROR_SIZE> error_{};
    bool prepared_ = true;
    bool head_too_large_ = false;
    bool head_taken_ = false;
    bool encoded_ = false;  // in a way other than chunked
    std::size_t head_bytes_ = 0;
    unsigned status_ = 0;
    std::vector<HttpHeader> headers_;
    std::string refused_address_;  // why the last one was refused
    EasyHandle easy_;              // goes first: it points at the others
};

}  // namespace orbitalreg::frontend
