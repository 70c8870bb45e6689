#include "engine/access.h"

#include <algorithm>
#include <array>

namespace orbitalreg::engine {
namespace {

constexpr std::uint32_t bit(Action action) noexcept { return 1U << static_cast<unsigned>(action); }
template <class... Actions>
constexpr std::uint32_t bits(Actions... actions) noexcept {
    return (bit(actions) | ...);
}

struct RoleFacts {
    Role role;
    std::string_view name;
    std::uint32_t allowed;
};

constexpr std::uint32_t kLimited = bits(Action::pull);
constexpr std::uint32_t kGuest = kLimited | bits(Action::list, Action::read_report);
constexpr std::uint32_t kDeveloper = kGuest | bits(Action::push, Action::move_tag);
constexpr std::uint32_t kMaintainer = kDeveloper | bits(Action::remove, Action::run_retention);
constexpr std::uint32_t kProjectAdmin =
    kMaintainer | bits(Action::edit_retention, Action::edit_threshold, Action::edit_trust,
                       Action::manage_members, Action::manage_robots);
// Judges content and changes none.
constexpr std::uint32_t kSecurity =
    kGuest | bits(Action::waive_finding, Action::release_quarantine, Action::pull_quarantined,
                  Action::edit_threshold, Action::edit_trust);

constexpr std::array<RoleFacts, kRoles> kRoleFacts{{
    {Role::limited, "limited", kLimited},
    {Role::guest, "guest", kGuest},
    {Role::developer, "developer", kDeveloper},
    {Role::maintainer, "maintainer", kMaintainer},
    {Role::project_admin, "admin", kProjectAdmin},
    {Role::security, "security", kSecurity},
}};

constexpr std::array<std::string_view, kActions> kActionNames{"pull",
                                                              "list",
                                                              "read_report",
                                                              "push",
                                                              "move_tag",
                                                              "delete",
                                                              "run_retention",
                                                              "waive_finding",
                                                              "release_quarantine",
                                                              "pull_quarantined",
                                                              "edit_retention",
                                                              "edit_threshold",
                                                              "edit_trust",
                                                              "manage_members",
                                                              "manage_robots",
                                                              "administer"};

// What anybody may do in a public project.
constexpr std::uint32_t kPublic = bits(Action::pull, Action::list);

bool covers(const Grant& grant, std::string_view image) {
    if (grant.patterns.empty()) return true;
    return !image.empty() &&
           std::any_of(grant.patterns.begin(), grant.patterns.end(),
                       [&](const auto& pattern) { return matches_pattern(pattern, image); });
}

bool grants(const Grant& grant, const AccessQuestion& question) {
    if (grant.project != question.project || !role_allows(grant.role, question.action))
        return false;
    if (!grant.only.empty() &&
        std::find(grant.only.begin(), grant.only.end(), question.action) == grant.only.end())
        return false;
    return covers(grant, question.image);
}

bool within(const Restriction& limit, const AccessQuestion& question) {
    if (!limit.only.empty() &&
        std::find(limit.only.begin(), limit.only.end(), question.action) == limit.only.end())
        return false;
    if (limit.patterns.empty()) return true;
    return std::any_of(limit.patterns.begin(), limit.patterns.end(), [&](const auto& pattern) {
        return matches_pattern(pattern, question.image);
    });
}

}  // namespace

std::string_view to_string(Role role) noexcept {
    return kRoleFacts[static_cast<std::size_t>(role)].name;
}

std::string_view to_string(Action action) noexcept {
    return kActionNames[static_cast<std::size_t>(action)];
}

std::optional<Role> parse_role(std::string_view text) noexcept {
    for (const auto& facts : kRoleFacts) {
        if (facts.name == text) return facts.role;
    }
    return std::nullopt;
}

std::optional<Action> parse_action(std::string_view text) noexcept {
    const auto found = std::find(kActionNames.begin(), kActionNames.end(), text);
    if (found == kActionNames.end()) return std::nullopt;
    return static_cast<Action>(found - kActionNames.begin());
}

bool role_allows(Role role, Action action) noexcept {
    return (kRoleFacts[static_cast<std::size_t>(role)].allowed & bit(action)) != 0;
}

// reached[i]: the pattern so far can stand for the first i characters.
bool matches_pattern(std::string_view pattern, std::string_view text) {
    std::vector<bool> reached(text.size() + 1, false);
    reached[0] = true;
    while (!pattern.empty()) {
        const bool across = pattern.starts_with("**");
        if (across || pattern.front() == '*') {
            for (std::size_t i = 0; i < text.size(); ++i) {
                if (reached[i] && (across || text[i] != '/')) reached[i + 1] = true;
            }
            pattern.remove_prefix(across ? 2 : 1);
            continue;
        }
        for (std::size_t i = text.size(); i > 0; --i) {
            reached[i] = reached[i - 1] && text[i - 1] == pattern.front();
        }
        reached[0] = false;
        pattern.remove_prefix(1);
    }
    return reached[text.size()];
}

namespace {

// The first thing that says yes; all of them nothing: no.
struct Ground {
    bool restricted = false;  // the credential is for less
    bool administrator = false;
    bool open = false;
    const Grant* grant = nullptr;
    bool allowed() const noexcept { return administrator || open || grant != nullptr; }
};

Ground find_ground(const Rights& rights, const AccessQuestion& question) {
    Ground ground;
    ground.restricted = rights.at_most && !within(*rights.at_most, question);
    if (ground.restricted) return ground;
    ground.administrator = rights.administrator;
    if (ground.administrator) return ground;
    ground.open = question.open_to_all && (kPublic & bit(question.action)) != 0;
    if (ground.open) return ground;
    const auto found = std::find_if(rights.grants.begin(), rights.grants.end(),
                                    [&](const Grant& grant) { return grants(grant, question); });
    if (found != rights.grants.end()) ground.grant = &*found;
    return ground;
}

}  // namespace

bool allows(const Rights& rights, const AccessQuestion& question) {
    return find_ground(rights, question).allowed();
}

Decision decide(const Rights& rights, const AccessQuestion& question) {
    const auto ground = find_ground(rights, question);
    if (ground.restricted) return {false, "the credential is restricted to less"};
    if (ground.administrator) return {true, "system administrator"};
    if (ground.open) return {true, "it is public"};
    if (ground.grant != nullptr) {
        const auto& grant = *ground.grant;
        return {true, std::string{to_string(grant.role)} + " of " + grant.project +
                          (grant.origin.empty() ? "" : ", by " + grant.origin)};
    }
    return {false, "nothing grants `" + std::string{to_string(question.action)} + "` in " +
                       std::string{question.project}};
}

}  // namespace orbitalreg::engine
