#pragma once
// StrongId makes integers of one width that mean different things different types.

#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>

namespace orbitalreg {

template <class Tag, std::unsigned_integral Rep>
struct StrongId {
    Rep value{};

    constexpr StrongId() = default;
    constexpr explicit StrongId(Rep v) noexcept : value{v} {}
    friend constexpr auto operator<=>(StrongId, StrongId) = default;
    constexpr explicit operator bool() const noexcept { return value != 0; }
};

}  // namespace orbitalreg

template <class Tag, class Rep>
struct std::hash<orbitalreg::StrongId<Tag, Rep>> {
    std::size_t operator()(orbitalreg::StrongId<Tag, Rep> id) const noexcept {
        return std::hash<Rep>{}(id.value);
    }
};
