#pragma once
// Loads what a walk wrote, as the reader of a checkpoint does.

#include "cas/checkpoint.h"

namespace orbitalreg {

inline Result<void> load_rows(cas::CheckpointTable& table, const cas::RowBatch& rows) {
    using cas::RowBatch;
    ByteView rest = rows.bytes();
    for (std::uint32_t i = 0; i < rows.rows(); ++i) {
        const auto size = load_le<std::uint32_t>(rest.data());
        ORB_TRY(table.load(rest.subspan(RowBatch::kPrefixSize, size)));
        rest = rest.subspan(round_up(RowBatch::kPrefixSize + size, RowBatch::kPrefixSize));
    }
    return table.loaded();
}

}  // namespace orbitalreg
