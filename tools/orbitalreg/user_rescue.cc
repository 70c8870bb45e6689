#include "user_rescue.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "engine/access_control.h"
#include "exit_codes.h"
#include "frontend/audit.h"
#include "gc_report.h"
#include "store_place.h"

#include <filesystem>
#include <iostream>

namespace orbitalreg::program {
namespace {

Awaitable<engine::Answer<void>> make_administrator(engine::AccessControl* access, std::string name,
                                                   std::string password) {
    auto hash = co_await access->hash_new_password(name, std::move(password));
    if (!hash) co_return engine::refuse(hash.error());
    engine::UserChange change;
    change.password = hash.value();
    change.administrator = true;
    change.disabled = false;
    const auto changed = co_await access->accounts().change_user(name, std::move(change));
    if (changed) co_return ok();
    if (changed.error().code != engine::Errc::document_unknown)
        co_return engine::refuse(changed.error());
    engine::User user;
    user.name = std::move(name);
    user.password = std::move(hash).value();
    user.administrator = true;
    const auto made = co_await access->accounts().create_user(std::move(user));
    if (!made) co_return engine::refuse(made.error());
    co_return ok();
}

Awaitable<void> rescue(OfflineStore* store, std::string name, std::string password,
                       DirectoryAnswer* answer) {
    auto& documents = store->embedded().document_store();
    engine::Accounts accounts{documents, system_random(), system_clock()};
    engine::Projects projects{documents, system_random(), system_clock(), {}, {}};
    engine::AccessControl access{accounts, projects, system_random()};
    const auto done = co_await make_administrator(&access, name, std::move(password));
    if (!done) {
        answer->trouble = done.error().message;
    } else {
        answer->json = R"({"administrator":")" + name + "\"}";
    }
}

// Where there is one: else the next start begins it.
void record(const std::string& directory, const std::string& name) {
    const auto path = directory + "/audit";
    if (!std::filesystem::is_directory(path)) return;
    Metrics metrics;
    const auto log = frontend::AuditLog::open(path, frontend::AuditOptions{}, system_clock(),
                                              null_log(), metrics);
    frontend::AuditEvent event;
    event.action = "user.rescue";
    event.granted = true;
    event.object = "user " + name;
    if (!log || !log.value()->append(event))
        std::cerr << "warning: " << path << ": this could not be recorded\n";
}

std::string describe(std::string_view json) {
    return text_member(json, "administrator") + " is an administrator, with the new password\n";
}

int verdict(std::string_view) { return exit_clean; }

}  // namespace

int rescue_user(const std::string& directory, const std::string& name,
                const std::string& password) {
    StorePlace place;
    place.directory = directory;
    return on_directory(place, Access::write, describe, verdict,
                        [&](OfflineStore& store, DirectoryAnswer& answer) {
                            store.run(rescue(&store, name, password, &answer));
                            if (answer.trouble.empty()) record(directory, name);
                        });
}

}  // namespace orbitalreg::program
