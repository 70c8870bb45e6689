#include "lane/clock_cache.h"

#include "base/bytes.h"

#include <gtest/gtest.h>

namespace orbitalreg::cas {
namespace {

constexpr MemoryShare kShare = MemoryShare::chunk_table_cache;

ClockCache::Bytes bytes_of(std::size_t size) {
    return std::make_shared<const std::vector<std::byte>>(size);
}

TEST(ClockCache, StaysWithinItsShareAndKeepsWhatIsUsed) {
    MemoryLedger ledger{1_MiB};  // 32 KiB for this share
    {
        ClockCache cache{ledger, kShare};
        cache.insert({0, 0}, bytes_of(4096));
        for (std::uint64_t i = 1; i < 100; ++i) {
            EXPECT_NE(cache.find({0, 0}), nullptr) << i;
            cache.insert({i, 0}, bytes_of(4096));
            EXPECT_LE(ledger.used(kShare), ledger.limit(kShare));
        }
        EXPECT_EQ(cache.size(), 7u);
        EXPECT_NE(cache.find({99, 0}), nullptr);
        EXPECT_EQ(cache.find({1, 0}), nullptr);
    }
    EXPECT_EQ(ledger.used(kShare), 0u);
}

TEST(ClockCache, WhatIsLargerThanTheShareIsNotKept) {
    MemoryLedger ledger{1_MiB};
    ClockCache cache{ledger, kShare};
    cache.insert({1, 0}, bytes_of(64_KiB));
    EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace orbitalreg::cas
