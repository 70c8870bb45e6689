#pragma once
// A store over a simulated disk, life after life, and what a client does with uploads and blobs.

#include "cas/errors.h"
#include "cas/no_catalog.h"
#include "cas/store.h"
#include "support/sim_machine.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::cas {

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
        Life(sim::SimDisk& disk, std::uint64_t seed,
             std::unique_ptr<CatalogMachine> catalog = std::make_unique<NoCatalog>())
            : catalog_{std::move(catalog)}, machine_{disk, seed} {}
        ~Life() {
            settle();
            machine_.clear();
            store.reset();
            machine_.clear();
        }

        Result<void> open(const StoreOptions& options) {
            auto opened = Store::open(machine_.environment(), options, *catalog_);
            if (!opened) return fail(opened.error());
            store = std::move(opened).value();
            return ok();
        }
        // Runs the simulation until the coroutine's answer is there.
        template <class T>
        Result<T> run(Awaitable<Result<T>> work) {
            auto answer = machine_.run(std::move(work));
            EXPECT_TRUE(answer.has_value());
            return answer ? std::move(*answer) : Result<T>{fail(Errc::stopped)};
        }
        void settle() { machine_.settle(); }
        void pass_ms(std::int64_t ms) { machine_.pass_ms(ms); }
        void stop() { EXPECT_TRUE(machine_.run(store->stop())); }

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
        sim::SimIo& io() { return machine_.io(); }
        sim::SimClock& clock() { return machine_.clock(); }
        sim::SimScheduler& scheduler() { return machine_.scheduler(); }
        Metrics& metrics() { return machine_.metrics(); }
        CatalogMachine& catalog() { return *catalog_; }

    private:
        std::unique_ptr<CatalogMachine> catalog_;
        sim::SimMachine machine_;
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
