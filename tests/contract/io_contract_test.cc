// One suite for every Io: what cas/io.h promises, asked of io_uring, of the pool of threads and of
// the simulated disk.

#include "base/errors.h"
#include "cas/errors.h"
#include "cas/io.h"
#include "contract/io_under_test.h"
#include "io/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace orbitalreg::cas {
namespace {

const ErrorCode kNoEntry = errno_code(ENOENT);
const ErrorCode kExists = errno_code(EEXIST);

template <class T>
Awaitable<void> keep(Awaitable<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
}

class IoContract : public testing::TestWithParam<IoFactory> {
protected:
    void SetUp() override {
        auto made = GetParam().make();
        if (!made) {
            std::printf("skipped: %s\n", made.error().message().c_str());
            GTEST_SKIP() << made.error().message();
        }
        subject_ = std::move(made).value();
    }

    Io& io() { return subject_->io(); }
    // Runs one coroutine, and everything it waits for, to its end.
    template <class T>
    T run(Awaitable<T> task) {
        std::optional<T> result;
        asio::co_spawn(subject_->executor(), keep(std::move(task), result), asio::detached);
        subject_->run();
        EXPECT_TRUE(result.has_value());
        return std::move(*result);
    }
    std::unique_ptr<IoQueue> make_queue() { return io().make_queue(subject_->executor()); }

    std::unique_ptr<File> open(std::string_view path, OpenMode mode) {
        auto opened = io().open(path, mode);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message());
        return opened ? std::move(opened).value() : nullptr;
    }
    std::unique_ptr<File> create(std::string_view path, bool direct = false) {
        return open(path, {.write = true, .create = true, .exclusive = true, .direct = direct});
    }
    Buffer page_buffer() { return std::move(*pool_.take()); }
    static void fill(MutableByteView bytes, unsigned seed) {
        for (std::size_t i = 0; i < bytes.size(); ++i)
            bytes[i] = static_cast<std::byte>((i * 131 + seed) & 0xff);
    }

    std::unique_ptr<IoUnderTest> subject_;
    MemoryLedger ledger_{1_GiB};
    BufferPool pool_{ledger_, MemoryShare::push_buffers, 64_KiB};
};

ByteView view(std::string_view text) { return as_bytes(text); }

std::string text_of(File& file, std::uint64_t offset, std::size_t size) {
    std::string text(size, '\0');
    const auto count = file.read(offset, {reinterpret_cast<std::byte*>(text.data()), size});
    EXPECT_TRUE(count);
    text.resize(count ? count.value() : 0);
    return text;
}

TEST_P(IoContract, SaysWhatItIsAndWhy) {
    EXPECT_EQ(io().name(), GetParam().name);
    EXPECT_FALSE(io().reason().empty());
}

TEST_P(IoContract, ReadsWhatWasWrittenAndStopsAtTheEndOfFile) {
    const auto file = create("a");
    ASSERT_TRUE(file->write(0, view("hello world")));
    EXPECT_EQ(text_of(*file, 0, 11), "hello world");
    EXPECT_EQ(text_of(*file, 6, 100), "world");
    EXPECT_EQ(text_of(*file, 11, 10), "");
    EXPECT_EQ(text_of(*file, 1000, 10), "");
    EXPECT_EQ(file->stat().value().size_bytes, 11U);
}

TEST_P(IoContract, HolesReadAsZero) {
    const auto file = create("a");
    ASSERT_TRUE(file->write(10'000, view("x")));
    EXPECT_EQ(text_of(*file, 9'998, 10), std::string("\0\0x", 3));
}

TEST_P(IoContract, DirectTransfersKeepEveryByte) {
    const auto file = create("direct", true);
    const Buffer written = page_buffer();
    fill(written.bytes(), 7);
    ASSERT_TRUE(file->write(0, written.bytes()));
    ASSERT_TRUE(file->datasync());
    const Buffer read = page_buffer();
    EXPECT_EQ(file->read(0, read.bytes()).value(), written.bytes().size());
    EXPECT_TRUE(std::ranges::equal(read.bytes(), written.bytes()));
}

TEST_P(IoContract, DirectReadMeetsTheEndInsideAPage) {
    ASSERT_TRUE(create("short")->write(0, view(std::string(5000, 'q'))));
    const auto file = open("short", {.direct = true});
    const Buffer read = page_buffer();
    EXPECT_EQ(file->read(0, read.bytes()).value(), 5000U);
    EXPECT_EQ(file->read(kPageSize, read.bytes()).value(), 5000U - kPageSize);
    EXPECT_EQ(file->read(2 * kPageSize, read.bytes()).value(), 0U);
}

TEST_P(IoContract, WriteDsyncIsReadableBesideBufferedReaders) {
    const auto file = create("log", true);
    const Buffer page = page_buffer();
    fill(page.bytes(), 3);
    for (std::uint64_t i = 0; i < 8; ++i) {
        ASSERT_TRUE(file->write_dsync(i * kPageSize, page.bytes().first(kPageSize)));
    }
    EXPECT_EQ(file->stat().value().size_bytes, 8 * kPageSize);
    const auto reader = open("log", {});
    EXPECT_EQ(as_text(page.bytes().first(kPageSize)), text_of(*reader, 5 * kPageSize, kPageSize));
}

TEST_P(IoContract, AllocateGrowsWithZeros) {
    const auto file = create("a");
    ASSERT_TRUE(file->write(0, view("abc")));
    ASSERT_TRUE(file->allocate(0, 1_MiB));
    EXPECT_EQ(file->stat().value().size_bytes, 1_MiB);
    EXPECT_GE(file->stat().value().allocated_bytes, 1_MiB);
    EXPECT_EQ(text_of(*file, 0, 5), std::string("abc\0\0", 5));
}

TEST_P(IoContract, PunchGivesBackAndKeepsTheSize) {
    const auto file = create("a");
    ASSERT_TRUE(file->write(0, view(std::string(64_KiB, 'z'))));
    ASSERT_TRUE(file->datasync());
    ASSERT_TRUE(file->punch(kPageSize, 8 * kPageSize));
    EXPECT_EQ(file->stat().value().size_bytes, 64_KiB);
    EXPECT_LT(file->stat().value().allocated_bytes, 64_KiB);
    EXPECT_EQ(text_of(*file, kPageSize - 1, 2), std::string("z\0", 2));
    EXPECT_EQ(text_of(*file, 9 * kPageSize - 1, 2), std::string("\0z", 2));
}

TEST_P(IoContract, OpenReportsWhatIsMissingAndWhatIsThere) {
    EXPECT_EQ(io().open("none", {}).error(), kNoEntry);
    EXPECT_EQ(io().open("none", {.write = true}).error(), kNoEntry);
    EXPECT_EQ(io().open("no/such", {.create = true}).error(), kNoEntry);
    create("there");
    EXPECT_EQ(io().open("there", {.create = true, .exclusive = true}).error(), kExists);
    EXPECT_TRUE(io().open("there", {.create = true}));
    EXPECT_EQ(io().stat("none").error(), kNoEntry);
    EXPECT_EQ(io().remove("none").error(), kNoEntry);
    EXPECT_EQ(io().rename("none", "other").error(), kNoEntry);
    EXPECT_EQ(io().list("none").error(), kNoEntry);
    EXPECT_EQ(io().sync_directory("none").error(), kNoEntry);
}

TEST_P(IoContract, AFileOpenedForReadingRefusesWrites) {
    create("a");
    const auto file = open("a", {});
    EXPECT_EQ(file->write(0, view("x")).error(), errno_code(EBADF));
}

TEST_P(IoContract, DirectoriesListSortedAndFollowRenameAndRemove) {
    ASSERT_TRUE(io().make_directory("d"));
    ASSERT_TRUE(io().make_directory("d"));
    for (const char* name : {"d/c", "d/a", "d/b"}) create(name);
    EXPECT_EQ(io().list("d").value(), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(io().list("").value(), (std::vector<std::string>{"d"}));
    ASSERT_TRUE(io().rename("d/c", "d/0"));
    ASSERT_TRUE(io().remove("d/b"));
    ASSERT_TRUE(io().sync_directory("d"));
    ASSERT_TRUE(io().sync_directory(""));
    EXPECT_EQ(io().list("d").value(), (std::vector<std::string>{"0", "a"}));
    EXPECT_TRUE(io().stat("d").value().directory);
    EXPECT_FALSE(io().stat("d/a").value().directory);
    EXPECT_EQ(io().stat("d/a").value().link_count, 1U);
}

TEST_P(IoContract, RenameReplacesItsTarget) {
    ASSERT_TRUE(create("old")->write(0, view("old")));
    ASSERT_TRUE(create("new")->write(0, view("new!")));
    ASSERT_TRUE(io().rename("new", "old"));
    EXPECT_EQ(text_of(*open("old", {}), 0, 10), "new!");
    EXPECT_EQ(io().list("").value(), (std::vector<std::string>{"old"}));
}

TEST_P(IoContract, ARemovedFileStaysUsableWhileOpen) {
    const auto file = create("a");
    ASSERT_TRUE(io().remove("a"));
    ASSERT_TRUE(file->write(0, view("still here")));
    EXPECT_EQ(text_of(*file, 0, 20), "still here");
    EXPECT_EQ(io().stat("a").error(), kNoEntry);
    EXPECT_EQ(file->stat().value().link_count, 0U);
}

TEST_P(IoContract, OneExclusiveLockOrManyShared) {
    auto exclusive = io().lock("LOCK", true);
    ASSERT_TRUE(exclusive);
    EXPECT_EQ(io().lock("LOCK", true).error(), ErrorCode{Errc::locked});
    EXPECT_EQ(io().lock("LOCK", false).error(), ErrorCode{Errc::locked});
    exclusive.value().reset();
    const auto first = io().lock("LOCK", false);
    const auto second = io().lock("LOCK", false);
    ASSERT_TRUE(first);
    ASSERT_TRUE(second);
    EXPECT_EQ(io().lock("LOCK", true).error(), ErrorCode{Errc::locked});
}

TEST_P(IoContract, SpaceIsSaid) {
    const SpaceStat space = io().space().value();
    EXPECT_GT(space.total_bytes, 0U);
    EXPECT_LE(space.available_bytes, space.total_bytes);
}

// Async operations.

Awaitable<Result<void>> write_sync_read(IoQueue& queue, File& file, Buffer& from, Buffer& to) {
    ORB_CO_TRY(co_await async_allocate(queue, file, 0, from.bytes().size(), IoClass::bulk));
    ORB_CO_TRY(co_await async_write(queue, file, 0, from.bytes(), IoClass::bulk));
    ORB_CO_TRY(co_await async_datasync(queue, file, IoClass::commit));
    ORB_CO_TRY(const auto count, co_await async_read(queue, file, 0, to.bytes(), IoClass::read));
    if (count != to.bytes().size()) co_return fail(errno_code(EIO));
    ORB_CO_TRY(co_await async_punch(queue, file, 0, kPageSize, IoClass::background));
    co_return ok();
}

TEST_P(IoContract, AsyncCallsDoWhatBlockingOnesDo) {
    for (const bool direct : {true, false}) {
        const auto file = create(direct ? "direct" : "buffered", direct);
        const auto queue = make_queue();
        Buffer from = page_buffer();
        Buffer to = page_buffer();
        fill(from.bytes(), 11);
        const auto done = run(write_sync_read(*queue, *file, from, to));
        EXPECT_TRUE(done) << done.error().message();
        EXPECT_TRUE(std::ranges::equal(from.bytes(), to.bytes()));
        EXPECT_EQ(queue->in_flight(), 0U);
        ASSERT_TRUE(file->read(0, to.bytes()));
        EXPECT_TRUE(all_zero(to.bytes().first(kPageSize)));
        EXPECT_TRUE(
            std::ranges::equal(from.bytes().subspan(kPageSize), to.bytes().subspan(kPageSize)));
    }
}

TEST_P(IoContract, AsyncReadEndsEarlyAtTheEndOfFileOnly) {
    const auto file = create("a");
    ASSERT_TRUE(file->write(0, view(std::string(70'000, 'e'))));
    const auto queue = make_queue();
    std::vector<std::byte> to(100'000);
    EXPECT_EQ(run(async_read(*queue, *file, 0, to, IoClass::read)).value(), 70'000U);
    EXPECT_EQ(run(async_read(*queue, *file, 69'990, to, IoClass::read)).value(), 10U);
    EXPECT_EQ(run(async_read(*queue, *file, 70'000, to, IoClass::read)).value(), 0U);
    const auto direct = open("a", {.direct = true});
    const Buffer page = page_buffer();
    EXPECT_EQ(run(async_read(*queue, *direct, 64_KiB, page.bytes(), IoClass::read)).value(),
              70'000U - 64_KiB);
}

TEST_P(IoContract, AsyncErrorsArriveAsErrno) {
    create("a");
    const auto file = open("a", {});
    const auto queue = make_queue();
    EXPECT_EQ(run(async_write(*queue, *file, 0, view("x"), IoClass::bulk)).error(),
              errno_code(EBADF));
    EXPECT_EQ(run(async_allocate(*queue, *file, 0, kPageSize, IoClass::bulk)).error(),
              errno_code(EBADF));
    EXPECT_EQ(queue->in_flight(), 0U);
}

struct Counted {
    IoOperation operation;
    std::int64_t result = -1;
    int completions = 0;
    Buffer buffer;

    void start(IoQueue& queue, IoOperation::Kind kind, IoClass io_class, File& file,
               std::uint64_t offset) {
        operation = {.kind = kind,
                     .io_class = io_class,
                     .file = &file,
                     .offset = offset,
                     .data = buffer.data(),
                     .size = buffer.bytes().size()};
        operation.context = this;
        operation.complete = [](IoOperation& completed, std::int64_t value) noexcept {
            auto& self = *static_cast<Counted*>(completed.context);
            self.result = value;
            ++self.completions;
        };
        queue.submit(operation);
    }
};

// More than the ring holds: the rest waits in the queue, every operation completes once, and a
// datasync submitted after the completions covers them.
TEST_P(IoContract, ManyInFlightCompleteOnceEach) {
    constexpr std::size_t kCount = 600;
    const auto file = create("many", true);
    const auto queue = make_queue();
    BufferPool pages{ledger_, MemoryShare::pull_buffers, kPageSize};
    std::vector<Counted> operations(kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
        operations[i].buffer = std::move(*pages.take());
        fill(operations[i].buffer.bytes(), static_cast<unsigned>(i));
        operations[i].start(*queue, IoOperation::Kind::write, static_cast<IoClass>(i % 4), *file,
                            i * kPageSize);
    }
    EXPECT_EQ(queue->in_flight(), kCount);
    for (const Counted& counted : operations) EXPECT_EQ(counted.completions, 0);
    subject_->run();
    EXPECT_EQ(queue->in_flight(), 0U);
    for (const Counted& counted : operations) {
        EXPECT_EQ(counted.completions, 1);
        EXPECT_EQ(counted.result, static_cast<std::int64_t>(kPageSize));
    }
    EXPECT_TRUE(run(async_datasync(*queue, *file, IoClass::commit)));
    const Buffer page = std::move(*pages.take());
    for (std::size_t i = 0; i < kCount; i += 37) {
        ASSERT_TRUE(file->read(i * kPageSize, page.bytes()));
        EXPECT_TRUE(std::ranges::equal(page.bytes(), operations[i].buffer.bytes()));
    }
}

TEST_P(IoContract, CompletionsMaySubmitAgain) {
    struct Chain {
        IoOperation operation;
        IoQueue* queue = nullptr;
        int left = 50;
    } chain;
    const auto file = create("chain");
    ASSERT_TRUE(file->write(0, view("0123456789")));
    const auto queue = make_queue();
    std::array<std::byte, 10> to{};
    chain.queue = queue.get();
    chain.operation = {
        .kind = IoOperation::Kind::read, .file = file.get(), .data = to.data(), .size = to.size()};
    chain.operation.context = &chain;
    chain.operation.complete = [](IoOperation& operation, std::int64_t result) noexcept {
        auto& self = *static_cast<Chain*>(operation.context);
        ASSERT_EQ(result, 10);
        if (--self.left > 0) self.queue->submit(operation);
    };
    queue->submit(chain.operation);
    subject_->run();
    EXPECT_EQ(chain.left, 0);
}

TEST_P(IoContract, TwoQueuesShareFilesAndKeepTheirCompletions) {
    const auto file = create("shared", true);
    const auto first = make_queue();
    const auto second = make_queue();
    Counted a;
    Counted b;
    a.buffer = page_buffer();
    b.buffer = page_buffer();
    fill(a.buffer.bytes(), 1);
    fill(b.buffer.bytes(), 2);
    a.start(*first, IoOperation::Kind::write, IoClass::bulk, *file, 0);
    b.start(*second, IoOperation::Kind::write, IoClass::bulk, *file, 64_KiB);
    subject_->run();
    EXPECT_EQ(a.completions + b.completions, 2);
    const Buffer page = page_buffer();
    ASSERT_TRUE(file->read(64_KiB, page.bytes()));
    EXPECT_TRUE(std::ranges::equal(page.bytes(), b.buffer.bytes()));
}

Awaitable<void> read_into_own_buffer(IoQueue& queue, File& file, std::size_t size) {
    std::vector<std::byte> to(size);
    const auto count = co_await async_read(queue, file, 0, to, IoClass::read);
    EXPECT_EQ(count.value(), size);
    EXPECT_EQ(to.back(), std::byte{'k'});
}

// The waiter's frame, which holds the buffer, stays alive until the operation completed, whoever
// forgot about it.
TEST_P(IoContract, APendingOperationKeepsItsWaiterAlive) {
    const auto file = create("a");
    ASSERT_TRUE(file->write(0, view(std::string(32_KiB, 'k'))));
    const auto queue = make_queue();
    for (int i = 0; i < 20; ++i) {
        asio::co_spawn(subject_->executor(), read_into_own_buffer(*queue, *file, 32_KiB),
                       asio::detached);
    }
    subject_->run();
    EXPECT_EQ(queue->in_flight(), 0U);
}

TEST_P(IoContract, ReadNowReturnsTheBytesOrAgain) {
    const auto file = create("a");
    ASSERT_TRUE(file->write(0, view("in the cache")));
    const auto queue = make_queue();
    std::array<std::byte, 12> to{};
    const auto count = queue->read_now(*file, 0, to);
    if (count) {
        EXPECT_EQ(count.value(), to.size());
        EXPECT_EQ(as_text(to), "in the cache");
    } else {
        EXPECT_EQ(count.error(), errno_code(EAGAIN));
    }
}

INSTANTIATE_TEST_SUITE_P(AllIos, IoContract, testing::ValuesIn(io_factories()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace orbitalreg::cas
