#include "offline_store.h"

#include "base/clock.h"
#include "base/random.h"

namespace orbitalreg::program {

Result<void> OfflineStore::open(bool read_only) {
    cas::StoreOptions options;
    options.read_only = read_only;
    return open(options);
}

Result<void> OfflineStore::open(const cas::StoreOptions& options) {
    cas::StoreEnvironment environment{io_,
                                      system_clock(),
                                      system_random(),
                                      log_,
                                      metrics_,
                                      {context_.get_executor()},
                                      context_.get_executor(),
                                      false};
    ORB_TRY(embedded_,
            engine::open_embedded(std::move(environment), options, engine::RegistryLimits{}));
    return ok();
}

void OfflineStore::run(Awaitable<void> work) {
    bool done = false;
    asio::co_spawn(context_, std::move(work), [&done](std::exception_ptr error) {
        done = true;
        if (error) std::rethrow_exception(error);
    });
    context_.restart();
    while (!done && context_.run_one() > 0) {
    }
}

void OfflineStore::stop() { run(store().stop()); }

}  // namespace orbitalreg::program
