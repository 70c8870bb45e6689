// The rows of image names in a checkpoint. docs/on-disk-format.md, "Rows of owner 2, catalog", is
// normative.
#include "base/fields.h"
#include "cas/errors.h"
#include "catalog/image.h"
#include "catalog/manifest_table.h"
#include "engine/manifest.h"

#include <algorithm>

namespace orbitalreg::engine {

namespace {

const ErrorCode kBadRow{cas::Errc::bad_format};

// A search for the next row passes so many image names or blobs without one, then names a key
// without a row.
constexpr std::uint32_t kGapMax = 64;

void encode_referrer(FieldWriter& fields, const Digest& subject, const Referrer& referrer) {
    fields.digest(subject).digest(referrer.digest).number(referrer.size_bytes);
    fields.text(referrer.artifact_type);
    fields.number(static_cast<std::uint32_t>(referrer.annotations.size()));
    for (const auto& [key, value] : referrer.annotations) fields.text(key).text(value);
}

bool decode_referrer(FieldReader& fields, std::optional<Digest>& subject, Referrer& referrer) {
    subject = fields.digest();
    const auto own = fields.digest();
    if (!subject || !own) return false;
    referrer.digest = *own;
    referrer.size_bytes = fields.number<std::uint64_t>();
    referrer.artifact_type = fields.text();
    auto left = fields.number<std::uint32_t>();
    for (; left > 0 && !fields.failed(); --left) {
        const auto key = fields.text();
        referrer.annotations.emplace_back(key, fields.text());
    }
    return left == 0;
}

}  // namespace

ImageTable::Image* ImageTable::image_of(std::uint32_t number) const noexcept {
    return number < by_number_.size() ? by_number_[number] : nullptr;
}

std::vector<cas::CheckpointTable*> ImageTable::checkpoint_tables() {
    return {&name_rows_, &held_rows_, &tag_rows_, &link_rows_};
}

// --- image names ---

std::optional<std::uint32_t> ImageTable::NameRows::next(
    const std::optional<std::uint32_t>& after) const noexcept {
    const auto number = after.value_or(0) + 1;
    if (number >= table->by_number_.size()) return std::nullopt;
    return number;
}

void ImageTable::NameRows::encode(std::uint32_t number, std::vector<std::byte>& row) const {
    const auto* image = table->image_of(number);
    if (image == nullptr) return;
    FieldWriter{row}.number(number).bytes(as_bytes(image->name));
}

Result<void> ImageTable::NameRows::load(ByteView row) const {
    FieldReader fields{row};
    const auto number = fields.number<std::uint32_t>();
    const auto name = ImageName::parse(as_text(fields.rest()));
    auto& written = table->written_numbers_;
    const std::uint32_t last = written.empty() ? 0 : written.back();
    if (number <= last || !name) return fail(kBadRow);
    auto& shard = table->shard_of(name.value().text());
    if (shard.find(name.value().text()) != nullptr) return fail(kBadRow);
    written.push_back(number);
    auto image = std::make_unique<Image>();
    image->name = name.value().text();
    image->number = static_cast<std::uint32_t>(table->by_number_.size());
    table->by_number_.push_back(image.get());
    shard.images.emplace(image->name, std::move(image));
    return ok();
}

// The number that a row of a checkpoint says, which is in the order of numbers but may leave some out.
ImageTable::Image* ImageTable::image_of_row(std::uint32_t number) const noexcept {
    const auto found = std::lower_bound(written_numbers_.begin(), written_numbers_.end(), number);
    if (found == written_numbers_.end() || *found != number) return nullptr;
    return by_number_[static_cast<std::size_t>(found - written_numbers_.begin()) + 1];
}

// --- manifests of image names ---

std::optional<ImageTable::ManifestKey> ImageTable::HeldRows::next(
    const std::optional<ManifestKey>& after) const {
    auto [number, manifest] = after.value_or(ManifestKey{0, 0});
    if (const auto* image = table->image_of(number)) {
        const auto entry = image->manifests.upper_bound(manifest);
        if (entry != image->manifests.end()) return ManifestKey{number, entry->first};
    }
    for (std::uint32_t passed = 0; passed < kGapMax; ++passed) {
        if (++number >= table->by_number_.size()) return std::nullopt;
        const auto* image = table->image_of(number);
        if (image != nullptr && !image->manifests.empty())
            return ManifestKey{number, image->manifests.begin()->first};
    }
    return ManifestKey{number, 0};
}

void ImageTable::HeldRows::encode(const ManifestKey& key, std::vector<std::byte>& row) const {
    const auto* image = table->image_of(key.first);
    if (image == nullptr) return;
    const auto entry = image->manifests.find(key.second);
    if (entry == image->manifests.end()) return;
    const auto noted = image->subjects.find(key.second);
    const bool refers = noted != image->subjects.end();
    FieldWriter fields{row};
    fields.number(key.first).number(key.second);
    fields.number(static_cast<std::uint8_t>(entry->second.kind));
    fields.number(static_cast<std::uint8_t>(refers ? 1 : 0));
    if (!refers) return;
    const auto& [subject, own_digest] = noted->second;
    encode_referrer(fields, subject, image->referrers.at(subject).at(own_digest));
}

Result<void> ImageTable::HeldRows::load(ByteView row) const {
    FieldReader fields{row};
    auto* image = table->image_of_row(fields.number<std::uint32_t>());
    const cas::BlobId manifest{fields.number<std::uint32_t>()};
    Referrer described;
    described.kind = static_cast<ManifestKind>(fields.number<std::uint8_t>());
    const auto refers = fields.number<std::uint8_t>();
    std::optional<Digest> subject;
    if (refers == 1 && !decode_referrer(fields, subject, described)) return fail(kBadRow);
    if (image == nullptr || media_type_of(described.kind).empty() || refers > 1 || !fields.done())
        return fail(kBadRow);
    auto& held = image->manifests;
    if (!held.empty() && held.rbegin()->first >= manifest.value) return fail(kBadRow);
    if (!table->manifest_table_.load_holder(manifest)) return fail(kBadRow);
    if (held.empty()) table->list(image->name);
    held.emplace_hint(held.end(), manifest.value, ManifestEntry{described.kind, 0, {}});
    table->note_referrer(*image, manifest, described, subject);
    table->manifest_count_.fetch_add(1, std::memory_order_relaxed);
    return ok();
}

Result<void> ImageTable::HeldRows::loaded() const {
    if (!table->manifest_table_.each_is_held()) return fail(kBadRow);
    return ok();
}

cas::BlobId ImageTable::held_manifest_of_row(ByteView row) noexcept {
    FieldReader fields{row};
    fields.number<std::uint32_t>();
    return cas::BlobId{fields.number<std::uint32_t>()};
}

// --- tags ---

std::optional<ImageTable::TagKey> ImageTable::TagRows::next(
    const std::optional<TagKey>& after) const {
    auto number = after ? after->first : 0;
    if (const auto* image = table->image_of(number)) {
        const auto tag = image->tags.upper_bound(after->second);
        if (tag != image->tags.end()) return TagKey{number, tag->first};
    }
    for (std::uint32_t passed = 0; passed < kGapMax; ++passed) {
        if (++number >= table->by_number_.size()) return std::nullopt;
        const auto* image = table->image_of(number);
        if (image != nullptr && !image->tags.empty())
            return TagKey{number, image->tags.begin()->first};
    }
    return TagKey{number, {}};
}

void ImageTable::TagRows::encode(const TagKey& key, std::vector<std::byte>& row) const {
    const auto* image = table->image_of(key.first);
    if (image == nullptr) return;
    const auto tag = image->tags.find(key.second);
    if (tag == image->tags.end()) return;
    FieldWriter{row}.number(key.first).number(tag->second.manifest).bytes(as_bytes(tag->first));
}

Result<void> ImageTable::TagRows::load(ByteView row) const {
    FieldReader fields{row};
    auto* image = table->image_of_row(fields.number<std::uint32_t>());
    const auto manifest = fields.number<std::uint32_t>();
    const auto tag = Tag::parse(as_text(fields.rest()));
    if (image == nullptr || !tag) return fail(kBadRow);
    const auto entry = image->manifests.find(manifest);
    if (entry == image->manifests.end()) return fail(kBadRow);
    auto& tags = image->tags;
    if (!tags.empty() && tags.rbegin()->first >= tag.value().text()) return fail(kBadRow);
    tags.emplace_hint(tags.end(), tag.value().text(), TagEntry{manifest, {}});
    ++entry->second.tag_count;
    table->tag_count_.fetch_add(1, std::memory_order_relaxed);
    return ok();
}

// --- links ---

std::optional<ImageTable::LinkKey> ImageTable::LinkRows::next(
    const std::optional<LinkKey>& after) const {
    auto [blob, number] = after.value_or(LinkKey{0, 0});
    const auto& owners = table->owners_;
    const auto& of_blob = owners.of(cas::BlobId{blob});
    const auto* owner = std::upper_bound(of_blob.begin(), of_blob.end(), number);
    if (owner != of_blob.end()) return LinkKey{blob, *owner};
    for (std::uint32_t passed = 0; passed < kGapMax; ++passed) {
        if (++blob >= owners.end_id()) return std::nullopt;
        const auto& set = owners.of(cas::BlobId{blob});
        if (!set.empty()) return LinkKey{blob, *set.begin()};
    }
    return LinkKey{blob, 0};
}

void ImageTable::LinkRows::encode(const LinkKey& key, std::vector<std::byte>& row) const {
    if (!table->owners_.of(cas::BlobId{key.first}).contains(key.second)) return;
    FieldWriter{row}.number(key.first).number(key.second);
}

Result<void> ImageTable::LinkRows::load(ByteView row) const {
    FieldReader fields{row};
    const auto blob = fields.number<std::uint32_t>();
    auto* image = table->image_of_row(fields.number<std::uint32_t>());
    if (image == nullptr || blob == 0 || !fields.done()) return fail(kBadRow);
    if (blob >= table->loaded_blobs_end_) return fail(kBadRow);
    if (!image->links.insert(blob).second) return fail(kBadRow);
    table->owners_.change(cas::BlobId{blob}).insert(image->number);
    table->link_count_.fetch_add(1, std::memory_order_relaxed);
    return ok();
}

Result<void> ImageTable::LinkRows::loaded() const {
    for (const auto* image : table->by_number_) {
        if (image != nullptr && image->links.empty() && image->manifests.empty())
            return fail(kBadRow);
    }
    return ok();
}

}  // namespace orbitalreg::engine
