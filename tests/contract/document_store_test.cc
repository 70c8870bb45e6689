// The DocumentStore suite, run on the model and on the embedded store.

#include "contract/registry_store_content.h"
#include "contract/store_under_test.h"

#include <gtest/gtest.h>

namespace orbitalreg::engine {
namespace {

class DocumentStoreSuite : public testing::TestWithParam<StoreFactory> {
protected:
    void SetUp() override { under_test_ = GetParam().make(RegistryLimits{}); }
    DocumentStore& store() { return under_test_->documents(); }
    StoreUnderTest& under_test() { return *under_test_; }
    template <class T>
    T run(Awaitable<T> operation) {
        return under_test_->run(std::move(operation));
    }
    RequestId next_id() { return {2, ++ids_}; }
    Errc error_of(const auto& answer) {
        return answer.has_value() ? Errc{} : static_cast<Errc>(answer.error().code.value());
    }
    Answer<std::uint64_t> put(const std::string& name, const std::string& text,
                              DocumentExpectation expected = DocumentExpectation::anything(),
                              std::uint64_t keep_ms = 0) {
        return run(store().put(next_id(), {name, bytes_of(text), expected, keep_ms}));
    }
    std::vector<std::string> names(const std::string& prefix, const std::string& after = "",
                                   std::uint32_t count = 100) {
        std::vector<std::string> all;
        const auto page = run(store().list(prefix, after, count));
        EXPECT_TRUE(page);
        for (const auto& document : page.value().documents) {
            all.push_back(document.name);
        }
        return all;
    }

private:
    std::unique_ptr<StoreUnderTest> under_test_;
    std::uint64_t ids_ = 0;
};

TEST_P(DocumentStoreSuite, VersionsGuardWrites) {
    EXPECT_EQ(error_of(run(store().get("a"))), Errc::document_unknown);
    const auto first = put("a", "1", DocumentExpectation::absent());
    ASSERT_TRUE(first);
    EXPECT_GT(first.value(), 0u);
    EXPECT_EQ(error_of(put("a", "2", DocumentExpectation::absent())), Errc::exists);
    const auto second = put("a", "2", DocumentExpectation::at_version(first.value()));
    ASSERT_TRUE(second);
    EXPECT_GT(second.value(), first.value());
    EXPECT_EQ(error_of(put("a", "3", DocumentExpectation::at_version(first.value()))),
              Errc::precondition_failed);
    const auto read = run(store().get("a")).value();
    EXPECT_EQ(read.version, second.value());
    EXPECT_EQ(read.bytes, bytes_of("2"));
    EXPECT_EQ(error_of(run(
                  store().remove(next_id(), "a", DocumentExpectation::at_version(first.value())))),
              Errc::precondition_failed);
    ASSERT_TRUE(run(store().remove(next_id(), "a", DocumentExpectation::anything())));
    EXPECT_EQ(error_of(run(store().remove(next_id(), "a", DocumentExpectation::anything()))),
              Errc::document_unknown);
    EXPECT_GT(put("a", "4").value(), second.value()) << "over its deletion, too";
}

TEST_P(DocumentStoreSuite, SurvivesAReopening) {
    const auto version = put("a/1", "text").value();
    EXPECT_TRUE(put("a/2", ""));
    ASSERT_TRUE(run(store().remove(next_id(), "a/2", DocumentExpectation::anything())));
    const auto before = under_test().fingerprint();
    under_test().reopen();
    EXPECT_EQ(under_test().fingerprint(), before);
    EXPECT_EQ(run(store().get("a/1")).value().version, version);
    EXPECT_EQ(names(""), (std::vector<std::string>{"a/1"}));
}

TEST_P(DocumentStoreSuite, ExpiresByStoreTime) {
    ASSERT_TRUE(put("jti/1", "", DocumentExpectation::absent(), 60'000));
    EXPECT_EQ(error_of(put("jti/1", "", DocumentExpectation::absent(), 60'000)), Errc::exists);
    under_test().advance_ms(61'000);
    EXPECT_EQ(error_of(run(store().get("jti/1"))), Errc::document_unknown);
    EXPECT_TRUE(names("jti/").empty());
    EXPECT_TRUE(put("jti/1", "", DocumentExpectation::absent(), 60'000));
}

TEST_P(DocumentStoreSuite, ListsByPrefixInPages) {
    for (const std::string name : {"b", "a/3", "a/1", "a/2", "a0"}) {
        EXPECT_TRUE(put(name, name));
    }
    EXPECT_EQ(names("a/"), (std::vector<std::string>{"a/1", "a/2", "a/3"}));
    EXPECT_EQ(names("a/", "a/1", 1), (std::vector<std::string>{"a/2"}));
    EXPECT_TRUE(run(store().list("a/", "a/1", 1)).value().more);
    EXPECT_FALSE(run(store().list("a/", "a/1", 2)).value().more);
    EXPECT_EQ(names(""), (std::vector<std::string>{"a/1", "a/2", "a/3", "a0", "b"}));
    EXPECT_TRUE(names("c").empty());
}

TEST_P(DocumentStoreSuite, RefusesWhatIsOutsideItsLimits) {
    EXPECT_EQ(error_of(put("", "x")), Errc::name_invalid);
    EXPECT_EQ(error_of(put("a b", "x")), Errc::name_invalid);
    EXPECT_EQ(error_of(put(std::string(256, 'a'), "x")), Errc::name_invalid);
    EXPECT_TRUE(put(std::string(255, 'a'), "x"));
    EXPECT_TRUE(put("full", std::string(64 * 1024, 'x')));
    EXPECT_EQ(error_of(put("over", std::string(64 * 1024 + 1, 'x'))), Errc::too_large);
}

TEST_P(DocumentStoreSuite, RepeatedRequestGivesItsFirstOutcome) {
    const auto id = next_id();
    const DocumentWrite write{"a", bytes_of("1"), DocumentExpectation::absent(), 0};
    const auto first = run(store().put(id, write));
    ASSERT_TRUE(first);
    EXPECT_TRUE(put("a", "2"));
    const auto again = run(store().put(id, write));
    ASSERT_TRUE(again);
    EXPECT_EQ(again.value(), first.value());
    EXPECT_EQ(run(store().get("a")).value().bytes, bytes_of("2"));
}

TEST_P(DocumentStoreSuite, OneOfManyCreatorsWins) {
    std::vector<Awaitable<Answer<std::uint64_t>>> puts;
    for (int i = 0; i < 20; ++i) {
        puts.push_back(
            store().put(next_id(), {"lock", bytes_of("x"), DocumentExpectation::absent(), 0}));
    }
    int won = 0;
    for (const auto& answer : under_test().run_all(std::move(puts))) won += answer ? 1 : 0;
    EXPECT_EQ(won, 1);
}

TEST_P(DocumentStoreSuite, TellsWatchers) {
    std::vector<std::string> seen;
    auto watch = store().watch("a/", [&](const std::string& name) { seen.push_back(name); });
    EXPECT_TRUE(put("a/1", "x"));
    EXPECT_TRUE(put("b/1", "x"));
    ASSERT_TRUE(run(store().remove(next_id(), "a/1", DocumentExpectation::anything())));
    watch.reset();
    EXPECT_TRUE(put("a/2", "x"));
    EXPECT_EQ(seen, (std::vector<std::string>{"a/1", "a/1"}));
}

INSTANTIATE_TEST_SUITE_P(All, DocumentStoreSuite, testing::ValuesIn(all_factories()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace orbitalreg::engine
