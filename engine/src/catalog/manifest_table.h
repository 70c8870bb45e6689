#pragma once
// ManifestTable holds each distinct manifest once, however many image names hold it, with its
// strong edges in both directions: manifest -> blobs to release them, blob -> manifests to explain
// them and to refuse the delete of a blob in use. Edges are the truth; the counts in cas are a
// cache of them.
//
// Invariants
//   I1  a row exists while at least one image name holds the manifest; image_count says how many do.
//   I2  each image name holds the manifest's own blob once; each row holds each of its children once.
//   I3  c is a child of m if and only if m is a user of c.
//   I4  a manifest that awaits a digest has a row.
//
// Stored   rows in the order of manifests' blob ids, without the count of image names; and in a table of its own what is
//          awaited.
//
// Threads  changes only from apply(), one thread; look-ups from any.

#include "base/digest.h"
#include "base/result.h"
#include "cas/references.h"
#include "cas/walked_table.h"
#include "catalog/blob_sets.h"
#include "catalog/id_set.h"
#include "catalog/table_number.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <shared_mutex>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

class ManifestTable {
public:
    struct Known {
        Digest digest;
        std::uint64_t size_bytes = 0;
    };

    // --- apply only ---
    // One more image name holds it.
    void add(cas::BlobId manifest, const Digest& digest, std::uint64_t size_bytes,
             cas::ReferenceSink& references);
    void add_child(cas::BlobId manifest, cas::BlobId child, cas::ReferenceSink& references);
    // It refers to what is not there yet, in a sparse index or an image that is fetched piece by piece: a child from the
    // moment it comes, so that collection does not take it away again.
    void await_child(cas::BlobId manifest, const Digest& child);
    // `blob` is there: whoever awaits it has it as a child now.
    void arrive(cas::BlobId blob, const Digest& digest, cas::ReferenceSink& references);
    // One image name fewer; the last one releases the children.
    void remove(cas::BlobId manifest, cas::ReferenceSink& references);

    // --- checkpoints: the sequencer, and whoever opens the store ---
    cas::CheckpointTable& checkpoint_table() noexcept { return walked_rows_; }
    cas::CheckpointTable& awaited_table() noexcept { return awaited_rows_; }
    // The same rows, walked apart from the checkpoint.
    cas::CheckpointTable& recount_table() noexcept { return recounted_rows_; }
    // As in ImageTable.
    void expect_blobs_below(std::uint32_t end) noexcept { loaded_blobs_end_ = end; }
    // Calls `edge` for each strong edge of a row that this process encoded.
    static void visit_row_children(ByteView row, const std::function<void(cas::BlobId)>& edge);
    // One image name more holds a loaded row. False when there is no such row.
    bool load_holder(cas::BlobId manifest);
    // I1, once everything is loaded.
    bool each_is_held() const;

    // --- any thread ---
    std::optional<Known> find(cas::BlobId manifest) const;
    // One of the users of `blob` for which `held` says yes.
    std::optional<cas::BlobId> find_user(cas::BlobId blob,
                                         const std::function<bool(cas::BlobId)>& held) const;
    bool is_child(cas::BlobId manifest, cas::BlobId child) const;
    std::size_t user_count(cas::BlobId blob) const;
    // Manifests that have the blob as a child, at most `count_max`, by id.
    std::vector<cas::BlobId> users(cas::BlobId blob, std::size_t count_max) const;
    std::size_t size() const;
    bool awaits(cas::BlobId manifest, const Digest& child) const;
    // What it refers to, by id.
    std::vector<cas::BlobId> children(cas::BlobId manifest) const;

    // Calls `edge` for each strong edge.
    void visit_children(const std::function<void(cas::BlobId)>& edge) const;
    std::uint64_t fingerprint() const;
    std::uint64_t memory_bytes() const;
    void check_invariants() const;

private:
    struct Row {
        std::uint64_t size_bytes = 0;
        std::uint32_t image_count = 0;
        IdSet children;
        Digest digest;
    };
    struct Rows {
        using Key = std::uint32_t;
        ManifestTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(Key manifest, std::vector<std::byte>& bytes) const;
        Result<void> load(ByteView bytes) const;
        Result<void> loaded() const { return ok(); }
    };

    using Awaited = std::pair<std::uint32_t, Digest>;  // manifest, child
    struct AwaitedRows {
        using Key = Awaited;
        ManifestTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(const Key& key, std::vector<std::byte>& bytes) const;
        Result<void> load(ByteView bytes) const;
        Result<void> loaded() const { return ok(); }
    };

    void before_change_of(cas::BlobId manifest);
    void add_child_locked(cas::BlobId manifest, cas::BlobId child, cas::ReferenceSink& references);
    void forget_awaited(std::uint32_t manifest);

    mutable std::shared_mutex mutex_;
    // In the order of a checkpoint's rows; and without the stop of a hash table that grows.
    std::map<std::uint32_t, Row> rows_;
    BlobSets users_;  // the manifests that have it as a child
    std::uint64_t edges_ = 0;
    std::set<Awaited> awaited_;
    std::map<Digest, std::set<std::uint32_t>> awaiting_;  // the same, by what is awaited
    std::uint32_t loaded_blobs_end_ = UINT32_MAX;

    cas::WalkedTable<Rows> walked_rows_{number_of(TableNumber::manifests), {this}};
    cas::WalkedTable<AwaitedRows> awaited_rows_{number_of(TableNumber::awaited_children), {this}};
    cas::WalkedTable<Rows> recounted_rows_{number_of(TableNumber::manifests), {this}};
};

}  // namespace orbitalreg::engine
