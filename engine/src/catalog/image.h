#pragma once
// What ImageTable keeps of one image name, and the shard that holds it. Private to the table's own sources.

#include "base/checksum.h"
#include "catalog/image_table.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>

namespace orbitalreg::engine {

struct ImageTable::Image {
    std::string name;
    std::uint32_t number = 0;
    boost::unordered_flat_set<std::uint32_t> links;
    // In the order of ids, which is that of a checkpoint's rows.
    std::map<std::uint32_t, ManifestEntry> manifests;
    std::map<std::string, TagEntry, std::less<>> tags;
    std::map<Digest, std::map<Digest, Referrer>>
        referrers;  // by subject, then by the referrer itself
    std::map<std::uint32_t, std::pair<Digest, Digest>>
        subjects;  // of the manifests that have one: subject, own digest
};

struct ImageTable::Shard {
    struct NameHash {
        using is_transparent = void;
        using is_avalanching = void;
        std::size_t operator()(std::string_view name) const noexcept {
            return checksum64(as_bytes(name));
        }
    };
    struct NameEqual {
        using is_transparent = void;
        bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
    };

    mutable std::shared_mutex mutex;
    boost::unordered_flat_map<std::string, std::unique_ptr<Image>, NameHash, NameEqual> images;

    const Image* find(std::string_view name) const noexcept {
        const auto found = images.find(name);
        return found == images.end() ? nullptr : found->second.get();
    }
    Image* find(std::string_view name) noexcept {
        const auto found = images.find(name);
        return found == images.end() ? nullptr : found->second.get();
    }
};

}  // namespace orbitalreg::engine
