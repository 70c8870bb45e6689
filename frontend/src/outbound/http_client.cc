#include "frontend/http_client.h"

#include "base/clock.h"
#include "outbound/easy_transfer.h"
#include "outbound/http_url.h"
#include "outbound/redirects.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kWatchEveryNs = 500'000'000;
constexpr int kPollMs = 250;
constexpr std::int64_t kNsPerMs = 1'000'000;

// WholeTransfer performs one request on the calling thread, and keeps the whole body.
class WholeTransfer final : public EasyTransfer {
public:
    WholeTransfer(HttpRequest request, HttpPolicy policy, const WatchProgress& watch)
        : EasyTransfer{std::move(request), std::move(policy)},
          watch_{watch},
          multi_{curl_multi_init()} {}

    HttpAnswer run();

private:
    std::size_t take_body(std::string_view piece) noexcept override;
    CURLcode perform();
    bool watched(std::int64_t& next_ns);
    HttpAnswer outcome(CURLcode code);

    const WatchProgress& watch_;
    bool too_large_ = false;
    bool stopped_ = false;
    std::string body_;
    MultiHandle multi_;
};

// Half an answer is none.
HttpAnswer failed(HttpTrouble trouble) {
    return {0, {}, {}, trouble.failure, std::move(trouble.text)};
}

std::size_t WholeTransfer::take_body(std::string_view piece) noexcept {
    if (piece.size() > policy().answer_bytes_max - body_.size()) {
        too_large_ = true;
        return 0;
    }
    body_.append(piece);
    return piece.size();
}

// False when the caller wants no more of it.
bool WholeTransfer::watched(std::int64_t& next_ns) {
    const auto now_ns = system_clock().steady_ns();
    if (!watch_ || now_ns < next_ns) return true;
    next_ns = now_ns + kWatchEveryNs;
    curl_off_t sent = 0;
    curl_off_t received = 0;
    curl_easy_getinfo(handle(), CURLINFO_SIZE_UPLOAD_T, &sent);
    curl_easy_getinfo(handle(), CURLINFO_SIZE_DOWNLOAD_T, &received);
    stopped_ = !watch_({static_cast<std::uint64_t>(sent), static_cast<std::uint64_t>(received)});
    return !stopped_;
}

CURLcode WholeTransfer::perform() {
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

HttpAnswer WholeTransfer::outcome(CURLcode code) {
    if (stopped_) return failed(trouble(HttpFailure::stopped, "stopped"));
    if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
        return failed(trouble(
            HttpFailure::too_large,
            "the answer is larger than " + std::to_string(policy().answer_bytes_max) + " bytes"));
    }
    auto what = outcome_of(code);
    if (what.failure != HttpFailure::none) return failed(std::move(what));
    return {status(), release_headers(), std::move(body_), HttpFailure::none, {}};
}

HttpAnswer WholeTransfer::run() {
    auto fault = prepare();
    if (fault.failure != HttpFailure::none) return failed(std::move(fault));
    // An early end; take_body() is the limit. What a HEAD speaks of does not come.
    if (request().method != "HEAD")
        set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(policy().answer_bytes_max));
    if (!multi_ || curl_multi_add_handle(multi_.get(), handle()) != CURLM_OK)
        return failed(trouble(HttpFailure::broken_off, "libcurl cannot be used"));
    const auto code = perform();
    auto answer = outcome(code);
    curl_multi_remove_handle(multi_.get(), handle());
    return answer;
}

HttpAnswer refused_redirect(const HttpRequest& request, std::string_view fault) {
    return {
        0,
        {},
        {},
        HttpFailure::redirect_refused,
        request.method + ' ' + std::string{without_query(request.url)} + ": " + std::string{fault}};
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
    const auto redirects_max = std::min(policy.redirects_max, kHttpRedirectsMax);
    const bool timed = policy.total_timeout.count() > 0;
    const auto deadline_ns = system_clock().steady_ns() + policy.total_timeout.count() * kNsPerMs;
    HttpRequest current = request;
    HttpPolicy rest = policy;
    for (std::uint32_t hops = 0;; ++hops) {
        auto answer = WholeTransfer{current, rest, watch}.run();
        if (!answer.whole() || redirects_max == 0 || !is_redirect(current, answer.status))
            return answer;
        if (hops == redirects_max) return refused_redirect(request, "too many redirects");
        auto next = next_hop(current, answer.header("location"));
        if (!next.request) return refused_redirect(current, next.fault);
        current = std::move(*next.request);
        // 0 would be no limit.
        const auto left_ms = (deadline_ns - system_clock().steady_ns()) / kNsPerMs;
        if (timed)
            rest.total_timeout = std::chrono::milliseconds{std::max<std::int64_t>(left_ms, 1)};
    }
}

Awaitable<HttpAnswer> fetch(asio::thread_pool& pool, HttpRequest request, HttpPolicy policy) {
    auto work = fetch_there(std::move(request), std::move(policy));
    co_return co_await asio::co_spawn(pool, std::move(work), asio::use_awaitable);
}

}  // namespace orbitalreg::frontend
