// Names, tags and references: what parses is written back as it was read, and lies within the grammar.

#include "base/assert.h"
#include "engine/names.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

using namespace orbitalreg::engine;

namespace {

void check_image(std::string_view text) {
    const auto image = ImageName::parse(text);
    if (!image) return;
    const auto& name = image.value();
    ORB_ASSERT(name.text() == text && text.size() <= kImageNameSizeMax);
    ORB_ASSERT(text.find("..") == std::string_view::npos &&
               text.find("//") == std::string_view::npos);
    ORB_ASSERT(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-/") ==
               std::string_view::npos);
    std::string joined;
    for (std::size_t i = 0; i < name.component_count(); ++i) {
        ORB_ASSERT(!name.component(i).empty());
        joined += (i > 0 ? "/" : "") + std::string{name.component(i)};
    }
    ORB_ASSERT(joined == text);
    const auto repository = ruling_repository(name, "library");
    if (repository) {
        ORB_ASSERT(ImageName::parse(repository.value().text()).has_value());
    } else {
        ORB_ASSERT(name.component_count() == 1 && text.size() + 8 > kImageNameSizeMax);
    }
}

void check_reference(std::string_view text) {
    const auto reference = parse_reference(text);
    if (!reference) return;
    ORB_ASSERT(to_string(reference.value()) == text);
    const bool has_colon = text.find(':') != std::string_view::npos;
    ORB_ASSERT(std::holds_alternative<orbitalreg::Digest>(reference.value()) == has_colon);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    check_image(text);
    check_reference(text);
    return 0;
}
