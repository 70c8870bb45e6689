// What a checkpoint holds of the catalog; the rows of repositories are here, those of other tables
// beside them. docs/on-disk-format.md, "Rows of owner 2, catalog", is normative.
#include "base/assert.h"
#include "base/fields.h"
#include "cas/errors.h"
#include "catalog/catalog.h"
#include "catalog/catalog_salvage.h"

namespace orbitalreg::engine {

std::vector<cas::CheckpointTable*> Catalog::checkpoint_tables() {
    std::vector<cas::CheckpointTable*> tables{&manifests_.checkpoint_table()};
    for (auto* table : images_.checkpoint_tables()) tables.push_back(table);
    tables.push_back(&documents_.checkpoint_table());
    tables.push_back(&repository_rows_);
    tables.push_back(&manifests_.awaited_table());
    tables.push_back(&images_.times_table());
    return tables;
}

std::vector<cas::CheckpointTable*> Catalog::recount_tables() {
    return {&manifests_.recount_table(), &images_.recount_table()};
}

void Catalog::visit_row_references(std::uint16_t table, ByteView row,
                                   const std::function<void(cas::BlobId)>& edge) const {
    if (table == number_of(TableNumber::manifests)) {
        ManifestTable::visit_row_children(row, edge);
    } else {
        ORB_ASSERT(table == number_of(TableNumber::held_manifests));
        edge(ImageTable::held_manifest_of_row(row));
    }
}

std::unique_ptr<cas::CatalogSalvage> Catalog::salvage(cas::SalvagedBlobs& blobs) {
    return std::make_unique<CatalogSalvageOfRows>(*this, blobs);
}

std::optional<RepositoryName> Catalog::RepositoryRows::next(
    const std::optional<RepositoryName>& after) const {
    const auto& repositories = catalog->repositories_;
    const auto next = after ? repositories.upper_bound(*after) : repositories.begin();
    if (next == repositories.end()) return std::nullopt;
    return next->first;
}

void Catalog::RepositoryRows::encode(const RepositoryName& name,
                                     std::vector<std::byte>& row) const {
    const auto found = catalog->repositories_.find(name);
    if (found == catalog->repositories_.end()) return;
    const auto& object = found->second;
    FieldWriter{row}
        .number(static_cast<std::uint8_t>(object.type))
        .number(static_cast<std::uint8_t>(object.sparse_index_allowed ? 1 : 0))
        .text(object.name.project)
        .text(object.name.repository);
}

Result<void> Catalog::RepositoryRows::load(ByteView row) const {
    FieldReader fields{row};
    const auto type = fields.number<std::uint8_t>();
    const auto sparse = fields.number<std::uint8_t>();
    RepositoryObject object;
    object.name.project = fields.text();
    object.name.repository = fields.text();
    if (!fields.done() || type < 1 || type > 3 || sparse > 1 ||
        !ImageName::parse(object.name.text()))
        return fail(cas::Errc::bad_format);
    object.type = static_cast<RepositoryType>(type);
    object.sparse_index_allowed = sparse == 1;
    auto& repositories = catalog->repositories_;
    if (!repositories.empty() && !(repositories.rbegin()->first < object.name))
        return fail(cas::Errc::bad_format);
    auto name = object.name;
    repositories.emplace_hint(repositories.end(), std::move(name), std::move(object));
    return ok();
}

}  // namespace orbitalreg::engine
