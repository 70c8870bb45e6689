#include "engine/names.h"

#include "base/errors.h"

#include <algorithm>

namespace orbitalreg::engine {

namespace {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_lower_alphanumeric(char c) noexcept {
    return (c >= 'a' && c <= 'z') || is_digit(c);
}
constexpr bool is_tag_start(char c) noexcept {
    return is_lower_alphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '_';
}
constexpr bool is_tag_character(char c) noexcept { return is_tag_start(c) || c == '.' || c == '-'; }

// Length of the separator that `text` starts with: one `.`, one or two `_`, any number of `-`; 0
// for none.
std::size_t separator_length(std::string_view text) noexcept {
    if (text.starts_with('-')) return std::min(text.find_first_not_of('-'), text.size());
    if (text.starts_with("__")) return 2;
    if (text.starts_with('_') || text.starts_with('.')) return 1;
    return 0;
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_component(std::string_view text) noexcept {
    for (;;) {
        const auto run_end = std::find_if_not(text.begin(), text.end(), is_lower_alphanumeric);
        if (run_end == text.begin()) return false;
        text.remove_prefix(static_cast<std::size_t>(run_end - text.begin()));
        if (text.empty()) return true;
        const auto separator = separator_length(text);
        if (separator == 0) return false;
        text.remove_prefix(separator);
    }
}

}  // namespace

Result<ImageName> ImageName::parse(std::string_view text) {
    if (text.empty() || text.size() > kImageNameSizeMax) return fail(Errc::name_invalid);
    auto rest = text;
    for (;;) {
        const auto slash = rest.find('/');
        if (!is_component(rest.substr(0, slash))) return fail(Errc::name_invalid);
        if (slash == std::string_view::npos) break;
        rest.remove_prefix(slash + 1);
    }
    return ImageName{std::string{text}};
}

std::size_t ImageName::component_count() const noexcept {
    return 1 + static_cast<std::size_t>(std::count(text_.begin(), text_.end(), '/'));
}

std::string_view ImageName::component(std::size_t index) const noexcept {
    std::string_view rest = text_;
    for (; index > 0; --index) {
        const auto slash = rest.find('/');
        if (slash == std::string_view::npos) return {};
        rest.remove_prefix(slash + 1);
    }
    return rest.substr(0, rest.find('/'));
}

Result<Tag> Tag::parse(std::string_view text) {
    if (text.empty() || text.size() > kTagSizeMax || !is_tag_start(text.front()))
        return fail(Errc::tag_invalid);
    if (!std::all_of(text.begin(), text.end(), is_tag_character)) return fail(Errc::tag_invalid);
    return Tag{std::string{text}};
}

Result<Digest> parse_digest(std::string_view text) {
    auto digest = Digest::parse(text);
    if (digest.has_value()) return digest.value();
    return fail(digest.error() == make_error_code(BaseErrc::digest_unsupported)
                    ? Errc::digest_unsupported
                    : Errc::digest_invalid);
}

Result<Reference> parse_reference(std::string_view text) {
    if (text.find(':') != std::string_view::npos) {
        ORB_TRY(auto digest, parse_digest(text));
        return Reference{digest};
    }
    ORB_TRY(auto tag, Tag::parse(text));
    return Reference{std::move(tag)};
}

std::string to_string(const Reference& reference) {
    if (const auto* tag = std::get_if<Tag>(&reference)) return tag->text();
    return std::get<Digest>(reference).to_string();
}

Answer<RepositoryName> ruling_repository(const ImageName& image, std::string_view default_project) {
    if (image.component_count() > 1) {
        return RepositoryName{std::string{image.component(0)}, std::string{image.component(1)}};
    }
    if (default_project.empty()) {
        return refuse(
            {Errc::name_unknown, "names need a project: try <host>/<project>/" + image.text()});
    }
    // The rule's name goes into records, where a name has the limit of all names.
    if (default_project.size() + 1 + image.text().size() > kImageNameSizeMax) {
        return refuse({Errc::name_invalid, "the name is too long with its project, `" +
                                               std::string{default_project} + '`'});
    }
    return RepositoryName{std::string{default_project}, image.text()};
}

std::string_view rest_of(const ImageName& image) noexcept {
    const std::string_view text = image.text();
    const auto first = text.find('/');
    const auto second = first == text.npos ? text.npos : text.find('/', first + 1);
    return second == text.npos ? std::string_view{} : text.substr(second + 1);
}

Result<ImageName> name_in(const RepositoryName& repository, std::string_view rest) {
    auto text = repository.text();
    if (!rest.empty()) text.append("/").append(rest);
    return ImageName::parse(text);
}

}  // namespace orbitalreg::engine
