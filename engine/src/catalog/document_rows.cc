// The rows of documents in a checkpoint. docs/on-disk-format.md, "Rows of owner 2, catalog", is
// normative.
#include "base/fields.h"
#include "cas/errors.h"
#include "catalog/catalog_records.h"
#include "catalog/document_table.h"

namespace orbitalreg::engine {

std::optional<std::string> DocumentTable::Rows::next(
    const std::optional<std::string>& after) const {
    const auto& documents = table->documents_;
    const auto document = after ? documents.upper_bound(*after) : documents.begin();
    if (document == documents.end()) return std::nullopt;
    return document->first;
}

void DocumentTable::Rows::encode(const std::string& name, std::vector<std::byte>& row) const {
    const auto found = table->documents_.find(name);
    if (found == table->documents_.end()) return;
    const auto& document = found->second;
    FieldWriter{row}
        .number(document.version)
        .number(document.expires_store_time_ms)
        .text(document.name)
        .bytes(document.bytes);
}

Result<void> DocumentTable::Rows::load(ByteView row) const {
    FieldReader fields{row};
    Document document;
    document.version = fields.number<std::uint64_t>();
    document.expires_store_time_ms = fields.number<std::uint64_t>();
    document.name = fields.text();
    if (fields.failed() || !is_document_name(document.name)) return fail(cas::Errc::bad_format);
    const auto bytes = fields.rest();
    document.bytes.assign(bytes.begin(), bytes.end());
    auto& documents = table->documents_;
    if (!documents.empty() && documents.rbegin()->first >= document.name)
        return fail(cas::Errc::bad_format);
    table->insert(std::move(document));
    return ok();
}

}  // namespace orbitalreg::engine
