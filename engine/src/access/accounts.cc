#include "engine/accounts.h"

#include "access/account_documents.h"
#include "access/document_text.h"
#include "access/password.h"
#include "access/secret.h"

#include <algorithm>
#include <array>

namespace orbitalreg::engine {
namespace {

// How often a change is tried again when another one came between.
constexpr int kTriesMax = 8;
constexpr std::uint32_t kPage = 500;

constexpr std::array<std::string_view, 4> kReservedUsers{"token", "oidc", "bootstrap", "anonymous"};

bool is_small_alphanumeric(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_name(std::string_view text, std::size_t size_max, std::string_view more) noexcept {
    if (text.empty() || text.size() > size_max || !is_small_alphanumeric(text.front()))
        return false;
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return is_small_alphanumeric(c) || more.find(c) != more.npos;
    });
}

Refusal broken(std::string_view name) {
    return {Errc::damaged, "the document `" + std::string{name} + "` cannot be read"};
}

bool is_text(std::string_view text, std::size_t size_max) noexcept {
    return text.size() <= size_max && std::all_of(text.begin(), text.end(), [](char c) {
               return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
           });
}

Answer<void> check_description(const std::string& text, const AccountLimits& limits) {
    if (is_text(text, limits.description_bytes)) return ok();
    return refuse({Errc::too_large, "a description is one line of at most " +
                                        std::to_string(limits.description_bytes) + " bytes"});
}

// Documents under `prefix`, decoded; what cannot be read is left out, and found by fsck and by who asks for it by name.
template <class T>
Awaitable<Answer<AccountPage<T>>> list_as(DocumentStore* documents, std::string prefix,
                                          std::string after, std::uint32_t count,
                                          std::optional<T> (*decode)(ByteView)) {
    auto page = co_await documents->list(std::move(prefix), std::move(after), count);
    if (!page) co_return refuse(page.error());
    AccountPage<T> result{{}, page.value().more};
    for (const auto& document : page.value().documents) {
        if (auto item = decode(document.bytes)) result.items.push_back(std::move(*item));
    }
    co_return result;
}

// Empty: none. What was stored plainly could be read where it is kept (SEC-96).
Answer<void> check_password(const std::string& hash) {
    if (hash.empty() || is_password_hash(hash)) return ok();
    return refuse(
        {Errc::denied, "the password's hash is neither Argon2id nor bcrypt of cost 10 to 14"});
}

}  // namespace

bool is_user_name(std::string_view text) noexcept {
    return is_name(text, 64, "._-@") &&
           std::find(kReservedUsers.begin(), kReservedUsers.end(), text) == kReservedUsers.end();
}

bool is_robot_name(std::string_view text) noexcept { return is_name(text, 63, "._-"); }

Accounts::Accounts(DocumentStore& documents, Random& random, const Clock& clock,
                   AccountLimits limits)
    : documents_{documents},
      random_{random},
      clock_{clock},
      limits_{limits},
      epoch_{std::make_shared<std::atomic<std::uint64_t>>(1)} {
    for (const auto* prefix : {"account/", "project/", "repository/", "visibility/", "member/"}) {
        watches_.push_back(documents_.watch(prefix, [epoch = epoch_](const std::string&) {
            epoch->fetch_add(1, std::memory_order_release);
        }));
    }
}

Accounts::~Accounts() = default;

Awaitable<Answer<void>> Accounts::write(std::string name, std::vector<std::byte> bytes,
                                        DocumentExpectation expected, std::int64_t keep_s) {
    DocumentWrite write{std::move(name), std::move(bytes), expected,
                        static_cast<std::uint64_t>(keep_s) * 1000};
    const auto id = RequestId::make(random_);
    const auto written = co_await documents_.put(id, std::move(write));
    if (!written) co_return refuse(written.error());
    co_return ok();
}

Awaitable<Answer<void>> Accounts::remove(std::string name) {
    const auto id = RequestId::make(random_);
    co_return co_await documents_.remove(id, std::move(name), DocumentExpectation::anything());
}

std::string Accounts::random_id() { return make_secret_id(random_); }

// --- people ---

Awaitable<Answer<User>> Accounts::find_user(std::string name) {
    auto document = co_await documents_.get(user_document(name));
    if (!document) co_return refuse(document.error());
    auto user = decode_user(document.value().bytes);
    if (!user) co_return refuse(broken(document.value().name));
    co_return std::move(*user);
}

Awaitable<Answer<User>> Accounts::create_user(User user) {
    if (!is_user_name(user.name)) {
        co_return refuse({Errc::name_invalid,
                          "a user name is 1 to 64 of small letters, digits, `.`, `_`, `-` and `@`, "
                          "and none of token, oidc, bootstrap, anonymous"});
    }
    ORB_CO_TRY(check_description(user.description, limits_));
    ORB_CO_TRY(check_password(user.password));
    user.id = random_id();
    user.generation = 1;
    user.created_s = now_s();
    const auto written =
        co_await write(user_document(user.name), encode_user(user), DocumentExpectation::absent());
    if (!written) co_return refuse(written.error());
    co_return std::move(user);
}

Awaitable<Answer<User>> Accounts::change_user(std::string name, UserChange change) {
    if (change.description) {
        ORB_CO_TRY(check_description(*change.description, limits_));
    }
    if (change.password) {
        ORB_CO_TRY(check_password(*change.password));
    }
    for (int tries = 1;; ++tries) {
        const auto document = co_await documents_.get(user_document(name));
        if (!document) co_return refuse(document.error());
        auto user = decode_user(document.value().bytes);
        if (!user) co_return refuse(broken(document.value().name));
        if (change.if_password && *change.if_password != user->password)
            co_return refuse(Errc::precondition_failed);
        const bool renewed_hash = change.if_password.has_value();
        const bool switched = change.disabled && *change.disabled != user->disabled;
        if ((change.password && !renewed_hash) || switched) ++user->generation;
        if (change.password) user->password = *change.password;
        if (change.disabled) user->disabled = *change.disabled;
        if (change.administrator) user->administrator = *change.administrator;
        if (change.description) user->description = *change.description;
        const auto written =
            co_await write(user_document(name), encode_user(*user),
                           DocumentExpectation::at_version(document.value().version));
        if (written) co_return std::move(*user);
        if (written.error().code != Errc::precondition_failed || tries == kTriesMax)
            co_return refuse(written.error());
    }
}

Awaitable<Answer<void>> Accounts::remove_user(std::string name) {
    const auto removed = co_await remove(user_document(name));
    if (!removed) co_return refuse(removed.error());
    // They are worth nothing without their owner; this gives their room back.
    const auto tokens = co_await list_tokens(name);
    if (!tokens) co_return refuse(tokens.error());
    for (const auto& token : tokens.value()) {
        const auto gone = co_await remove(token_document(name, token.id));
        if (!gone && gone.error().code != Errc::document_unknown) co_return refuse(gone.error());
    }
    co_return ok();
}

Awaitable<Answer<AccountPage<User>>> Accounts::list_users(std::string after, std::uint32_t count) {
    std::string prefix{kUserPrefix};
    std::string from;
    if (!after.empty()) from = user_document(after);
    co_return co_await list_as<User>(&documents_, std::move(prefix), std::move(from), count,
                                     decode_user);
}

Awaitable<Answer<bool>> Accounts::has_administrator() {
    std::string after;
    for (;;) {
        const auto page = co_await list_users(after, kPage);
        if (!page) co_return refuse(page.error());
        for (const auto& user : page.value().items) {
            if (user.administrator && !user.disabled) co_return true;
        }
        if (!page.value().more || page.value().items.empty()) co_return false;
        after = page.value().items.back().name;
    }
}

// --- personal tokens ---

Awaitable<Answer<NewSecret>> Accounts::create_token(PersonalToken token) {
    ORB_CO_TRY(check_description(token.description, limits_));
    const auto owner = co_await find_user(token.user);
    if (!owner) co_return refuse(owner.error());
    const auto now = now_s();
    if (token.expires_s <= now || token.expires_s > now + limits_.token_life_max_s) {
        co_return refuse({Errc::limit_reached,
                          "a token ends between now and " +
                              std::to_string(limits_.token_life_max_s / 86400) + " days from now"});
    }
    const auto known = co_await list_tokens(token.user);
    if (!known) co_return refuse(known.error());
    if (known.value().size() >= limits_.tokens_per_user) {
        co_return refuse({Errc::limit_reached, "a user has at most " +
                                                   std::to_string(limits_.tokens_per_user) +
                                                   " tokens: remove one first"});
    }
    const auto secret = make_secret(SecretKind::personal, random_);
    token.id = secret.id;
    token.user_id = owner.value().id;
    token.secret_hash = secret.hash();
    token.created_s = now;
    const auto written = co_await write(token_document(token.user, token.id), encode_token(token),
                                        DocumentExpectation::absent());
    if (!written) co_return refuse(written.error());
    co_return NewSecret{secret.id, secret.text};
}

Awaitable<Answer<PersonalToken>> Accounts::find_token(std::string user, std::string id) {
    const auto document = co_await documents_.get(token_document(user, id));
    if (!document) co_return refuse(document.error());
    auto token = decode_token(document.value().bytes);
    if (!token) co_return refuse(broken(document.value().name));
    co_return std::move(*token);
}

Awaitable<Answer<std::vector<PersonalToken>>> Accounts::list_tokens(std::string user) {
    // One page holds all of them: there is a limit, which others may pass by a few.
    const auto page = co_await list_as<PersonalToken>(&documents_, token_document(user, {}), {},
                                                      kPage, decode_token);
    if (!page) co_return refuse(page.error());
    co_return page.value().items;
}

Awaitable<Answer<void>> Accounts::remove_token(std::string user, std::string id) {
    co_return co_await remove(token_document(user, id));
}

// --- things that are good once ---

Awaitable<Answer<void>> Accounts::use_once(std::string issuer, std::string id,
                                           std::int64_t keep_s) {
    co_return co_await write(std::string{kUsedPrefix} + name_part(issuer) + '/' + id, {},
                             DocumentExpectation::absent(), std::max<std::int64_t>(keep_s, 1));
}

Awaitable<Answer<NewSecret>> Accounts::create_bootstrap() {
    const auto secret = make_secret(SecretKind::bootstrap, random_);
    const auto hash = secret.hash();
    const auto bytes = as_bytes(hash);
    const auto written = co_await write(std::string{kBootstrapName}, {bytes.begin(), bytes.end()},
                                        DocumentExpectation::anything());
    if (!written) co_return refuse(written.error());
    co_return NewSecret{secret.id, secret.text};
}

Awaitable<Answer<bool>> Accounts::is_bootstrap(std::string_view text) {
    const bool formed = secret_id_of(SecretKind::bootstrap, text).has_value();
    const auto hash = secret_hash(text);
    const auto document = co_await documents_.get(std::string{kBootstrapName});
    if (!document && document.error().code != Errc::document_unknown)
        co_return refuse(document.error());
    co_return formed&& document&& same_hash(hash, as_text(document.value().bytes));
}

Awaitable<Answer<void>> Accounts::use_bootstrap() {
    co_return co_await remove(std::string{kBootstrapName});
}

}  // namespace orbitalreg::engine
