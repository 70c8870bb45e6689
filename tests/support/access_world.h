#pragma once
// AccessWorld is accounts, projects and access control over a ModelStore, with chance from a seed and a clock that stands still
// until a test moves it. A test can come between a reader and its write (before_put), and change what lies in the store.
//
// Threads  one; slow hashes run beside it.

#include "engine/access_control.h"
#include "support/model_registry_store.h"
#include "support/sim_random.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

class StandingClock final : public Clock {
public:
    std::int64_t steady_ns() const noexcept override { return passed_s_ * 1'000'000'000 + 1; }
    std::int64_t boottime_ms() const noexcept override { return passed_s_ * 1000; }
    std::int64_t wall_ns() const noexcept override {
        return (kBegan_s + passed_s_) * 1'000'000'000;
    }
    Awaitable<void> sleep_until(std::int64_t) override { co_return; }

    void move_s(std::int64_t seconds) noexcept { passed_s_ += seconds; }
    std::int64_t now_s() const noexcept { return kBegan_s + passed_s_; }

private:
    static constexpr std::int64_t kBegan_s = 1'768'478'400;  // 2026-01-15T12:00:00Z
    std::int64_t passed_s_ = 0;
};

template <class T>
Awaitable<void> keep_result(Awaitable<T> work, std::optional<T>* result) {
    T made = co_await std::move(work);
    result->emplace(std::move(made));
}

// Runs all of `work` to its end, at once.
template <class T>
std::vector<T> run_together(std::vector<Awaitable<T>> work) {
    asio::io_context context;
    std::vector<std::optional<T>> results(work.size());
    for (std::size_t i = 0; i < work.size(); ++i) {
        asio::co_spawn(context, keep_result(std::move(work[i]), &results[i]),
                       [](std::exception_ptr failed) {
                           if (failed) std::rethrow_exception(failed);
                       });
    }
    context.run();
    std::vector<T> values;
    for (auto& result : results) values.push_back(std::move(result.value()));
    return values;
}

template <class T>
T run_alone(Awaitable<T> work) {
    std::vector<Awaitable<T>> all;
    all.push_back(std::move(work));
    return std::move(run_together(std::move(all)).front());
}

// A ModelStore between whose reader and writer somebody comes.
class MeddledStore final : public DocumentStore {
public:
    // Called with the name before each write, and not while it runs.
    std::function<void(const std::string& name)> before_put;
    int puts = 0;

    explicit MeddledStore(const RegistryLimits& limits) : model_{limits} {}
    ModelStore& model() noexcept { return model_; }

    Awaitable<Answer<Document>> get(std::string name) override {
        return model_.get(std::move(name));
    }
    Awaitable<Answer<std::uint64_t>> put(RequestId id, DocumentWrite write) override {
        ++puts;
        if (auto meddle = std::exchange(before_put, nullptr)) {
            meddle(write.name);
            if (!before_put) before_put = std::move(meddle);
        }
        return model_.put(id, std::move(write));
    }
    Awaitable<Answer<void>> remove(RequestId id, std::string name,
                                   DocumentExpectation expected) override {
        return model_.remove(id, std::move(name), expected);
    }
    Awaitable<Answer<DocumentPage>> list(std::string prefix, std::string after,
                                         std::uint32_t count_max) override {
        return model_.list(std::move(prefix), std::move(after), count_max);
    }
    std::shared_ptr<void> watch(std::string prefix,
                                std::function<void(const std::string& name)> changed) override {
        return model_.watch(std::move(prefix), std::move(changed));
    }

private:
    ModelStore model_;
};

class AccessWorld {
public:
    explicit AccessWorld(const std::vector<ProjectDeclaration>& declared = {},
                         AccountLimits limits = {})
        : accounts{store, random, clock, limits},
          projects{store, random, clock, declared, "library"},
          access{accounts, projects, random} {}

    void move_s(std::int64_t seconds) {
        clock.move_s(seconds);
        store.model().advance_ms(static_cast<std::uint64_t>(seconds) * 1000);
    }
    // What lies in the store under the name; empty: nothing.
    std::string text_of(const std::string& name) {
        const auto document = run_alone(store.model().get(name));
        return document ? std::string{as_text(document.value().bytes)} : std::string{};
    }
    void write(const std::string& name, std::string_view text) {
        const auto bytes = as_bytes(text);
        DocumentWrite write{name, {bytes.begin(), bytes.end()}, DocumentExpectation::anything(), 0};
        ASSERT_TRUE(run_alone(store.model().put(RequestId::make(random), std::move(write))));
    }
    // Names of the documents under `prefix`.
    std::vector<std::string> names(const std::string& prefix) {
        std::vector<std::string> names;
        const auto page = run_alone(store.model().list(prefix, {}, 100'000));
        for (const auto& document : page.value().documents) names.push_back(document.name);
        return names;
    }

    User make_user(std::string name, bool administrator = false) {
        User user;
        user.name = std::move(name);
        user.administrator = administrator;
        auto made = run_alone(accounts.create_user(std::move(user)));
        EXPECT_TRUE(made) << made.error().message;
        return made.value();
    }
    NewSecret make_robot(std::string project, std::string name, std::vector<Grant> grants = {}) {
        Robot robot;
        robot.project = std::move(project);
        robot.name = std::move(name);
        robot.grants = std::move(grants);
        auto made = run_alone(accounts.create_robot(std::move(robot)));
        EXPECT_TRUE(made) << made.error().message;
        return made.value();
    }
    NewSecret make_token(std::string user, Restriction at_most = {}, std::int64_t life_s = 3600) {
        PersonalToken token;
        token.user = std::move(user);
        token.at_most = std::move(at_most);
        token.expires_s = clock.now_s() + life_s;
        auto made = run_alone(accounts.create_token(std::move(token)));
        EXPECT_TRUE(made) << made.error().message;
        return made.value();
    }
    void make_project(std::string name, bool open_to_all = false) {
        Project project;
        project.name = std::move(name);
        project.open_to_all = open_to_all;
        ASSERT_TRUE(run_alone(projects.create(std::move(project))));
    }

    StandingClock clock;
    sim::SimRandom random{7};
    MeddledStore store{RegistryLimits{}};
    Accounts accounts;
    Projects projects;
    AccessControl access;
};

// The code of an answer that is a refusal; none for one that is not.
template <class T>
ErrorCode code_of(const Answer<T>& answer) {
    return answer ? ErrorCode{} : answer.error().code;
}

}  // namespace orbitalreg::engine
