#include "catalog/holding_paths.h"

#include <algorithm>
#include <deque>

namespace orbitalreg::engine {
namespace {

constexpr std::size_t kChainsMax = 64;  // manifests and indexes that are followed upward
constexpr std::size_t kUsersMax = 16;   // of one of them
constexpr std::size_t kDepthMax = 8;    // indexes of indexes

using Chain = std::vector<cas::BlobId>;  // from the top down, the blob itself left out

// The digests of a chain; nothing when one of its manifests went meanwhile.
std::optional<std::vector<Digest>> digests_of(const Catalog& catalog, const Chain& chain) {
    std::vector<Digest> digests;
    for (const auto manifest : chain) {
        const auto known = catalog.manifests().find(manifest);
        if (!known) return std::nullopt;
        digests.push_back(known->digest);
    }
    return digests;
}

}  // namespace

std::vector<HoldingPath> holding_paths(const Catalog& catalog, cas::BlobId blob) {
    std::vector<HoldingPath> tagged;
    std::vector<HoldingPath> untagged;
    std::deque<Chain> chains;
    if (catalog.manifests().find(blob)) chains.push_back({blob});
    for (const auto user : catalog.manifests().users(blob, kUsersMax)) {
        const bool is_itself = user == blob;
        if (!is_itself) chains.push_back({user});
    }
    for (std::size_t seen = 0; seen < kChainsMax && !chains.empty(); ++seen) {
        const Chain chain = std::move(chains.front());
        chains.pop_front();
        const auto digests = digests_of(catalog, chain);
        if (!digests) continue;
        for (auto& holder : catalog.images().holders(chain.front(), BlobExplanation::kPathsMax)) {
            auto& paths = holder.tag ? tagged : untagged;
            paths.push_back({std::move(holder.image), holder.tag.value_or(""), *digests});
        }
        if (tagged.size() >= BlobExplanation::kPathsMax) break;
        if (chain.size() == kDepthMax || chain.front() == blob) continue;
        for (const auto user : catalog.manifests().users(chain.front(), kUsersMax)) {
            Chain longer{user};
            longer.insert(longer.end(), chain.begin(), chain.end());
            chains.push_back(std::move(longer));
        }
    }
    tagged.insert(tagged.end(), untagged.begin(), untagged.end());
    if (tagged.size() > BlobExplanation::kPathsMax) tagged.resize(BlobExplanation::kPathsMax);
    return tagged;
}

}  // namespace orbitalreg::engine
