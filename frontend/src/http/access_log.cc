#include "http/access_log.h"

#include <algorithm>
#include <cstdio>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kSessionShown = 8;
constexpr std::array<std::string_view, 8> kSecretParameters{
    "token",         "code",          "password",      "access_token",
    "refresh_token", "subject_token", "client_secret", "signature"};

bool is_secret(std::string_view parameter) noexcept {
    const auto name = parameter.substr(0, parameter.find('='));
    return std::find(kSecretParameters.begin(), kSecretParameters.end(), name) !=
           kSecretParameters.end();
}

void append_query(std::string& out, std::string_view query) {
    char separator = '?';
    while (!query.empty()) {
        const auto ampersand = query.find('&');
        const auto parameter = query.substr(0, ampersand);
        query.remove_prefix(ampersand == std::string_view::npos ? query.size() : ampersand + 1);
        out += separator;
        separator = '&';
        if (is_secret(parameter)) {
            out.append(parameter.substr(0, parameter.find('='))).append("=-");
        } else {
            out += parameter;
        }
    }
}

double to_ms(std::int64_t ns) noexcept { return static_cast<double>(ns) / 1e6; }

}  // namespace

std::string loggable_target(std::string_view target, Route route) {
    const auto question = target.find('?');
    const auto path = target.substr(0, question);
    std::string out;
    if (route == Route::upload) {
        const auto session = path.rfind('/') + 1;
        out.append(path.substr(0, std::min(path.size(), session + kSessionShown))).append("...");
    } else {
        out = path;
    }
    if (question != std::string_view::npos) append_query(out, target.substr(question + 1));
    return out;
}

void AccessLog::count(const AccessEntry& entry) {
    const auto route = static_cast<std::size_t>(entry.route);
    const auto method = static_cast<std::size_t>(entry.method);
    const auto status = std::min<std::size_t>(entry.status, kStatuses - 1);
    auto& counter = requests_[route][method][status];
    if (counter.load(std::memory_order_acquire) == nullptr) {
        counter.store(&metrics_.counter("http_requests_total", "Requests answered.",
                                        {{"route", std::string{to_string(entry.route)}},
                                         {"method", std::string{to_string(entry.method)}},
                                         {"code", std::to_string(status)}}),
                      std::memory_order_release);
    }
    counter.load(std::memory_order_acquire)->add();
    auto& histogram = durations_[route][method];
    if (histogram.load(std::memory_order_acquire) == nullptr) {
        histogram.store(
            &metrics_.histogram("http_request_duration_seconds",
                                "From the end of a request's header to the end of its answer.",
                                {{"route", std::string{to_string(entry.route)}},
                                 {"method", std::string{to_string(entry.method)}}}),
            std::memory_order_release);
    }
    histogram.load(std::memory_order_acquire)->observe_ns(entry.duration_ns);
}

void AccessLog::record(const AccessEntry& entry) noexcept {
    count(entry);
    if (!log_.enabled(LogLevel::info)) return;
    const auto target = loggable_target(entry.target, entry.route);
    log_.info("request", {{"request_id", entry.request_id},
                          {"user", entry.user},
                          {"remote_ip", entry.peer_address},
                          {"method", to_string(entry.method)},
                          {"uri", target},
                          {"status", entry.status},
                          {"duration_ms", to_ms(entry.duration_ns)},
                          {"ttfb_ms", to_ms(entry.first_byte_ns)},
                          {"bytes_in", entry.bytes_in},
                          {"bytes", entry.bytes_out},
                          {"repo", entry.name},
                          {"ref", entry.reference},
                          {"digest", entry.digest},
                          {"member", entry.member},
                          {"cache", entry.cache},
                          {"cut", entry.error}});
}

}  // namespace orbitalreg::frontend
