#include "io/buffer_pool.h"

#include "cas/io.h"

#include <gtest/gtest.h>

#include <vector>

namespace orbitalreg::cas {
namespace {

TEST(BufferPool, LendsAlignedBuffersUpToTheShare) {
    MemoryLedger ledger{8_MiB};  // 1 MiB of pull buffers
    BufferPool pool{ledger, MemoryShare::pull_buffers, 256_KiB};
    std::vector<Buffer> lent;
    while (auto buffer = pool.take()) lent.push_back(std::move(*buffer));
    ASSERT_EQ(lent.size(), 4U);
    EXPECT_EQ(pool.buffers_lent(), 4U);
    for (const Buffer& buffer : lent) {
        EXPECT_EQ(buffer.bytes().size(), 256_KiB);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % kPageSize, 0U);
    }
    lent.pop_back();
    EXPECT_TRUE(pool.take());
    EXPECT_EQ(pool.buffers_lent(), 3U);
}

TEST(BufferPool, GivesBackToTheLedgerWhatItDoesNotKeep) {
    MemoryLedger ledger{8_MiB};
    BufferPool pool{ledger, MemoryShare::pull_buffers, 256_KiB};
    {
        std::vector<Buffer> lent;
        while (auto buffer = pool.take()) lent.push_back(std::move(*buffer));
    }
    EXPECT_EQ(pool.buffers_lent(), 0U);
    EXPECT_EQ(ledger.used(MemoryShare::pull_buffers), 256_KiB);  // a quarter of the share is kept
}

TEST(BufferPool, AMovedBufferIsGivenBackOnce) {
    MemoryLedger ledger{8_MiB};
    {
        BufferPool pool{ledger, MemoryShare::push_buffers, 64_KiB};
        Buffer first = std::move(*pool.take());
        Buffer second = std::move(first);
        EXPECT_FALSE(first);
        EXPECT_TRUE(first.bytes().empty());
        first = std::move(second);
        EXPECT_EQ(pool.buffers_lent(), 1U);
        first = Buffer{};
        EXPECT_EQ(pool.buffers_lent(), 0U);
    }
    EXPECT_EQ(ledger.used(MemoryShare::push_buffers), 0U);
}

}  // namespace
}  // namespace orbitalreg::cas
