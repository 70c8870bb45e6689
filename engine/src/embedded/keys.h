#pragma once
// The keys of the catalog's requests (docs/architecture.md, "Commit"): two requests that could
// spoil each other's checks share one exclusively, so that they never share a frame.

#include "base/checksum.h"
#include "base/digest.h"
#include "engine/names.h"
#include "engine/request_id.h"

#include <cstdint>
#include <string_view>

namespace orbitalreg::engine {

enum class KeyKind : std::uint64_t {
    repository = 1,
    image_digest,
    image_tag,
    request,
    document,
    image_pulls
};

inline std::uint64_t key_of(KeyKind kind, std::string_view text, std::uint64_t more = 0) noexcept {
    return mix64(checksum64(as_bytes(text), static_cast<std::uint64_t>(kind)), more);
}

// Of the repository object that rules the image name: its first two components.
inline std::uint64_t repository_key(const ImageName& image) noexcept {
    const std::string_view text = image.text();
    const auto first = text.find('/');
    const auto second = first == std::string_view::npos ? first : text.find('/', first + 1);
    return key_of(KeyKind::repository, text.substr(0, second));
}

inline std::uint64_t image_digest_key(const ImageName& image, const Digest& digest) noexcept {
    return key_of(KeyKind::image_digest, image.text(), digest.prefix());
}

inline std::uint64_t image_tag_key(const ImageName& image, const Tag& tag) noexcept {
    return key_of(KeyKind::image_tag, image.text(), checksum64(as_bytes(tag.text())));
}

// Of the times of pulls under an image name: what notes them, exclusive; what judges by them, shared.
inline std::uint64_t image_pulls_key(const ImageName& image) noexcept {
    return key_of(KeyKind::image_pulls, image.text());
}

inline std::uint64_t request_key(const RequestId& id) noexcept {
    return mix64(mix64(id.high, static_cast<std::uint64_t>(KeyKind::request)), id.low);
}

inline std::uint64_t document_key(std::string_view name) noexcept {
    return key_of(KeyKind::document, name);
}

}  // namespace orbitalreg::engine
