#include "lane/lanes.h"

#include "base/assert.h"
#include "cas/errors.h"
#include "lane/blob_readers.h"
#include "lane/housekeeping.h"
#include "lane/lane_recovery.h"
#include "lane/lane_rooms.h"
#include "lane/upload.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

// Marks that a call of the handle is on its way.
class InCall {
public:
    explicit InCall(Upload& upload) noexcept : upload_{upload} { upload_.set_in_call(true); }
    InCall(const InCall&) = delete;
    InCall& operator=(const InCall&) = delete;
    void done() noexcept { upload_.set_in_call(false); }

private:
    Upload& upload_;
};

// What a client of the store holds of an upload.
class UploadHandle final : public BlobWriter {
public:
    explicit UploadHandle(std::shared_ptr<Upload> upload) noexcept : upload_{std::move(upload)} {}
    UploadHandle(const UploadHandle&) = delete;
    UploadHandle& operator=(const UploadHandle&) = delete;
    ~UploadHandle() override { upload_->end(); }

    std::uint64_t offset() const noexcept override { return upload_->offset(); }
    Awaitable<Result<MutableByteView>> buffer() override {
        InCall call{*upload_};
        auto result = co_await upload_->buffer();
        call.done();
        co_return result;
    }
    Awaitable<Result<void>> advance(std::size_t size) override {
        InCall call{*upload_};
        auto result = co_await upload_->advance(size);
        call.done();
        co_return result;
    }
    Awaitable<Result<std::uint64_t>> mark() override {
        InCall call{*upload_};
        auto result = co_await upload_->mark();
        call.done();
        co_return result;
    }
    Awaitable<Result<BlobInfo>> finish(Digest expected, Change change) override {
        InCall call{*upload_};
        auto result = co_await upload_->finish(expected, std::move(change));
        call.done();
        if (result) upload_->end();
        co_return result;
    }
    Awaitable<Result<std::shared_ptr<FollowedBlob>>> follow() override {
        InCall call{*upload_};
        auto result = co_await upload_->follow();
        call.done();
        co_return result;
    }
    Awaitable<Result<void>> cancel() override {
        InCall call{*upload_};
        auto result = co_await upload_->cancel();
        call.done();
        if (result) upload_->end();
        co_return result;
    }

private:
    std::shared_ptr<Upload> upload_;
};

std::uint64_t expiry_s(const LaneRooms& rooms) noexcept {
    return static_cast<std::uint64_t>(rooms.options.uploads_idle_expiry_ms / 1000);
}

// Waits for the I/O of a writer that is gone, not for one that lives.
Awaitable<Result<void>> claim(LaneRooms& rooms, const SessionId& session) {
    for (;;) {
        std::shared_ptr<Event> draining;
        const auto claimed = rooms.uploads.claim(session, draining);
        if (claimed || draining == nullptr) co_return claimed;
        co_await draining->wait();
    }
}

// What the state says to a claimed session.
Result<void> check_session(LaneRooms& rooms, const UploadStart& start,
                           const std::optional<UploadRow>& row) {
    if (rooms.uploads.closed(start.session)) return fail(Errc::upload_closed);
    const std::uint64_t now_ms = rooms.log->store_time_ms();
    const auto expiry_ms = static_cast<std::uint64_t>(rooms.options.uploads_idle_expiry_ms);
    const std::uint64_t last_ms = row ? row->last_store_time_ms : start.issued_store_time_s * 1000;
    if (last_ms + expiry_ms <= now_ms) return fail(Errc::upload_expired);
    return !row && rooms.uploads_full() ? Result<void>{fail(Errc::overloaded)} : ok();
}

}  // namespace

Lanes::Lanes(StoreEnvironment environment, const StoreOptions& options, BlobTable& blobs,
             MemoryLedger& ledger)
    : rooms_{std::make_shared<LaneRooms>(std::move(environment), options, blobs, ledger)} {}

Lanes::~Lanes() { rooms_->stopped = true; }

Result<void> Lanes::verify(const AppliedRecord& record) const noexcept {
    return verify_lane_record(record);
}

void Lanes::apply(const FrameContext& frame, const AppliedRecord& record) noexcept {
    LaneRooms& rooms = *rooms_;
    switch (static_cast<RecordType>(record.type)) {
        case RecordType::blob_commit: {
            const LaneCommit commit = decode_lane_commit(record.body);
            if (commit.lane == 0) break;
            const std::lock_guard lock{rooms.table_mutex};
            rooms.table.apply(commit);
            break;
        }
        case RecordType::upload_mark: {
            const MarkRecord mark = decode_mark(record.body);
            rooms.uploads.apply(frame, record, mark);
            const std::lock_guard lock{rooms.table_mutex};
            if (mark.lane != 0) rooms.table.apply(mark);
            break;
        }
        case RecordType::mark_relocate:
            rooms.uploads.apply(record, decode_mark_move(record.body));
            break;
        case RecordType::upload_close: {
            const CloseRecord close = decode_close(record.body);
            rooms.uploads.apply(frame, close, expiry_s(rooms), rooms.options.uploads_closed_max);
            const std::lock_guard lock{rooms.table_mutex};
            if (close.lane != 0) rooms.table.apply(close);
            break;
        }
        case RecordType::lane_state: {
            const std::lock_guard lock{rooms.table_mutex};
            rooms.table.apply(decode_lane_state(record.body));
            break;
        }
        case RecordType::id_block:
            rooms.ids.apply(decode_id_block(record.body));
            break;
        default:
            return;
    }
    rooms.uploads_open->set(static_cast<std::int64_t>(rooms.uploads.open_count()));
    const std::uint64_t counted = rooms.uploads_forgotten->value();
    rooms.uploads_forgotten->add(rooms.uploads.forgotten() - counted);
}

std::vector<CheckpointTable*> Lanes::checkpoint_tables() {
    std::vector<CheckpointTable*> tables{&rooms_->table.checkpoint_table()};
    for (CheckpointTable* const table : rooms_->uploads.checkpoint_tables()) {
        tables.push_back(table);
    }
    return tables;
}

CheckpointTable& Lanes::id_table() { return rooms_->ids.checkpoint_table(); }

std::uint64_t Lanes::uids_end() const { return rooms_->ids.end(IdKind::uid); }

Result<void> Lanes::open(CommitLog& log) {
    rooms_->uploads_open->set(static_cast<std::int64_t>(rooms_->uploads.open_count()));
    rooms_->on_damage = [this](const BlobView& blob) {
        if (on_damage) on_damage(blob);
    };
    return recover_lanes(*rooms_, log);
}

void Lanes::start() {
    if (!rooms_->writable()) return;
    rooms_->pool->prepare_spares();
    start_housekeeping(rooms_);
}

Group Lanes::closing_group() {
    Group group;
    for (const LaneStateRecord& state : rooms_->pool->closing_records()) {
        group.records.push_back(encode_record(state));
    }
    return group;
}

Awaitable<void> Lanes::stop() {
    rooms_->stopped = true;
    rooms_->pool->stop();
    stop_housekeeping(*rooms_);
    co_await rooms_->wait_for_work();
}

Awaitable<std::uint64_t> Lanes::close_expired() {
    const std::shared_ptr<LaneRooms> rooms = rooms_;
    if (rooms->stopped || !rooms->writable()) co_return 0;
    rooms->begin_work();
    const std::uint64_t count = co_await orbitalreg::cas::close_expired(rooms);
    rooms->end_work();
    co_return count;
}

Awaitable<Result<std::unique_ptr<BlobWriter>>> Lanes::begin_blob(
    DigestAlgorithm algorithm, std::optional<std::uint64_t> size_hint) {
    const std::shared_ptr<LaneRooms> rooms = rooms_;
    ORB_CO_TRY(rooms->writable());
    if (size_hint.value_or(0) > rooms->options.blob_size_max_bytes) {
        co_return fail(Errc::blob_too_large);
    }
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_return std::make_unique<UploadHandle>(std::make_shared<Upload>(
        rooms, rooms->queue_of(executor), rooms->next_uid(), algorithm, size_hint, std::nullopt));
}

Awaitable<Result<std::unique_ptr<BlobWriter>>> Lanes::open_upload(UploadStart start) {
    const std::shared_ptr<LaneRooms> rooms = rooms_;
    ORB_CO_TRY(rooms->writable());
    if (start.size_hint_bytes.value_or(0) > rooms->options.blob_size_max_bytes) {
        co_return fail(Errc::blob_too_large);
    }
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    ORB_CO_TRY(co_await claim(*rooms, start.session));
    auto row = rooms->uploads.row(start.session);
    if (const auto allowed = check_session(*rooms, start, row); !allowed) {
        rooms->uploads.release(start.session);
        co_return fail(allowed.error());
    }
    auto upload = std::make_shared<Upload>(
        rooms, rooms->queue_of(executor), row ? row->uid : rooms->next_uid(), start.algorithm,
        start.size_hint_bytes,
        Upload::Session{start.session, start.issued_store_time_s, std::move(start.owner)});
    auto handle = std::make_unique<UploadHandle>(upload);
    if (row) {
        InCall call{*upload};
        const auto resumed = co_await upload->resume(std::move(*row));
        call.done();
        if (!resumed) co_return fail(resumed.error());
    }
    co_return std::unique_ptr<BlobWriter>{std::move(handle)};
}

bool Lanes::uploads_full() const noexcept { return rooms_->uploads_full(); }

UploadStatus Lanes::upload_status(const SessionId& session) const noexcept {
    return rooms_->uploads.status(session);
}

Awaitable<Result<void>> Lanes::cancel_upload(UploadStart start) {
    const std::shared_ptr<LaneRooms> rooms = rooms_;
    ORB_CO_TRY(rooms->writable());
    ORB_CO_TRY(co_await claim(*rooms, start.session));
    co_return co_await close_claimed(rooms, start.session, start.issued_store_time_s);
}

Result<std::unique_ptr<BlobReader>> Lanes::open_blob(PinnedBlob blob) {
    return make_blob_reader(rooms_, std::move(blob));
}

std::uint64_t Lanes::next_uid() noexcept { return rooms_->next_uid(); }

LaneStats Lanes::stats() const {
    LaneStats stats = rooms_->pool->stats();
    stats.uploads_open = rooms_->uploads.open_count();
    stats.uploads_closed = rooms_->uploads.closed_count();
    stats.uploads_forgotten = rooms_->uploads.forgotten();
    return stats;
}

void Lanes::for_each_lane(const std::function<void(const LaneView&)>& visit) const {
    const std::lock_guard lock{rooms_->table_mutex};
    for (const auto& [lane, row] : rooms_->table.rows()) visit(row);
}

void Lanes::for_each_upload(const std::function<void(const UploadView&)>& visit) const {
    rooms_->uploads.for_each([&visit](const SessionId& session, const UploadRow& row) {
        visit({.session = session,
               .uid = row.uid,
               .issued_store_time_s = row.issued_store_time_s,
               .last_store_time_ms = row.last_store_time_ms,
               .offset = row.offset,
               .lane = row.lane,
               .base_page = row.base_page});
    });
}

}  // namespace orbitalreg::cas
