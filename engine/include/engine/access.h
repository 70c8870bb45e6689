#pragma once
// Who may do what. Principal is on whose behalf a request is made; with auth.mode none there is one, the anonymous one.
// decide() is the only place that says yes: a pure function of what somebody was granted, so that the token service, each
// request and `access explain` cannot come to different answers. Rights are a union; nothing denies.
//
// Threads  any.

#include "base/asio.h"
#include "engine/names.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

struct Principal {
    std::string name;  // empty: anonymous

    friend bool operator==(const Principal&, const Principal&) = default;
};

// What somebody is in a project.
enum class Role : std::uint8_t {
    limited,  // pulls what it knows by name
    guest,
    developer,
    maintainer,
    project_admin,
    security,
};
inline constexpr std::size_t kRoles = 6;

enum class Action : std::uint8_t {
    pull,
    list,  // tags, and the project itself
    read_report,
    push,  // repositories made by a push, and referrers, too
    move_tag,
    remove,  // tags and manifests
    run_retention,
    waive_finding,
    release_quarantine,
    pull_quarantined,
    edit_retention,
    edit_threshold,
    edit_trust,
    manage_members,
    manage_robots,
    administer,  // projects, issuers, global policies, the whole catalog: system administrators alone
};
inline constexpr std::size_t kActions = 16;

std::string_view to_string(Role role) noexcept;
std::string_view to_string(Action action) noexcept;
std::optional<Role> parse_role(std::string_view text) noexcept;
std::optional<Action> parse_action(std::string_view text) noexcept;

bool role_allows(Role role, Action action) noexcept;

// Whether `text` is what `pattern` describes: `*` stands for anything without `/`, `**` for anything, all else for itself.
// In time proportional to the product of the two sizes.
bool matches_pattern(std::string_view pattern, std::string_view text);

// One right that somebody was given.
struct Grant {
    std::string project;
    Role role = Role::limited;
    std::vector<std::string> patterns;  // of image names within the project; empty: all of them
    std::vector<Action> only;           // empty: all that the role allows
    std::string origin;                 // for people: `member alice`, `rule acme-release`

    friend bool operator==(const Grant&, const Grant&) = default;
};

// What a credential may at most, whatever the account behind it may: a personal token is narrower than its owner.
struct Restriction {
    std::vector<std::string> patterns;  // of whole image names, `acme/**`; empty: all
    std::vector<Action> only;           // empty: all

    friend bool operator==(const Restriction&, const Restriction&) = default;
};

struct Rights {
    bool administrator = false;  // of the whole system
    std::vector<Grant> grants;
    std::optional<Restriction> at_most;
};

// What is asked. `image` is empty for what concerns the project as a whole, and so is `project` for what concerns the
// whole system.
struct AccessQuestion {
    Action action = Action::pull;
    std::string_view project;
    std::string_view image;
    bool open_to_all = false;  // the project is public
};

struct Decision {
    bool allowed = false;
    std::string reason;  // by what, or what was missing; for people who may see it
};

Decision decide(const Rights& rights, const AccessQuestion& question);
// The same answer without its reason.
bool allows(const Rights& rights, const AccessQuestion& question);

// RequestAccess is what one request may do beyond the image name in its path: where a mount may take from, what a listing
// may show. It speaks for the presented credential.
//
// Threads  the request's.
class RequestAccess {
public:
    virtual ~RequestAccess() = default;
    // `image` outlives the call.
    virtual Awaitable<bool> may(Action action, const ImageName& image) const = 0;
    // False: there is nothing in the project that may be listed, so nobody needs to look.
    virtual Awaitable<bool> sees(std::string project) const = 0;
};

}  // namespace orbitalreg::engine
