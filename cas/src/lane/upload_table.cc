#include "lane/upload_table.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/fields.h"
#include "cas/errors.h"
#include "format/lane_record.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

void encode_head(const SessionId& session, const UploadRow& upload, std::vector<std::byte>& row) {
    FieldWriter{row}
        .bytes(session)
        .number(std::uint32_t{0})
        .number(upload.uid)
        .number(upload.issued_store_time_s)
        .number(upload.last_store_time_ms)
        .number(upload.offset)
        .number(upload.lane)
        .number(upload.base_page)
        .number(upload.aligned_bytes)
        .number(upload.open_chunk_sum)
        .text(as_text(upload.owner))
        .text(as_text(upload.hash_state));
}

std::vector<std::byte> bytes_of(std::string_view text) {
    const ByteView bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

void decode_head(FieldReader& fields, UploadRow& upload) {
    upload.uid = fields.number<std::uint64_t>();
    upload.issued_store_time_s = fields.number<std::uint64_t>();
    upload.last_store_time_ms = fields.number<std::uint64_t>();
    upload.offset = fields.number<std::uint64_t>();
    upload.lane = fields.number<std::uint32_t>();
    upload.base_page = fields.number<std::uint32_t>();
    upload.aligned_bytes = fields.number<std::uint64_t>();
    upload.open_chunk_sum = fields.number<std::uint64_t>();
    upload.owner = bytes_of(fields.text());
    upload.hash_state = bytes_of(fields.text());
}

void encode_part(const MarkPart& part, FieldWriter fields) {
    fields.number(part.segment)
        .number(part.size_bytes)
        .number(part.offset)
        .number(part.checksum)
        .number(part.first)
        .number(part.sums);
}

MarkPart decode_part(FieldReader& fields) {
    MarkPart part;
    part.segment = fields.number<std::uint32_t>();
    part.size_bytes = fields.number<std::uint32_t>();
    part.offset = fields.number<std::uint64_t>();
    part.checksum = fields.number<std::uint64_t>();
    part.first = fields.number<std::uint64_t>();
    part.sums = fields.number<std::uint32_t>();
    return part;
}

bool sane(const MarkPart& part) noexcept {
    return part.segment != 0 && part.size_bytes != 0 && part.offset % 64 == 0;
}

}  // namespace

std::optional<UploadRows::Key> UploadRows::next(const std::optional<Key>& after) const {
    auto upload = rows.begin();
    if (after) {
        upload = rows.lower_bound(after->first);
        const bool same = upload != rows.end() && upload->first == after->first;
        if (same && after->second < last_row(upload->second))
            return Key{after->first, after->second + 1};
        if (same) ++upload;
    }
    return upload == rows.end() ? std::nullopt : std::optional{Key{upload->first, 0}};
}

void UploadRows::encode(const Key& key, std::vector<std::byte>& row) const {
    const auto found = rows.find(key.first);
    if (found == rows.end() || key.second > last_row(found->second)) return;
    if (key.second == 0) return encode_head(key.first, found->second, row);
    FieldWriter fields{row};
    fields.bytes(key.first).number(key.second);
    const auto& parts = found->second.parts;
    const std::size_t begin = (key.second - 1) * kPartsPerRow;
    const std::size_t end = std::min(begin + kPartsPerRow, parts.size());
    for (std::size_t i = begin; i < end; ++i) encode_part(parts[i], fields);
}

Result<void> UploadRows::load(ByteView row) const {
    FieldReader fields{row};
    SessionId session{};
    const ByteView id = fields.bytes(session.size());
    std::copy(id.begin(), id.end(), session.begin());
    const auto number = fields.number<std::uint32_t>();
    if (number == 0) {
        UploadRow upload;
        decode_head(fields, upload);
        if (!fields.done() || upload.uid == 0) return fail(Errc::bad_format);
        return rows.emplace(session, std::move(upload)).second
                   ? ok()
                   : Result<void>{fail(Errc::bad_format)};
    }
    const auto found = rows.find(session);
    if (found == rows.end() || found->second.parts.size() != (number - 1) * kPartsPerRow) {
        return fail(Errc::bad_format);
    }
    std::size_t count = 0;
    for (; count == 0 || !fields.done(); ++count) {
        const MarkPart part = decode_part(fields);
        const bool fits = !fields.failed() && count < kPartsPerRow;
        if (!fits || !sane(part)) return fail(Errc::bad_format);
        found->second.parts.push_back(part);
        space.add_mark(part.segment, part.size_bytes);
    }
    return ok();
}

void UploadTable::before_change(const SessionId& session) {
    const auto found = rows_.find(session);
    const std::uint32_t last = found == rows_.end() ? 0 : UploadRows::last_row(found->second);
    for (std::uint32_t number = 0; number <= last + 1; ++number) {
        walked_.before_change({session, number});
    }
}

void UploadTable::apply(const FrameContext& frame, const AppliedRecord& record,
                        const MarkRecord& mark) {
    const std::lock_guard lock{mutex_};
    if (closed_.find(mark.session)) return;
    before_change(mark.session);
    UploadRow& row = rows_[mark.session];
    const bool into_lane = mark.lane != 0 && row.lane == 0;
    if (into_lane) drop_parts(row);  // the lane has what the inline parts had
    if (row.owner.empty()) row.owner.assign(mark.owner.begin(), mark.owner.end());
    MarkPart part;
    part.segment = record.segment;
    part.offset = record.raw_offset;
    part.size_bytes = static_cast<std::uint32_t>(record.raw.size());
    part.checksum = checksum64(record.raw);
    if (mark.lane == 0) {
        part.first = mark.offset - record.raw.size();
    } else {
        part.first = mark.first_sum;
        part.sums = static_cast<std::uint32_t>(mark.offset / kChunkSize - mark.first_sum);
    }
    if (part.size_bytes != 0) {
        row.parts.push_back(part);
        blobs_.space().add_mark(part.segment, part.size_bytes);
    }
    row.uid = record.uid;
    row.issued_store_time_s = mark.issued_store_time_s;
    row.last_store_time_ms = frame.store_time_ms;
    row.offset = mark.offset;
    row.lane = mark.lane;
    row.base_page = mark.base_page;
    row.aligned_bytes = mark.aligned_bytes;
    row.hash_state.assign(mark.hash_state.begin(), mark.hash_state.end());
    row.open_chunk_sum = mark.open_chunk_sum;
}

bool UploadTable::apply(const FrameContext& frame, const CloseRecord& close,
                        std::uint64_t remember_s, std::uint32_t closed_max) {
    ClosedUploads::Close remembered;
    remembered.session = close.session;
    remembered.finished = close.outcome == UploadOutcome::finished ? 1 : 0;
    // At least an hour, whatever the id's age: the client may still be asking.
    const std::uint64_t now_s = frame.store_time_ms / 1000;
    const std::uint64_t forget_at = std::max(close.issued_store_time_s + remember_s, now_s + 3600);
    remembered.forget_at_s =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(forget_at, 0x7fffffff)) & 0x7fffffff;
    if (close.digest) {
        remembered.digest_prefix = close.digest->prefix();
        if (const auto blob = blobs_.find(*close.digest)) remembered.blob = blob->id;
    }
    const std::lock_guard lock{mutex_};
    before_change(close.session);
    const auto open = rows_.find(close.session);
    const bool was_open = open != rows_.end();
    if (was_open) {
        drop_parts(open->second);
        rows_.erase(open);
    }
    closed_.insert(remembered);
    forgotten_ += closed_.expire(now_s, closed_max);
    return was_open;
}

MarkPart* UploadTable::part_at(UploadRow& row, const MarkMoveRecord& move) noexcept {
    const auto part = std::ranges::find_if(row.parts, [&move](const MarkPart& each) {
        return each.segment == move.from_segment && each.offset / 64 == move.from_position;
    });
    return part == row.parts.end() ? nullptr : &*part;
}

void UploadTable::apply(const AppliedRecord& record, const MarkMoveRecord& move) {
    const std::lock_guard lock{mutex_};
    const auto found = rows_.find(move.session);
    if (found == rows_.end() || found->second.uid != record.uid) return;
    MarkPart* const part = part_at(found->second, move);
    if (part == nullptr || part->checksum != checksum64(record.raw)) return;
    before_change(move.session);
    blobs_.space().remove_mark(part->segment, part->size_bytes);
    part->segment = record.segment;
    part->offset = record.raw_offset;
    blobs_.space().add_mark(part->segment, part->size_bytes);
}

std::vector<SessionPart> UploadTable::parts_in(const std::set<std::uint32_t>& segments,
                                               std::size_t count_max) const {
    std::vector<SessionPart> found;
    const std::lock_guard lock{mutex_};
    for (const auto& [session, row] : rows_) {
        for (const MarkPart& part : row.parts) {
            if (found.size() == count_max) return found;
            if (segments.contains(part.segment)) found.push_back({session, row.uid, part});
        }
    }
    return found;
}

std::optional<MarkPart> UploadTable::part_now(const SessionId& session,
                                              const MarkPart& part) const {
    const std::lock_guard lock{mutex_};
    const auto found = rows_.find(session);
    if (found == rows_.end()) return std::nullopt;
    const auto now = std::ranges::find_if(found->second.parts, [&part](const MarkPart& each) {
        return each.first == part.first && each.sums == part.sums &&
               each.size_bytes == part.size_bytes && each.checksum == part.checksum;
    });
    return now == found->second.parts.end() ? std::nullopt : std::optional{*now};
}

void UploadTable::drop_parts(UploadRow& row) {
    for (const MarkPart& part : row.parts) {
        blobs_.space().remove_mark(part.segment, part.size_bytes);
    }
    row.parts.clear();
}

UploadStatus UploadTable::status(const SessionId& session) const {
    UploadStatus status;
    std::optional<ClosedUploads::Close> close;
    {
        const std::lock_guard lock{mutex_};
        const auto claim = claims_.find(session);
        status.busy = claim != claims_.end() && !claim->second.draining;
        if (const auto found = rows_.find(session); found != rows_.end()) {
            status.state = UploadStatus::State::open;
            status.offset = found->second.offset;
            return status;
        }
        close = closed_.find(session);
    }
    if (!close) return status;
    status.state =
        close->finished != 0 ? UploadStatus::State::finished : UploadStatus::State::cancelled;
    if (close->finished == 0 || close->blob.value == 0) return status;
    const auto blob = blobs_.get(close->blob);
    if (blob && blob->digest.prefix() == close->digest_prefix) status.digest = blob->digest;
    return status;
}

bool UploadTable::closed(const SessionId& session) const {
    const std::lock_guard lock{mutex_};
    return closed_.find(session).has_value();
}

std::optional<UploadRow> UploadTable::row(const SessionId& session) const {
    const std::lock_guard lock{mutex_};
    const auto found = rows_.find(session);
    return found == rows_.end() ? std::nullopt : std::optional{found->second};
}

void UploadTable::set_unusable(const SessionId& session) {
    const std::lock_guard lock{mutex_};
    if (const auto found = rows_.find(session); found != rows_.end()) found->second.unusable = true;
}

std::uint64_t UploadTable::open_count() const {
    const std::lock_guard lock{mutex_};
    return rows_.size();
}

std::uint64_t UploadTable::closed_count() const {
    const std::lock_guard lock{mutex_};
    return closed_.size();
}

std::uint64_t UploadTable::forgotten() const {
    const std::lock_guard lock{mutex_};
    return forgotten_;
}

std::vector<SessionId> UploadTable::expired(std::uint64_t before_ms, std::size_t count_max) const {
    std::vector<SessionId> found;
    const std::lock_guard lock{mutex_};
    for (const auto& [session, row] : rows_) {
        if (found.size() == count_max) break;
        if (row.last_store_time_ms < before_ms && !claims_.contains(session))
            found.push_back(session);
    }
    return found;
}

void UploadTable::for_each(
    const std::function<void(const SessionId&, const UploadRow&)>& visit) const {
    const std::lock_guard lock{mutex_};
    for (const auto& [session, row] : rows_) visit(session, row);
}

Result<void> UploadTable::claim(const SessionId& session, std::shared_ptr<Event>& draining) {
    const std::lock_guard lock{mutex_};
    const auto [claim, fresh] = claims_.try_emplace(session);
    if (fresh) return ok();
    draining = claim->second.draining ? claim->second.released : nullptr;
    return fail(Errc::upload_busy);
}

void UploadTable::set_draining(const SessionId& session) noexcept {
    const std::lock_guard lock{mutex_};
    if (const auto claim = claims_.find(session); claim != claims_.end()) {
        claim->second.draining = true;
    }
}

void UploadTable::release(const SessionId& session) noexcept {
    std::shared_ptr<Event> released;
    {
        const std::lock_guard lock{mutex_};
        const auto claim = claims_.find(session);
        if (claim == claims_.end()) return;
        released = std::move(claim->second.released);
        claims_.erase(claim);
    }
    released->set();
}

}  // namespace orbitalreg::cas
