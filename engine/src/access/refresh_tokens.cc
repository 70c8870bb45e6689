// Refresh tokens of Accounts: `refresh/<family>/<hash>`. The text itself is kept nowhere.

#include "access/account_documents.h"
#include "access/secret.h"
#include "engine/accounts.h"

namespace orbitalreg::engine {
namespace {

constexpr std::int64_t kDay_s = 24 * 3600;
constexpr std::uint32_t kPage = 1000;

std::string document_of(const RefreshToken& token) {
    return std::string{kRefreshPrefix} + token.family + '/' + token.secret_hash;
}

}  // namespace

Awaitable<Answer<NewSecret>> Accounts::create_refresh(RefreshToken token, std::int64_t keep_s) {
    const auto secret = make_secret(SecretKind::refresh, random_, token.family);
    token.family = secret.id;
    token.secret_hash = secret.hash();
    token.renewed_s = now_s();
    const auto written = co_await write(document_of(token), encode_refresh(token),
                                        DocumentExpectation::absent(), keep_s);
    if (!written) co_return refuse(written.error());
    co_return NewSecret{secret.id, secret.text};
}

Awaitable<Answer<RefreshToken>> Accounts::find_refresh(std::string_view text) {
    const auto family = secret_id_of(SecretKind::refresh, text);
    if (!family) co_return refuse(Errc::document_unknown);
    std::string name{kRefreshPrefix};
    name.append(*family).append("/").append(secret_hash(text));
    const auto document = co_await documents_.get(name);
    if (!document) co_return refuse(document.error());
    auto token = decode_refresh(document.value().bytes);
    if (!token) co_return refuse({Errc::damaged, "a refresh token cannot be read"});
    token->version = document.value().version;
    token->family = name.substr(kRefreshPrefix.size(), name.rfind('/') - kRefreshPrefix.size());
    co_return std::move(*token);
}

Awaitable<Answer<void>> Accounts::touch_refresh(RefreshToken token, std::int64_t keep_s,
                                                bool used_up) {
    const auto now = now_s();
    if (!used_up && now - token.renewed_s < kDay_s) co_return ok();
    token.renewed_s = now;
    token.used_up = used_up;
    const auto written = co_await write(document_of(token), encode_refresh(token),
                                        DocumentExpectation::at_version(token.version), keep_s);
    if (written || used_up || written.error().code != Errc::precondition_failed) co_return written;
    // Two that came at once renew it once.
    const auto document = co_await documents_.get(document_of(token));
    if (!document) co_return refuse(document.error());
    const auto renewed = decode_refresh(document.value().bytes);
    if (!renewed) co_return refuse({Errc::damaged, "a refresh token cannot be read"});
    if (renewed->used_up) co_return refuse(written.error());
    co_return ok();
}

// The new one is there before the old one is used up: who revokes the family meanwhile either takes the new one with it, or has
// taken the old one, and then this fails and takes back what it made.
Awaitable<Answer<NewSecret>> Accounts::replace_refresh(RefreshToken token, std::int64_t keep_s) {
    RefreshToken next = token;
    next.used_up = false;
    auto made = co_await create_refresh(std::move(next), keep_s);
    if (!made) co_return refuse(made.error());
    const auto used = co_await touch_refresh(token, keep_s, true);
    if (used) co_return std::move(made).value();
    token.secret_hash = secret_hash(made.value().text);
    const auto removed = co_await remove(document_of(token));
    if (!removed && removed.error().code != Errc::document_unknown)
        co_return refuse(removed.error());
    co_return refuse(used.error());
}

Awaitable<Answer<void>> Accounts::revoke_family(std::string family) {
    const auto prefix = std::string{kRefreshPrefix} + family + '/';
    for (;;) {
        const auto page = co_await documents_.list(prefix, {}, kPage);
        if (!page) co_return refuse(page.error());
        if (page.value().documents.empty()) co_return ok();
        for (const auto& document : page.value().documents) {
            const auto removed = co_await remove(document.name);
            if (!removed && removed.error().code != Errc::document_unknown)
                co_return refuse(removed.error());
        }
    }
}

}  // namespace orbitalreg::engine
