#pragma once
// What the tests of upstreams stand on: settings for a scripted server, and a way to wait for a coroutine.

#include "base/log.h"
#include "engine/upstream.h"
#include "frontend/upstreams.h"
#include "support/scripted_server.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::frontend {

template <class T>
Awaitable<void> keep(Awaitable<T> work, std::optional<T>* result) {
    result->emplace(co_await std::move(work));
}

// Runs it to its end on a context of its own.
template <class T>
T run(Awaitable<T> work) {
    asio::io_context context;
    std::optional<T> result;
    asio::co_spawn(context, keep(std::move(work), &result), asio::detached);
    context.run();
    return std::move(result).value();
}

// Goes only where the test says.
class TestClock final : public Clock {
public:
    std::int64_t steady_ns() const noexcept override { return system_clock().steady_ns() + ahead_; }
    std::int64_t boottime_ms() const noexcept override { return system_clock().boottime_ms(); }
    std::int64_t wall_ns() const noexcept override { return system_clock().wall_ns() + ahead_; }
    Awaitable<void> sleep_until(std::int64_t deadline_steady_ns) override {
        return system_clock().sleep_until(deadline_steady_ns);
    }
    void leap_s(std::int64_t seconds) { ahead_ += seconds * 1'000'000'000; }

private:
    std::atomic<std::int64_t> ahead_ = 0;
};

inline engine::RemoteSettings settings_for(const ScriptedServer& server) {
    engine::RemoteSettings settings;
    settings.url = server.url();
    settings.allow_networks = {"127.0.0.0/8"};
    return settings;
}

struct World {
    TestClock clock;
    Metrics metrics;
    std::unique_ptr<Outbound> outbound = make_outbound({clock, null_log(), metrics});

    std::shared_ptr<engine::Upstream> upstream(const engine::RemoteSettings& settings) {
        EXPECT_EQ(check_remote(settings), "");
        return outbound->factory().make(settings);
    }
    std::shared_ptr<engine::Upstream> upstream(const ScriptedServer& server) {
        return upstream(settings_for(server));
    }
};

inline engine::ImageName image(std::string_view name) {
    return engine::ImageName::parse(name).value();
}
inline engine::Reference reference(std::string_view text) {
    return engine::parse_reference(text).value();
}

// All of a transfer, in rooms of this size.
inline Awaitable<engine::UpstreamResult<std::string>> read_all(engine::UpstreamTransfer* transfer,
                                                               std::size_t room_size) {
    std::string all;
    std::vector<std::byte> room(room_size);
    for (;;) {
        auto reading = transfer->read(room);
        auto piece = co_await std::move(reading);
        if (!piece) co_return engine::fail_upstream(piece.error());
        if (piece.value() == 0) co_return std::move(all);
        all.append(as_text(ByteView{room}.first(piece.value())));
    }
}

}  // namespace orbitalreg::frontend
