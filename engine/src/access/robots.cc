// Robots of Accounts.

#include "access/account_documents.h"
#include "access/secret.h"
#include "engine/accounts.h"

#include <algorithm>

namespace orbitalreg::engine {
namespace {

constexpr int kTriesMax = 8;

struct HeldRobot {
    Robot robot;
    std::uint64_t version = 0;
    std::string document;
};

Awaitable<Answer<HeldRobot>> hold(DocumentStore* documents, std::string full_name) {
    auto name = robot_document(full_name);
    if (!name) co_return refuse(Errc::document_unknown);
    const auto document = co_await documents->get(*name);
    if (!document) co_return refuse(document.error());
    auto robot = decode_robot(document.value().bytes);
    if (!robot) co_return refuse({Errc::damaged, "the document `" + *name + "` cannot be read"});
    co_return HeldRobot{std::move(*robot), document.value().version, std::move(*name)};
}

Answer<void> check(const Robot& robot, const AccountLimits& limits) {
    if (!is_robot_name(robot.name)) {
        return refuse({Errc::name_invalid,
                       "a robot's name is 1 to 63 of small letters, digits, `.`, `_` and `-`"});
    }
    if (robot.description.size() > limits.description_bytes)
        return refuse({Errc::too_large, "the description is too long"});
    if (robot.grants.size() > limits.grants_per_account)
        return refuse({Errc::limit_reached, "too many grants for one robot"});
    const bool inside =
        std::all_of(robot.grants.begin(), robot.grants.end(), [&](const Grant& grant) {
            return !grant.project.empty() &&
                   (robot.project.empty() || grant.project == robot.project);
        });
    if (!inside)
        return refuse({Errc::denied, "a robot of a project has rights in that project alone"});
    return ok();
}

RobotSecret kept(const Secret& secret, std::int64_t now_s) {
    return {secret.id, secret.hash(), now_s};
}

}  // namespace

Awaitable<Answer<Robot>> Accounts::find_robot(std::string full_name) {
    auto held = co_await hold(&documents_, std::move(full_name));
    if (!held) co_return refuse(held.error());
    co_return std::move(held.value().robot);
}

Awaitable<Answer<NewSecret>> Accounts::create_robot(Robot robot) {
    ORB_CO_TRY(check(robot, limits_));
    const auto name = robot_document(robot.full_name());
    if (!name) co_return refuse({Errc::name_invalid, "the project's name is not valid"});
    const auto secret = make_secret(SecretKind::robot, random_);
    robot.id = random_id();
    robot.generation = 1;
    robot.created_s = now_s();
    robot.secrets = {kept(secret, robot.created_s)};
    const auto written = co_await write(*name, encode_robot(robot), DocumentExpectation::absent());
    if (!written) co_return refuse(written.error());
    co_return NewSecret{secret.id, secret.text};
}

Awaitable<Answer<Robot>> Accounts::change_robot(std::string full_name, RobotChange change) {
    for (int tries = 1;; ++tries) {
        auto held = co_await hold(&documents_, full_name);
        if (!held) co_return refuse(held.error());
        auto& robot = held.value().robot;
        if (change.disabled && *change.disabled != robot.disabled) ++robot.generation;
        if (change.disabled) robot.disabled = *change.disabled;
        if (change.description) robot.description = *change.description;
        if (change.grants) robot.grants = *change.grants;
        if (change.expires_s) robot.expires_s = *change.expires_s;
        ORB_CO_TRY(check(robot, limits_));
        const auto written = co_await write(held.value().document, encode_robot(robot),
                                            DocumentExpectation::at_version(held.value().version));
        if (written) co_return std::move(robot);
        if (written.error().code != Errc::precondition_failed || tries == kTriesMax)
            co_return refuse(written.error());
    }
}

Awaitable<Answer<NewSecret>> Accounts::add_robot_secret(std::string full_name, bool replace) {
    for (int tries = 1;; ++tries) {
        auto held = co_await hold(&documents_, full_name);
        if (!held) co_return refuse(held.error());
        auto& robot = held.value().robot;
        const auto secret = make_secret(SecretKind::robot, random_);
        if (replace) {
            robot.secrets.clear();
            ++robot.generation;
        }
        // A token that was issued with the one that goes is refused from its next request on.
        while (robot.secrets.size() >= Robot::kSecretsMax)
            robot.secrets.erase(robot.secrets.begin());
        robot.secrets.push_back(kept(secret, now_s()));
        const auto written = co_await write(held.value().document, encode_robot(robot),
                                            DocumentExpectation::at_version(held.value().version));
        if (written) co_return NewSecret{secret.id, secret.text};
        if (written.error().code != Errc::precondition_failed || tries == kTriesMax)
            co_return refuse(written.error());
    }
}

Awaitable<Answer<void>> Accounts::remove_robot(std::string full_name) {
    auto name = robot_document(full_name);
    if (!name) co_return refuse(Errc::document_unknown);
    co_return co_await remove(std::move(*name));
}

Awaitable<Answer<AccountPage<Robot>>> Accounts::list_robots(std::string project, std::string after,
                                                            std::uint32_t count) {
    const auto folder = robot_folder(project);
    std::string from;
    if (!after.empty()) from = folder + after;
    const auto page = co_await documents_.list(folder, std::move(from), count);
    if (!page) co_return refuse(page.error());
    AccountPage<Robot> result{{}, page.value().more};
    for (const auto& document : page.value().documents) {
        if (auto robot = decode_robot(document.bytes)) result.items.push_back(std::move(*robot));
    }
    co_return result;
}

}  // namespace orbitalreg::engine
