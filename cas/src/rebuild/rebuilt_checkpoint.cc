#include "rebuild/rebuilt_checkpoint.h"

#include "cas/errors.h"
#include "checkpoint/checkpoint_reader.h"
#include "checkpoint/checkpoint_writer.h"
#include "log/log_segment.h"
#include "log/recovery.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kRowsPerStep = 4096;
constexpr std::size_t kBlockBytes = 256_KiB;
constexpr const char* kKeepFolder = "lost+found";

struct CheckpointFileName {
    CheckpointCopy copy = CheckpointCopy::a;
    std::uint64_t id = 0;
};

std::vector<CheckpointFileName> checkpoint_names(Io& io) {
    std::vector<CheckpointFileName> found;
    for (const CheckpointCopy copy : kCheckpointCopies) {
        const auto names = io.list(checkpoint_folder(copy));
        if (!names) continue;
        for (const std::string& name : names.value()) {
            if (const std::uint64_t id = parse_checkpoint_name(name); id != 0)
                found.push_back({copy, id});
        }
    }
    return found;
}

Result<void> write_table(CheckpointWriter& writer, CheckpointTable& table) {
    RowBatch rows;
    table.begin_walk();
    for (bool more = true; more;) {
        more = table.walk(rows, kRowsPerStep, kBlockBytes);
        if (rows.rows() == 0 || (more && rows.bytes().size() < kBlockBytes)) continue;
        ORB_TRY(writer.add(table.number(), rows));
        rows.clear();
    }
    table.end_walk();
    return ok();
}

Result<void> read_back(Io& io, const LogIdentity& identity, const CheckpointName& name) {
    using Copies = CheckpointReader::Copies;
    for (const Copies copies : {Copies::only_a, Copies::only_b}) {
        CheckpointReader reader{io, identity, name, {.copies = copies}};
        ORB_TRY(reader.open());
        for (;;) {
            ORB_TRY(const auto block, reader.next());
            if (!block) break;
        }
        ORB_TRY(reader.close());
    }
    return ok();
}

Result<CheckpointName> write_checkpoint(Io& io, const LogIdentity& identity,
                                        const CheckpointHeader& header, FrameTarget& target) {
    CheckpointWriter writer{io, identity, Durability::full};
    const auto write = [&]() -> Result<CheckpointName> {
        ORB_TRY(writer.begin(header));
        for (CheckpointTable* const table : target.checkpoint_tables()) {
            ORB_TRY(write_table(writer, *table));
        }
        ORB_TRY(const auto name, writer.finish());
        ORB_TRY(writer.sync());
        ORB_TRY(read_back(io, identity, name));
        return name;
    };
    auto name = write();
    if (!name) writer.abandon();
    return name;
}

Result<void> make_keep_folder(Io& io) {
    ORB_TRY(io.make_directory(kKeepFolder));
    return io.sync_directory("");
}

Result<void> keep_superblock(Io& io, std::uint64_t sequence) {
    const PageBuffer pages{kSuperblockFileSize};
    ORB_TRY(const auto super, io.open("SUPER", {.direct = true}));
    ORB_TRY(super->read(0, pages.bytes()));
    const std::string path = std::string{kKeepFolder} + "/SUPER-" + std::to_string(sequence);
    ORB_TRY(const auto file, io.open(path, {.write = true, .create = true}));
    ORB_TRY(file->write(0, pages.bytes()));
    ORB_TRY(file->datasync());
    return io.sync_directory(kKeepFolder);
}

// The next start removes checkpoints that the superblock does not name: here they stay for whoever wants to look.
Result<void> keep_checkpoints(Io& io, std::uint64_t but, std::vector<std::string>& done) {
    for (const CheckpointFileName& file : checkpoint_names(io)) {
        if (file.id == but) continue;
        const std::string from = checkpoint_path(file.copy, file.id);
        const std::string to = std::string{kKeepFolder} + "/checkpoint-" +
                               (file.copy == CheckpointCopy::a ? "a-" : "b-") +
                               std::to_string(file.id) + ".ockp";
        ORB_TRY(io.rename(from, to));
        done.push_back(from + ": moved to " + to);
    }
    for (const CheckpointCopy copy : kCheckpointCopies) {
        ORB_TRY(io.sync_directory(checkpoint_folder(copy)));
    }
    return io.sync_directory(kKeepFolder);
}

}  // namespace

Result<void> establish(Io& io, const SuperblockChoice& old, const RebuiltPlace& place,
                       FrameTarget& target, std::vector<std::string>& done) {
    const LogIdentity identity = log_identity(old.superblock);
    Superblock next = old.superblock;
    CheckpointHeader header;
    header.id = next.checkpoint_id + 1;
    for (const CheckpointFileName& file : checkpoint_names(io))
        header.id = std::max(header.id, file.id + 1);
    header.lsn = place.end.lsn;
    header.incarnation = place.end.incarnation;
    header.store_time_ms = place.end.store_time_ms;
    header.wall_ns = place.end.wall_ns;
    header.frame_checksum = place.end.prev;
    header.replay_segment = place.last_segment + 1;
    header.replay_page = static_cast<std::uint32_t>(kFirstFrameOffset / kPageSize);
    header.uuid = identity.uuid;
    ORB_TRY(make_keep_folder(io));
    ORB_TRY(keep_superblock(io, next.sequence));
    ORB_TRY(const auto name, write_checkpoint(io, identity, header, target));
    const SegmentPlan plan{identity, next.incarnation, next.segment_size_bytes(), Durability::full};
    ORB_TRY(make_log_segment(io, plan, header.replay_segment, SegmentFill::zeros));
    next.checkpoint_id = name.id;
    next.checkpoint_lsn = name.lsn;
    next.replay_segment = header.replay_segment;
    next.replay_page = header.replay_page;
    next.checkpoint_frame_checksum = header.frame_checksum;
    next.checkpoint_size_bytes = name.size_bytes;
    next.checkpoint_footer_checksum = name.footer_checksum;
    next.clean_lsn = 0;
    SuperblockFile file{io, Durability::full};
    file.adopt(old);
    ORB_TRY(file.write(next));
    done.push_back(checkpoint_path(CheckpointCopy::a, name.id) +
                   " and its second copy: made anew, exact at frame " + std::to_string(name.lsn));
    return keep_checkpoints(io, name.id, done);
}

}  // namespace orbitalreg::cas
