#include "engine/access_control.h"

#include "access/hashing_pool.h"
#include "access/password.h"
#include "access/secret.h"
#include "base/cores.h"

#include <algorithm>
#include <thread>

namespace orbitalreg::engine {
namespace {

constexpr std::string_view kRobotPrefix = "robot$";
constexpr std::string_view kTokenCredential = "token:";
constexpr std::string_view kSecretCredential = "secret:";
constexpr std::string_view kBootstrapUser = "bootstrap";

// One answer for all: what was wrong is nobody's business who could not prove who they are (SEC-48).
Refusal not_genuine() { return {Errc::denied, "the credentials are not valid"}; }

// What is not there denies; what cannot be read is an error, and no reason to say no for good.
Refusal denied_unless_broken(const Refusal& refusal) {
    return refusal.code == Errc::document_unknown || refusal.code == Errc::name_invalid
               ? not_genuine()
               : refusal;
}

Identity identity_of(const User& user, std::string credential) {
    Identity identity;
    identity.kind = Identity::Kind::user;
    identity.principal.name = "user:" + user.name;
    identity.account = user.name;
    identity.account_id = user.id;
    identity.generation = user.generation;
    identity.credential = std::move(credential);
    identity.administrator = user.administrator;
    return identity;
}

Identity identity_of(const Robot& robot, std::string credential) {
    Identity identity;
    identity.kind = Identity::Kind::robot;
    identity.account = robot.full_name();
    identity.principal.name = "robot:" + identity.account;
    identity.account_id = robot.id;
    identity.generation = robot.generation;
    identity.credential = std::move(credential);
    identity.grants = robot.grants;
    for (auto& grant : identity.grants) grant.origin = "robot " + identity.account;
    identity.expires_s = robot.expires_s;
    return identity;
}

bool has_ended(std::int64_t expires_s, std::int64_t now_s) noexcept {
    return expires_s != 0 && expires_s <= now_s;
}

}  // namespace

class AccessControl::Hashing {
public:
    HashingPool pool{std::max(1U, usable_cores() / 2)};
};

AccessControl::AccessControl(Accounts& accounts, Projects& projects, Random& random)
    : accounts_{accounts},
      projects_{projects},
      random_{random},
      hashing_{std::make_unique<Hashing>()} {}

AccessControl::~AccessControl() = default;

Awaitable<Answer<Identity>> AccessControl::log_in(std::string user, std::string secret,
                                                  bool* slow) {
    if (slow != nullptr) *slow = false;
    if (secret.size() > kPasswordSizeMax) co_return refuse(not_genuine());
    if (looks_like_secret(SecretKind::personal, secret))
        co_return co_await by_personal_token(std::move(user), std::move(secret));
    if (user.starts_with(kRobotPrefix)) {
        co_return co_await by_robot_secret(user.substr(kRobotPrefix.size()), std::move(secret));
    }
    if (user == kBootstrapUser) co_return co_await by_bootstrap(std::move(secret));
    if (slow != nullptr) *slow = true;
    co_return co_await by_password(std::move(user), std::move(secret));
}

Awaitable<Answer<Identity>> AccessControl::by_password(std::string user, std::string secret) {
    // Of a name that can be nobody's there is no document.
    auto found = co_await accounts_.find_user(user);
    if (!found && found.error().code != Errc::document_unknown) co_return refuse(found.error());
    // The same work for a user whom nobody knows.
    const auto hash = found ? found.value().password : std::string{};
    const auto same = co_await hashing_->pool.verify(hash, secret);
    if (!same) co_return refuse(same.error());
    if (!same.value() || found.value().disabled) co_return refuse(not_genuine());
    if (wants_rehash(hash)) {
        auto renewed = co_await hashing_->pool.hash(std::move(secret), random_);
        UserChange change;
        change.if_password = hash;
        if (renewed) change.password = std::move(renewed).value();
        if (change.password) {
            // Where it does not come about the next login tries again.
            [[maybe_unused]] const auto kept =
                co_await accounts_.change_user(std::move(user), std::move(change));
        }
    }
    co_return identity_of(found.value(), "password");
}

Awaitable<Answer<Identity>> AccessControl::by_personal_token(std::string user, std::string secret) {
    const auto id = secret_id_of(SecretKind::personal, secret);
    if (!id || !is_user_name(user)) co_return refuse(not_genuine());
    const auto token = co_await accounts_.find_token(user, std::string{*id});
    if (!token) co_return refuse(denied_unless_broken(token.error()));
    if (!same_hash(token.value().secret_hash, secret_hash(secret))) co_return refuse(not_genuine());
    const auto owner = co_await accounts_.find_user(user);
    if (!owner) co_return refuse(denied_unless_broken(owner.error()));
    auto identity = identity_of(owner.value(), std::string{kTokenCredential} + std::string{*id});
    co_return co_await recall(std::move(identity));
}

Awaitable<Answer<Identity>> AccessControl::by_robot_secret(std::string name, std::string secret) {
    const auto id = secret_id_of(SecretKind::robot, secret);
    if (!id) co_return refuse(not_genuine());
    const auto robot = co_await accounts_.find_robot(std::move(name));
    if (!robot) co_return refuse(denied_unless_broken(robot.error()));
    const auto& secrets = robot.value().secrets;
    const auto hash = secret_hash(secret);
    const bool genuine = std::any_of(secrets.begin(), secrets.end(), [&](const RobotSecret& each) {
        return each.id == *id && same_hash(each.hash, hash);
    });
    if (!genuine) co_return refuse(not_genuine());
    co_return co_await recall(
        identity_of(robot.value(), std::string{kSecretCredential} + std::string{*id}));
}

Awaitable<Answer<Identity>> AccessControl::by_bootstrap(std::string secret) {
    const auto genuine = co_await accounts_.is_bootstrap(secret);
    if (!genuine) co_return refuse(genuine.error());
    if (!genuine.value()) co_return refuse(not_genuine());
    Identity identity;
    identity.kind = Identity::Kind::bootstrap;
    identity.principal.name = std::string{kBootstrapUser};
    identity.credential = std::string{kBootstrapUser};
    co_return identity;
}

Awaitable<Answer<Identity>> AccessControl::recall(Identity identity) {
    if (has_ended(identity.expires_s, accounts_.now_s())) co_return refuse(not_genuine());
    switch (identity.kind) {
        case Identity::Kind::user:
            co_return co_await recall_user(std::move(identity));
        case Identity::Kind::robot:
            co_return co_await recall_robot(std::move(identity));
        case Identity::Kind::anonymous:
        case Identity::Kind::federated:  // its rules are the caller's to look at
            co_return identity;
        case Identity::Kind::bootstrap:
            // Good for one request; it is presented again for the next one.
            break;
    }
    co_return refuse(not_genuine());
}

Awaitable<Answer<Identity>> AccessControl::recall_user(Identity identity) {
    const auto user = co_await accounts_.find_user(identity.account);
    if (!user) co_return refuse(denied_unless_broken(user.error()));
    const auto& known = user.value();
    if (known.disabled || known.id != identity.account_id ||
        known.generation != identity.generation)
        co_return refuse(not_genuine());
    identity.administrator = known.administrator;
    if (!identity.credential.starts_with(kTokenCredential)) co_return identity;
    const auto token = co_await accounts_.find_token(
        identity.account, identity.credential.substr(kTokenCredential.size()));
    if (!token) co_return refuse(denied_unless_broken(token.error()));
    if (token.value().user_id != known.id || has_ended(token.value().expires_s, accounts_.now_s()))
        co_return refuse(not_genuine());
    identity.expires_s = token.value().expires_s;
    // Without limits it stands for its owner in all.
    if (token.value().at_most != Restriction{}) identity.at_most = token.value().at_most;
    co_return identity;
}

Awaitable<Answer<Identity>> AccessControl::recall_robot(Identity identity) {
    const auto robot = co_await accounts_.find_robot(identity.account);
    if (!robot) co_return refuse(denied_unless_broken(robot.error()));
    const auto& known = robot.value();
    const bool held =
        std::any_of(known.secrets.begin(), known.secrets.end(), [&](const RobotSecret& each) {
            return identity.credential == std::string{kSecretCredential} + each.id;
        });
    if (!held || known.disabled || known.id != identity.account_id ||
        known.generation != identity.generation || has_ended(known.expires_s, accounts_.now_s()))
        co_return refuse(not_genuine());
    co_return identity_of(known, identity.credential);
}

Awaitable<Answer<Identity>> AccessControl::describe(std::string name) {
    if (name == "anonymous") co_return Identity{};
    if (name.starts_with(kRobotPrefix)) {
        const auto robot = co_await accounts_.find_robot(name.substr(kRobotPrefix.size()));
        if (!robot) co_return refuse(robot.error());
        co_return identity_of(robot.value(), {});
    }
    const auto user = co_await accounts_.find_user(std::move(name));
    if (!user) co_return refuse(user.error());
    co_return identity_of(user.value(), {});
}

Awaitable<Answer<ProjectView>> AccessControl::view(const Identity& identity, std::string project) {
    std::string user;
    std::string user_id;
    if (identity.kind == Identity::Kind::user) {
        user = identity.account;
        user_id = identity.account_id;
    }
    auto view = co_await projects_.view(std::move(project), std::move(user), std::move(user_id),
                                        identity.groups);
    if (!view) co_return refuse(view.error());
    auto& rights = view.value().rights;
    rights.administrator = identity.administrator;
    rights.at_most = identity.at_most;
    rights.grants.insert(rights.grants.end(), identity.grants.begin(), identity.grants.end());
    co_return std::move(view).value();
}

std::string AccessControl::project_of(const ImageName& image) const {
    const auto name = ruling_repository(image, projects_.default_project());
    return name ? name.value().project : std::string{};
}

namespace {

AccessQuestion question_of(const ProjectView& view, Action action, std::string_view project,
                           std::string_view image) {
    AccessQuestion question{action, project, image, view.open_to_all};
    if (!image.empty() && !view.repositories.empty()) {
        // A name of one component is a repository of the default project.
        const auto slash = image.find('/');
        const auto rest = slash == image.npos ? image : image.substr(slash + 1);
        question.open_to_all = view.is_open(rest.substr(0, rest.find('/')));
    }
    return question;
}

}  // namespace

bool AccessControl::allows_in(const ProjectView& view, const Identity& identity, Action action,
                              std::string_view project, std::string_view image) {
    return identity.kind != Identity::Kind::bootstrap &&
           allows(view.rights, question_of(view, action, project, image));
}

Decision AccessControl::decide_in(const ProjectView& view, const Identity& identity, Action action,
                                  std::string_view project, std::string_view image) {
    if (identity.kind == Identity::Kind::bootstrap)
        return {false, "the bootstrap secret makes the first administrator and nothing else"};
    return decide(view.rights, question_of(view, action, project, image));
}

Awaitable<Answer<Decision>> AccessControl::decide_image(const Identity& identity, Action action,
                                                        const ImageName& image) {
    const auto project = project_of(image);
    const auto seen = co_await view(identity, project);
    if (!seen) co_return refuse(seen.error());
    co_return decide_in(seen.value(), identity, action, project, image.text());
}

Awaitable<Answer<Decision>> AccessControl::decide_project(const Identity& identity, Action action,
                                                          std::string project) {
    const auto seen = co_await view(identity, project);
    if (!seen) co_return refuse(seen.error());
    co_return decide_in(seen.value(), identity, action, project, {});
}

bool AccessControl::administers(const Identity& identity) noexcept {
    return identity.administrator && !identity.at_most;
}

Awaitable<Answer<std::string>> AccessControl::hash_new_password(std::string user,
                                                                std::string password) {
    if (const auto trouble = password_trouble(password, user); !trouble.empty())
        co_return refuse({Errc::denied, std::string{trouble}});
    co_return co_await hashing_->pool.hash(std::move(password), random_);
}

}  // namespace orbitalreg::engine
