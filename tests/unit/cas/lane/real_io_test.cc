// The same store on the operating system's files: both implementations of Io, reactors on threads
// of their own, and stores that are dropped without being stopped, as after kill -9.

#include "unit/cas/lane/lane_fixture.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

namespace orbitalreg::cas {
namespace {

class Reactor {
public:
    Reactor() : guard_{context_.get_executor()}, thread_{[this] { context_.run(); }} {}
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;
    ~Reactor() { stop(); }
    // What has not run stays until the end.
    void stop() {
        context_.stop();
        if (thread_.joinable()) thread_.join();
    }
    asio::any_io_executor executor() { return context_.get_executor(); }

private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard_;
    std::thread thread_;
};

template <class T>
Awaitable<void> answer(Awaitable<Result<T>> work, std::promise<Result<T>>& promise) {
    auto result = co_await std::move(work);
    promise.set_value(std::move(result));
}

template <class T>
Result<T> run_on(Reactor& reactor, Awaitable<Result<T>> work) {
    std::promise<Result<T>> promise;
    auto future = promise.get_future();
    asio::co_spawn(reactor.executor(), answer(std::move(work), promise), asio::detached);
    return future.get();
}

Awaitable<Result<BlobInfo>> push(Store& store, ByteView bytes) {
    ORB_CO_TRY(auto writer, co_await store.begin_blob(DigestAlgorithm::sha256, bytes.size()));
    ORB_CO_TRY(co_await feed(*writer, bytes, 1_MiB));
    Change nothing;
    co_return co_await writer->finish(sha256_of(bytes), std::move(nothing));
}

Awaitable<Result<std::uint64_t>> patch(Store& store, UploadStart start, ByteView bytes) {
    ORB_CO_TRY(auto writer, co_await store.open_upload(std::move(start)));
    ORB_CO_TRY(co_await feed(*writer, bytes, 100'000));
    co_return co_await writer->mark();
}

Awaitable<Result<BlobInfo>> complete(Store& store, UploadStart start, ByteView bytes,
                                     Digest digest) {
    ORB_CO_TRY(auto writer, co_await store.open_upload(std::move(start)));
    ORB_CO_TRY(co_await feed(*writer, bytes, 100'000));
    Change nothing;
    co_return co_await writer->finish(digest, std::move(nothing));
}

Awaitable<Result<std::vector<std::byte>>> pull(Store& store, Digest digest) {
    ORB_CO_TRY(auto reader, store.open_blob(digest));
    co_return co_await read_all(*reader, 0, reader->size_bytes());
}

Awaitable<Result<void>> stop(Store& store) {
    co_await store.stop();
    co_return ok();
}

class LaneRealIo : public testing::TestWithParam<IoChoice> {
public:
    LaneRealIo() {
        std::string name = testing::TempDir() + "orb_lane_XXXXXX";
        root_ = ::mkdtemp(name.data());
    }
    ~LaneRealIo() override { std::filesystem::remove_all(root_); }

    struct Life {
        explicit Life(std::unique_ptr<Io> with) : io{std::move(with)} {}
        Life(const Life&) = delete;
        Life& operator=(const Life&) = delete;
        ~Life() {
            background.stop();
            for (Reactor& reactor : reactors) reactor.stop();
            store.reset();
        }
        Metrics metrics;
        std::unique_ptr<Io> io;
        Reactor reactors[2];
        Reactor background;
        NoCatalog catalog;
        std::unique_ptr<Store> store;
    };

    std::unique_ptr<Life> live() {
        static Metrics io_metrics;
        auto io = make_io(root_, {.choice = GetParam()}, null_log(), io_metrics);
        if (!io) return nullptr;
        auto life = std::make_unique<Life>(std::move(io).value());
        StoreOptions options;
        options.lane_target_bytes = 16_MiB;
        options.memory_limit_bytes = 128_MiB;
        StoreEnvironment environment{*life->io,
                                     system_clock(),
                                     system_random(),
                                     null_log(),
                                     life->metrics,
                                     {life->reactors[0].executor(), life->reactors[1].executor()},
                                     life->background.executor(),
                                     false};
        auto store = Store::open(std::move(environment), options, life->catalog);
        EXPECT_TRUE(store) << store.error().message();
        if (store) life->store = std::move(store).value();
        return life;
    }

private:
    std::string root_;
};

TEST_P(LaneRealIo, BlobsAndUploadsSurviveStoresThatAreDropped) {
    const auto large = content_of(20'000'001, 1);
    const auto upload = content_of(3'000'000, 2);
    const auto small = content_of(1000, 3);
    {
        auto life = live();
        if (life == nullptr) GTEST_SKIP() << "this Io is refused here";
        Store& store = *life->store;
        ASSERT_TRUE(run_on(life->reactors[0], push(store, large)));
        ASSERT_TRUE(run_on(life->reactors[1], push(store, small)));
        const auto marked = run_on(life->reactors[1],
                                   patch(store, session_of(1), ByteView{upload}.first(1'234'567)));
        ASSERT_TRUE(marked) << marked.error().message();
        EXPECT_EQ(marked.value(), 1'234'567u);
    }
    {
        auto life = live();
        ASSERT_NE(life, nullptr);
        EXPECT_FALSE(life->store->stats().clean_start);
        const auto info = run_on(life->reactors[0],
                                 complete(*life->store, session_of(1),
                                          ByteView{upload}.subspan(1'234'567), sha256_of(upload)));
        ASSERT_TRUE(info) << info.error().message();
        ASSERT_TRUE(run_on(life->reactors[0], stop(*life->store)));
    }
    auto life = live();
    ASSERT_NE(life, nullptr);
    EXPECT_TRUE(life->store->stats().clean_start);
    for (const auto& bytes : {large, upload, small}) {
        const auto read = run_on(life->reactors[1], pull(*life->store, sha256_of(bytes)));
        ASSERT_TRUE(read) << read.error().message();
        EXPECT_TRUE(read.value() == bytes);
    }
}

TEST_P(LaneRealIo, ManyAtOnceOnTwoReactors) {
    auto life = live();
    if (life == nullptr) GTEST_SKIP() << "this Io is refused here";
    constexpr int kUploads = 24;
    std::vector<std::vector<std::byte>> contents;
    for (int i = 0; i < kUploads; ++i) {
        contents.push_back(content_of(100'000 + 50'000 * static_cast<std::size_t>(i),
                                      static_cast<std::uint64_t>(i)));
    }
    std::vector<std::promise<Result<BlobInfo>>> promises(kUploads);
    for (std::size_t i = 0; i < kUploads; ++i) {
        asio::co_spawn(life->reactors[i % 2].executor(),
                       answer(push(*life->store, contents[i]), promises[i]), asio::detached);
    }
    for (auto& promise : promises) {
        const auto info = promise.get_future().get();
        ASSERT_TRUE(info) << info.error().message();
    }
    for (std::size_t i = 0; i < kUploads; ++i) {
        const auto read = run_on(life->reactors[i % 2], pull(*life->store, sha256_of(contents[i])));
        ASSERT_TRUE(read);
        EXPECT_TRUE(read.value() == contents[i]);
    }
    ASSERT_TRUE(run_on(life->reactors[0], stop(*life->store)));
}

INSTANTIATE_TEST_SUITE_P(Io, LaneRealIo, testing::Values(IoChoice::uring, IoChoice::threads),
                         [](const auto& param) {
                             return std::string{param.param == IoChoice::uring ? "uring"
                                                                               : "threads"};
                         });

}  // namespace
}  // namespace orbitalreg::cas
