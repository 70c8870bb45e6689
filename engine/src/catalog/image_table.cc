#include "catalog/image_table.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/planted_bug.h"
#include "catalog/image.h"

#include <algorithm>

namespace orbitalreg::engine {

namespace {

bool matches(const Referrer& referrer, const ReferrersQuery& query) {
    const auto& types = query.artifact_types;
    return types.empty() ||
           std::find(types.begin(), types.end(), referrer.artifact_type) != types.end();
}

std::uint64_t text_size(const Referrer& referrer) noexcept {
    std::uint64_t size = referrer.artifact_type.size();
    for (const auto& [key, value] : referrer.annotations) size += key.size() + value.size();
    return size;
}

std::uint64_t memory_of(const Referrer& referrer) noexcept {
    constexpr std::uint64_t kNodesBytes = 500;  // by subject, by itself, and the way back
    return kNodesBytes + text_size(referrer) + 64 * referrer.annotations.size();
}

std::uint64_t checksum_of(const Referrer& referrer) noexcept {
    auto sum = checksum64(referrer.digest.hash(), static_cast<std::uint64_t>(referrer.kind));
    sum = mix64(sum, referrer.size_bytes);
    sum = mix64(sum, checksum64(as_bytes(referrer.artifact_type)));
    for (const auto& [key, value] : referrer.annotations) {
        sum = mix64(sum, checksum64(as_bytes(key)));
        sum = mix64(sum, checksum64(as_bytes(value)));
    }
    return sum;
}

std::uint64_t checksum_of(const ManifestTimes& times) noexcept {
    const auto first = mix64(times.pushed_s, times.put_s);
    return mix64(first, mix64(times.untagged_s, mix64(times.pulled_s, times.pulled_by_digest_s)));
}

}  // namespace

ImageTable::ImageTable(ManifestTable& manifests)
    : manifest_table_{manifests}, shards_{std::make_unique<std::array<Shard, kShards>>()} {}
ImageTable::~ImageTable() = default;

ImageTable::Shard& ImageTable::shard_of(std::string_view image) const noexcept {
    return (*shards_)[checksum64(as_bytes(image), 1) % kShards];
}

ImageTable::Image& ImageTable::obtain(Shard& shard, std::string_view name) {
    if (auto* known = shard.find(name)) return *known;
    auto made = std::make_unique<Image>();
    made->name = name;
    {
        std::unique_lock lock{owners_mutex_};
        if (free_numbers_.empty()) {
            made->number = static_cast<std::uint32_t>(by_number_.size());
            by_number_.push_back(nullptr);
        } else {
            made->number = free_numbers_.back();
            free_numbers_.pop_back();
        }
        name_rows_.before_change(made->number);
        by_number_[made->number] = made.get();
    }
    auto& image = *made;
    shard.images.emplace(image.name, std::move(made));
    return image;
}

void ImageTable::drop_if_empty(Shard& shard, Image& image) {
    if (!image.links.empty() || !image.manifests.empty()) return;
    ORB_ASSERT(image.tags.empty() && image.subjects.empty());
    {
        std::unique_lock lock{owners_mutex_};
        name_rows_.before_change(image.number);
        by_number_[image.number] = nullptr;
        free_numbers_.push_back(image.number);
    }
    shard.images.erase(shard.images.find(std::string_view{image.name}));
}

void ImageTable::before_change_of(const Image& image, std::uint32_t manifest) {
    held_rows_.before_change({image.number, manifest});
    recounted_rows_.before_change({image.number, manifest});
    before_times_of(image, manifest);
}

void ImageTable::list(const std::string& name) {
    std::unique_lock lock{listed_mutex_};
    listed_.insert(name);
}

void ImageTable::unlist(const std::string& name) {
    std::unique_lock lock{listed_mutex_};
    listed_.erase(name);
}

// --- links ---

void ImageTable::add_link(std::string_view name, cas::BlobId blob) {
    auto& shard = shard_of(name);
    std::unique_lock lock{shard.mutex};
    auto& image = obtain(shard, name);
    if (image.links.contains(blob.value)) return;
    link_rows_.before_change({blob.value, image.number});
    image.links.insert(blob.value);
    link_count_.fetch_add(1, std::memory_order_relaxed);
    std::unique_lock owners_lock{owners_mutex_};
    owners_.change(blob).insert(image.number);
}

void ImageTable::remove_link(std::string_view name, cas::BlobId blob) {
    auto& shard = shard_of(name);
    std::unique_lock lock{shard.mutex};
    auto* image = shard.find(name);
    if (image == nullptr || !image->links.contains(blob.value)) return;
    link_rows_.before_change({blob.value, image->number});
    image->links.erase(blob.value);
    link_count_.fetch_sub(1, std::memory_order_relaxed);
    {
        std::unique_lock owners_lock{owners_mutex_};
        const bool was_owner = owners_.change(blob).erase(image->number);
        ORB_ASSERT(was_owner);
    }
    drop_if_empty(shard, *image);
}

void ImageTable::forget(cas::BlobId blob) {
    // Only apply() changes this table, so that what is read here stays true without the lock.
    for (const auto& name : owners(blob, UINT32_MAX)) remove_link(name, blob);
}

bool ImageTable::has_link(std::string_view name, cas::BlobId blob) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    const auto* image = shard.find(name);
    return image != nullptr && image->links.contains(blob.value);
}

std::size_t ImageTable::owner_count(cas::BlobId blob) const {
    std::shared_lock lock{owners_mutex_};
    return owners_.of(blob).size();
}

std::vector<ImageTable::Holder> ImageTable::holders(cas::BlobId manifest,
                                                    std::uint32_t count_max) const {
    std::vector<Holder> tagged;
    std::vector<Holder> untagged;
    for (const auto& shard : *shards_) {
        std::shared_lock lock{shard.mutex};
        for (const auto& [name, image] : shard.images) {
            const auto entry = image->manifests.find(manifest.value);
            if (entry == image->manifests.end()) continue;
            if (entry->second.tag_count == 0) {
                if (untagged.size() < count_max) untagged.push_back({name, std::nullopt});
                continue;
            }
            const auto tag = std::find_if(
                image->tags.begin(), image->tags.end(),
                [manifest](const auto& each) { return each.second.manifest == manifest.value; });
            if (tag != image->tags.end() && tagged.size() < count_max)
                tagged.push_back({name, tag->first});
        }
    }
    const auto by_name = [](const Holder& a, const Holder& b) { return a.image < b.image; };
    std::sort(tagged.begin(), tagged.end(), by_name);
    std::sort(untagged.begin(), untagged.end(), by_name);
    tagged.insert(tagged.end(), untagged.begin(), untagged.end());
    if (tagged.size() > count_max) tagged.resize(count_max);
    return tagged;
}

std::vector<std::string> ImageTable::owners(cas::BlobId blob, std::uint32_t count_max) const {
    std::shared_lock lock{owners_mutex_};
    std::vector<std::string> names;
    for (const auto number : owners_.of(blob)) {
        if (names.size() >= count_max) break;
        names.push_back(by_number_[number]->name);
    }
    return names;
}

// --- manifests and tags ---

bool ImageTable::put_manifest(std::string_view name, cas::BlobId manifest,
                              const Referrer& described, const std::optional<Digest>& subject,
                              const std::vector<Tag>& tags, std::uint32_t now_s) {
    auto& shard = shard_of(name);
    std::unique_lock lock{shard.mutex};
    auto& image = obtain(shard, name);
    const bool first = image.manifests.empty();
    before_change_of(image, manifest.value);
    const auto [entry, inserted] = image.manifests.try_emplace(manifest.value);
    entry->second.kind = described.kind;
    entry->second.times.put_s = now_s;
    if (inserted) entry->second.times.pushed_s = now_s;
    note_referrer(image, manifest, described, subject);
    for (const auto& tag : tags) point_tag(image, tag.text(), manifest, now_s);
    if (inserted) manifest_count_.fetch_add(1, std::memory_order_relaxed);
    if (first) list(image.name);
    return inserted;
}

bool ImageTable::remove_manifest(std::string_view name, cas::BlobId manifest) {
    auto& shard = shard_of(name);
    std::unique_lock lock{shard.mutex};
    auto* image = shard.find(name);
    if (image == nullptr) return false;
    const auto entry = image->manifests.find(manifest.value);
    if (entry == image->manifests.end()) return false;
    auto tags_left = entry->second.tag_count;
    for (auto tag = image->tags.begin(); tags_left > 0 && tag != image->tags.end();) {
        if (tag->second.manifest != manifest.value) {
            ++tag;
            continue;
        }
        before_change_of_tag(*image, tag->first);
        tag = image->tags.erase(tag);
        tag_count_.fetch_sub(1, std::memory_order_relaxed);
        --tags_left;
    }
    before_change_of(*image, manifest.value);
    drop_referrer(*image, manifest);
    image->manifests.erase(manifest.value);
    manifest_count_.fetch_sub(1, std::memory_order_relaxed);
    if (image->manifests.empty()) unlist(image->name);
    drop_if_empty(shard, *image);
    return true;
}

void ImageTable::point_tag(Image& image, const std::string& tag, cas::BlobId manifest,
                           std::uint32_t now_s) {
    before_change_of_tag(image, tag);
    const auto [place, inserted] = image.tags.try_emplace(tag);
    auto& entry = place->second;
    if (inserted) {
        tag_count_.fetch_add(1, std::memory_order_relaxed);
    } else {
        entry.times.pulled_s = entry.times.pulled_with(image.manifests.at(entry.manifest).times);
        // Not a tag that is set again: its manifest was never without one.
        if (entry.manifest != manifest.value) release_tag(image, entry.manifest, now_s);
    }
    const bool moved = inserted || entry.manifest != manifest.value;
    entry.manifest = manifest.value;
    entry.times.pushed_s = now_s;
    if (!moved) return;
    before_times_of(image, manifest.value);
    auto& held = image.manifests.at(manifest.value);
    ++held.tag_count;
    held.times.untagged_s = 0;
}

// A tag no longer points at the manifest.
void ImageTable::release_tag(Image& image, std::uint32_t manifest, std::uint32_t now_s) {
    before_times_of(image, manifest);
    auto& held = image.manifests.at(manifest);
    if (--held.tag_count > 0 || ORB_PLANTED(untagged_at_forgotten)) return;
    held.times.untagged_s = now_s;
}

void ImageTable::set_tag(std::string_view name, const std::string& tag, cas::BlobId manifest,
                         std::uint32_t now_s) {
    auto& shard = shard_of(name);
    std::unique_lock lock{shard.mutex};
    auto* image = shard.find(name);
    if (image == nullptr || !image->manifests.contains(manifest.value)) return;
    point_tag(*image, tag, manifest, now_s);
}

void ImageTable::remove_tag(std::string_view name, const std::string& tag, std::uint32_t now_s) {
    auto& shard = shard_of(name);
    std::unique_lock lock{shard.mutex};
    auto* image = shard.find(name);
    if (image == nullptr) return;
    const auto place = image->tags.find(tag);
    if (place == image->tags.end()) return;
    before_change_of_tag(*image, tag);
    release_tag(*image, place->second.manifest, now_s);
    image->tags.erase(place);
    tag_count_.fetch_sub(1, std::memory_order_relaxed);
}

ImageTable::Presence ImageTable::presence(std::string_view name) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    const auto* image = shard.find(name);
    if (image == nullptr) return Presence::nothing;
    return image->manifests.empty() ? Presence::links_only : Presence::manifests;
}

std::optional<ManifestKind> ImageTable::find_manifest(std::string_view name,
                                                      cas::BlobId manifest) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    const auto* image = shard.find(name);
    if (image == nullptr) return std::nullopt;
    const auto entry = image->manifests.find(manifest.value);
    if (entry == image->manifests.end()) return std::nullopt;
    return entry->second.kind;
}

std::optional<cas::BlobId> ImageTable::find_tag(std::string_view name,
                                                const std::string& tag) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    const auto* image = shard.find(name);
    if (image == nullptr) return std::nullopt;
    const auto place = image->tags.find(tag);
    if (place == image->tags.end()) return std::nullopt;
    return cas::BlobId{place->second.manifest};
}

std::vector<cas::BlobId> ImageTable::manifests(std::string_view name) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    std::vector<cas::BlobId> ids;
    if (const auto* image = shard.find(name)) {
        for (const auto& [id, entry] : image->manifests) ids.push_back(cas::BlobId{id});
    }
    return ids;
}

std::size_t ImageTable::manifest_count(std::string_view name) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    const auto* image = shard.find(name);
    return image == nullptr ? 0 : image->manifests.size();
}

// --- listings ---

std::optional<Page<std::string>> ImageTable::list_tags(std::string_view name,
                                                       const std::string& after,
                                                       std::uint32_t count_max) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    const auto* image = shard.find(name);
    if (image == nullptr || image->manifests.empty()) return std::nullopt;
    Page<std::string> page;
    page.items.reserve(std::min<std::size_t>(count_max, image->tags.size()));
    auto tag = after.empty() ? image->tags.begin() : image->tags.upper_bound(after);
    for (; tag != image->tags.end() && page.items.size() < count_max; ++tag)
        page.items.push_back(tag->first);
    page.more = tag != image->tags.end();
    return page;
}

Page<std::string> ImageTable::list_images(const std::string& after, std::uint32_t count_max) const {
    std::shared_lock lock{listed_mutex_};
    Page<std::string> page;
    auto name = after.empty() ? listed_.begin() : listed_.upper_bound(after);
    for (; name != listed_.end() && page.items.size() < count_max; ++name)
        page.items.push_back(*name);
    page.more = name != listed_.end();
    return page;
}

// --- referrers ---

void ImageTable::note_referrer(Image& image, cas::BlobId manifest, const Referrer& described,
                               const std::optional<Digest>& subject) {
    drop_referrer(image, manifest);
    if (!subject) return;
    referrer_bytes_.fetch_add(memory_of(described), std::memory_order_relaxed);
    image.referrers[*subject].insert_or_assign(described.digest, described);
    image.subjects.insert_or_assign(manifest.value, std::pair{*subject, described.digest});
}

void ImageTable::drop_referrer(Image& image, cas::BlobId manifest) {
    const auto noted = image.subjects.find(manifest.value);
    if (noted == image.subjects.end()) return;
    const auto& [subject, own_digest] = noted->second;
    const auto of_subject = image.referrers.find(subject);
    ORB_ASSERT(of_subject != image.referrers.end());
    const auto referrer = of_subject->second.find(own_digest);
    ORB_ASSERT(referrer != of_subject->second.end());
    referrer_bytes_.fetch_sub(memory_of(referrer->second), std::memory_order_relaxed);
    of_subject->second.erase(referrer);
    if (of_subject->second.empty()) image.referrers.erase(of_subject);
    image.subjects.erase(noted);
}

Page<Referrer> ImageTable::referrers(std::string_view name, const ReferrersQuery& query) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    Page<Referrer> page;
    const auto* image = shard.find(name);
    if (image == nullptr) return page;
    const auto of_subject = image->referrers.find(query.subject);
    if (of_subject == image->referrers.end()) return page;
    const auto& all = of_subject->second;
    std::uint64_t text_bytes = 0;
    auto next = query.after ? all.upper_bound(*query.after) : all.begin();
    for (; next != all.end(); ++next) {
        if (!matches(next->second, query)) continue;
        text_bytes += text_size(next->second);
        const bool full =
            page.items.size() >= query.count_max ||
            (query.text_max_bytes > 0 && !page.items.empty() && text_bytes > query.text_max_bytes);
        if (full) {
            page.more = true;
            break;
        }
        page.items.push_back(next->second);
    }
    return page;
}

std::size_t ImageTable::referrer_count(std::string_view name, const Digest& subject) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    const auto* image = shard.find(name);
    if (image == nullptr) return 0;
    const auto of_subject = image->referrers.find(subject);
    return of_subject == image->referrers.end() ? 0 : of_subject->second.size();
}

// --- the whole ---

void ImageTable::visit_manifests(const std::function<void(cas::BlobId)>& held) const {
    for (const auto& shard : *shards_) {
        std::shared_lock lock{shard.mutex};
        for (const auto& [name, image] : shard.images) {
            for (const auto& [id, entry] : image->manifests) held(cas::BlobId{id});
        }
    }
}

void ImageTable::count(RegistryStoreStats& stats) const {
    {
        std::shared_lock lock{listed_mutex_};
        stats.images = listed_.size();
    }
    stats.manifests = manifest_count_.load(std::memory_order_relaxed);
    stats.tags = tag_count_.load(std::memory_order_relaxed);
    stats.links = link_count_.load(std::memory_order_relaxed);
}

std::uint64_t ImageTable::fingerprint() const {
    std::uint64_t sum = history_since_s();  // in any order of the parts
    for (const auto& shard : *shards_) {
        std::shared_lock lock{shard.mutex};
        for (const auto& [name, image] : shard.images) {
            const auto seed = checksum64(as_bytes(name));
            for (const auto id : image->links) sum += mix64(seed + 1, id);
            for (const auto& [id, entry] : image->manifests) {
                sum += mix64(mix64(mix64(seed + 2, id), static_cast<std::uint64_t>(entry.kind)),
                             checksum_of(entry.times));
            }
            for (const auto& [tag, entry] : image->tags) {
                sum += mix64(mix64(checksum64(as_bytes(tag), seed + 3), entry.manifest),
                             mix64(entry.times.pushed_s, entry.times.pulled_s));
            }
            for (const auto& [subject, referrers] : image->referrers) {
                const auto of_subject = checksum64(subject.hash(), seed + 4);
                for (const auto& [digest, referrer] : referrers)
                    sum += mix64(of_subject, checksum_of(referrer));
            }
        }
    }
    return sum;
}

// From the counts, not from a walk: metrics ask for it while requests run.
std::uint64_t ImageTable::memory_bytes() const {
    constexpr std::uint64_t kImageBytes =
        sizeof(Image) + 160;                 // with its name, twice, and its slot
    constexpr std::uint64_t kLinkBytes = 8;  // in a set that is two thirds full
    constexpr std::uint64_t kManifestBytes = 80;
    constexpr std::uint64_t kTagBytes = 96;
    std::shared_lock lock{owners_mutex_};
    const std::uint64_t images = by_number_.size() - 1 - free_numbers_.size();
    return images * kImageBytes + link_count_.load(std::memory_order_relaxed) * kLinkBytes +
           manifest_count_.load(std::memory_order_relaxed) * kManifestBytes +
           tag_count_.load(std::memory_order_relaxed) * kTagBytes +
           referrer_bytes_.load(std::memory_order_relaxed) + owners_.memory_bytes();
}

void ImageTable::check_invariants() const {
    std::size_t links = 0;
    for (const auto& shard : *shards_) {
        std::shared_lock lock{shard.mutex};
        for (const auto& [name, image] : shard.images) {
            ORB_ASSERT(!image->links.empty() || !image->manifests.empty());  // I2
            ORB_ASSERT(by_number_[image->number] == image.get());
            links += image->links.size();
            for (const auto& [tag, entry] : image->tags)
                ORB_ASSERT(image->manifests.contains(entry.manifest));  // I1
            for (const auto& [id, entry] : image->manifests)
                ORB_ASSERT(entry.tag_count == 0 || entry.times.untagged_s == 0);  // I4
            for (const auto id : image->links) {
                ORB_ASSERT(owners_.of(cas::BlobId{id}).contains(image->number));  // I3
            }
        }
    }
    ORB_ASSERT(links == owners_.total());  // I3
}

}  // namespace orbitalreg::engine
