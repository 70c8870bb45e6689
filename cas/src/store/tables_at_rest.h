#pragma once
// TablesAtRest are the tables of a store that nobody has started: nothing runs, nothing is written, no option is anybody's.
// For those who make a store's state from its files: fsck, dump, repair, rebuild.
//
// Threads  one.

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "cas/store.h"
#include "index/blob_table.h"
#include "io/memory_ledger.h"
#include "lane/lanes.h"
#include "store/store_state.h"

#include <boost/asio/io_context.hpp>

namespace orbitalreg::cas {

struct TablesAtRest {
    TablesAtRest(Io& io, CatalogMachine& catalog, Log& log)
        : lanes{StoreEnvironment{io,
                                 system_clock(),
                                 system_random(),
                                 log,
                                 metrics,
                                 {executor.get_executor()},
                                 executor.get_executor()},
                StoreOptions{}, blobs, ledger},
          state{blobs, lanes, catalog, deletions} {}
    TablesAtRest(const TablesAtRest&) = delete;  // they know each other's addresses
    TablesAtRest& operator=(const TablesAtRest&) = delete;

    asio::io_context executor;  // never run
    Metrics metrics;
    MemoryLedger ledger{StoreOptions{}.memory_limit_bytes};
    BlobTable blobs;
    Lanes lanes;
    RecentDeletions deletions;
    StoreState state;
};

}  // namespace orbitalreg::cas
