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
//
// Threads  changes only from apply(), one thread; look-ups from any.

#include "base/digest.h"
#include "cas/references.h"
#include "catalog/blob_sets.h"
#include "catalog/id_set.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <shared_mutex>
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
    // One image name fewer; the last one releases the children.
    void remove(cas::BlobId manifest, cas::ReferenceSink& references);

    // --- any thread ---
    std::optional<Known> find(cas::BlobId manifest) const;
    // One of the users of `blob` for which `held` says yes.
    std::optional<cas::BlobId> find_user(cas::BlobId blob,
                                         const std::function<bool(cas::BlobId)>& held) const;
    bool is_child(cas::BlobId manifest, cas::BlobId child) const;
    std::size_t user_count(cas::BlobId blob) const;
    std::size_t size() const;

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

    mutable std::shared_mutex mutex_;
    boost::unordered_flat_map<std::uint32_t, Row> rows_;
    BlobSets users_;  // the manifests that have it as a child
    std::uint64_t edges_ = 0;
};

}  // namespace orbitalreg::engine
