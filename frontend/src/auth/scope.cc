#include "auth/scope.h"

#include <array>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kRepository = "repository";
constexpr std::string_view kRegistry = "registry";
constexpr std::string_view kCatalog = "catalog";

struct NamedAction {
    std::string_view name;
    std::uint8_t actions;
};
constexpr std::array kActions{NamedAction{"pull", scope_pull}, NamedAction{"push", scope_push},
                              NamedAction{"delete", scope_delete},
                              NamedAction{"*", kAllScopeActions}};

// Calls `take` with each part of `text` between separators.
template <class Take>
void split(std::string_view text, char separator, Take take) {
    while (!text.empty()) {
        const auto end = text.find(separator);
        take(text.substr(0, end));
        if (end == text.npos) return;
        text.remove_prefix(end + 1);
    }
}

std::uint8_t parse_actions(std::string_view text) {
    std::uint8_t actions = 0;
    split(text, ',', [&](std::string_view word) {
        for (const auto& known : kActions) {
            if (known.name == word) actions |= known.actions;
        }
    });
    return actions;
}

// Without the class: `repository(plugin)` is a repository.
std::string_view type_of(std::string_view text) noexcept {
    const auto bracket = text.find('(');
    return bracket != text.npos && text.ends_with(')') ? text.substr(0, bracket) : text;
}

}  // namespace

std::optional<Scope> parse_scope(std::string_view text) {
    const auto first = text.find(':');
    const auto last = text.rfind(':');
    if (first == text.npos || first == last) return std::nullopt;
    const auto type = type_of(text.substr(0, first));
    const auto name = text.substr(first + 1, last - first - 1);
    const auto actions = text.substr(last + 1);
    Scope scope;
    scope.text = text;
    if (type == kRegistry) {
        if (name != kCatalog || actions != "*") return std::nullopt;
        return scope;
    }
    if (type != kRepository) return std::nullopt;
    auto image = engine::ImageName::parse(name);
    if (!image) return std::nullopt;
    scope.image = std::move(image).value();
    scope.actions = parse_actions(actions);
    return scope;
}

std::optional<std::vector<Scope>> parse_scopes(const std::vector<std::string>& values) {
    std::vector<Scope> scopes;
    std::size_t count = 0;
    for (const auto& value : values) {
        split(value, ' ', [&](std::string_view text) {
            if (text.empty() || ++count > kScopesMax) return;
            if (auto scope = parse_scope(text)) scopes.push_back(std::move(*scope));
        });
    }
    if (count > kScopesMax) return std::nullopt;
    return scopes;
}

std::string action_names(std::uint8_t actions) {
    std::string names;
    for (const auto& known : kActions) {
        if (known.actions == kAllScopeActions || (actions & known.actions) == 0) continue;
        names.append(names.empty() ? "" : ",").append(known.name);
    }
    return names;
}

std::string to_string(const Scope& scope) {
    if (!scope.image) return "registry:catalog:*";
    return "repository:" + scope.image->text() + ':' + action_names(scope.actions);
}

}  // namespace orbitalreg::frontend
