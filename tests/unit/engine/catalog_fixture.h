#pragma once
// A catalog without a store: its blobs are a map, its log a vector.

#include "catalog/catalog.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

inline Digest digest_of(const std::string& content) {
    return Digest::of(DigestAlgorithm::sha256, as_bytes(content));
}
inline ImageName image(const std::string& text) { return ImageName::parse(text).value(); }
inline Tag tag(const std::string& text) { return Tag::parse(text).value(); }

// The blob table that cas would be: ids and counts.
class FakeBlobs final : public cas::ReferenceSink {
public:
    cas::BlobId add(const Digest& digest) {
        if (const auto known = find(digest)) return *known;
        cas::BlobId id{next_id_};
        if (free_ids_.empty()) {
            ++next_id_;
        } else {
            id.value = free_ids_.back();
            free_ids_.pop_back();
        }
        return ids_.emplace(digest, id).first->second;
    }
    // Its id goes to the next one.
    void remove(const Digest& digest) {
        free_ids_.push_back(find(digest)->value);
        ids_.erase(digest);
    }
    std::optional<cas::BlobId> find(const Digest& digest) const noexcept override {
        const auto found = ids_.find(digest);
        return found == ids_.end() ? std::nullopt : std::optional{found->second};
    }
    void hold(cas::BlobId blob) noexcept override { ++counts_[blob]; }
    void release(cas::BlobId blob) noexcept override {
        EXPECT_GT(counts_[blob], 0);
        if (--counts_[blob] == 0) counts_.erase(blob);
    }
    int count(const Digest& digest) const {
        const auto found = counts_.find(*find(digest));
        return found == counts_.end() ? 0 : found->second;
    }
    const std::map<cas::BlobId, int>& counts() const { return counts_; }
    void set_counts(std::map<cas::BlobId, int> counts) { counts_ = std::move(counts); }

private:
    std::map<Digest, cas::BlobId> ids_;
    std::map<cas::BlobId, int> counts_;
    std::uint32_t next_id_ = 1;
    std::vector<std::uint32_t> free_ids_;
};

// CatalogUnderTest applies changes one group each and keeps the records, as the log does.
class CatalogUnderTest {
public:
    void apply(const CatalogChange& change) {
        const auto record = encode(change);
        log.push_back(record);
        const cas::CatalogRecordView view{record.type, record.body, record.raw};
        ASSERT_TRUE(catalog.verify(view));
        catalog.apply({cas::Lsn{++lsn}, lsn * 1000}, {&view, 1}, blobs);
    }
    void push(const std::string& name, const std::string& content,
              const std::vector<std::string>& children, const std::vector<Tag>& tags = {},
              const std::optional<Digest>& subject = {}) {
        blobs.add(digest_of(content));
        std::vector<RecordEdge> edges;
        for (const auto& child : children) {
            blobs.add(digest_of(child));
            edges.push_back({digest_of(child), false});
        }
        apply(ManifestPutRecord{image(name),
                                digest_of(content),
                                ManifestKind::oci_image,
                                content.size(),
                                edges,
                                subject,
                                subject ? "x/type" : "",
                                {},
                                tags,
                                {}});
    }
    cas::BlobId id(const std::string& content) const { return *blobs.find(digest_of(content)); }
    std::map<cas::BlobId, int> recount() const {
        std::map<cas::BlobId, int> counts;
        catalog.visit_references([&](cas::BlobId blob) { ++counts[blob]; });
        return counts;
    }

    FakeBlobs blobs;
    Catalog catalog{RegistryLimits{}};
    std::vector<cas::CatalogRecord> log;
    std::uint64_t lsn = 0;
};

}  // namespace orbitalreg::engine
