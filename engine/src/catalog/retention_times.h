#pragma once
// The times that retention judges by, as the catalog keeps them: seconds of store time, 0 for what is not known. Four bytes
// each, since there are millions.

#include <algorithm>
#include <cstdint>

namespace orbitalreg::engine {

// Of a manifest under an image name.
struct ManifestTimes {
    std::uint32_t pushed_s = 0;            // its first push
    std::uint32_t put_s = 0;               // its last push
    std::uint32_t untagged_s = 0;          // it lost its last tag; 0 while it has one, or never had
    std::uint32_t pulled_s = 0;            // its last pull, by whatever name
    std::uint32_t pulled_by_digest_s = 0;  // without a tag: counts for every tag that pointed at it

    bool any() const noexcept {
        return (pushed_s | put_s | untagged_s | pulled_s | pulled_by_digest_s) != 0;
    }
    friend bool operator==(const ManifestTimes&, const ManifestTimes&) = default;
};

// Of a tag.
struct TagTimes {
    std::uint32_t pushed_s = 0;  // it was set, also to what it pointed at already
    std::uint32_t pulled_s = 0;  // by this tag, or folded in from its manifest

    bool any() const noexcept { return (pushed_s | pulled_s) != 0; }
    // The last pull that counts for a tag which points at a manifest with these times: one by digest counts from the moment
    // on at which the tag was set to it.
    std::uint32_t pulled_with(const ManifestTimes& manifest) const noexcept {
        const auto by_digest = manifest.pulled_by_digest_s;
        return by_digest >= pushed_s ? std::max(pulled_s, by_digest) : pulled_s;
    }
    friend bool operator==(const TagTimes&, const TagTimes&) = default;
};

}  // namespace orbitalreg::engine
