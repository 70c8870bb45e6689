#pragma once
// Accounts is who may come in: people, robots, and the secrets that stand for them. Documents of the DocumentStore, so that a
// change is durable before it is answered, and seen by every reader at once. Of a secret only a hash is kept (SEC-96, SEC-97).
//
// Identity of an account: a name can be given again after its account was removed; what refers to an account (tokens, members)
// therefore holds its id too, which is never given again.
// Generation      grows when a password changes or an account is switched off: what was issued before is worth nothing then.
//
// Durable  a call that answered with success.
// Threads  any reactor.
// Limits   AccountLimits. Errors  Errc::document_unknown for what is not there, exists, name_invalid, limit_reached,
//          manifest_invalid never; the store's own.

#include "base/asio.h"
#include "base/clock.h"
#include "base/random.h"
#include "engine/access.h"
#include "engine/document_store.h"
#include "engine/errors.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

struct AccountLimits {
    std::size_t tokens_per_user = 100;
    std::size_t grants_per_account = 100;
    std::size_t description_bytes = 256;
    std::int64_t token_life_max_s = 365 * 24 * 3600LL;
};

struct User {
    std::string name;
    std::string id;        // random, never given again
    std::string password;  // Argon2id as a PHC string, or bcrypt from an import; empty: none
    bool administrator = false;
    bool disabled = false;
    std::uint64_t generation = 1;
    std::int64_t created_s = 0;
    std::string description;
};

struct UserChange {
    std::optional<std::string> password;  // hashed
    std::optional<bool> administrator;
    std::optional<bool> disabled;
    std::optional<std::string> description;
    // Only where the password is still this one: a hash that is renewed at a login must not undo a change.
    std::optional<std::string> if_password;
};

// A secret that stands for its owner, within limits.
struct PersonalToken {
    std::string id;
    std::string user;
    std::string user_id;
    std::string description;
    std::string secret_hash;  // SHA-256, hexadecimal
    Restriction at_most;
    std::int64_t created_s = 0;
    std::int64_t expires_s = 0;
};

struct RobotSecret {
    std::string id;
    std::string hash;  // SHA-256, hexadecimal
    std::int64_t created_s = 0;
};

// A machine with rights of its own. Two secrets may be good at once, so that one can be replaced without a gap.
struct Robot {
    static constexpr std::size_t kSecretsMax = 2;

    std::string project;  // empty: of the whole system
    std::string name;     // within the project
    std::string id;
    std::vector<RobotSecret> secrets;
    std::vector<Grant> grants;
    bool disabled = false;
    std::uint64_t generation = 1;
    std::int64_t created_s = 0;
    std::int64_t expires_s = 0;  // 0: never
    std::string description;

    // `acme+ci`, or `ci` for one of the system; behind `robot$` it is what a client logs in as.
    std::string full_name() const { return project.empty() ? name : project + '+' + name; }
};

struct RobotChange {
    std::optional<bool> disabled;
    std::optional<std::string> description;
    std::optional<std::vector<Grant>> grants;
    std::optional<std::int64_t> expires_s;
};

// A refresh token as it is kept: on whose behalf it gives access tokens. Tokens that came out of each other are a family.
struct RefreshToken {
    std::string family;
    std::string secret_hash;
    std::string principal;  // `user:alice`, `robot:acme+ci`
    std::string account_id;
    std::uint64_t generation = 0;
    std::string credential;  // with which it was asked for
    std::string service;
    std::string client_id;
    std::int64_t renewed_s = 0;
    bool used_up = false;  // one was given in its place
    std::uint64_t version = 0;
};

// What is shown once and kept nowhere.
struct NewSecret {
    std::string id;
    std::string text;
};

template <class T>
struct AccountPage {
    std::vector<T> items;
    bool more = false;
};

class Accounts {
public:
    // All outlive it.
    Accounts(DocumentStore& documents, Random& random, const Clock& clock,
             AccountLimits limits = {});
    ~Accounts();
    Accounts(const Accounts&) = delete;
    Accounts& operator=(const Accounts&) = delete;

    // Grows with each change of an account, a project or a member: what was decided before is looked at again.
    std::uint64_t epoch() const noexcept { return epoch_->load(std::memory_order_acquire); }
    std::int64_t now_s() const noexcept { return clock_.wall_ns() / 1'000'000'000; }

    // --- people ---
    Awaitable<Answer<User>> find_user(std::string name);
    // Id, generation and time are set here.
    Awaitable<Answer<User>> create_user(User user);
    Awaitable<Answer<User>> change_user(std::string name, UserChange change);
    // With its personal tokens. What projects grant to the name is no grant to a later account of that name.
    Awaitable<Answer<void>> remove_user(std::string name);
    Awaitable<Answer<AccountPage<User>>> list_users(std::string after, std::uint32_t count);
    // Whether anybody enabled administers the system.
    Awaitable<Answer<bool>> has_administrator();

    // --- personal tokens ---
    // `token` needs user, description, limits and end; the secret is in the answer and nowhere else.
    Awaitable<Answer<NewSecret>> create_token(PersonalToken token);
    Awaitable<Answer<PersonalToken>> find_token(std::string user, std::string id);
    Awaitable<Answer<std::vector<PersonalToken>>> list_tokens(std::string user);
    Awaitable<Answer<void>> remove_token(std::string user, std::string id);

    // --- robots ---
    Awaitable<Answer<Robot>> find_robot(std::string full_name);
    Awaitable<Answer<NewSecret>> create_robot(Robot robot);
    Awaitable<Answer<Robot>> change_robot(std::string full_name, RobotChange change);
    // A further secret; the oldest goes where there are two. `replace`: all others go at once.
    Awaitable<Answer<NewSecret>> add_robot_secret(std::string full_name, bool replace);
    Awaitable<Answer<void>> remove_robot(std::string full_name);
    // Of the project; of the system where it is empty.
    Awaitable<Answer<AccountPage<Robot>>> list_robots(std::string project, std::string after,
                                                      std::uint32_t count);

    // --- refresh tokens ---
    // `token` needs all but family and hash; with a family it joins that one.
    Awaitable<Answer<NewSecret>> create_refresh(RefreshToken token, std::int64_t keep_s);
    Awaitable<Answer<RefreshToken>> find_refresh(std::string_view text);
    // Keeps it for `keep_s` from now; a write only where that is a day more than before, or where `used_up` is told.
    // Errc::precondition_failed, document_unknown: it was used or revoked meanwhile.
    Awaitable<Answer<void>> touch_refresh(RefreshToken token, std::int64_t keep_s, bool used_up);
    // One in the place of `token`, which is used up; of its family, and for the same. Errors as touch_refresh().
    Awaitable<Answer<NewSecret>> replace_refresh(RefreshToken token, std::int64_t keep_s);
    // All of it, those that come to be meanwhile too.
    Awaitable<Answer<void>> revoke_family(std::string family);

    // --- things that are good once ---
    // Errc::exists when `id` was used before; remembered durably for `keep_s`.
    Awaitable<Answer<void>> use_once(std::string issuer, std::string id, std::int64_t keep_s);
    // The secret that makes the first administrator. Replaces an older one.
    Awaitable<Answer<NewSecret>> create_bootstrap();
    Awaitable<Answer<bool>> is_bootstrap(std::string_view text);
    // Errc::document_unknown when it was used before.
    Awaitable<Answer<void>> use_bootstrap();

private:
    Awaitable<Answer<void>> write(std::string name, std::vector<std::byte> bytes,
                                  DocumentExpectation expected, std::int64_t keep_s = 0);
    Awaitable<Answer<void>> remove(std::string name);
    std::string random_id();

    DocumentStore& documents_;
    Random& random_;
    const Clock& clock_;
    const AccountLimits limits_;
    // The watches hold it as well: one may still run while this goes.
    std::shared_ptr<std::atomic<std::uint64_t>> epoch_;
    std::vector<std::shared_ptr<void>> watches_;
};

// `alice`, `a.b@example.org`: 1 to 64 of small letters, digits, `.`, `_`, `-` and `@`, the first a letter or digit; none of the
// names that stand for something else at a login.
bool is_user_name(std::string_view text) noexcept;
// 1 to 63 of small letters, digits, `.`, `_`, `-`, the first a letter or digit.
bool is_robot_name(std::string_view text) noexcept;

}  // namespace orbitalreg::engine
