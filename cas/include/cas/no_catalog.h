#pragma once
// NoCatalog is a catalog without records: for programs that want what cas knows and nothing else.

#include "cas/journal.h"

namespace orbitalreg::cas {

class NoCatalog : public CatalogMachine {
public:
    Result<void> verify(const CatalogRecordView&) const noexcept override { return ok(); }
    void apply(const FrameContext&, std::span<const CatalogRecordView>,
               ReferenceSink&) noexcept override {}
    void forget(BlobId, const Digest&) noexcept override {}
    void visit_references(const std::function<void(BlobId)>&) const override {}
    std::vector<CheckpointTable*> checkpoint_tables() override { return {}; }
    std::vector<CheckpointTable*> recount_tables() override { return {}; }
    void visit_row_references(std::uint16_t, ByteView,
                              const std::function<void(BlobId)>&) const override {}
    std::uint64_t fingerprint() const override { return 0; }
};

}  // namespace orbitalreg::cas
