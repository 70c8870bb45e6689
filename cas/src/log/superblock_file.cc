#include "log/superblock_file.h"

#include "base/errors.h"
#include "cas/errors.h"
#include "format/page_buffer.h"
#include "log/log_segment.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace orbitalreg::cas {
namespace {

constexpr std::string_view kPath = "SUPER";
constexpr std::string_view kNewPath = "SUPER.new";
constexpr std::uint64_t kSegmentSizeMin = 4_MiB;  // by the file system's size
constexpr std::uint64_t kSegmentSizeMax = 64_MiB;
constexpr std::uint64_t kSegmentsPerFileSystem = 256;

bool absent(const ErrorCode& error) noexcept { return error == errno_code(ENOENT); }

std::uint64_t next_nonzero(Random& random) noexcept {
    std::uint64_t value = 0;
    while (value == 0) value = random.next_u64();
    return value;
}

Result<std::uint64_t> choose_segment_size(Io& io, const StoreOptions& options) {
    const std::uint64_t least = std::uint64_t{kSegmentPagesMin} * kPageSize;
    const std::uint64_t most = std::uint64_t{kSegmentPagesMax} * kPageSize;
    if (options.log_segment_size_bytes != 0) {
        return std::clamp(round_up(options.log_segment_size_bytes, kPageSize), least, most);
    }
    ORB_TRY(const auto space, io.space());
    const std::uint64_t share = round_down(space.total_bytes / kSegmentsPerFileSystem, 1_MiB);
    return std::clamp<std::uint64_t>(share, kSegmentSizeMin, kSegmentSizeMax);
}

Result<Superblock> first_superblock(Io& io, const StoreOptions& options, Random& random) {
    ORB_TRY(const auto segment_size, choose_segment_size(io, options));
    Superblock first;
    first.sequence = 1;
    random.fill(first.uuid);
    first.uuid[6] = (first.uuid[6] & std::byte{0x0f}) | std::byte{0x40};  // RFC 4122, version 4
    first.uuid[8] = (first.uuid[8] & std::byte{0x3f}) | std::byte{0x80};
    random.fill(first.secret);
    first.segment_size_pages = static_cast<std::uint32_t>(segment_size / kPageSize);
    const std::uint64_t lane_pages =
        std::max<std::uint64_t>(options.lane_target_bytes / kPageSize, 1);
    first.lane_target_pages =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(lane_pages, UINT32_MAX));
    first.incarnation = next_nonzero(random);
    return first;
}

Result<void> remove_if_there(Io& io, std::string_view path) {
    const auto removed = io.remove(path);
    if (!removed && !absent(removed.error())) return fail(removed.error());
    return ok();
}

// A segment 1 that a store has used has a frame on its second page; without the secret only "not
// zero" can be seen.
Result<bool> segment_one_unused(Io& io) {
    auto file = io.open(log_segment_path(1), {.direct = true});
    if (!file) return absent(file.error()) ? Result<bool>{true} : Result<bool>{file.error()};
    const PageBuffer page{kPageSize};
    ORB_TRY(const auto size, file.value()->read(kFirstFrameOffset, page.bytes()));
    return all_zero(page.first(size));
}

// The names in a folder that need not be there.
Result<std::vector<std::string>> list_if_there(Io& io, std::string_view path) {
    auto names = io.list(path);
    if (!names && absent(names.error())) return std::vector<std::string>{};
    return names;
}

Result<void> write_new_superblock(Io& io, const Superblock& first, Durability durability) {
    ORB_TRY(auto file,
            io.open(kNewPath, {.write = true, .create = true, .exclusive = true, .direct = true}));
    const PageBuffer pages{kSuperblockFileSize};
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        encode_superblock(first, copy, pages.subspan(copy * kPageSize, kPageSize));
    }
    ORB_TRY(file->write(0, pages.bytes()));
    if (durability == Durability::full) {
        ORB_TRY(file->datasync());
    }
    return ok();
}

}  // namespace

Result<SuperblockChoice> SuperblockFile::read() const {
    auto file = io_.open(kPath, {.direct = true});
    if (!file) return absent(file.error()) ? fail(Errc::not_a_store) : fail(file.error());
    const PageBuffer pages{kSuperblockFileSize};
    bool all_read = true;
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        const MutableByteView page = pages.subspan(copy * kPageSize, kPageSize);
        // One page at a time: a sector that cannot be read must not hide the other copies.
        const auto count = file.value()->read(copy * kPageSize, page);
        if (!count || count.value() != kPageSize) std::fill(page.begin(), page.end(), std::byte{0});
        all_read = all_read && count.has_value();
    }
    auto choice = choose_superblock(pages.bytes());
    // What cannot be read now may be sound.
    if (!choice && !all_read) return fail(Errc::io_error);
    return choice;
}

void SuperblockFile::adopt(const SuperblockChoice& choice) noexcept {
    current_ = choice.superblock;
    checksum_ = choice.checksum;
}

Result<void> SuperblockFile::write(Superblock next) {
    next.sequence = current_.sequence + 1;
    next.previous_checksum = checksum_;
    ORB_TRY(auto file, io_.open(kPath, {.write = true, .direct = true}));
    const PageBuffer pages{kSuperblockFileSize};
    Checksum128 checksum;
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        checksum = encode_superblock(next, copy, pages.subspan(copy * kPageSize, kPageSize));
    }
    for (const std::size_t half : {std::size_t{0}, kSuperblockFileSize / 2}) {
        ORB_TRY(file->write(half, pages.subspan(half, kSuperblockFileSize / 2)));
        if (durability_ == Durability::full) {
            ORB_TRY(file->datasync());
        }
    }
    current_ = next;
    checksum_ = checksum;
    return ok();
}

Result<void> check_directory_empty(Io& io) {
    static constexpr std::array<std::string_view, 8> kOurs{
        "LOCK", "ckpt", "log", "lane", "lost+found", "reserve.bin", "SUPER", "SUPER.new"};
    ORB_TRY(const auto names, io.list(""));
    for (const std::string& name : names) {
        if (std::find(kOurs.begin(), kOurs.end(), name) == kOurs.end())
            return fail(Errc::not_a_store);
    }
    ORB_TRY(const auto segments, list_if_there(io, "log"));
    ORB_TRY(const auto lanes, list_if_there(io, "lane"));
    ORB_TRY(const auto unused, segment_one_unused(io));
    const bool only_segment_one =
        segments.empty() || (segments.size() == 1 && parse_log_segment_name(segments[0]) == 1);
    if (!only_segment_one || !lanes.empty() || !unused) return fail(Errc::superblock_corrupt);
    return ok();
}

Result<void> create_store(Io& io, const StoreOptions& options, Random& random) {
    const bool full = options.durability == Durability::full;
    ORB_TRY(const auto first, first_superblock(io, options, random));
    ORB_TRY(io.make_directory("log"));
    if (full) {
        ORB_TRY(io.sync_directory(""));
    }
    ORB_TRY(remove_if_there(io, log_segment_path(1)));
    ORB_TRY(remove_if_there(io, kNewPath));
    const SegmentPlan plan{{first.uuid, AddressSeed{first.secret}},
                           first.incarnation,
                           first.segment_size_bytes(),
                           options.durability};
    ORB_TRY(make_log_segment(io, plan, 1, SegmentFill::zeros));
    ORB_TRY(write_new_superblock(io, first, options.durability));
    ORB_TRY(io.rename(kNewPath, kPath));
    if (full) {
        ORB_TRY(io.sync_directory(""));
    }
    return ok();
}

}  // namespace orbitalreg::cas
