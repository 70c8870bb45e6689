#include "frontend/bootstrap.h"

#include "auth/private_file.h"
#include "engine/access_control.h"

#include <cstdio>

namespace orbitalreg::frontend {
namespace {

std::string_view without_line_end(std::string_view text) noexcept {
    while (text.ends_with('\n')) text.remove_suffix(1);
    return text;
}

}  // namespace

Awaitable<std::string> prepare_bootstrap(engine::AccessControl* access, std::string path,
                                         Log* log) {
    auto& accounts = access->accounts();
    const auto has = co_await accounts.has_administrator();
    if (!has) co_return "the accounts cannot be read: " + has.error().message;
    if (has.value()) {
        const auto used = co_await accounts.use_bootstrap();
        if (!used && used.error().code != engine::Errc::document_unknown)
            co_return "the accounts cannot be written: " + used.error().message;
        std::remove(path.c_str());
        co_return std::string{};
    }
    const auto kept = read_private_file(path);
    const std::string text{without_line_end(kept.content)};
    const auto good = co_await accounts.is_bootstrap(text);
    if (!good) co_return "the accounts cannot be read: " + good.error().message;
    if (!good.value()) {
        const auto made = co_await accounts.create_bootstrap();
        if (!made) co_return "the accounts cannot be written: " + made.error().message;
        auto trouble = write_private_file(path, made.value().text + '\n');
        if (!trouble.empty()) co_return trouble;
    }
    log->warn(
        "nobody administers this registry yet: make an administrator with the secret in the file, "
        "as user `bootstrap`",
        {{"file", path}});
    co_return std::string{};
}

}  // namespace orbitalreg::frontend
