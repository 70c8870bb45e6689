#pragma once
// One line and two metrics for each request. No token, no password, no full header: of the address only the path and
// parameters that are no secrets, and of an upload's session no more than its beginning, since who knows it may write to
// it (SEC-105).

#include "base/log.h"
#include "base/metrics.h"
#include "http/route_table.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace orbitalreg::frontend {

struct AccessEntry {
    std::string_view request_id;
    std::string_view peer_address;
    std::string_view user;  // empty: nobody said who they are
    Method method = Method::other;
    std::string_view target;
    Route route = Route::none;
    std::string_view name;
    std::string_view reference;
    std::string_view digest;
    std::string_view member;  // of a virtual repository: who answered
    std::string_view cache;   // of a remote one: whether it was kept
    unsigned status = 0;
    std::int64_t duration_ns = 0;
    std::int64_t first_byte_ns = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::string_view error;  // why the connection was cut; empty: it was not
};

// `target` as it may stand in a log.
std::string loggable_target(std::string_view target, Route route);

// Threads  any.
class AccessLog {
public:
    AccessLog(Log& log, Metrics& metrics) noexcept : log_{log}, metrics_{metrics} {}
    void record(const AccessEntry& entry) noexcept;

private:
    static constexpr std::size_t kMethods = static_cast<std::size_t>(Method::other) + 1;
    static constexpr std::size_t kStatuses = 600;

    void count(const AccessEntry& entry);

    Log& log_;
    Metrics& metrics_;
    // Looked up once each: a registry of metrics is behind a mutex.
    std::array<std::array<std::atomic<DurationHistogram*>, kMethods>, kRoutes> durations_{};
    std::array<std::array<std::array<std::atomic<Counter*>, kStatuses>, kMethods>, kRoutes>
        requests_{};
};

}  // namespace orbitalreg::frontend
