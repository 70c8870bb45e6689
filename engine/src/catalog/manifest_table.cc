#include "catalog/manifest_table.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/planted_bug.h"

namespace orbitalreg::engine {

void ManifestTable::before_change_of(cas::BlobId manifest) {
    walked_rows_.before_change(manifest.value);
    recounted_rows_.before_change(manifest.value);
}

void ManifestTable::add(cas::BlobId manifest, const Digest& digest, std::uint64_t size_bytes,
                        cas::ReferenceSink& references) {
    std::unique_lock lock{mutex_};
    before_change_of(manifest);
    auto& row = rows_[manifest.value];
    row.digest = digest;
    row.size_bytes = size_bytes;
    ++row.image_count;
    references.hold(manifest);
}

void ManifestTable::add_child(cas::BlobId manifest, cas::BlobId child,
                              cas::ReferenceSink& references) {
    std::unique_lock lock{mutex_};
    add_child_locked(manifest, child, references);
}

void ManifestTable::add_child_locked(cas::BlobId manifest, cas::BlobId child,
                                     cas::ReferenceSink& references) {
    const auto row = rows_.find(manifest.value);
    ORB_ASSERT(row != rows_.end());
    if (row->second.children.contains(child.value)) return;
    before_change_of(manifest);
    row->second.children.insert(child.value);
    users_.change(child).insert(manifest.value);
    ++edges_;
    references.hold(child);
}

void ManifestTable::await_child(cas::BlobId manifest, const Digest& child) {
    std::unique_lock lock{mutex_};
    ORB_ASSERT(rows_.contains(manifest.value));  // I4
    const Awaited awaited{manifest.value, child};
    if (awaited_.contains(awaited)) return;
    awaited_rows_.before_change(awaited);
    awaited_.insert(awaited);
    awaiting_[child].insert(manifest.value);
}

void ManifestTable::arrive(cas::BlobId blob, const Digest& digest, cas::ReferenceSink& references) {
    if (ORB_PLANTED(awaited_child_forgotten)) return;
    std::unique_lock lock{mutex_};
    auto waiting = awaiting_.extract(digest);
    if (waiting.empty()) return;
    for (const auto manifest : waiting.mapped()) {
        const Awaited awaited{manifest, digest};
        awaited_rows_.before_change(awaited);
        awaited_.erase(awaited);
        add_child_locked(cas::BlobId{manifest}, blob, references);
    }
}

void ManifestTable::forget_awaited(std::uint32_t manifest) {
    auto next = awaited_.lower_bound({manifest, Digest{}});
    while (next != awaited_.end() && next->first == manifest) {
        awaited_rows_.before_change(*next);
        const auto waiting = awaiting_.find(next->second);
        waiting->second.erase(manifest);
        if (waiting->second.empty()) awaiting_.erase(waiting);
        next = awaited_.erase(next);
    }
}

void ManifestTable::remove(cas::BlobId manifest, cas::ReferenceSink& references) {
    std::unique_lock lock{mutex_};
    const auto row = rows_.find(manifest.value);
    ORB_ASSERT(row != rows_.end() && row->second.image_count > 0);
    references.release(manifest);
    if (--row->second.image_count > 0) return;
    before_change_of(manifest);
    for (const auto child : row->second.children) {
        const bool was_user = users_.change(cas::BlobId{child}).erase(manifest.value);
        ORB_ASSERT(was_user);
        references.release(cas::BlobId{child});
    }
    edges_ -= row->second.children.size();
    forget_awaited(manifest.value);
    rows_.erase(row);
}

std::optional<ManifestTable::Known> ManifestTable::find(cas::BlobId manifest) const {
    std::shared_lock lock{mutex_};
    const auto row = rows_.find(manifest.value);
    if (row == rows_.end()) return std::nullopt;
    return Known{row->second.digest, row->second.size_bytes};
}

std::optional<cas::BlobId> ManifestTable::find_user(
    cas::BlobId blob, const std::function<bool(cas::BlobId)>& held) const {
    std::shared_lock lock{mutex_};
    for (const auto user : users_.of(blob)) {
        if (held(cas::BlobId{user})) return cas::BlobId{user};
    }
    return std::nullopt;
}

bool ManifestTable::is_child(cas::BlobId manifest, cas::BlobId child) const {
    std::shared_lock lock{mutex_};
    const auto row = rows_.find(manifest.value);
    return row != rows_.end() && row->second.children.contains(child.value);
}

std::size_t ManifestTable::user_count(cas::BlobId blob) const {
    std::shared_lock lock{mutex_};
    return users_.of(blob).size();
}

std::vector<cas::BlobId> ManifestTable::users(cas::BlobId blob, std::size_t count_max) const {
    std::shared_lock lock{mutex_};
    std::vector<cas::BlobId> found;
    for (const auto user : users_.of(blob)) {
        if (found.size() == count_max) break;
        found.push_back(cas::BlobId{user});
    }
    return found;
}

bool ManifestTable::awaits(cas::BlobId manifest, const Digest& child) const {
    std::shared_lock lock{mutex_};
    return awaited_.contains({manifest.value, child});
}

std::size_t ManifestTable::size() const {
    std::shared_lock lock{mutex_};
    return rows_.size();
}

std::vector<cas::BlobId> ManifestTable::children(cas::BlobId manifest) const {
    std::shared_lock lock{mutex_};
    std::vector<cas::BlobId> found;
    const auto row = rows_.find(manifest.value);
    if (row == rows_.end()) return found;
    for (const auto child : row->second.children) found.push_back(cas::BlobId{child});
    return found;
}

void ManifestTable::visit_children(const std::function<void(cas::BlobId)>& edge) const {
    std::shared_lock lock{mutex_};
    for (const auto& [id, row] : rows_) {
        for (const auto child : row.children) edge(cas::BlobId{child});
    }
}

std::uint64_t ManifestTable::fingerprint() const {
    std::shared_lock lock{mutex_};
    std::uint64_t sum = 0;
    for (const auto& [id, row] : rows_) {
        auto mixed = mix64(id, checksum64(row.digest.hash(), row.image_count));
        mixed = mix64(mixed, row.size_bytes);
        for (const auto child : row.children) mixed = mix64(mixed, child);
        sum += mixed;  // in any order of the rows
    }
    for (const auto& [manifest, child] : awaited_)
        sum += mix64(manifest, checksum64(child.hash(), 1));
    return sum;
}

std::uint64_t ManifestTable::memory_bytes() const {
    constexpr std::uint64_t kEdgeBytes = 6;   // in a block that is two thirds full
    constexpr std::uint64_t kNodeBytes = 56;  // of the map, with the key and the allocation
    constexpr std::uint64_t kAwaitedBytes = 4 * kNodeBytes + 2 * sizeof(Digest);
    std::shared_lock lock{mutex_};
    return rows_.size() * (sizeof(Row) + kNodeBytes) + edges_ * kEdgeBytes + users_.memory_bytes() +
           awaited_.size() * kAwaitedBytes;
}

void ManifestTable::check_invariants() const {
    std::shared_lock lock{mutex_};
    std::size_t edges = 0;
    for (const auto& [id, row] : rows_) {
        ORB_ASSERT(row.image_count > 0);  // I1
        edges += row.children.size();
        for (const auto child : row.children) {
            ORB_ASSERT(users_.of(cas::BlobId{child}).contains(id));  // I3
        }
    }
    ORB_ASSERT(edges == users_.total() && edges == edges_);  // I3
    for (const auto& [manifest, child] : awaited_) {
        ORB_ASSERT(rows_.contains(manifest));  // I4
        const auto waiting = awaiting_.find(child);
        ORB_ASSERT(waiting != awaiting_.end() && waiting->second.contains(manifest));
    }
}

}  // namespace orbitalreg::engine
