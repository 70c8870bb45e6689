#pragma once
// CatalogSalvageOfRows puts what the readable rows of a checkpoint prove into an empty catalog. Rows name blobs and image names by
// the numbers of that checkpoint; each becomes the change that would have made it, with digests and names, and is applied
// as if it came from the log.
//
//   manifest row          its digest and its children; where one of these is not known, or the row is missing, the manifest's
//                         own bytes are read and say it again
//   held row              the manifest under an image name, with its place among the referrers
//   tag row               the tag; the manifest too, where only the held row is missing
//   link row              the link
//   times row             when the manifest or tag was pushed and pulled; lost where they are lost
//   nothing               what a held manifest refers to is linked under its image name, and where rows are missing a
//                         held index's children are held there: without that neither could have been pushed, and
//                         neither goes before the manifest does
//
// Threads  one.
// Memory   a digest and four bytes an edge for each manifest; the image names.
// Errors   none: what cannot be told any more is counted as lost.

#include "cas/salvage.h"
#include "catalog/catalog.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace orbitalreg::engine {

class CatalogSalvageOfRows final : public cas::CatalogSalvage {
public:
    CatalogSalvageOfRows(Catalog& catalog, cas::SalvagedBlobs& blobs) noexcept
        : catalog_{catalog}, blobs_{blobs} {}

    void add(std::uint16_t table, ByteView row) override;
    void finish(bool rows_whole) override;
    std::vector<cas::SalvageCount> counts() const override;

private:
    struct Known {  // a manifest row
        Digest digest;
        std::vector<std::uint32_t> children;
    };
    struct Count {
        std::uint64_t restored = 0;
        std::uint64_t lost = 0;
        void add(bool restored_one) noexcept { ++(restored_one ? restored : lost); }
    };

    bool add_manifest(ByteView row);
    bool add_name(ByteView row);
    bool add_held(ByteView row);
    bool add_tag(ByteView row);
    bool add_link(ByteView row);
    bool add_document(ByteView row);
    bool add_repository(ByteView row);
    bool add_awaited(ByteView row);
    bool add_times(ByteView row);

    const ImageName* name_of(std::uint32_t number) const;
    std::optional<Digest> digest_of(std::uint32_t blob) const;
    std::optional<Manifest> read(const Digest& digest);
    std::optional<std::vector<RecordEdge>> edges_of_row(std::uint32_t manifest) const;
    bool put(ManifestPutRecord record, const std::optional<std::vector<RecordEdge>>& edges);
    bool put_again(const ImageName& image, const Digest& digest);
    bool sparse_allowed(const ImageName& image) const;
    void complete(const ImageName& image, const Digest& digest, bool rows_whole);
    bool holds(const ImageName& image, const Digest& digest) const;
    void apply(const CatalogChange& change, std::uint64_t lsn = 0);

    Catalog& catalog_;
    cas::SalvagedBlobs& blobs_;
    std::map<std::uint32_t, Known> manifests_;
    std::map<std::uint32_t, ImageName> names_;
    std::set<Digest> awaiting_;  // manifests that refer to what was not there
    std::map<std::uint16_t, Count> counts_;
    std::uint64_t implied_manifests_ = 0;
    std::uint64_t implied_links_ = 0;
};

}  // namespace orbitalreg::engine
