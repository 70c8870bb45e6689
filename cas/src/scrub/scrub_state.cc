#include "scrub/scrub_state.h"

#include "cas/errors.h"
#include "schema/records_generated.h"

#include <flatbuffers/flatbuffers.h>

namespace orbitalreg::cas {

GroupRecord encode_record(const ScrubPosition& position) {
    flatbuffers::FlatBufferBuilder builder{128};
    builder.Finish(records::CreateScrubPosition(
        builder, position.pass, position.running, position.place.in_log, position.place.file,
        position.place.position, position.begun_store_time_ms, position.blobs, position.bytes,
        position.full_pass, position.full_begun_store_time_ms, position.full_ended_store_time_ms));
    GroupRecord record;
    record.type = static_cast<std::uint16_t>(RecordType::scrub_position);
    const auto* body = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    record.body.assign(body, body + builder.GetSize());
    return record;
}

Result<ScrubPosition> decode_scrub_position(ByteView body) noexcept {
    flatbuffers::Verifier verifier{reinterpret_cast<const std::uint8_t*>(body.data()), body.size()};
    if (!verifier.VerifyBuffer<records::ScrubPosition>(nullptr)) return fail(Errc::bad_format);
    const auto* found = flatbuffers::GetRoot<records::ScrubPosition>(body.data());
    if (found->pass() == 0 || found->full_pass() > found->pass()) return fail(Errc::bad_format);
    ScrubPosition position;
    position.pass = found->pass();
    position.running = found->running();
    position.place = {found->in_log(), found->file(), found->position()};
    position.begun_store_time_ms = found->begun_store_time_ms();
    position.blobs = found->blobs();
    position.bytes = found->bytes();
    position.full_pass = found->full_pass();
    position.full_begun_store_time_ms = found->full_begun_store_time_ms();
    position.full_ended_store_time_ms = found->full_ended_store_time_ms();
    return position;
}

void ScrubState::apply(ByteView body) noexcept {
    const auto position = decode_scrub_position(body);
    if (!position) return;
    const std::lock_guard lock{mutex_};
    position_ = position.value();
}

ScrubPosition ScrubState::position() const {
    const std::lock_guard lock{mutex_};
    return position_;
}

void ScrubTable::begin_walk() {
    image_ = state_.position();
    if (image_->pass == 0) image_.reset();
}

bool ScrubTable::walk(RowBatch& rows, std::uint32_t rows_max, std::size_t bytes_max) {
    if (!image_) return false;
    if (rows_max == 0 || rows.bytes().size() >= bytes_max) return true;
    rows.add(encode_record(*image_).body);
    image_.reset();
    return false;
}

Result<void> ScrubTable::load(ByteView row) {
    ORB_TRY(const auto position, decode_scrub_position(row));
    const std::lock_guard lock{state_.mutex_};
    state_.position_ = position;
    return ok();
}

}  // namespace orbitalreg::cas
