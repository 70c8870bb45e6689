#include "references/recount.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

template <class Visit>
void for_each_row(const RowBatch& rows, Visit visit) {
    ByteView rest = rows.bytes();
    while (!rest.empty()) {
        const auto size = load_le<std::uint32_t>(rest.data());
        visit(rest.subspan(RowBatch::kPrefixSize, size));
        rest = rest.subspan(round_up(RowBatch::kPrefixSize + size, RowBatch::kPrefixSize));
    }
}

}  // namespace

Recount::Recount(BlobTable& blobs, CatalogMachine& catalog)
    : kept_{blobs.count_table()}, catalog_{catalog}, tables_{catalog.recount_tables()} {}

void Recount::begin() {
    for (CheckpointTable* table : tables_) table->begin_walk();
    kept_.begin_walk();
}

bool Recount::step() {
    rows_.clear();
    if (table_ < tables_.size()) {
        CheckpointTable& table = *tables_[table_];
        if (!table.walk(rows_, kSliceRows, kSliceBytes)) ++table_;
        count(table);
        return true;
    }
    const bool more = kept_.walk(rows_, kSliceRows, kSliceBytes);
    compare();
    return more;
}

void Recount::end() noexcept {
    for (CheckpointTable* table : tables_) table->end_walk();
    kept_.end_walk();
}

std::uint64_t Recount::side_bytes() const noexcept {
    std::uint64_t bytes = kept_.side_bytes();
    for (const CheckpointTable* table : tables_) bytes += table->side_bytes();
    return bytes;
}

void Recount::count(const CheckpointTable& table) {
    for_each_row(rows_, [&](ByteView row) {
        catalog_.visit_row_references(table.number(), row, [&](BlobId blob) {
            if (blob.value >= counted_end_) {
                counted_.grow(blob.value + 1);
                counted_end_ = blob.value + 1;
            }
            ++counted_.change(blob.value);
            ++finding_.references;
        });
    });
}

void Recount::compare() {
    for_each_row(rows_, [&](ByteView row) {
        const BlobId blob{load_le<std::uint32_t>(row.data())};
        const auto kept = load_le<std::uint32_t>(row.data() + 4);
        const std::uint32_t counted = blob.value < counted_end_ ? counted_.at(blob.value) : 0;
        ++finding_.blobs;
        if (counted == kept) return;
        ++finding_.mismatches;
        if (finding_.first.size() < kMismatchesKept)
            finding_.first.push_back({blob, counted, kept});
    });
}

}  // namespace orbitalreg::cas
