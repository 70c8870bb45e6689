#pragma once
// The numbers of the catalog's tables in a checkpoint: never reused, never changed. Tables are loaded
// in their order. docs/on-disk-format.md, "Rows of owner 2, catalog".

#include "cas/checkpoint.h"

#include <cstdint>

namespace orbitalreg::engine {

enum class TableNumber : std::uint16_t {
    manifests = 64,
    image_names = 65,
    held_manifests = 66,
    tags = 67,
    links = 68,
    documents = 69,
    repositories = 70,
    awaited_children = 71,
    times = 72,
};
constexpr std::uint16_t number_of(TableNumber table) noexcept {
    return static_cast<std::uint16_t>(table);
}
static_assert(number_of(TableNumber::manifests) == cas::kFirstCatalogTable);

}  // namespace orbitalreg::engine
