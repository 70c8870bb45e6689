#pragma once
// AccessControl says who somebody is, and what they may. Identity is the answer to the first question: an account and the
// credential that was presented for it; each decision is made with that credential's own rights, never with those of the
// account behind it.
//
// A decision is decide() over a ProjectView; who asks often keeps the view until epoch() grows.
//
// Threads  any reactor. Limits  slow hashes: half the cores at once, 64 wait, more are Errc::overloaded.

#include "base/asio.h"
#include "base/clock.h"
#include "base/random.h"
#include "engine/access.h"
#include "engine/accounts.h"
#include "engine/projects.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

struct Identity {
    enum class Kind : std::uint8_t {
        anonymous,
        user,
        robot,
        federated,  // by an identity provider: rights are what its rules granted
        bootstrap,  // may make the first administrator, and nothing else
    };

    Kind kind = Kind::anonymous;
    Principal
        principal;  // `user:alice`, `robot:acme+ci`, `oidc:<issuer>:<subject>`; sessions are bound to it
    std::string account;  // name of the user or robot
    std::string account_id;
    std::uint64_t generation = 0;  // of the account when the credential was found genuine
    std::string credential;        // `password`, `token:<id>`, `secret:<id>`, `oidc:<issuer>`
    bool administrator = false;
    std::vector<Grant> grants;       // of robots and federated ones
    std::vector<std::string> rules;  // of federated ones: those that granted
    std::vector<std::string> groups;
    std::optional<Restriction> at_most;
    std::int64_t expires_s = 0;  // of the credential; 0: none
};

class AccessControl {
public:
    // All outlive it.
    AccessControl(Accounts& accounts, Projects& projects, Random& random);
    ~AccessControl();
    AccessControl(const AccessControl&) = delete;
    AccessControl& operator=(const AccessControl&) = delete;

    Accounts& accounts() noexcept { return accounts_; }
    Projects& projects() noexcept { return projects_; }
    std::uint64_t epoch() const noexcept { return accounts_.epoch(); }

    // By the shape of what is presented, never by trying one after the other. Errc::denied for all that is not genuine,
    // overloaded. `slow`: where given, told whether a slow hash was needed.
    Awaitable<Answer<Identity>> log_in(std::string user, std::string secret, bool* slow = nullptr);
    // Who was found genuine before, looked at again: Errc::denied where the account or its credential has gone, was switched
    // off, or is another generation. Fills in what may change: rights of robots, limits of tokens, administrators.
    Awaitable<Answer<Identity>> recall(Identity identity);

    // Somebody as a whole, not by a credential: `alice`, `robot$acme+ci`, `anonymous`. For explanations. Errc::document_unknown.
    Awaitable<Answer<Identity>> describe(std::string name);

    // All that decides about one project for somebody.
    Awaitable<Answer<ProjectView>> view(const Identity& identity, std::string project);
    // Empty for image names that no project rules.
    std::string project_of(const ImageName& image) const;
    static bool allows_in(const ProjectView& view, const Identity& identity, Action action,
                          std::string_view project, std::string_view image);
    static Decision decide_in(const ProjectView& view, const Identity& identity, Action action,
                              std::string_view project, std::string_view image);
    // At once, for who asks once.
    Awaitable<Answer<Decision>> decide_image(const Identity& identity, Action action,
                                             const ImageName& image);
    Awaitable<Answer<Decision>> decide_project(const Identity& identity, Action action,
                                               std::string project);
    // Whether somebody administers the system.
    static bool administers(const Identity& identity) noexcept;

    // A new password for the user, hashed beside the reactors. Errc::denied with the reason for
    // one that is too weak.
    Awaitable<Answer<std::string>> hash_new_password(std::string user, std::string password);

private:
    class Hashing;
    Awaitable<Answer<Identity>> by_password(std::string user, std::string secret);
    Awaitable<Answer<Identity>> by_personal_token(std::string user, std::string secret);
    Awaitable<Answer<Identity>> by_robot_secret(std::string robot, std::string secret);
    Awaitable<Answer<Identity>> by_bootstrap(std::string secret);
    Awaitable<Answer<Identity>> recall_user(Identity identity);
    Awaitable<Answer<Identity>> recall_robot(Identity identity);

    Accounts& accounts_;
    Projects& projects_;
    Random& random_;
    std::unique_ptr<Hashing> hashing_;
};

}  // namespace orbitalreg::engine
