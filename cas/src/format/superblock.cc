#include "format/superblock.h"

#include "base/assert.h"
#include "cas/errors.h"
#include "format/log_segment_header.h"
#include "format/magic.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kMagic = magic("ORBSUPER");
constexpr std::size_t kChecksum = 0;
constexpr std::size_t kCopy = 16;
constexpr std::size_t kCopyEnd = 18;
constexpr std::size_t kCovered = 32;  // the checksum covers all from here
constexpr std::size_t kMagicAt = 32;
constexpr std::size_t kVersion = 40;
constexpr std::size_t kPageSizeAt = 44;
constexpr std::size_t kSequence = 48;
constexpr std::size_t kPrevious = 56;
constexpr std::size_t kUuid = 72;
constexpr std::size_t kCompat = 88;
constexpr std::size_t kRoCompat = 96;
constexpr std::size_t kSecret = 104;
constexpr std::size_t kCheckpointId = 136;
constexpr std::size_t kCheckpointLsn = 144;
constexpr std::size_t kReplaySegment = 152;
constexpr std::size_t kReplayPage = 156;
constexpr std::size_t kCheckpointFrame = 160;
constexpr std::size_t kCheckpointSize = 168;
constexpr std::size_t kCheckpointFooter = 176;
constexpr std::size_t kClean = 192;
constexpr std::size_t kLogEnd = 200;
constexpr std::size_t kIncompat = 208;
constexpr std::size_t kSegmentPages = 216;
constexpr std::size_t kLanePages = 220;
constexpr std::size_t kIncarnation = 224;
constexpr std::size_t kEnd = 232;

static_assert(kUuid + sizeof(StoreUuid) == kCompat);
static_assert(kSecret + sizeof(AddressSeed::Secret) == kCheckpointId);
static_assert(kPrevious + 16 == kUuid && kCheckpointFooter + 16 == kClean);
static_assert(kEnd <= kPageSize);

void store_checksum(std::byte* to, const Checksum128& checksum) noexcept {
    store_le(to, checksum.low);
    store_le(to + 8, checksum.high);
}

Checksum128 load_checksum(const std::byte* from) noexcept {
    return {load_le<std::uint64_t>(from), load_le<std::uint64_t>(from + 8)};
}

}  // namespace

Checksum128 encode_superblock(const Superblock& s, unsigned copy, MutableByteView page) noexcept {
    ORB_ASSERT(page.size() == kPageSize);
    ORB_ASSERT(copy < kSuperblockCopies);
    std::byte* const p = page.data();
    std::fill(page.begin(), page.end(), std::byte{0});
    store_le(p + kCopy, static_cast<std::uint16_t>(copy));
    store_le(p + kMagicAt, kMagic);
    store_le(p + kVersion, s.format_version);
    store_le(p + kPageSizeAt, s.page_size);
    store_le(p + kSequence, s.sequence);
    store_checksum(p + kPrevious, s.previous_checksum);
    std::copy(s.uuid.begin(), s.uuid.end(), p + kUuid);
    store_le(p + kCompat, s.compat_features);
    store_le(p + kRoCompat, s.ro_compat_features);
    std::copy(s.secret.begin(), s.secret.end(), p + kSecret);
    store_le(p + kCheckpointId, s.checkpoint_id);
    store_le(p + kCheckpointLsn, s.checkpoint_lsn);
    store_le(p + kReplaySegment, s.replay_segment);
    store_le(p + kReplayPage, s.replay_page);
    store_le(p + kCheckpointFrame, s.checkpoint_frame_checksum);
    store_le(p + kCheckpointSize, s.checkpoint_size_bytes);
    store_checksum(p + kCheckpointFooter, s.checkpoint_footer_checksum);
    store_le(p + kClean, s.clean_lsn);
    store_le(p + kLogEnd, s.log_end_lsn);
    store_le(p + kIncompat, s.incompat_features);
    store_le(p + kSegmentPages, s.segment_size_pages);
    store_le(p + kLanePages, s.lane_target_pages);
    store_le(p + kIncarnation, s.incarnation);
    const Checksum128 checksum = checksum128(page.subspan(kCovered));
    store_checksum(p + kChecksum, checksum);
    return checksum;
}

Result<Superblock> decode_superblock(ByteView page, unsigned copy) noexcept {
    if (page.size() != kPageSize) return fail(Errc::bad_format);
    const std::byte* const p = page.data();
    if (load_le<std::uint64_t>(p + kMagicAt) != kMagic) return fail(Errc::bad_format);
    if (load_checksum(p + kChecksum) != checksum128(page.subspan(kCovered)))
        return fail(Errc::bad_format);
    if (load_le<std::uint16_t>(p + kCopy) != copy) return fail(Errc::bad_format);
    if (!all_zero(page.subspan(kCopyEnd, kCovered - kCopyEnd))) return fail(Errc::bad_format);
    Superblock s;
    s.format_version = load_le<std::uint32_t>(p + kVersion);
    s.page_size = load_le<std::uint32_t>(p + kPageSizeAt);
    s.sequence = load_le<std::uint64_t>(p + kSequence);
    s.previous_checksum = load_checksum(p + kPrevious);
    std::copy_n(p + kUuid, s.uuid.size(), s.uuid.begin());
    s.compat_features = load_le<std::uint64_t>(p + kCompat);
    s.ro_compat_features = load_le<std::uint64_t>(p + kRoCompat);
    std::copy_n(p + kSecret, s.secret.size(), s.secret.begin());
    s.checkpoint_id = load_le<std::uint64_t>(p + kCheckpointId);
    s.checkpoint_lsn = load_le<std::uint64_t>(p + kCheckpointLsn);
    s.replay_segment = load_le<std::uint32_t>(p + kReplaySegment);
    s.replay_page = load_le<std::uint32_t>(p + kReplayPage);
    s.checkpoint_frame_checksum = load_le<std::uint64_t>(p + kCheckpointFrame);
    s.checkpoint_size_bytes = load_le<std::uint64_t>(p + kCheckpointSize);
    s.checkpoint_footer_checksum = load_checksum(p + kCheckpointFooter);
    s.clean_lsn = load_le<std::uint64_t>(p + kClean);
    s.log_end_lsn = load_le<std::uint64_t>(p + kLogEnd);
    s.incompat_features = load_le<std::uint64_t>(p + kIncompat);
    s.segment_size_pages = load_le<std::uint32_t>(p + kSegmentPages);
    s.lane_target_pages = load_le<std::uint32_t>(p + kLanePages);
    s.incarnation = load_le<std::uint64_t>(p + kIncarnation);
    // Bytes this version does not know belong to a newer one, whose version or features say so; in
    // a superblock of this version they are zero.
    if (s.format_version == kFormatVersion && s.incompat_features == 0 && s.compat_features == 0 &&
        s.ro_compat_features == 0 && !all_zero(page.subspan(kEnd))) {
        return fail(Errc::bad_format);
    }
    return s;
}

Result<void> check_superblock_supported(const Superblock& s, bool for_writing) noexcept {
    if (s.format_version != kFormatVersion) return fail(Errc::version_unsupported);
    if ((s.incompat_features & ~kKnownIncompatFeatures) != 0)
        return fail(Errc::version_unsupported);
    if (for_writing && (s.ro_compat_features & ~kKnownRoCompatFeatures) != 0) {
        return fail(Errc::version_unsupported);
    }
    const bool from_the_start = s.checkpoint_id == 0 && s.checkpoint_lsn == 0 &&
                                s.replay_segment == 1 && s.replay_page == 1;
    const bool from_checkpoint =
        s.checkpoint_id != 0 && s.checkpoint_lsn != 0 && s.replay_segment != 0 &&
        s.replay_page != 0 && s.replay_page < s.segment_size_pages &&
        s.checkpoint_size_bytes >= 2 * kPageSize && s.checkpoint_size_bytes % kPageSize == 0;
    const bool sane = s.page_size == kPageSize && s.sequence != 0 && s.incarnation != 0 &&
                      s.segment_size_pages >= kSegmentPagesMin &&
                      s.segment_size_pages <= kSegmentPagesMax && s.lane_target_pages != 0 &&
                      (from_the_start || from_checkpoint);
    if (!sane) return fail(Errc::bad_format);
    return ok();
}

Result<SuperblockChoice> choose_superblock(ByteView file) noexcept {
    SuperblockChoice choice;
    std::optional<unsigned> best;
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        const std::size_t begin = copy * kPageSize;
        if (file.size() < begin + kPageSize) break;
        auto decoded = decode_superblock(file.subspan(begin, kPageSize), copy);
        if (!decoded) continue;
        choice.copies[copy] = std::move(decoded).value();
        if (!best || choice.copies[copy]->sequence > choice.copies[*best]->sequence) best = copy;
    }
    if (!best) return fail(Errc::superblock_corrupt);
    for (const auto& copy : choice.copies) {
        if (copy && copy->uuid != choice.copies[*best]->uuid) return fail(Errc::wrong_store);
    }
    choice.superblock = *choice.copies[*best];
    choice.checksum = load_checksum(file.data() + *best * kPageSize + kChecksum);
    return choice;
}

}  // namespace orbitalreg::cas
