#include "contract/io_under_test.h"

#include "base/errors.h"
#include "support/sim_executor.h"
#include "support/sim_io.h"

#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <stdlib.h>

namespace orbitalreg::cas {
namespace {

class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "orbitalreg-io-XXXXXX").string();
        if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
};

class RealIo final : public IoUnderTest {
public:
    static Result<std::unique_ptr<IoUnderTest>> make(IoChoice choice) {
        auto made = std::make_unique<RealIo>();
        // A shallow queue, so that the suite has operations waiting for their turn.
        ORB_TRY(made->io_, make_io(made->directory_.path(),
                                   {.choice = choice, .threads = 3, .queue_depth_max = 64},
                                   null_log(), made->metrics_));
        return std::unique_ptr<IoUnderTest>{std::move(made)};
    }
    Io& io() override { return *io_; }
    asio::any_io_executor executor() override { return context_.get_executor(); }
    void run() override {
        context_.restart();
        context_.run();
    }

private:
    TemporaryDirectory directory_;
    Metrics metrics_;
    asio::io_context context_;
    std::unique_ptr<Io> io_;
};

class SimulatedIo final : public IoUnderTest {
public:
    Io& io() override { return io_; }
    asio::any_io_executor executor() override { return scheduler_.executor(); }
    void run() override {
        while (scheduler_.step()) {
        }
    }

private:
    sim::SimDisk disk_{sim::SimDiskMode::strict};
    sim::SimRandom random_{1};
    sim::SimTrace trace_;
    sim::SimScheduler scheduler_{2};
    sim::SimIo io_{disk_, random_, trace_, {}};
};

Result<std::unique_ptr<IoUnderTest>> make_simulated() {
    return std::unique_ptr<IoUnderTest>{std::make_unique<SimulatedIo>()};
}

}  // namespace

std::vector<IoFactory> io_factories() {
    return {{"uring", [] { return RealIo::make(IoChoice::uring); }},
            {"threads", [] { return RealIo::make(IoChoice::threads); }},
            {"simulated", make_simulated}};
}

}  // namespace orbitalreg::cas
