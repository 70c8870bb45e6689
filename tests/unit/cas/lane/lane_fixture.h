#pragma once
// A store over a simulated disk, life after life, and what a client does with uploads and blobs.

#include "base/log.h"
#include "base/metrics.h"
#include "cas/errors.h"
#include "cas/store.h"
#include "support/sim_clock.h"
#include "support/sim_disk.h"
#include "support/sim_executor.h"
#include "support/sim_io.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::cas {

// A catalog without records.
class EmptyCatalog final : public CatalogMachine {
public:
    Result<void> verify(const CatalogRecordView&) const noexcept override { return ok(); }
    void apply(const FrameContext&, std::span<const CatalogRecordView>,
               ReferenceSink&) noexcept override {}
    void forget(BlobId, const Digest&) noexcept override {}
    void visit_references(const std::function<void(BlobId)>&) const override {}
    std::vector<CheckpointTable*> checkpoint_tables() override { return {}; }
    std::vector<CheckpointTable*> recount_tables() override { return {}; }
    void visit_row_references(std::uint16_t, ByteView,
                              const std::function<void(BlobId)>&) const override {}
    std::uint64_t fingerprint() const override { return 0; }
};

inline std::vector<std::byte> content_of(std::size_t size, std::uint64_t seed) {
    std::vector<std::byte> bytes(size);
    sim::SimRandom{seed}.fill(bytes);
    return bytes;
}

inline Digest sha256_of(ByteView bytes) { return Digest::of(DigestAlgorithm::sha256, bytes); }

inline StoreOptions lane_options() {
    StoreOptions options;
    options.log_segment_size_bytes = 4_MiB;
    options.lane_target_bytes = 1_MiB;
    options.segments_spare = 1;
    options.lanes_spare = 1;
    options.inline_size_max_bytes = 4096;
    options.write_size_bytes = 32_KiB;
    options.lane_step_min_bytes = 64_KiB;
    options.lane_step_max_bytes = 256_KiB;
    options.lane_writes_in_flight_max = 4;
    options.memory_limit_bytes = 64_MiB;
    return options;
}

inline UploadStart session_of(std::uint8_t number) {
    UploadStart start;
    start.session.fill(std::byte{number});
    start.issued_store_time_s = 0;
    start.owner = {std::byte{'m'}, std::byte{'e'}};
    return start;
}

using Writer = std::unique_ptr<BlobWriter>;

// The whole of `bytes`, in pieces as large as the writer's buffers or `piece_max`.
inline Awaitable<Result<void>> feed(BlobWriter& writer, ByteView bytes, std::size_t piece_max) {
    while (!bytes.empty()) {
        ORB_CO_TRY(const MutableByteView room, co_await writer.buffer());
        const std::size_t size = std::min({room.size(), bytes.size(), piece_max});
        std::copy_n(bytes.begin(), size, room.begin());
        ORB_CO_TRY(co_await writer.advance(size));
        bytes = bytes.subspan(size);
    }
    co_return ok();
}

inline Awaitable<Result<std::vector<std::byte>>> read_all(BlobReader& reader, std::uint64_t offset,
                                                          std::uint64_t end) {
    std::vector<std::byte> bytes;
    while (offset < end) {
        ORB_CO_TRY(const BlobPiece piece, co_await reader.read(offset, end - offset));
        bytes.insert(bytes.end(), piece.bytes.begin(), piece.bytes.end());
        offset += piece.bytes.size();
    }
    co_return bytes;
}

class SimulatedStore : public testing::Test {
public:
    class Life {
    public:
        Life(sim::SimDisk& disk, std::uint64_t seed)
            : random_{seed}, scheduler_{seed}, clock_{scheduler_}, io_{disk, random_, trace_, {}} {}
        ~Life() {
            settle();
            scheduler_.clear();
            store.reset();
            scheduler_.clear();
        }

        Result<void> open(const StoreOptions& options) {
            StoreEnvironment environment{io_,
                                         clock_,
                                         random_,
                                         null_log(),
                                         metrics_,
                                         {scheduler_.executor()},
                                         scheduler_.executor(),
                                         true};
            auto opened = Store::open(std::move(environment), options, catalog_);
            if (!opened) return fail(opened.error());
            store = std::move(opened).value();
            return ok();
        }
        // Runs the simulation until the coroutine's answer is there.
        template <class T>
        Result<T> run(Awaitable<Result<T>> work) {
            std::optional<Result<T>> answer;
            asio::co_spawn(scheduler_.executor(), keep(std::move(work), answer), asio::detached);
            scheduler_.run_until([&] { return answer.has_value(); }, 1'000'000);
            EXPECT_TRUE(answer.has_value());
            return answer ? std::move(*answer) : Result<T>{fail(Errc::stopped)};
        }
        void settle() {
            while (scheduler_.step_ready()) {
            }
        }
        void pass_ms(std::int64_t ms) {
            const std::int64_t end = scheduler_.now_ns() + ms * 1'000'000;
            scheduler_.run_until([&] { return scheduler_.now_ns() >= end; }, 1'000'000);
        }
        void stop() {
            bool stopped = false;
            asio::co_spawn(scheduler_.executor(), wait_stop(*store, stopped), asio::detached);
            scheduler_.run_until([&] { return stopped; }, 1'000'000);
            EXPECT_TRUE(stopped);
        }

        Writer begin(std::optional<std::uint64_t> hint = std::nullopt,
                     DigestAlgorithm algorithm = DigestAlgorithm::sha256) {
            auto writer = run(store->begin_blob(algorithm, hint));
            EXPECT_TRUE(writer) << writer.error().message();
            return writer ? std::move(writer).value() : nullptr;
        }
        Writer resume(const UploadStart& start) {
            auto writer = run(store->open_upload(start));
            EXPECT_TRUE(writer) << writer.error().message();
            return writer ? std::move(writer).value() : nullptr;
        }
        ErrorCode resume_error(const UploadStart& start) {
            auto writer = run(store->open_upload(start));
            return writer ? ErrorCode{} : writer.error();
        }
        Result<void> write(Writer& writer, ByteView bytes, std::size_t piece_max = 1_MiB) {
            return run(feed(*writer, bytes, piece_max));
        }
        Result<std::uint64_t> mark(Writer& writer) { return run(writer->mark()); }
        Result<BlobInfo> finish(Writer& writer, const Digest& digest) {
            auto info = run(writer->finish(digest, Change{}));
            writer.reset();
            return info;
        }
        // A blob that nobody references, in one go.
        Digest put(ByteView bytes) {
            Writer writer = begin();
            EXPECT_TRUE(write(writer, bytes));
            const auto info = finish(writer, sha256_of(bytes));
            EXPECT_TRUE(info) << info.error().message();
            return sha256_of(bytes);
        }
        Result<std::vector<std::byte>> get(const Digest& digest, std::uint64_t offset = 0,
                                           std::uint64_t end = UINT64_MAX) {
            auto reader = store->open_blob(digest);
            if (!reader) return fail(reader.error());
            const std::uint64_t size = reader.value()->size_bytes();
            return run(read_all(*reader.value(), offset, std::min(end, size)));
        }

        std::unique_ptr<Store> store;
        sim::SimIo& io() { return io_; }
        sim::SimScheduler& scheduler() { return scheduler_; }
        Metrics& metrics() { return metrics_; }

    private:
        template <class T>
        static Awaitable<void> keep(Awaitable<Result<T>> work, std::optional<Result<T>>& answer) {
            auto result = co_await std::move(work);
            answer.emplace(std::move(result));
        }
        static Awaitable<void> wait_stop(Store& store, bool& stopped) {
            co_await store.stop();
            stopped = true;
        }

        EmptyCatalog catalog_;
        Metrics metrics_;
        sim::SimRandom random_;
        sim::SimTrace trace_;
        sim::SimScheduler scheduler_;
        sim::SimClock clock_;
        sim::SimIo io_;
    };

    std::unique_ptr<Life> live(const StoreOptions& options = lane_options()) {
        auto life = std::make_unique<Life>(disk, ++seed);
        const auto opened = life->open(options);
        EXPECT_TRUE(opened) << opened.error().message();
        return life;
    }
    // Power is cut: of what was not synced a part survives.
    void cut_power() {
        sim::SimRandom random{++seed};
        disk.crash(random);
    }

    sim::SimDisk disk{sim::SimDiskMode::strict};
    std::uint64_t seed = 0;
};

}  // namespace orbitalreg::cas
