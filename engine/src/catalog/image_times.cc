// The times by which retention judges: how pulls are noted, how they are read, and their rows in a checkpoint.
// docs/on-disk-format.md, "Rows of owner 2, catalog", is normative.
#include "base/fields.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "catalog/image.h"

#include <algorithm>

namespace orbitalreg::engine {

namespace {

const ErrorCode kBadRow{cas::Errc::bad_format};
constexpr std::uint32_t kGapMax = 64;  // as in the other tables
constexpr std::uint32_t kTagKey = UINT32_MAX;

// Of a row. Zero is none.
enum class TimesKind : std::uint8_t { history = 1, manifest = 2, tag = 3 };

}  // namespace

void ImageTable::before_times_of(const Image& image, std::uint32_t manifest) {
    times_rows_.before_change({image.number, manifest, {}});
}

void ImageTable::before_change_of_tag(const Image& image, const std::string& tag) {
    tag_rows_.before_change({image.number, tag});
    times_rows_.before_change({image.number, kTagKey, tag});
}

void ImageTable::begin_history(std::uint32_t now_s) {
    if (history_since_s() != 0) return;
    times_rows_.before_change({0, 0, {}});
    history_since_s_.store(now_s, std::memory_order_relaxed);
}

std::optional<ManifestKind> ImageTable::note_pull(std::string_view name, cas::BlobId manifest,
                                                  const std::string* tag, std::uint32_t pulled_s) {
    auto& shard = shard_of(name);
    std::unique_lock lock{shard.mutex};
    auto* image = shard.find(name);
    if (image == nullptr) return std::nullopt;
    const auto entry = image->manifests.find(manifest.value);
    if (entry == image->manifests.end()) return std::nullopt;
    before_times_of(*image, manifest.value);
    auto& times = entry->second.times;
    times.pulled_s = std::max(times.pulled_s, pulled_s);
    if (tag == nullptr) {
        times.pulled_by_digest_s = std::max(times.pulled_by_digest_s, pulled_s);
        return entry->second.kind;
    }
    const auto place = image->tags.find(*tag);
    if (place == image->tags.end() || place->second.manifest != manifest.value)
        return entry->second.kind;
    before_change_of_tag(*image, *tag);
    auto& of_tag = place->second.times;
    of_tag.pulled_s = std::max(of_tag.pulled_s, pulled_s);
    return entry->second.kind;
}

// --- look-ups ---

ImageTable::HeldSlice ImageTable::manifests_after(std::string_view name, std::uint32_t after,
                                                  std::uint32_t count_max) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    HeldSlice slice;
    const auto* image = shard.find(name);
    if (image == nullptr) return slice;
    auto next = image->manifests.upper_bound(after);
    for (; next != image->manifests.end() && slice.manifests.size() < count_max; ++next) {
        HeldSlice::Manifest held{cas::BlobId{next->first}, next->second, {}, {}};
        const auto noted = image->subjects.find(next->first);
        if (noted != image->subjects.end()) {
            const auto& [subject, own] = noted->second;
            held.subject = subject;
            held.artifact_type = image->referrers.at(subject).at(own).artifact_type;
        }
        slice.manifests.push_back(std::move(held));
    }
    slice.more = next != image->manifests.end();
    return slice;
}

ImageTable::HeldSlice ImageTable::tags_after(std::string_view name, const std::string& after,
                                             std::uint32_t count_max) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    HeldSlice slice;
    const auto* image = shard.find(name);
    if (image == nullptr) return slice;
    auto next = after.empty() ? image->tags.begin() : image->tags.upper_bound(after);
    for (; next != image->tags.end() && slice.tags.size() < count_max; ++next)
        slice.tags.push_back({next->first, next->second});
    slice.more = next != image->tags.end();
    return slice;
}

std::optional<ImageTable::ManifestEntry> ImageTable::manifest_entry(std::string_view name,
                                                                    cas::BlobId manifest) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    const auto* image = shard.find(name);
    if (image == nullptr) return std::nullopt;
    const auto entry = image->manifests.find(manifest.value);
    if (entry == image->manifests.end()) return std::nullopt;
    return entry->second;
}

std::optional<ImageTable::TagEntry> ImageTable::tag_entry(std::string_view name,
                                                          const std::string& tag) const {
    const auto& shard = shard_of(name);
    std::shared_lock lock{shard.mutex};
    const auto* image = shard.find(name);
    if (image == nullptr) return std::nullopt;
    const auto place = image->tags.find(tag);
    if (place == image->tags.end()) return std::nullopt;
    return place->second;
}

// --- rows ---

std::optional<ImageTable::TimesKey> ImageTable::TimesRows::next(
    const std::optional<TimesKey>& after) const {
    if (!after) return TimesKey{0, 0, {}};
    auto [number, manifest, tag] = *after;
    if (const auto* image = table->image_of(number)) {
        if (manifest != kTagKey) {
            const auto entry = image->manifests.upper_bound(manifest);
            if (entry != image->manifests.end()) return TimesKey{number, entry->first, {}};
        }
        const auto place = manifest == kTagKey ? image->tags.upper_bound(tag) : image->tags.begin();
        if (place != image->tags.end()) return TimesKey{number, kTagKey, place->first};
    }
    for (std::uint32_t passed = 0; passed < kGapMax; ++passed) {
        if (++number >= table->by_number_.size()) return std::nullopt;
        const auto* image = table->image_of(number);
        if (image != nullptr && !image->manifests.empty())
            return TimesKey{number, image->manifests.begin()->first, {}};
    }
    return TimesKey{number, 0, {}};
}

void ImageTable::TimesRows::encode(const TimesKey& key, std::vector<std::byte>& row) const {
    const auto& [number, manifest, tag] = key;
    const auto write = [&row, named = number](TimesKind kind) {
        FieldWriter fields{row};
        fields.number(static_cast<std::uint8_t>(kind)).number(named);
        return fields;
    };
    if (number == 0) {
        if (const auto since = table->history_since_s()) write(TimesKind::history).number(since);
        return;
    }
    const auto* image = table->image_of(number);
    if (image == nullptr) return;
    if (manifest != kTagKey) {
        const auto entry = image->manifests.find(manifest);
        if (entry == image->manifests.end() || !entry->second.times.any()) return;
        const auto& times = entry->second.times;
        write(TimesKind::manifest)
            .number(manifest)
            .number(times.pushed_s)
            .number(times.put_s)
            .number(ORB_PLANTED(untagged_at_forgotten_by_checkpoint) ? std::uint32_t{0}
                                                                     : times.untagged_s)
            .number(times.pulled_s)
            .number(times.pulled_by_digest_s);
        return;
    }
    const auto place = image->tags.find(tag);
    if (place == image->tags.end() || !place->second.times.any()) return;
    const auto& times = place->second.times;
    write(TimesKind::tag).number(times.pushed_s).number(times.pulled_s).bytes(as_bytes(tag));
}

std::optional<ImageTable::TimesRow> ImageTable::read_times_row(ByteView bytes) {
    FieldReader fields{bytes};
    TimesRow row;
    const auto kind = static_cast<TimesKind>(fields.number<std::uint8_t>());
    row.image = fields.number<std::uint32_t>();
    if (kind == TimesKind::history) {
        row.history_s = fields.number<std::uint32_t>();
        const bool sane = fields.done() && row.image == 0 && row.history_s != 0;
        return sane ? std::optional{std::move(row)} : std::nullopt;
    }
    if (row.image == 0) return std::nullopt;
    if (kind == TimesKind::manifest) {
        row.manifest = fields.number<std::uint32_t>();
        auto& times = row.of_manifest;
        for (auto* time : {&times.pushed_s, &times.put_s, &times.untagged_s, &times.pulled_s,
                           &times.pulled_by_digest_s})
            *time = fields.number<std::uint32_t>();
        const bool sane = fields.done() && row.manifest != 0 && times.any();
        return sane ? std::optional{std::move(row)} : std::nullopt;
    }
    if (kind != TimesKind::tag) return std::nullopt;
    row.of_tag.pushed_s = fields.number<std::uint32_t>();
    row.of_tag.pulled_s = fields.number<std::uint32_t>();
    row.tag = as_text(fields.rest());
    const bool sane = !fields.failed() && !row.tag.empty() && row.of_tag.any();
    return sane ? std::optional{std::move(row)} : std::nullopt;
}

Result<void> ImageTable::TimesRows::load(ByteView bytes) const {
    const auto row = read_times_row(bytes);
    if (!row) return fail(kBadRow);
    if (row->history_s == 0) return table->load_times(*row);
    if (table->history_since_s() != 0) return fail(kBadRow);
    table->history_since_s_.store(row->history_s, std::memory_order_relaxed);
    return ok();
}

// Each at most once.
Result<void> ImageTable::load_times(const TimesRow& row) {
    auto* image = image_of_row(row.image);
    if (image == nullptr) return fail(kBadRow);
    if (row.manifest != 0) {
        const auto entry = image->manifests.find(row.manifest);
        if (entry == image->manifests.end() || entry->second.times.any()) return fail(kBadRow);
        if (entry->second.tag_count > 0 && row.of_manifest.untagged_s != 0) return fail(kBadRow);
        entry->second.times = row.of_manifest;
        return ok();
    }
    const auto place = image->tags.find(row.tag);
    if (place == image->tags.end() || place->second.times.any()) return fail(kBadRow);
    place->second.times = row.of_tag;
    return ok();
}

// The last of an image name's rows.
Result<void> ImageTable::TimesRows::loaded() const {
    table->written_numbers_ = {};
    return ok();
}

bool ImageTable::restore_times(std::string_view name, cas::BlobId manifest,
                               const ManifestTimes& times) {
    auto& shard = shard_of(name);
    std::unique_lock lock{shard.mutex};
    auto* image = shard.find(name);
    if (image == nullptr) return false;
    const auto entry = image->manifests.find(manifest.value);
    if (entry == image->manifests.end()) return false;
    before_times_of(*image, manifest.value);
    entry->second.times = times;
    if (entry->second.tag_count > 0) entry->second.times.untagged_s = 0;
    return true;
}

bool ImageTable::restore_times(std::string_view name, const std::string& tag,
                               const TagTimes& times) {
    auto& shard = shard_of(name);
    std::unique_lock lock{shard.mutex};
    auto* image = shard.find(name);
    if (image == nullptr) return false;
    const auto place = image->tags.find(tag);
    if (place == image->tags.end()) return false;
    before_change_of_tag(*image, tag);
    place->second.times = times;
    return true;
}

}  // namespace orbitalreg::engine
