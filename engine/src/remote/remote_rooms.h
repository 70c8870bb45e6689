#pragma once
// What the parts of this room share.

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "engine/document_store.h"
#include "engine/registry_store.h"
#include "engine/remotes.h"

#include <array>
#include <atomic>
#include <cstdint>

namespace orbitalreg::engine {

struct RemoteRooms {
    RemotesEnvironment environment;
    std::array<std::byte, 32> session_key{};

    Counter* flights = nullptr;         // begun
    Counter* flights_joined = nullptr;  // asked for while one was under way
    Counter* flights_failed = nullptr;
    Counter* upstream_bytes = nullptr;  // of blobs, as they came
    Gauge* flights_now = nullptr;

    std::int64_t steady_ms() const noexcept { return environment.clock.steady_ns() / 1'000'000; }
    RequestId new_request() noexcept { return RequestId::make(environment.random); }
};

}  // namespace orbitalreg::engine
