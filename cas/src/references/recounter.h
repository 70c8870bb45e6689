#pragma once
// Recounter recounts the references of the whole store from time to time, in the background, a slice between two frames. A
// count that differs is a bug: on_mismatch() is told, whose part it is to see that nothing is collected any more.
//
// Life     made -> start() -> { run() } -> stop(), which waits for the slice that runs. Coroutines share it: which of them ends
//          last is not known when a store is dropped without stop(), as after kill -9.
// Threads  start() and stop() as in Store; run() on the background executor.
// Memory   4 bytes a blob while it counts, and old images up to StoreOptions::memory_limit_bytes / 64; beyond that it gives up
//          and tries again after a tenth of the interval.

#include "base/clock.h"
#include "base/event.h"
#include "cas/store.h"
#include "index/blob_table.h"
#include "log/group.h"
#include "references/recount.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace orbitalreg::cas {

class Recounter : public std::enable_shared_from_this<Recounter> {
public:
    Recounter(StoreEnvironment environment, const StoreOptions& options, BlobTable& blobs,
              CatalogMachine& catalog);

    // What is wrong, in a sentence. On the background executor.
    std::function<void(std::string reason)> on_mismatch;

    void start(Committer& log);
    Awaitable<void> stop();
    // The store goes without stop(): what is resumed all the same touches nothing.
    void abandon() noexcept { abandoned_ = stopped_ = true; }

    // One recount, now. Errc::overloaded when too much changed meanwhile, stopped; not beside another one.
    Awaitable<Result<Recount::Finding>> run();

private:
    struct Waker {  // of the background executor alone
        asio::cancellation_signal signal;
        bool started = false;
    };

    static Awaitable<void> run_at_intervals(std::weak_ptr<Recounter> owner,
                                            std::shared_ptr<Waker> waker, Clock& clock,
                                            std::int64_t interval_ms);
    void report(const Recount::Finding& finding);

    StoreEnvironment environment_;
    const std::int64_t interval_ms_;
    const std::uint64_t side_bytes_max_;
    BlobTable& blobs_;
    CatalogMachine& catalog_;
    Committer* log_ = nullptr;
    std::shared_ptr<Waker> waker_;
    std::atomic<bool> stopped_{false};
    std::atomic<bool> abandoned_{false};
    Event over_;  // set once run_at_intervals() has ended

    Counter& recounts_total_;
    Counter& mismatches_total_;
};

}  // namespace orbitalreg::cas
