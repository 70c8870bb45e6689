#pragma once
// OfflineStore is a data directory opened by a tool instead of a server: everything runs on the calling thread.
//
// Life     open() -> { run() } -> (stop(), where it was opened for writing) -> destroyed.
// Threads  one.

#include "base/asio.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "cas/io.h"
#include "cas/store.h"
#include "engine/embedded_store.h"

#include <boost/asio/io_context.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace orbitalreg::program {

class OfflineStore {
public:
    OfflineStore(cas::Io& io, Log& log, Metrics& metrics) : io_{io}, log_{log}, metrics_{metrics} {}

    // Read-only: a shared lock, and nothing is written. Else recovery writes what a start of the server would.
    Result<void> open(bool read_only);
    Result<void> open(const cas::StoreOptions& options);
    engine::EmbeddedStore& embedded() noexcept { return *embedded_; }
    cas::Store& store() noexcept { return embedded_->store(); }

    // Until `work` is done.
    void run(Awaitable<void> work);
    // Closes cleanly; of a store opened for writing.
    void stop();

private:
    cas::Io& io_;
    Log& log_;
    Metrics& metrics_;
    asio::io_context context_{1};
    std::unique_ptr<engine::EmbeddedStore> embedded_;
};

}  // namespace orbitalreg::program
