#include "io/memory_ledger.h"

#include "base/bytes.h"

#include <gtest/gtest.h>

namespace orbitalreg::cas {
namespace {

TEST(MemoryLedger, SharesAddUpToTheLimit) {
    for (const std::uint64_t limit :
         {std::uint64_t{64_MiB}, std::uint64_t{1_GiB}, std::uint64_t{8_GiB}}) {
        const MemoryLedger ledger{limit};
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < MemoryLedger::kShares; ++i)
            sum += ledger.limit(static_cast<MemoryShare>(i));
        EXPECT_EQ(sum, limit);
    }
    EXPECT_EQ(MemoryLedger{8_GiB}.limit(MemoryShare::push_buffers), 1_GiB);
    EXPECT_EQ(MemoryLedger{1_GiB}.limit(MemoryShare::chunk_table_cache), 32_MiB);
}

TEST(MemoryLedger, RefusesWhatIsAboveAShareAndChangesNothing) {
    MemoryLedger ledger{8_MiB};
    ASSERT_TRUE(ledger.reserve(MemoryShare::pull_buffers, 1_MiB));
    EXPECT_FALSE(ledger.reserve(MemoryShare::pull_buffers, 1));
    EXPECT_EQ(ledger.used(MemoryShare::pull_buffers), 1_MiB);
    EXPECT_TRUE(ledger.reserve(MemoryShare::push_buffers, 1));
    ledger.release(MemoryShare::pull_buffers, 1);
    EXPECT_TRUE(ledger.reserve(MemoryShare::pull_buffers, 1));
    EXPECT_FALSE(ledger.reserve(MemoryShare::metadata, ~std::uint64_t{0}));
}

TEST(MemoryLedger, AReservationGivesBackWhatItTookOnce) {
    MemoryLedger ledger{8_MiB};
    {
        Reservation first{ledger, MemoryShare::small_blob_cache, 600_KiB};
        Reservation refused{ledger, MemoryShare::small_blob_cache, 600_KiB};
        EXPECT_TRUE(first);
        EXPECT_FALSE(refused);
        refused = std::move(first);
        EXPECT_FALSE(first);
        EXPECT_EQ(refused.bytes(), 600_KiB);
        EXPECT_EQ(ledger.used(MemoryShare::small_blob_cache), 600_KiB);
    }
    EXPECT_EQ(ledger.used(MemoryShare::small_blob_cache), 0U);
}

}  // namespace
}  // namespace orbitalreg::cas
