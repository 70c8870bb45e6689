#pragma once
// The grammars of what a client may call things: image names, tags, references; and which
// repository object rules an image name. Each value is valid by construction; there is no other
// parser of these in the product. SEC-01, SEC-04.

#include "base/digest.h"
#include "base/result.h"
#include "engine/errors.h"

#include <compare>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace orbitalreg::engine {

inline constexpr std::size_t kImageNameSizeMax = 255;
inline constexpr std::size_t kTagSizeMax = 128;

// ImageName is the whole OCI name, `<project>/<repo>/<image...>`, one component or more. Links,
// manifests, tags, referrers and upload sessions belong to it. DIST-NAME-01 to DIST-NAME-07.
class ImageName {
public:
    // Errc::name_invalid.
    static Result<ImageName> parse(std::string_view text);

    const std::string& text() const noexcept { return text_; }
    // 1 for `app`, 2 for `library/app`, ...
    std::size_t component_count() const noexcept;
    // 0 is the first one; empty beyond the last.
    std::string_view component(std::size_t index) const noexcept;

    friend auto operator<=>(const ImageName&, const ImageName&) = default;

private:
    explicit ImageName(std::string text) noexcept : text_{std::move(text)} {}
    std::string text_;
};

// Tag: [A-Za-z0-9_][A-Za-z0-9._-]{0,127}, compared byte by byte. DIST-TAG-01.
class Tag {
public:
    // Errc::tag_invalid.
    static Result<Tag> parse(std::string_view text);

    const std::string& text() const noexcept { return text_; }
    friend auto operator<=>(const Tag&, const Tag&) = default;

private:
    explicit Tag(std::string text) noexcept : text_{std::move(text)} {}
    std::string text_;
};

using Reference = std::variant<Tag, Digest>;

// A reference with `:` is meant as a digest: Errc::digest_invalid or digest_unsupported. Without:
// Errc::tag_invalid. DIST-TAG-02, DIST-DIG-04.
Result<Reference> parse_reference(std::string_view text);
// As base's Digest::parse, with the errors of this layer.
Result<Digest> parse_digest(std::string_view text);
std::string to_string(const Reference& reference);

// RepositoryName is `<project>/<repo>`: the object with type, members and settings.
struct RepositoryName {
    std::string project;
    std::string repository;

    std::string text() const { return project + "/" + repository; }
    friend auto operator<=>(const RepositoryName&, const RepositoryName&) = default;
};

// The first two components of the image name. A one-component name is ruled by `default_project`
// and is no alias of `<default_project>/<name>`; where that is empty the answer is
// Errc::name_unknown.
Answer<RepositoryName> ruling_repository(const ImageName& image, std::string_view default_project);

// What stands behind the first two components; empty: nothing does.
std::string_view rest_of(const ImageName& image) noexcept;
// `<project>/<repo>/<rest>`. Errc::name_invalid.
Result<ImageName> name_in(const RepositoryName& repository, std::string_view rest);

}  // namespace orbitalreg::engine

template <>
struct std::hash<orbitalreg::engine::ImageName> {
    std::size_t operator()(const orbitalreg::engine::ImageName& name) const noexcept {
        return std::hash<std::string_view>{}(name.text());
    }
};
