// Rows of cas in a checkpoint: no bytes break the loader or take memory by what they say, and what it accepts is walked to
// what it was. The first byte is the table's number, the rest a row.

#include "base/assert.h"
#include "base/fields.h"
#include "lane/id_blocks.h"
#include "lane/lane_table.h"
#include "lane/upload_table.h"
#include "scrub/scrub_state.h"

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace orbitalreg;
using namespace orbitalreg::cas;

namespace {

constexpr std::uint32_t kIdsEnd = 1'000'000;

struct Tables {
    BlobTable blobs;
    LaneTable lanes;
    UploadTable uploads{blobs};
    IdBlocks ids;
    ScrubState scrub_state;
    ScrubTable scrub{scrub_state};

    CheckpointTable* table(std::uint16_t number) {
        CheckpointTable* const all[] = {
            &blobs.checkpoint_table(),      &lanes.checkpoint_table(),
            uploads.checkpoint_tables()[0], uploads.checkpoint_tables()[1],
            &ids.checkpoint_table(),        &scrub};
        const auto* const found = std::ranges::find_if(
            all, [number](const CheckpointTable* each) { return each->number() == number; });
        return found == std::end(all) ? nullptr : *found;
    }
};

// A row of parts belongs to a session, whose own row comes before.
void load_session(CheckpointTable& uploads, ByteView row) {
    if (row.size() < sizeof(SessionId) + 4 || load_le<std::uint32_t>(row.data() + 16) == 0) return;
    std::vector<std::byte> head;
    FieldWriter{head}
        .bytes(row.first(sizeof(SessionId)))
        .number(std::uint32_t{0})
        .number(std::uint64_t{1})
        .bytes(std::vector<std::byte>(48))
        .text("")
        .text("");
    ORB_ASSERT(uploads.load(head));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    Tables tables;
    tables.blobs.id_plausible = [](BlobId blob) { return blob.value < kIdsEnd; };
    CheckpointTable* const table = tables.table(data[0]);
    if (table == nullptr) return 0;
    const ByteView row{reinterpret_cast<const std::byte*>(data + 1), size - 1};
    if (data[0] == kUploadTable) load_session(*table, row);
    if (!table->load(row) || !table->loaded()) return 0;
    table->begin_walk();
    RowBatch rows;
    while (table->walk(rows, 1000, std::size_t{1} << 24)) {
    }
    if (data[0] == ScrubTable::kNumber) return 0;  // a FlatBuffer may be laid out otherwise
    ORB_ASSERT(as_text(rows.bytes()).find(as_text(row)) != std::string_view::npos);
    return 0;
}
