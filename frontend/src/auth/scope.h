#pragma once
// The scopes of the token protocol: what a client asks to be allowed, `repository:acme/app:pull,push` (DIST-AUTH-26, 27).
//
// Limits   32 in one request (SEC-44).

#include "engine/names.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::size_t kScopesMax = 32;

// What may be done with a repository, as scopes name it; a set of them is the sum.
enum ScopeAction : std::uint8_t { scope_pull = 1, scope_push = 2, scope_delete = 4 };
inline constexpr std::uint8_t kAllScopeActions = scope_pull | scope_push | scope_delete;

// What is asked for or granted: actions on one image name, or the catalog where there is none.
struct Scope {
    std::optional<engine::ImageName> image;  // empty: the registry's catalog
    std::uint8_t actions = 0;                // of an image name
    std::string text;                        // as it was written

    friend bool operator==(const Scope&, const Scope&) = default;
};

// Nothing for what is no scope of this registry: other types, other actions on the catalog, a name outside the grammar (a `*`
// in a name too). Unknown actions grant nothing; `*` stands for all.
std::optional<Scope> parse_scope(std::string_view text);

// Of the values of all `scope` parameters, each of which may hold several with spaces between them. What is no scope is left
// out. Nothing for more than kScopesMax.
std::optional<std::vector<Scope>> parse_scopes(const std::vector<std::string>& values);

// `pull,push`; in this order.
std::string action_names(std::uint8_t actions);
// As parse_scope() reads it.
std::string to_string(const Scope& scope);

}  // namespace orbitalreg::frontend
