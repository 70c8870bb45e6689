// The rows of blobs in a checkpoint. docs/on-disk-format.md, "Rows of owner 1, cas", is normative.
//
//   offset  size  field
//        0     4  blob id
//        4     4  log segment or lane
//        8     4  position there: 64 bytes in a segment, pages in a lane
//       12     4  store time in s since when it is unreferenced, if it is
//       16     6  size in bytes
//       22     2  flags: 1 always, 2 in a lane, 4 damaged, 8 sha512
//       24     8  uid
//       32    32  hash; of sha512 64
#include "base/checksum.h"
#include "base/fields.h"
#include "cas/errors.h"
#include "index/blob_table.h"

#include <algorithm>

namespace orbitalreg::cas {

// Passes rows that are not in use, but not too many at once.
std::optional<std::uint32_t> BlobTable::id_after(
    const std::optional<std::uint32_t>& id) const noexcept {
    constexpr std::uint32_t kGapMax = 256;
    const std::uint32_t end = end_id_.load(std::memory_order_relaxed);
    std::uint32_t next = id.value_or(0) + 1;
    if (next >= end) return std::nullopt;
    const std::uint32_t last = std::min(end - 1, next + kGapMax);
    while (next < last && (rows_.at(next).flags & kInUse) == 0) ++next;
    return next;
}

std::optional<std::uint32_t> BlobTable::StoredRows::next(
    const std::optional<Key>& after) const noexcept {
    return table->id_after(after);
}

void BlobTable::StoredRows::encode(Key id, std::vector<std::byte>& bytes) const {
    const Row* row = table->row_in_use(id);
    if (row == nullptr) return;
    FieldWriter fields{bytes};
    fields.number(id).number(row->file).number(row->position).number(row->unreferenced_since_s);
    fields.number(row->size_low).number(row->size_high).number(row->flags).number(row->uid);
    fields.bytes(row->digest);
    if ((row->flags & kSha512) != 0) {
        fields.bytes(table->rest_of_sha512(id, *row));
    }
}

Result<void> BlobTable::StoredRows::load(ByteView bytes) const {
    FieldReader fields{bytes};
    const auto id = fields.number<std::uint32_t>();
    Row row{};
    row.file = fields.number<std::uint32_t>();
    row.position = fields.number<std::uint32_t>();
    row.unreferenced_since_s = fields.number<std::uint32_t>();
    row.size_low = fields.number<std::uint32_t>();
    row.size_high = fields.number<std::uint16_t>();
    row.flags = fields.number<std::uint16_t>();
    row.uid = fields.number<std::uint64_t>();
    constexpr std::uint16_t kFlags = kInUse | kInLane | kDamaged | kSha512;
    const ByteView hash = fields.bytes(row.digest.size());
    const bool sha512 = (row.flags & kSha512) != 0;
    const ByteView rest = fields.bytes(sha512 ? row.digest.size() : 0);
    // In the order of ids.
    if (!fields.done() || id < table->end_id_.load(std::memory_order_relaxed) || id == UINT32_MAX)
        return fail(Errc::bad_format);
    if (table->id_plausible && !table->id_plausible(BlobId{id})) return fail(Errc::bad_format);
    if ((row.flags & kInUse) == 0 || (row.flags & ~kFlags) != 0 || row.file == 0 || row.uid == 0)
        return fail(Errc::bad_format);
    std::copy(hash.begin(), hash.end(), row.digest.begin());
    table->load_row(id, row, rest);
    return ok();
}

// The index, made at once: each shard in its final size.
Result<void> BlobTable::StoredRows::loaded() const {
    if (!table->index_loaded_rows()) return fail(Errc::bad_format);
    if (table->on_loaded) table->on_loaded(BlobId{table->end_id_.load(std::memory_order_relaxed)});
    return ok();
}

std::optional<std::uint32_t> BlobTable::CountRows::next(
    const std::optional<Key>& after) const noexcept {
    return table->id_after(after);
}

void BlobTable::CountRows::encode(Key id, std::vector<std::byte>& bytes) const {
    if (const Row* row = table->row_in_use(id))
        FieldWriter{bytes}.number(id).number(row->references);
}

// Counts are walked, never stored.
Result<void> BlobTable::CountRows::load(ByteView) const noexcept { return fail(Errc::bad_format); }

bool BlobTable::load_reference(BlobId id) noexcept {
    if (row_in_use(id.value) == nullptr) return false;
    ++rows_.change(id.value).references;
    return true;
}

std::uint64_t BlobTable::fingerprint() const {
    std::uint64_t sum = 0;
    for_each([&](const BlobView& blob) {
        std::uint64_t row = checksum64(blob.digest.hash(), blob.id.value);
        row = mix64(row, blob.extent.uid);
        row = mix64(row, std::uint64_t{blob.extent.file} << 32 | blob.extent.position);
        row = mix64(row, blob.extent.size_bytes << 2 | (blob.extent.in_lane ? 2 : 0) |
                             (blob.damaged ? 1 : 0));
        sum = mix64(sum,
                    mix64(row, std::uint64_t{blob.references} << 32 | blob.unreferenced_since_s));
    });
    return sum;
}

}  // namespace orbitalreg::cas
