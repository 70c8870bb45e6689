#include "format/record.h"

#include "base/assert.h"
#include "cas/errors.h"
#include "schema/records_generated.h"

#include <flatbuffers/flatbuffers.h>

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kBodyBytes = 0;
constexpr std::size_t kType = 4;
constexpr std::size_t kOwner = 6;
constexpr std::size_t kFlags = 7;
constexpr std::size_t kRawBytes = 8;
constexpr std::size_t kGroup = 12;
constexpr std::size_t kBlob = 16;
constexpr std::size_t kZero = 20;
constexpr std::size_t kUid = 24;
static_assert(kUid + 8 == kRecordEnvelopeSize);
static_assert(kFrameHeaderSize % kRecordAlignment == 0 &&
              kRecordEnvelopeSize % kRecordAlignment == 0);

constexpr std::uint8_t kFlagIgnorable = 1;
constexpr std::uint8_t kFlagLast = 2;
constexpr std::uint8_t kFlagRaw = 4;
constexpr std::uint8_t kFlagsKnown = kFlagIgnorable | kFlagLast | kFlagRaw;

constexpr std::size_t kSessionSize = 16;
constexpr std::size_t kBlobsPerDeleteMax = 1000;
constexpr std::size_t kHashStateMax = 256;

// Walks the payload of one frame; every step is checked against its end.
class PayloadReader {
public:
    PayloadReader(const FrameHeader& header, std::uint64_t offset, ByteView frame) noexcept
        : segment_{header.segment},
          offset_{offset},
          frame_{frame.first(kFrameHeaderSize + header.payload_bytes)} {}

    bool at_end() const noexcept { return position_ == frame_.size(); }

    Result<FrameRecord> next() noexcept {
        if (!skip_to(round_up(position_, kRecordAlignment))) return fail(Errc::bad_format);
        if (frame_.size() - position_ < kRecordEnvelopeSize) return fail(Errc::bad_format);
        const std::byte* const p = frame_.data() + position_;
        const auto body_bytes = load_le<std::uint32_t>(p + kBodyBytes);
        const auto raw_bytes = load_le<std::uint32_t>(p + kRawBytes);
        const auto owner = std::to_integer<std::uint8_t>(p[kOwner]);
        const auto flags = std::to_integer<std::uint8_t>(p[kFlags]);
        FrameRecord found;
        found.record.type = load_le<std::uint16_t>(p + kType);
        found.record.owner = static_cast<RecordOwner>(owner);
        found.record.blob = BlobId{load_le<std::uint32_t>(p + kBlob)};
        found.record.uid = load_le<std::uint64_t>(p + kUid);
        found.record.segment = segment_;
        found.ignorable = (flags & kFlagIgnorable) != 0;
        found.last_of_group = (flags & kFlagLast) != 0;
        const bool sane = found.record.type != 0 && owner != 0 && (flags & ~kFlagsKnown) == 0 &&
                          load_le<std::uint32_t>(p + kZero) == 0 &&
                          ((flags & kFlagRaw) != 0) == (raw_bytes != 0) &&
                          in_sequence(load_le<std::uint32_t>(p + kGroup), found.last_of_group);
        if (!sane) return fail(Errc::bad_format);
        position_ += kRecordEnvelopeSize;
        if (frame_.size() - position_ < body_bytes) return fail(Errc::bad_format);
        found.record.body = frame_.subspan(position_, body_bytes);
        position_ += body_bytes;
        if (raw_bytes == 0) return found;
        if (!skip_to(round_up(position_, kRawAlignment))) return fail(Errc::bad_format);
        if (frame_.size() - position_ < raw_bytes) return fail(Errc::bad_format);
        found.record.raw = frame_.subspan(position_, raw_bytes);
        found.record.raw_offset = offset_ + position_;
        position_ += raw_bytes;
        return found;
    }

private:
    bool skip_to(std::size_t position) noexcept {
        if (position > frame_.size()) return false;
        if (!all_zero(frame_.subspan(position_, position - position_))) return false;
        position_ = position;
        return true;
    }

    // Groups are numbered from 1 without gaps; the number changes behind a record that is the last.
    bool in_sequence(std::uint32_t group, bool last) noexcept {
        if (group != groups_ended_ + 1) return false;
        if (last) ++groups_ended_;
        return true;
    }

    const std::uint32_t segment_;
    const std::uint64_t offset_;
    const ByteView frame_;
    std::size_t position_ = kFrameHeaderSize;
    std::uint32_t groups_ended_ = 0;
};

template <class T>
const T* verified(ByteView body) noexcept {
    const auto* const data = reinterpret_cast<const std::uint8_t*>(body.data());
    flatbuffers::Verifier verifier{data, body.size()};
    if (!verifier.VerifyBuffer<T>(nullptr)) return nullptr;
    return flatbuffers::GetRoot<T>(data);
}

ByteView view(const flatbuffers::Vector<std::uint8_t>* bytes) noexcept {
    return bytes == nullptr ? ByteView{} : std::as_bytes(std::span{bytes->data(), bytes->size()});
}

bool is_session(const flatbuffers::Vector<std::uint8_t>* bytes) noexcept {
    return view(bytes).size() == kSessionSize;
}

// Exactly `count` digests; any number above zero when it is 0.
bool holds_digests(ByteView bytes, std::size_t count) noexcept {
    std::size_t found = 0;
    while (!bytes.empty()) {
        if (!take_digest(bytes)) return false;
        ++found;
    }
    return count == 0 ? found > 0 : found == count;
}

bool sound(const records::BlobCommit& record) noexcept {
    const bool in_lane = record.lane() != 0;
    return holds_digests(view(record.digest()), 1) && in_lane == (record.pages() != 0) &&
           in_lane == (record.base_page() != 0);
}

bool sound(const records::BlobDelete& record) noexcept {
    return record.blobs()->size() > 0 && record.blobs()->size() <= kBlobsPerDeleteMax &&
           holds_digests(view(record.digests()), record.blobs()->size());
}

bool sound(const records::Lease& record) noexcept {
    return holds_digests(view(record.digests()), 0);
}

bool sound(const records::BlobDamaged& record) noexcept {
    return holds_digests(view(record.digest()), 1);
}

bool sound(const records::BlobRelocate& record) noexcept {
    return holds_digests(view(record.digest()), 1) && record.from_segment() != 0 &&
           record.from_uid() != 0;
}

bool sound(const records::MarkRelocate& record) noexcept {
    return is_session(record.session()) && record.from_segment() != 0;
}

bool sound(const records::BlobHealed& record) noexcept {
    return holds_digests(view(record.digest()), 1);
}

bool sound(const records::ScrubPosition& record) noexcept {
    return record.pass() != 0 && record.full_pass() <= record.pass();
}

bool sound(const records::UploadMark& record) noexcept {
    const bool in_lane = record.lane() != 0;
    return is_session(record.session()) && view(record.hash_state()).size() <= kHashStateMax &&
           (!in_lane ||
            (record.aligned_bytes() % kPageSize == 0 && record.offset() >= record.aligned_bytes() &&
             record.offset() - record.aligned_bytes() < kPageSize));
}

bool sound(const records::UploadClose& record) noexcept {
    const bool finished = record.outcome() == records::UploadOutcome::finished;
    const bool cancelled = record.outcome() == records::UploadOutcome::cancelled;
    const ByteView digest = view(record.digest());
    return is_session(record.session()) && (finished || cancelled) &&
           (finished ? holds_digests(digest, 1) : digest.empty());
}

bool sound(const records::LaneState& record) noexcept {
    return record.lane() != 0 && record.phase() > records::LanePhase::none &&
           record.phase() <= records::LanePhase::MAX;
}

bool sound(const records::IdBlock& record) noexcept {
    return record.kind() > records::IdKind::none && record.kind() <= records::IdKind::MAX &&
           record.first() != 0 && record.count() != 0 &&
           record.first() + record.count() > record.first();
}

template <class T>
Result<void> verify_as(ByteView body) noexcept {
    const T* const record = verified<T>(body);
    if (record == nullptr || !sound(*record)) return fail(Errc::bad_format);
    return ok();
}

}  // namespace

std::size_t encoded_size_max(std::span<const GroupRecord> records) noexcept {
    std::size_t size = 0;
    for (const GroupRecord& record : records) {
        size += kRecordAlignment - 1 + kRecordEnvelopeSize + record.body.size();
        if (!record.raw.empty()) size += kRawAlignment - 1 + record.raw.size();
    }
    return size;
}

bool PayloadWriter::fits(std::size_t size_max) const noexcept {
    return frame_.size() >= position_ && frame_.size() - position_ >= size_max;
}

void PayloadWriter::zero_to(std::size_t position) noexcept {
    ORB_ASSERT(position >= position_ && position <= frame_.size());
    std::fill(frame_.begin() + static_cast<std::ptrdiff_t>(position_),
              frame_.begin() + static_cast<std::ptrdiff_t>(position), std::byte{0});
    position_ = position;
}

void PayloadWriter::add(const GroupRecord& record, bool last) noexcept {
    ORB_ASSERT(record.type != 0);
    zero_to(round_up(position_, kRecordAlignment));
    std::byte* const p = frame_.data() + position_;
    const auto flags =
        static_cast<std::uint8_t>((last ? kFlagLast : 0) | (record.raw.empty() ? 0 : kFlagRaw));
    zero_to(position_ + kRecordEnvelopeSize);
    store_le(p + kBodyBytes, static_cast<std::uint32_t>(record.body.size()));
    store_le(p + kType, record.type);
    p[kOwner] = static_cast<std::byte>(record.owner);
    p[kFlags] = std::byte{flags};
    store_le(p + kRawBytes, static_cast<std::uint32_t>(record.raw.size()));
    store_le(p + kGroup, group_count_);
    store_le(p + kBlob, record.blob.value);
    store_le(p + kUid, record.uid);
    std::copy(record.body.begin(), record.body.end(), frame_.data() + position_);
    position_ += record.body.size();
    if (!record.raw.empty()) {
        zero_to(round_up(position_, kRawAlignment));
        std::copy(record.raw.begin(), record.raw.end(), frame_.data() + position_);
        position_ += record.raw.size();
    }
    ++record_count_;
}

void PayloadWriter::add(std::span<const GroupRecord> records) noexcept {
    ORB_ASSERT(!records.empty());
    ORB_ASSERT(fits(encoded_size_max(records)));
    ++group_count_;
    for (std::size_t i = 0; i < records.size(); ++i) add(records[i], i + 1 == records.size());
}

void PayloadWriter::finish() noexcept {
    const std::size_t end = position_;
    zero_to(round_up(end, kPageSize));
    position_ = end;
}

Result<std::vector<FrameRecord>> decode_records(const FrameHeader& header, std::uint64_t offset,
                                                ByteView frame) {
    if (frame.size() != header.size_bytes()) return fail(Errc::bad_format);
    if (!all_zero(frame.subspan(kFrameHeaderSize + header.payload_bytes)))
        return fail(Errc::bad_format);
    PayloadReader reader{header, offset, frame};
    std::vector<FrameRecord> records;
    // The count is not trusted with memory before that many envelopes can be there.
    if (header.record_count > header.payload_bytes / kRecordEnvelopeSize)
        return fail(Errc::bad_format);
    records.reserve(header.record_count);
    while (!reader.at_end()) {
        ORB_TRY(auto record, reader.next());
        records.push_back(record);
    }
    if (records.size() != header.record_count) return fail(Errc::bad_format);
    if (!records.empty() && !records.back().last_of_group) return fail(Errc::bad_format);
    return records;
}

Result<void> verify_cas_body(RecordType type, ByteView body) noexcept {
    switch (type) {
        case RecordType::blob_commit:
            return verify_as<records::BlobCommit>(body);
        case RecordType::blob_delete:
            return verify_as<records::BlobDelete>(body);
        case RecordType::lease:
            return verify_as<records::Lease>(body);
        case RecordType::blob_damaged:
            return verify_as<records::BlobDamaged>(body);
        case RecordType::blob_healed:
            return verify_as<records::BlobHealed>(body);
        case RecordType::scrub_position:
            return verify_as<records::ScrubPosition>(body);
        case RecordType::upload_mark:
            return verify_as<records::UploadMark>(body);
        case RecordType::upload_close:
            return verify_as<records::UploadClose>(body);
        case RecordType::lane_state:
            return verify_as<records::LaneState>(body);
        case RecordType::id_block:
            return verify_as<records::IdBlock>(body);
        case RecordType::blob_relocate:
            return verify_as<records::BlobRelocate>(body);
        case RecordType::mark_relocate:
            return verify_as<records::MarkRelocate>(body);
        case RecordType::snapshot_hold:
            break;
    }
    return fail(Errc::bad_format);
}

Result<Digest> take_digest(ByteView& bytes) noexcept {
    if (bytes.empty()) return fail(Errc::bad_format);
    const auto number = std::to_integer<std::uint8_t>(bytes[0]);
    if (number != static_cast<std::uint8_t>(DigestAlgorithm::sha256) &&
        number != static_cast<std::uint8_t>(DigestAlgorithm::sha512)) {
        return fail(Errc::bad_format);
    }
    const auto algorithm = static_cast<DigestAlgorithm>(number);
    const std::size_t size = digest_size_bytes(algorithm);
    if (bytes.size() < 1 + size) return fail(Errc::bad_format);
    const Digest digest{algorithm, bytes.subspan(1, size)};
    bytes = bytes.subspan(1 + size);
    return digest;
}

}  // namespace orbitalreg::cas
