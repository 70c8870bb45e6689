// The rows of manifests in a checkpoint. docs/on-disk-format.md, "Rows of owner 2, catalog", is
// normative.
#include "base/assert.h"
#include "base/fields.h"
#include "cas/errors.h"
#include "catalog/manifest_table.h"

#include <algorithm>

namespace orbitalreg::engine {

std::optional<std::uint32_t> ManifestTable::Rows::next(
    const std::optional<std::uint32_t>& after) const {
    const auto row = table->rows_.upper_bound(after.value_or(0));
    if (row == table->rows_.end()) return std::nullopt;
    return row->first;
}

void ManifestTable::Rows::encode(std::uint32_t manifest, std::vector<std::byte>& bytes) const {
    const auto found = table->rows_.find(manifest);
    if (found == table->rows_.end()) return;
    const auto& row = found->second;
    FieldWriter fields{bytes};
    fields.number(manifest).number(row.children.size());
    fields.number(row.size_bytes).digest(row.digest);
    for (const auto child : row.children) fields.number(child);
}

namespace {

struct ManifestFields {
    std::uint32_t manifest = 0;
    std::uint64_t size_bytes = 0;
    std::optional<Digest> digest;
    ByteView children;  // 4 bytes each
};

std::optional<ManifestFields> decode_row(ByteView row) {
    FieldReader fields{row};
    ManifestFields decoded;
    decoded.manifest = fields.number<std::uint32_t>();
    const auto count = fields.number<std::uint32_t>();
    decoded.size_bytes = fields.number<std::uint64_t>();
    decoded.digest = fields.digest();
    decoded.children = fields.bytes(std::size_t{count} * sizeof(std::uint32_t));
    if (decoded.manifest == 0 || !decoded.digest || !fields.done()) return std::nullopt;
    return decoded;
}

std::uint32_t child_at(ByteView children, std::size_t index) noexcept {
    return load_le<std::uint32_t>(children.data() + index * sizeof(std::uint32_t));
}

}  // namespace

Result<void> ManifestTable::Rows::load(ByteView bytes) const {
    const auto decoded = decode_row(bytes);
    if (!decoded) return fail(cas::Errc::bad_format);
    auto& rows = table->rows_;
    if (!rows.empty() && rows.rbegin()->first >= decoded->manifest)
        return fail(cas::Errc::bad_format);
    std::vector<std::uint32_t> children(decoded->children.size() / sizeof(std::uint32_t));
    for (std::size_t i = 0; i < children.size(); ++i) {
        children[i] = child_at(decoded->children, i);
        if (children[i] == 0 || (i > 0 && children[i - 1] >= children[i]))
            return fail(cas::Errc::bad_format);
    }
    const std::uint32_t last = children.empty() ? 0 : children.back();
    if (std::max(last, decoded->manifest) >= table->loaded_blobs_end_)
        return fail(cas::Errc::bad_format);
    for (const auto child : children) {
        table->users_.change(cas::BlobId{child}).insert(decoded->manifest);
    }
    table->edges_ += children.size();
    Row row;
    row.size_bytes = decoded->size_bytes;
    row.digest = *decoded->digest;
    row.children.assign(children);
    rows.emplace_hint(rows.end(), decoded->manifest, std::move(row));
    return ok();
}

std::optional<ManifestTable::Awaited> ManifestTable::AwaitedRows::next(
    const std::optional<Awaited>& after) const {
    const auto found = after ? table->awaited_.upper_bound(*after) : table->awaited_.begin();
    if (found == table->awaited_.end()) return std::nullopt;
    return *found;
}

void ManifestTable::AwaitedRows::encode(const Awaited& key, std::vector<std::byte>& bytes) const {
    if (!table->awaited_.contains(key)) return;
    FieldWriter{bytes}.number(key.first).digest(key.second);
}

Result<void> ManifestTable::AwaitedRows::load(ByteView bytes) const {
    FieldReader fields{bytes};
    const auto manifest = fields.number<std::uint32_t>();
    const auto child = fields.digest();
    const bool sound = child && fields.done() && table->rows_.contains(manifest);
    if (!sound) return fail(cas::Errc::bad_format);
    if (!table->awaited_.insert({manifest, *child}).second) return fail(cas::Errc::bad_format);
    table->awaiting_[*child].insert(manifest);
    return ok();
}

bool ManifestTable::load_holder(cas::BlobId manifest) {
    const auto row = rows_.find(manifest.value);
    if (row == rows_.end()) return false;
    ++row->second.image_count;
    return true;
}

bool ManifestTable::each_is_held() const {
    return std::all_of(rows_.begin(), rows_.end(),
                       [](const auto& row) { return row.second.image_count > 0; });
}

void ManifestTable::visit_row_children(ByteView row, const std::function<void(cas::BlobId)>& edge) {
    const auto decoded = decode_row(row);
    ORB_ASSERT(decoded.has_value());  // encoded by this process
    for (std::size_t i = 0; i < decoded->children.size() / sizeof(std::uint32_t); ++i) {
        edge(cas::BlobId{child_at(decoded->children, i)});
    }
}

}  // namespace orbitalreg::engine
