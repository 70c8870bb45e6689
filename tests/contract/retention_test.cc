// Retention over the embedded store on a simulated machine: times survive, a run does what its dry run said, what changes meanwhile
// stays, and what was deleted comes back while its blobs wait.

#include "engine/retention.h"

#include "contract/registry_store_content.h"
#include "engine/embedded_store.h"
#include "engine/registry.h"
#include "support/sim_machine.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace orbitalreg::engine {
namespace {

namespace json = boost::json;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
const std::string kImage = "team/app";

std::string content_of(const std::string& name) {
    return image_text({"config of " + name, {std::string(5000, 'x') + name}, "", ""});
}

class RetentionTest : public testing::Test {
protected:
    // One life of the process.
    class Life {
    public:
        Life(sim::SimDisk& disk, std::uint64_t seed) : machine_{disk, seed} {
            cas::StoreOptions options;
            options.log_segment_size_bytes = 4_MiB;
            options.lane_target_bytes = 4_MiB;
            options.memory_limit_bytes = 64_MiB;
            options.gc_grace_ms = 4 * kHourMs;
            options.gc_interval_ms = 365 * kDayMs;  // rounds are asked for
            options.scrub_rate_bytes = 0;
            auto opened = open_embedded(machine_.environment(), options, {});
            if (!opened) return;
            embedded_ = std::move(opened).value();
            RetentionOptions chosen;
            chosen.trash_ms = options.gc_grace_ms;
            chosen.max_clock_jump_ms = 30 * kDayMs;
            retention_ = std::make_unique<Retention>(
                embedded_->registry_store(), embedded_->retention_store(),
                embedded_->document_store(), machine_.clock(), random_, null_log(),
                machine_.metrics(), machine_.executor(), chosen,
                [this](const RetentionEvent& event) { events.push_back(event); });
            EXPECT_TRUE(machine_.run(retention_->begin()));
        }
        ~Life() {
            machine_.settle();
            machine_.clear();
            retention_.reset();
            embedded_.reset();
            machine_.clear();
        }
        bool opened() const { return embedded_ != nullptr; }
        void stop() {
            EXPECT_TRUE(machine_.run(retention_->finish()));
            EXPECT_TRUE(machine_.run(embedded_->store().stop()));
        }
        template <class T>
        T run(Awaitable<T> work) {
            auto answer = machine_.run(std::move(work));
            EXPECT_TRUE(answer.has_value());
            return std::move(*answer);
        }
        // Begins it, and goes on for so many steps.
        template <class T>
        void begin(Awaitable<T> work, int steps) {
            asio::co_spawn(machine_.executor(), drop(std::move(work)), asio::detached);
            for (int i = 0; i < steps && machine_.scheduler().step_ready(); ++i) {
            }
        }
        void pass_ms(std::int64_t ms) { machine_.pass_ms(ms); }

        void push(const std::string& name, const std::vector<std::string>& tags,
                  const std::string& image = kImage) {
            EXPECT_TRUE(run(push_blob(registry(), image, "config of " + name)));
            EXPECT_TRUE(run(push_blob(registry(), image, std::string(5000, 'x') + name)));
            put(content_of(name), tags, image);
        }
        void put(const std::string& text, const std::vector<std::string>& tags,
                 const std::string& image = kImage) {
            const auto done =
                run(registry().put_manifest({1, ++requests_}, put_of(image, text, tags)));
            EXPECT_TRUE(done) << (done ? "" : done.error().message);
        }
        void pull(const std::string& reference, const std::string& image = kImage,
                  const Principal& principal = {"user:alice"}) {
            const auto parsed = parse_reference(reference).value();
            const auto found = run(registry().resolve(image_name(image), parsed));
            ASSERT_TRUE(found);
            EXPECT_TRUE(machine_.run(
                retention_->pulled(principal, image_name(image), parsed, found.value().digest)));
        }
        bool has_tag(const std::string& tag, const std::string& image = kImage) {
            return run(registry().resolve(image_name(image), tag_name(tag))).has_value();
        }
        bool holds(const std::string& text, const std::string& image = kImage) {
            return run(registry().resolve(image_name(image), digest_of(text))).has_value();
        }
        ImageSnapshot snapshot(const std::string& image = kImage) {
            return run(store().snapshot(image_name(image))).value();
        }
        HeldTag tag(const std::string& name) {
            for (const auto& held : snapshot().tags) {
                if (held.tag == name) return held;
            }
            ADD_FAILURE() << "no tag " << name;
            return {};
        }
        HeldManifest manifest(const std::string& text) {
            for (const auto& held : snapshot().manifests) {
                if (held.digest == digest_of(text)) return held;
            }
            ADD_FAILURE() << "no such manifest";
            return {};
        }
        void policies(const std::string& text) {
            const auto read = read_retention_policies({{"test", text, {}}});
            ASSERT_TRUE(read.policies) << read.errors.front().text();
            retention_->set_policies(read.policies);
        }
        json::object json_of(const Answer<std::string>& answer) {
            if (answer) return json::parse(answer.value()).as_object();
            ADD_FAILURE() << answer.error().message;
            return {};
        }
        json::object plan() { return json_of(run(retention().plan({}))); }
        json::object run_policy(RetentionOrder order = {}) {
            return json_of(run(retention().run(std::move(order))));
        }

        Retention& retention() { return *retention_; }
        RegistryStore& registry() { return embedded_->registry_store(); }
        RetentionStore& store() { return embedded_->retention_store(); }
        EmbeddedStore& embedded() { return *embedded_; }
        std::vector<RetentionEvent> events;

    private:
        template <class T>
        static Awaitable<void> drop(Awaitable<T> work) {
            (void)co_await std::move(work);
        }

        std::uint64_t requests_ = 0;
        sim::SimMachine machine_;
        sim::SimRandom random_{7};
        std::unique_ptr<EmbeddedStore> embedded_;
        std::unique_ptr<Retention> retention_;
    };

    RetentionTest() { start(); }
    void start() {
        life_ = std::make_unique<Life>(disk_, ++seed_);
        ASSERT_TRUE(life_->opened());
    }
    void restart() {
        life_->stop();
        life_.reset();
        start();
    }
    // As if the power had failed.
    void crash() {
        life_.reset();
        disk_.crash(random_);
        start();
    }
    Life& life() { return *life_; }

private:
    sim::SimDisk disk_{sim::SimDiskMode::strict, 256_MiB};
    sim::SimRandom random_{3};
    std::uint64_t seed_ = 0;
    std::unique_ptr<Life> life_;
};

const std::string kKeepTwo =
    "name: two\nmax_delete_percent: 100\ngrace_hours: 1\nrules:\n"
    "  - keep_tags: { tags: [keep] }\n  - keep_untagged_for: { hours: 2 }\n";

std::set<std::string> deleted_items(const json::object& report) {
    std::set<std::string> names;
    for (const auto& item : report.at("items").as_array()) {
        const auto& object = item.as_object();
        if (object.at("decision").as_string() != "delete") continue;
        const auto* tag = object.if_contains("tag");
        names.insert(std::string{(tag != nullptr ? *tag : object.at("digest")).as_string()});
    }
    return names;
}

// --- times ---

TEST_F(RetentionTest, TimesSurviveARestart) {
    life().push("a", {"v1"});
    life().pass_ms(kHourMs);
    life().pull("v1");
    life().pass_ms(2000);
    life().push("b", {"v1", "v2"});
    EXPECT_TRUE(life().run(life().retention().plan({})));  // writes the pull
    life().pull("v1");
    EXPECT_TRUE(life().run(life().retention().plan({})));
    const auto tag = life().tag("v1");
    const auto old = life().manifest(content_of("a"));
    EXPECT_GE(tag.pulled_s, tag.pushed_s);
    EXPECT_EQ(old.untagged_s, tag.pushed_s);
    EXPECT_GT(old.pulled_s, 3600u);
    restart();
    EXPECT_EQ(life().tag("v1").pulled_s, tag.pulled_s);
    EXPECT_EQ(life().tag("v1").pushed_s, tag.pushed_s);
    EXPECT_EQ(life().manifest(content_of("a")).untagged_s, old.untagged_s);
    EXPECT_NE(life().store().history_since_s(), 0u);
    crash();
    EXPECT_EQ(life().tag("v1").pulled_s, tag.pulled_s);
    EXPECT_EQ(life().manifest(content_of("a")).untagged_s, old.untagged_s);
}

TEST_F(RetentionTest, PullsCountForPartsAndForWhatTheyArePartOf) {
    life().push("amd64", {});
    life().push("arm64", {});
    const auto index = index_text({content_of("amd64"), content_of("arm64")});
    life().put(index, {"multi"});
    life().pass_ms(10'000);
    life().pull("multi");
    EXPECT_TRUE(life().run(life().retention().plan({})));
    const auto first = life().tag("multi").pulled_s;
    EXPECT_GT(first, 10u);
    EXPECT_EQ(life().manifest(content_of("arm64")).pulled_s, first);
    life().pass_ms(10'000);
    life().pull(digest_of(content_of("amd64")).to_string());
    EXPECT_TRUE(life().run(life().retention().plan({})));
    const auto second = life().tag("multi").pulled_s;
    EXPECT_GE(second, first + 10) << "by digest, while the tag points there";
    EXPECT_EQ(life().manifest(index).pulled_s, second);
    EXPECT_EQ(life().manifest(content_of("arm64")).pulled_s, first);
}

TEST_F(RetentionTest, PullsByDigestBeforeTheTagWasSetDoNotCountForIt) {
    life().push("a", {});
    life().pass_ms(10'000);
    life().pull(digest_of(content_of("a")).to_string());
    EXPECT_TRUE(life().run(life().retention().plan({})));
    life().pass_ms(10'000);
    life().put(content_of("a"), {"late"});
    EXPECT_EQ(life().tag("late").pulled_s, 0u);
    EXPECT_NE(life().manifest(content_of("a")).pulled_s, 0u);
}

TEST_F(RetentionTest, SystemIdentitiesDoNotPull) {
    life().push("a", {"v1"});
    life().pull("v1", kImage, {"system:scanner"});
    EXPECT_EQ(life().retention().pulls_waiting(), 0u);
}

// --- runs ---

TEST_F(RetentionTest, RunDoesWhatItsDryRunSaid) {
    life().policies(kKeepTwo);
    life().push("a", {"keep"});
    life().push("b", {"old", "older"});
    life().push("c", {"old-too"});
    life().pass_ms(3 * kHourMs);
    const auto planned = deleted_items(life().plan());
    EXPECT_EQ(planned, (std::set<std::string>{"old", "old-too", "older"}));
    const auto done = life().run_policy();
    EXPECT_EQ(deleted_items(done), planned);
    EXPECT_EQ(done.at("state").as_string(), "done");
    EXPECT_TRUE(life().has_tag("keep"));
    EXPECT_FALSE(life().has_tag("old"));
    EXPECT_TRUE(life().holds(content_of("b"))) << "its content goes in a later run";
    // Twice at once: nothing is left to do.
    EXPECT_EQ(life().run_policy().at("totals").as_object().at("deleted").to_number<int>(), 0);
    life().pass_ms(2 * kHourMs + 2000);
    const auto later = life().run_policy();
    EXPECT_EQ(deleted_items(later),
              (std::set<std::string>{digest_of(content_of("b")).to_string(),
                                     digest_of(content_of("c")).to_string()}));
    EXPECT_FALSE(life().holds(content_of("b")));
    EXPECT_TRUE(life().holds(content_of("a")));
    const auto told = std::count_if(
        life().events.begin(), life().events.end(),
        [](const RetentionEvent& event) { return event.action == "retention.deleted"; });
    EXPECT_EQ(told, 5);
}

TEST_F(RetentionTest, PromisedBytesAreThoseThatCollectionGivesBack) {
    life().policies(kKeepTwo);
    life().push("a", {"keep"});
    life().push("b", {"old"});
    // A layer that both share stays.
    const auto shared = image_text({"config of a", {std::string(5000, 'x') + "b"}, "", ""});
    life().put(shared, {"old-too"});
    EXPECT_TRUE(life().run(push_blob(life().registry(), kImage, "config of d")));
    life().put(image_text({"config of d", {std::string(5000, 'x') + "a"}, "", ""}), {"old-d"});
    life().pass_ms(3 * kHourMs);
    const auto first = life().run_policy();
    const auto estimate =
        first.at("totals").as_object().at("bytes_unreferenced_estimate").to_number<std::uint64_t>();
    EXPECT_EQ(first.at("totals").as_object().at("bytes_unreferenced").to_number<int>(), 0);
    life().pass_ms(2 * kHourMs + 2000);
    const auto second = life().run_policy();
    const auto promised =
        second.at("totals").as_object().at("bytes_unreferenced").to_number<std::uint64_t>();
    EXPECT_EQ(promised, estimate);
    EXPECT_GT(promised, 5000u);
    life().pass_ms(5 * kHourMs);
    const auto round = life().run(life().embedded().upkeep().collect(false, nullptr));
    ASSERT_TRUE(round);
    EXPECT_EQ(round.value().deleted_bytes, promised);
}

TEST_F(RetentionTest, WhatChangesAfterItWasJudgedStays) {
    life().push("a", {"pulled", "pushed", "plain"});
    life().push("b", {});
    life().pass_ms(10'000);
    const auto snapshot = life().snapshot();
    std::vector<JudgedTag> tags;
    for (const auto& held : snapshot.tags)
        tags.push_back({tag_name(held.tag), snapshot.manifests[held.manifest].digest, held.pushed_s,
                        held.pulled_s});
    const auto b = life().manifest(content_of("b"));
    life().pull("pulled");
    EXPECT_TRUE(life().run(life().retention().plan({})));
    life().put(content_of("a"), {"pushed"});
    // In byte order: plain, pulled, pushed.
    const auto fates =
        life().run(life().store().delete_judged_tags({9, 1}, image_name(kImage), std::move(tags)));
    ASSERT_TRUE(fates);
    EXPECT_EQ(fates.value(), (std::vector<JudgedFate>{JudgedFate::deleted, JudgedFate::changed,
                                                      JudgedFate::changed}));
    EXPECT_TRUE(life().has_tag("pulled"));
    EXPECT_TRUE(life().has_tag("pushed"));
    EXPECT_FALSE(life().has_tag("plain"));
    // A manifest that became part of an index meanwhile.
    life().put(index_text({content_of("b")}), {"list"});
    const auto manifests = life().run(life().store().delete_judged_manifests(
        {9, 2}, image_name(kImage), {{b.digest, b.put_s, b.pulled_s, b.untagged_s}}));
    ASSERT_TRUE(manifests);
    EXPECT_EQ(manifests.value(), std::vector<JudgedFate>{JudgedFate::changed});
    EXPECT_TRUE(life().holds(content_of("b")));
}

TEST_F(RetentionTest, ManifestThatHadATagMeanwhileStays) {
    life().push("a", {});
    life().push("b", {});
    life().pass_ms(2 * kHourMs);
    const auto a = life().manifest(content_of("a"));
    const auto b = life().manifest(content_of("b"));
    const auto set = [&](const std::string& text) {
        return life().run(life().registry().set_tag({5, 1}, image_name(kImage), tag_name("now"),
                                                    digest_of(text), TagExpectation::anything()));
    };
    ASSERT_TRUE(set(content_of("a")));
    ASSERT_TRUE(life().run(life().registry().delete_tag({5, 2}, image_name(kImage), tag_name("now"),
                                                        TagExpectation::anything())));
    const auto fates = life().run(
        life().store().delete_judged_manifests({5, 3}, image_name(kImage),
                                               {{a.digest, a.put_s, a.pulled_s, a.untagged_s},
                                                {b.digest, b.put_s, b.pulled_s, b.untagged_s}}));
    ASSERT_TRUE(fates);
    EXPECT_EQ(fates.value(), (std::vector<JudgedFate>{JudgedFate::changed, JudgedFate::deleted}));
    EXPECT_TRUE(life().holds(content_of("a")));
}

// As its note will count when it is written: for the parts of an index, and for the index of a part.
TEST_F(RetentionTest, PullThatIsNotYetWrittenHoldsPartsAndIndexesOff) {
    life().push("part", {"part"});
    const auto list = index_text({content_of("part")});
    life().put(list, {"list"});
    life().pass_ms(10'000);
    const auto part = life().tag("part");
    const auto whole = life().tag("list");
    const auto judge = [&](const HeldTag& held, const std::string& text, std::uint64_t id) {
        const auto fates = life().run(life().store().delete_judged_tags(
            {9, id}, image_name(kImage),
            {{tag_name(held.tag), digest_of(text), held.pushed_s, held.pulled_s}}));
        return fates && fates.value() == std::vector<JudgedFate>{JudgedFate::deleted};
    };
    life().pull("list");
    EXPECT_FALSE(judge(part, content_of("part"), 1));
    EXPECT_TRUE(life().run(life().retention().plan({})));  // writes it
    life().pull(digest_of(content_of("part")).to_string());
    EXPECT_FALSE(judge(whole, list, 2));
}

TEST_F(RetentionTest, PullThatIsNotYetWrittenHoldsADeletionOff) {
    life().push("a", {"v1"});
    life().pass_ms(10'000);
    const auto held = life().tag("v1");
    life().pull("v1");
    EXPECT_EQ(life().retention().pulls_waiting(), 1u);
    const auto fates = life().run(life().store().delete_judged_tags(
        {9, 1}, image_name(kImage),
        {{tag_name("v1"), digest_of(content_of("a")), held.pushed_s, held.pulled_s}}));
    ASSERT_TRUE(fates);
    EXPECT_EQ(fates.value(), std::vector<JudgedFate>{JudgedFate::changed});
    EXPECT_TRUE(life().has_tag("v1"));
}

TEST_F(RetentionTest, AttachedGoWithTheirSubject) {
    life().policies(kKeepTwo);
    life().push("a", {"keep"});
    life().push("b", {"old"});
    EXPECT_TRUE(life().run(push_blob(life().registry(), kImage, "sig")));
    const auto signature = image_text({"sig", {}, content_of("b"), ""});
    life().put(signature, {});
    auto cosign = digest_of(content_of("b")).to_string() + ".sig";
    std::replace(cosign.begin(), cosign.end(), ':', '-');
    life().push("by tag", {cosign});
    life().pass_ms(3 * kHourMs);
    EXPECT_EQ(deleted_items(life().run_policy()), std::set<std::string>{"old"});
    life().pass_ms(2 * kHourMs + 2000);
    const auto report = life().run_policy();
    EXPECT_EQ(report.at("state").as_string(), "done");
    EXPECT_FALSE(life().holds(content_of("b")));
    EXPECT_FALSE(life().holds(signature));
    EXPECT_FALSE(life().has_tag(cosign));
    EXPECT_FALSE(life().holds(content_of("by tag")));
    EXPECT_TRUE(life().holds(content_of("a")));
}

// --- guards ---

TEST_F(RetentionTest, TooManyAtOnceAreNotDeleted) {
    life().policies("name: a\nmax_delete_percent: 30\nrules:\n  - keep_tags: { tags: [keep] }\n");
    life().push("a", {"keep"});
    life().push("b", {"b", "c"});
    life().pass_ms(25 * kHourMs);
    const auto blocked = life().run_policy();
    EXPECT_EQ(blocked.at("state").as_string(), "blocked");
    EXPECT_TRUE(life().has_tag("b"));
    RetentionOrder order;
    order.above_percent = true;
    EXPECT_EQ(life().run_policy(order).at("state").as_string(), "done");
    EXPECT_FALSE(life().has_tag("b"));
}

TEST_F(RetentionTest, SwitchedOffMeansNothingGoes) {
    life().policies(kKeepTwo);
    RetentionOptions options;
    options.enabled = false;
    life().retention().set_options(options);
    const auto refused = life().run(life().retention().run({}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::precondition_failed);
}

TEST_F(RetentionTest, LongSilenceMustBeConfirmed) {
    life().policies(kKeepTwo);
    life().push("a", {"old"});
    life().push("k", {"keep"});
    EXPECT_EQ(life().run_policy().at("state").as_string(), "done");
    life().pass_ms(31 * kDayMs);
    const auto refused = life().run(life().retention().run({}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::precondition_failed);
    EXPECT_TRUE(life().has_tag("old"));
    RetentionOrder order;
    order.confirm_clock = true;
    EXPECT_EQ(life().run_policy(order).at("state").as_string(), "done");
    EXPECT_FALSE(life().has_tag("old"));
}

TEST_F(RetentionTest, WithoutAMatchingPolicyNothingIsTouched) {
    life().policies(
        "name: a\nmatch: { repositories: ['other/**'] }\nrules:\n"
        "  - keep_tags: { tags: [keep] }\n");
    life().push("b", {"b"});
    life().pass_ms(25 * kHourMs);
    EXPECT_EQ(life().run_policy().at("totals").as_object().at("repositories").to_number<int>(), 0);
    EXPECT_TRUE(life().has_tag("b"));
}

// --- crashes, and the way back ---

TEST_F(RetentionTest, CrashInARunEndsItAndTheNextOneStartsAfresh) {
    life().policies(kKeepTwo);
    life().push("k", {"keep"});
    std::vector<std::string> tags;
    for (int i = 0; i < 150; ++i) tags.push_back("old-" + std::to_string(i));
    life().push("b", std::vector<std::string>(tags.begin(), tags.begin() + 80));
    life().push("c", std::vector<std::string>(tags.begin() + 80, tags.end()));
    life().pass_ms(3 * kHourMs);
    std::size_t left = tags.size();
    for (int steps = 20; steps <= 320 && left == tags.size(); steps += 20) {
        life().begin(life().retention().run({}), steps);
        crash();
        life().policies(kKeepTwo);
        left = static_cast<std::size_t>(std::count_if(
            tags.begin(), tags.end(), [&](const std::string& tag) { return life().has_tag(tag); }));
    }
    EXPECT_TRUE(life().has_tag("keep"));
    const auto done = life().run_policy();
    EXPECT_EQ(done.at("state").as_string(), "done");
    for (const auto& tag : tags) EXPECT_FALSE(life().has_tag(tag)) << tag;
    EXPECT_TRUE(life().has_tag("keep"));
}

TEST_F(RetentionTest, DeletedComesBackWhileItsBlobsWait) {
    life().policies(kKeepTwo);
    life().push("k", {"keep"});
    life().push("child", {});
    const auto index = index_text({content_of("child")});
    life().put(index, {"multi"});
    life().pass_ms(3 * kHourMs);
    const auto first = life().run_policy();
    life().pass_ms(2 * kHourMs + 2000);
    const auto second = life().run_policy();
    EXPECT_FALSE(life().holds(index));
    EXPECT_FALSE(life().holds(content_of("child")));
    restart();
    const auto text = [](const json::object& report) {
        return std::string{report.at("run").as_string()};
    };
    const auto back =
        life().json_of(life().run(life().retention().restore({text(second), "", ""})));
    EXPECT_EQ(back.at("restored_manifests").to_number<int>(), 2);
    EXPECT_TRUE(back.at("skipped").as_array().empty());
    const auto tags = life().json_of(life().run(life().retention().restore({text(first), "", ""})));
    EXPECT_EQ(tags.at("restored_tags").to_number<int>(), 1);
    EXPECT_TRUE(life().has_tag("multi"));
    EXPECT_TRUE(life().holds(content_of("child")));
    // What is back is as young as a push.
    life().policies(kKeepTwo);
    EXPECT_TRUE(deleted_items(life().plan()).empty());
}

TEST_F(RetentionTest, RunsAreRemembered) {
    life().policies(kKeepTwo);
    life().push("k", {"keep"});
    for (int i = 0; i < 3; ++i) life().run_policy();
    const auto all = life().json_of(life().run(life().retention().runs(0, 2)));
    ASSERT_EQ(all.at("items").as_array().size(), 2u);
    EXPECT_EQ(all.at("items").as_array()[0].as_object().at("run").as_string(), "r-3");
    EXPECT_TRUE(all.at("more").as_bool());
    EXPECT_TRUE(life().run(life().retention().find_run("r-1")));
    EXPECT_FALSE(life().run(life().retention().find_run("r-9")));
}

}  // namespace
}  // namespace orbitalreg::engine
