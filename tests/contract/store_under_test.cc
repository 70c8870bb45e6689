#include "contract/store_under_test.h"

#include "cas/store.h"
#include "engine/embedded_store.h"
#include "support/model_registry_store.h"
#include "support/sim_clock.h"
#include "support/sim_executor.h"
#include "support/sim_io.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <filesystem>
#include <stdlib.h>
#include <thread>

namespace orbitalreg::engine {
namespace {

class ModelUnderTest final : public StoreUnderTest {
public:
    explicit ModelUnderTest(const RegistryLimits& limits) : model_{limits} {}
    RegistryStore& registry() override { return model_; }
    DocumentStore& documents() override { return model_; }
    void reopen() override {}
    void advance_ms(std::uint64_t by) override { model_.advance_ms(by); }

protected:
    asio::any_io_executor executor() override { return scheduler_.executor(); }
    void run_until(const std::function<bool()>& done) override {
        scheduler_.run_until(done, 1'000'000);
    }

private:
    sim::SimScheduler scheduler_{1};
    ModelStore model_;
};

cas::StoreOptions small_options() {
    cas::StoreOptions options;
    options.log_segment_size_bytes = 4_MiB;
    options.lane_target_bytes = 4_MiB;
    options.memory_limit_bytes = 64_MiB;
    return options;
}

class SimulatedEmbedded final : public StoreUnderTest {
public:
    explicit SimulatedEmbedded(const RegistryLimits& limits) : limits_{limits} { open(); }
    ~SimulatedEmbedded() override { close(); }

    RegistryStore& registry() override { return embedded_->registry_store(); }
    DocumentStore& documents() override { return embedded_->document_store(); }
    void reopen() override {
        close();
        open();
    }
    void advance_ms(std::uint64_t by) override {
        scheduler_.advance_ns(static_cast<std::int64_t>(by) * 1'000'000);
    }
    std::uint64_t fingerprint() const override { return embedded_->catalog_fingerprint(); }

protected:
    asio::any_io_executor executor() override { return scheduler_.executor(); }
    void run_until(const std::function<bool()>& done) override {
        scheduler_.run_until(done, 10'000'000);
    }

private:
    void open() {
        metrics_ = std::make_unique<Metrics>();
        io_ = std::make_unique<sim::SimIo>(disk_, random_, trace_, sim::SimIoOptions{});
        cas::StoreEnvironment environment{*io_,
                                          clock_,
                                          random_,
                                          null_log(),
                                          *metrics_,
                                          {scheduler_.executor()},
                                          scheduler_.executor(),
                                          true};
        auto opened = open_embedded(std::move(environment), small_options(), limits_);
        ORB_ASSERT(opened.has_value());
        embedded_ = std::move(opened).value();
    }
    void close() {
        bool stopped = false;
        asio::co_spawn(scheduler_.executor(), stop(embedded_->store(), stopped), asio::detached);
        scheduler_.run_until([&] { return stopped; }, 10'000'000);
        scheduler_.clear();
        embedded_.reset();
        io_.reset();
    }
    static Awaitable<void> stop(cas::Store& store, bool& stopped) {
        co_await store.stop();
        stopped = true;
    }

    RegistryLimits limits_;
    sim::SimDisk disk_{sim::SimDiskMode::strict, 256_MiB};
    sim::SimRandom random_{1};
    sim::SimTrace trace_;
    sim::SimScheduler scheduler_{2};
    sim::SimClock clock_{scheduler_};
    std::unique_ptr<Metrics> metrics_;
    std::unique_ptr<sim::SimIo> io_;
    std::unique_ptr<EmbeddedStore> embedded_;
};

// The system's clock, moved forward at will.
class ShiftedClock final : public Clock {
public:
    void advance_ms(std::uint64_t by) noexcept { shift_ms_ += static_cast<std::int64_t>(by); }
    std::int64_t steady_ns() const noexcept override { return system_clock().steady_ns(); }
    std::int64_t boottime_ms() const noexcept override {
        return system_clock().boottime_ms() + shift_ms_;
    }
    std::int64_t wall_ns() const noexcept override { return system_clock().wall_ns(); }
    Awaitable<void> sleep_until(std::int64_t deadline_steady_ns) override {
        return system_clock().sleep_until(deadline_steady_ns);
    }

private:
    std::atomic<std::int64_t> shift_ms_{0};
};

// A reactor that the test's thread runs, a background thread, the sequencer's own thread, a real
// directory.
class ThreadedEmbedded final : public StoreUnderTest {
public:
    explicit ThreadedEmbedded(const RegistryLimits& limits) : limits_{limits} {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "orbitalreg-store-XXXXXX").string();
        ORB_ASSERT(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
        open();
    }
    ~ThreadedEmbedded() override {
        close();
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    RegistryStore& registry() override { return embedded_->registry_store(); }
    DocumentStore& documents() override { return embedded_->document_store(); }
    void reopen() override {
        close();
        open();
    }
    void advance_ms(std::uint64_t by) override { clock_.advance_ms(by); }
    std::uint64_t fingerprint() const override { return embedded_->catalog_fingerprint(); }

protected:
    asio::any_io_executor executor() override { return reactor_->get_executor(); }
    void run_until(const std::function<bool()>& done) override {
        while (!done()) reactor_->run_one();
    }

private:
    void open() {
        metrics_ = std::make_unique<Metrics>();
        reactor_ = std::make_unique<asio::io_context>(1);
        background_ = std::make_unique<asio::io_context>(1);
        reactor_work_.emplace(reactor_->get_executor());
        background_work_.emplace(background_->get_executor());
        background_thread_ = std::thread{[this] { background_->run(); }};
        auto io = cas::make_io(
            path_, {.choice = cas::IoChoice::threads, .threads = 2, .queue_depth_max = 64},
            null_log(), *metrics_);
        ORB_ASSERT(io.has_value());
        io_ = std::move(io).value();
        cas::StoreEnvironment environment{*io_,
                                          clock_,
                                          system_random(),
                                          null_log(),
                                          *metrics_,
                                          {reactor_->get_executor()},
                                          background_->get_executor(),
                                          false};
        auto opened = open_embedded(std::move(environment), small_options(), limits_);
        ORB_ASSERT(opened.has_value());
        embedded_ = std::move(opened).value();
    }
    void close() {
        bool stopped = false;
        asio::co_spawn(*reactor_, stop(embedded_->store(), stopped), asio::detached);
        run_until([&] { return stopped; });
        reactor_work_.reset();
        background_work_.reset();
        background_->stop();
        background_thread_.join();
        // Handlers that are left belong to objects of the store.
        reactor_->stop();
        embedded_.reset();
        reactor_.reset();
        background_.reset();
        io_.reset();
    }
    static Awaitable<void> stop(cas::Store& store, bool& stopped) {
        co_await store.stop();
        stopped = true;
    }

    using Work = asio::executor_work_guard<asio::io_context::executor_type>;

    RegistryLimits limits_;
    std::string path_;
    ShiftedClock clock_;
    std::unique_ptr<Metrics> metrics_;
    std::unique_ptr<asio::io_context> reactor_;
    std::unique_ptr<asio::io_context> background_;
    std::optional<Work> reactor_work_;
    std::optional<Work> background_work_;
    std::thread background_thread_;
    std::unique_ptr<cas::Io> io_;
    std::unique_ptr<EmbeddedStore> embedded_;
};

template <class Kind>
StoreFactory factory(std::string name) {
    return {std::move(name), [](const RegistryLimits& limits) -> std::unique_ptr<StoreUnderTest> {
                return std::make_unique<Kind>(limits);
            }};
}

}  // namespace

StoreFactory model_factory() { return factory<ModelUnderTest>("model"); }

std::vector<StoreFactory> embedded_factories() {
    return {factory<SimulatedEmbedded>("simulated"), factory<ThreadedEmbedded>("threads")};
}

std::vector<StoreFactory> all_factories() {
    auto factories = embedded_factories();
    factories.insert(factories.begin(), model_factory());
    return factories;
}

}  // namespace orbitalreg::engine
