// People, their passwords and their personal tokens.

#include "auth/authority.h"
#include "auth/grant_json.h"
#include "handlers/management/nouns.h"

#include <algorithm>
#include <cstdio>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Errc;
using engine::Identity;

constexpr std::int64_t kDay_s = 24 * 3600;
constexpr std::int64_t kTokenDays = 90;
constexpr std::uint32_t kPage = 500;

json::object to_object(const engine::User& user) {
    return {{"name", user.name},         {"administrator", user.administrator},
            {"disabled", user.disabled}, {"description", user.description},
            {"created", user.created_s}, {"has_password", !user.password.empty()}};
}

json::object to_object(const engine::PersonalToken& token) {
    auto object = to_json(token.at_most);
    object["id"] = token.id;
    object["description"] = token.description;
    object["created"] = token.created_s;
    object["expires"] = token.expires_s;
    return object;
}

// Nobody but administrators and the user; for others there is no such user.
std::optional<Response> refuse_foreign(const Call& call) {
    if (call.administers() || call.is_self(call.arguments[0])) return std::nullopt;
    return api_not_found();
}

// Whether somebody else would still administer the system.
Awaitable<engine::Answer<bool>> has_other_administrator(const Call* call, std::string except) {
    std::string after;
    for (;;) {
        const auto page = co_await call->accounts().list_users(after, kPage);
        if (!page) co_return engine::refuse(page.error());
        for (const auto& user : page.value().items) {
            if (user.administrator && !user.disabled && user.name != except) co_return true;
        }
        if (!page.value().more || page.value().items.empty()) co_return false;
        after = page.value().items.back().name;
    }
}

// Who would lock everybody out is told so.
Awaitable<std::optional<Response>> refuse_last(const Call* call, std::string name) {
    const auto user = co_await call->accounts().find_user(name);
    if (!user) co_return api_refusal(user.error());
    if (!user.value().administrator || user.value().disabled) co_return std::nullopt;
    const auto others = co_await has_other_administrator(call, std::move(name));
    if (!others) co_return api_refusal(others.error());
    if (others.value()) co_return std::nullopt;
    co_return api_error(409, "CONFLICT", "this is the only administrator: make another one first");
}

// The hash that the body asks for, or none.
Awaitable<engine::Answer<std::string>> password_of(const Call* call, std::string user,
                                                   std::optional<std::string> password,
                                                   std::optional<std::string> hash) {
    if (password && hash)
        co_return engine::refuse({Errc::denied, "either `password` or `password_hash`"});
    if (hash) co_return std::move(*hash);
    if (!password) co_return std::string{};
    co_return co_await call->access().hash_new_password(std::move(user), std::move(*password));
}

}  // namespace

Awaitable<Response> api_list_users(Call* call) {
    if (!call->administers()) co_return api_denied("this is for administrators of the system");
    std::optional<Response> refused;
    const auto page = read_page(*call, refused);
    if (!page) co_return std::move(*refused);
    auto found = co_await call->accounts().list_users(page->after, page->size);
    if (!found) co_return api_refusal(found.error());
    json::array items;
    for (const auto& user : found.value().items) items.push_back(to_object(user));
    const auto last = found.value().items.empty() ? std::string{} : found.value().items.back().name;
    co_return api_list(*call, std::move(items), found.value().more, last, *page);
}

Awaitable<Response> api_create_user(Call* call) {
    const bool bootstrap = call->who->kind == Identity::Kind::bootstrap;
    if (!call->administers() && !bootstrap)
        co_return api_denied("this is for administrators of the system");
    BodyMembers members{call->body};
    engine::User user;
    user.name = members.text("name").value_or("");
    const auto password = members.text("password");
    const auto hash = members.text("password_hash");
    user.administrator = members.flag("administrator").value_or(false);
    user.description = members.text("description").value_or("");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (bootstrap && (!user.administrator || !password))
        co_return api_denied("the bootstrap secret makes one administrator, with a password");
    call->exchange.notes.reference = user.name;
    auto hashed = co_await password_of(call, user.name, password, hash);
    if (!hashed) co_return api_refusal(hashed.error());
    user.password = std::move(hashed).value();
    if (bootstrap) {
        if (!engine::is_user_name(user.name)) co_return api_invalid("the name is not a user's");
        // It ends first: used twice at once, it makes one. A crash in between leaves no administrator, and the next start
        // makes a new secret.
        const auto used = co_await call->accounts().use_bootstrap();
        if (!used) co_return api_denied("the bootstrap secret was used already");
    }
    const auto name = user.name;
    const auto made = co_await call->accounts().create_user(std::move(user));
    if (!made) co_return api_refusal(made.error());
    // It is worth nothing any more.
    if (bootstrap) std::remove(call->services.options.auth.bootstrap_path.c_str());
    co_return api_created(*call, to_object(made.value()), name);
}

Awaitable<Response> api_show_user(Call* call) {
    if (auto refused = refuse_foreign(*call)) co_return std::move(*refused);
    const auto user = co_await call->accounts().find_user(call->arguments[0]);
    if (!user) co_return api_refusal(user.error());
    co_return api_answer(200, to_object(user.value()));
}

Awaitable<Response> api_change_user(Call* call) {
    if (!call->administers()) co_return api_denied("this is for administrators of the system");
    BodyMembers members{call->body};
    engine::UserChange change;
    change.administrator = members.flag("administrator");
    change.disabled = members.flag("disabled");
    change.description = members.text("description");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    const bool weaker = change.disabled.value_or(false) || !change.administrator.value_or(true);
    if (weaker) {
        if (auto refused = co_await refuse_last(call, call->arguments[0]))
            co_return std::move(*refused);
    }
    const auto changed =
        co_await call->accounts().change_user(call->arguments[0], std::move(change));
    if (!changed) co_return api_refusal(changed.error());
    co_return api_answer(200, to_object(changed.value()));
}

Awaitable<Response> api_remove_user(Call* call) {
    if (!call->administers()) co_return api_denied("this is for administrators of the system");
    if (auto refused = co_await refuse_last(call, call->arguments[0]))
        co_return std::move(*refused);
    const auto removed = co_await call->accounts().remove_user(call->arguments[0]);
    if (!removed) co_return api_refusal(removed.error());
    co_return api_gone();
}

Awaitable<Response> api_set_password(Call* call) {
    if (auto refused = refuse_foreign(*call)) co_return std::move(*refused);
    // A token that was stolen must not become a password.
    if (!call->administers() && call->who->credential != "password")
        co_return api_denied("one's own password is changed with the old one");
    BodyMembers members{call->body};
    auto password = members.text("password");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (!password) co_return api_invalid("`password` is missing");
    auto hashed =
        co_await call->access().hash_new_password(call->arguments[0], std::move(*password));
    if (!hashed) co_return api_refusal(hashed.error());
    engine::UserChange change;
    change.password = std::move(hashed).value();
    const auto changed =
        co_await call->accounts().change_user(call->arguments[0], std::move(change));
    if (!changed) co_return api_refusal(changed.error());
    co_return api_gone();
}

// --- personal tokens ---

Awaitable<Response> api_list_tokens(Call* call) {
    if (auto refused = refuse_foreign(*call)) co_return std::move(*refused);
    const auto found = co_await call->accounts().list_tokens(call->arguments[0]);
    if (!found) co_return api_refusal(found.error());
    json::array items;
    for (const auto& token : found.value()) items.push_back(to_object(token));
    co_return api_list(*call, std::move(items), false, {}, {});
}

Awaitable<Response> api_create_token(Call* call) {
    if (auto refused = refuse_foreign(*call)) co_return std::move(*refused);
    if (!call->is_self(call->arguments[0]))
        co_return api_denied(
            "a token is made by its owner, with a credential that is not restricted");
    BodyMembers members{call->body};
    engine::PersonalToken token;
    token.user = call->arguments[0];
    token.description = members.text("description").value_or("");
    const auto days = members.number("expires_in_days").value_or(kTokenDays);
    const auto limit = members.restriction();
    if (auto refused = members.refuse()) co_return std::move(*refused);
    token.at_most = limit.value_or(engine::Restriction{});
    token.expires_s = call->accounts().now_s() + std::min<std::int64_t>(days, 100'000) * kDay_s;
    // It does not outlive the credential that made it.
    if (call->who->expires_s != 0)
        token.expires_s = std::min(token.expires_s, call->who->expires_s);
    const auto made = co_await call->accounts().create_token(std::move(token));
    if (!made) co_return api_refusal(made.error());
    call->exchange.notes.reference = made.value().id;
    const auto kept = co_await call->accounts().find_token(call->arguments[0], made.value().id);
    if (!kept) co_return api_refusal(kept.error());
    co_return api_created(
        *call, json::object{{"token", to_object(kept.value())}, {"secret", made.value().text}},
        made.value().id);
}

Awaitable<Response> api_remove_token(Call* call) {
    if (auto refused = refuse_foreign(*call)) co_return std::move(*refused);
    call->exchange.notes.reference = call->arguments[1];
    const auto removed =
        co_await call->accounts().remove_token(call->arguments[0], call->arguments[1]);
    if (!removed) co_return api_refusal(removed.error());
    co_return api_gone();
}

}  // namespace orbitalreg::frontend
