#pragma once
// Outbound is the way to other registries: what remote repositories ask of their upstreams goes through it, over the one
// client of http_client.h and under its policy. One thread of its own runs every transfer.
//
// Life     make_outbound() -> factory() -> stop() -> destroyed, which stops as well. stop() while the executors still run that
//          requests wait on. Upstreams, and transfers of theirs, may outlive it: they answer Kind::stopped.
// Threads  any.
// Limits   RemoteSettings of each upstream; kTransferBufferSize for what a transfer holds that nobody has read.

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

#include <functional>
#include <memory>
#include <string>

namespace orbitalreg::engine {
class UpstreamFactory;
struct RemoteSettings;
}  // namespace orbitalreg::engine

namespace orbitalreg::frontend {

inline constexpr std::size_t kTransferBufferSize = 1_MiB;

struct OutboundEnvironment {
    Clock& clock;
    Log& log;
    Metrics& metrics;
    // Told where and why a connection was not made because of its address (SEC-62), on whatever executor asked; may be null.
    std::function<void(const std::string&)> address_refused{};
};

class Outbound {
public:
    virtual ~Outbound() = default;

    // Lives as long as the Outbound.
    virtual engine::UpstreamFactory& factory() noexcept = 0;
    // Ends every transfer and every wait with Kind::stopped, and takes no more. Returns when the thread has ended.
    virtual void stop() noexcept = 0;
};

// The environment's members outlive it, and every upstream that it made. HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read here.
std::unique_ptr<Outbound> make_outbound(OutboundEnvironment environment);

// What is wrong with the settings, as a sentence for whoever wrote them; empty: nothing. Reads the CA file, and asks no network.
std::string check_remote(const engine::RemoteSettings& settings);

}  // namespace orbitalreg::frontend
