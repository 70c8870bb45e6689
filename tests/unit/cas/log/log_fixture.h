#pragma once
// A log over a simulated disk, life after life, and the state it is replayed into.

#include "base/fields.h"
#include "cas/errors.h"
#include "cas/walked_table.h"
#include "log/commit_log.h"
#include "support/sim_machine.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace orbitalreg::cas {

// Keeps a copy of all that was applied, and has checkpoints made of it when asked to.
class RecordingTarget final : public FrameTarget {
public:
    struct Applied {
        std::uint64_t lsn = 0;
        std::uint64_t store_time_ms = 0;
        std::string body;  // of the first record of the group
        std::string raw;
        std::size_t records = 0;
        std::uint32_t segment = 0;
        std::uint64_t raw_offset = 0;
        friend bool operator==(const Applied&, const Applied&) = default;
        friend std::ostream& operator<<(std::ostream& out, const Applied& applied) {
            return out << applied.body << '@' << applied.lsn;
        }
    };

    Result<void> verify(const AppliedRecord& record) const noexcept override {
        if (record.owner != RecordOwner::catalog) return fail(Errc::bad_format);
        if (as_text(record.body) == "unreadable") return fail(Errc::catalog_unreadable);
        return ok();
    }
    void apply(const FrameContext& frame, std::span<const AppliedRecord> group) noexcept override {
        const AppliedRecord& first = group.front();
        walked_.before_change(static_cast<std::uint32_t>(groups.size()));
        groups.push_back({frame.lsn.value, frame.store_time_ms, std::string{as_text(first.body)},
                          std::string{as_text(first.raw)}, group.size(), first.segment,
                          first.raw_offset});
    }

    std::vector<CheckpointTable*> checkpoint_tables() override {
        return checkpoints ? std::vector<CheckpointTable*>{&walked_}
                           : std::vector<CheckpointTable*>{};
    }
    std::vector<std::uint32_t> segments_in_use() override {
        return {segments_kept.begin(), segments_kept.end()};
    }

    std::vector<Applied> groups;
    bool checkpoints = false;
    std::set<std::uint32_t> segments_kept;

private:
    struct Rows {  // by their place in `groups`
        using Key = std::uint32_t;
        std::vector<Applied>& groups;

        std::optional<Key> next(const std::optional<Key>& after) const {
            const Key key = after ? *after + 1 : 0;
            return key < groups.size() ? std::optional{key} : std::nullopt;
        }
        void encode(Key key, std::vector<std::byte>& row) const {
            if (key >= groups.size()) return;
            const Applied& group = groups[key];
            FieldWriter{row}
                .number(group.lsn)
                .number(group.store_time_ms)
                .text(group.body)
                .text(group.raw)
                .number(std::uint64_t{group.records})
                .number(group.segment)
                .number(group.raw_offset);
        }
        Result<void> load(ByteView row) const {
            FieldReader fields{row};
            Applied group;
            group.lsn = fields.number<std::uint64_t>();
            group.store_time_ms = fields.number<std::uint64_t>();
            group.body = fields.text();
            group.raw = fields.text();
            group.records = fields.number<std::uint64_t>();
            group.segment = fields.number<std::uint32_t>();
            group.raw_offset = fields.number<std::uint64_t>();
            if (!fields.done()) return fail(Errc::bad_format);
            groups.push_back(std::move(group));
            return ok();
        }
        Result<void> loaded() const { return ok(); }
    };
    WalkedTable<Rows> walked_{kFirstCatalogTable, Rows{groups}};
};

inline std::vector<std::byte> bytes_of(std::string_view text) {
    const ByteView view = as_bytes(text);
    return {view.begin(), view.end()};
}

inline Group group_of(std::string_view body, std::string_view raw = {}) {
    Group group;
    GroupRecord record;
    record.type = 7;
    record.owner = RecordOwner::catalog;
    record.body = bytes_of(body);
    record.raw = bytes_of(raw);
    group.records.push_back(std::move(record));
    return group;
}

inline StoreOptions small_options() {
    StoreOptions options;
    options.log_segment_size_bytes = 64_KiB;
    options.lane_target_bytes = 1_MiB;
    options.segments_spare = 1;
    return options;
}

// What a store leaves on the disk between two lives.
class SimulatedLog : public testing::Test {
public:
    class Life {
    public:
        Life(sim::SimDisk& disk, std::uint64_t seed, std::int64_t wall_jump_ns,
             const sim::SimIoOptions& io_options)
            : machine_{disk, seed, io_options} {
            clock().jump_wall_ns(wall_jump_ns);
        }
        ~Life() {
            log.reset();
            machine_.clear();
        }

        Result<void> open(const StoreOptions& options) { return open(options, io()); }
        Result<void> open(const StoreOptions& options, Io& io) {
            auto opened = CommitLog::open(machine_.environment(io), options, target);
            if (!opened) return fail(opened.error());
            log = std::move(opened).value();
            return ok();
        }
        void start() { log->start(); }
        // Runs the simulation until the answer is there.
        Result<Committed> commit(Group group) { return run(log->commit(std::move(group))); }
        void submit(Group group, std::optional<Result<Committed>>& answer) {
            asio::co_spawn(machine_.executor(), wait(*log, std::move(group), answer),
                           asio::detached);
        }
        // Runs the simulation until the step was run or refused.
        Result<void> step(std::function<void()> work) {
            return run(log->between_frames(std::move(work)));
        }
        // Makes a checkpoint.
        Result<void> checkpoint() { return run(log->make_checkpoint()); }
        void submit_step(std::function<void()> work, std::optional<Result<void>>& done) {
            asio::co_spawn(machine_.executor(), wait_step(*log, std::move(work), done),
                           asio::detached);
        }
        void stop(Group last = {}) { EXPECT_TRUE(machine_.run(log->stop(std::move(last)))); }
        void settle() { machine_.settle(); }
        void idle() { machine_.idle(); }
        sim::SimIo& io() { return machine_.io(); }
        sim::SimScheduler& scheduler() { return machine_.scheduler(); }
        sim::SimClock& clock() { return machine_.clock(); }
        Metrics& metrics() { return machine_.metrics(); }

        RecordingTarget target;
        std::unique_ptr<CommitLog> log;

    private:
        static Awaitable<void> wait(CommitLog& log, Group group,
                                    std::optional<Result<Committed>>& answer) {
            auto result = co_await log.commit(std::move(group));
            answer.emplace(std::move(result));
        }
        static Awaitable<void> wait_step(CommitLog& log, std::function<void()> work,
                                         std::optional<Result<void>>& done) {
            auto result = co_await log.between_frames(std::move(work));
            done.emplace(std::move(result));
        }
        template <class T>
        Result<T> run(Awaitable<Result<T>> work) {
            auto answer = machine_.run(std::move(work));
            EXPECT_TRUE(answer.has_value());
            return answer ? std::move(*answer) : Result<T>{fail(Errc::stopped)};
        }

        sim::SimMachine machine_;
    };

    // A life whose log is open and started.
    std::unique_ptr<Life> live(const StoreOptions& options = small_options()) {
        auto life = begin();
        const auto opened = life->open(options);
        EXPECT_TRUE(opened) << opened.error().message();
        if (opened) life->start();
        return life;
    }
    std::unique_ptr<Life> begin(sim::SimIoOptions io_options = {}) {
        return std::make_unique<Life>(disk, ++seed, wall_jump_ns, io_options);
    }
    // The error of opening, none when it succeeds.
    ErrorCode open_error(const StoreOptions& options = small_options()) {
        auto life = begin();
        const auto opened = life->open(options);
        return opened ? ErrorCode{} : opened.error();
    }
    // Power is cut, and nothing that was not synced survives.
    void cut_power() {
        sim::SimRandom random{++seed};
        disk.crash(random);
    }
    std::vector<std::byte>& content(std::string_view path) {
        const auto inode = disk.find(path);
        EXPECT_NE(inode, nullptr) << path;
        return inode->current;
    }
    void flip(std::string_view path, std::uint64_t offset) {
        disk.flip_bit(*disk.find(path), offset, 3);
    }

    sim::SimDisk disk{sim::SimDiskMode::strict};
    std::uint64_t seed = 0;
    std::int64_t wall_jump_ns = 0;
};

inline constexpr std::string_view kSegment1 = "log/0000000000000001.olog";
inline constexpr std::string_view kSegment2 = "log/0000000000000002.olog";

}  // namespace orbitalreg::cas
