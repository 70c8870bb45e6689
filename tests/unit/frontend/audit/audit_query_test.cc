// Questions to the log: who did what to what, in both directions, a page at a time.

#include "unit/frontend/audit/audit_directory.h"

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kNewYearMs = 1'767'225'600'123;

std::vector<std::uint64_t> seqs_of(const AuditPage& page) {
    std::vector<std::uint64_t> seqs;
    for (const auto& line : page.lines)
        seqs.push_back(std::stoull(std::string{audit_field(line, "seq")}));
    return seqs;
}

// Six events, a minute from each to the next.
class AuditQuery : public testing::Test {
protected:
    AuditQuery() {
        const auto log = directory.open();
        add(*log, "push", "alice", "acme/app", "192.0.2.1", true);
        add(*log, "pull.refused", "bob", "acme/app/web", "192.0.2.2", false);
        add(*log, "token.issue", "alice", "alice", "192.0.2.1", true);
        add(*log, "token.exchange", "alice2", "acme", "192.0.2.1", true);
        add(*log, "delete", "\xc3\xa9va", "acmeother/x", "192.0.2.10", true);
        add(*log, "push", "bob", "acme/app", "192.0.2.2", false);
    }
    void add(AuditLog& log, const char* action, const char* principal, const char* object,
             const char* address, bool granted) {
        AuditEvent event;
        event.action = action;
        event.principal = principal;
        event.object = object;
        event.address = address;
        event.granted = granted;
        event.more = {{"note", "alice"}, {"principal", "root"}};
        EXPECT_TRUE(log.append(event));
        directory.clock.move_s(60);
    }
    std::vector<std::uint64_t> ask() {
        const auto page = read_audit(directory.path, filter);
        EXPECT_TRUE(page);
        return page ? seqs_of(page.value()) : std::vector<std::uint64_t>{};
    }
    using Seqs = std::vector<std::uint64_t>;

    AuditDirectory directory;
    AuditFilter filter;
};

TEST_F(AuditQuery, NewestFirstUnlessAskedOtherwise) {
    EXPECT_EQ(ask(), (Seqs{6, 5, 4, 3, 2, 1}));
    filter.oldest_first = true;
    EXPECT_EQ(ask(), (Seqs{1, 2, 3, 4, 5, 6}));
}

TEST_F(AuditQuery, ByPrincipal) {
    filter.principal = "alice";
    EXPECT_EQ(ask(), (Seqs{3, 1}));
    filter.principal = "\xc3\xa9va";
    EXPECT_EQ(ask(), (Seqs{5}));
    filter.principal = "root";
    EXPECT_EQ(ask(), Seqs{});
    filter.principal = "alice\",\"object\":\"";
    EXPECT_EQ(ask(), Seqs{});
}

TEST_F(AuditQuery, ByActionOrItsBegin) {
    filter.action = "token";
    EXPECT_EQ(ask(), (Seqs{4, 3}));
    filter.action = "token.issue";
    EXPECT_EQ(ask(), (Seqs{3}));
}

TEST_F(AuditQuery, ByObjectOrWhatIsUnderIt) {
    filter.object = "acme/app";
    EXPECT_EQ(ask(), (Seqs{6, 1}));
    filter.object = "acme/";
    EXPECT_EQ(ask(), (Seqs{6, 2, 1}));
    filter.object = "acme";
    EXPECT_EQ(ask(), (Seqs{4}));
}

TEST_F(AuditQuery, ByAddressAndOutcome) {
    filter.address = "192.0.2.1";
    EXPECT_EQ(ask(), (Seqs{4, 3, 1}));
    filter.address.clear();
    filter.granted = false;
    EXPECT_EQ(ask(), (Seqs{6, 2}));
    filter.principal = "bob";
    filter.action = "push";
    EXPECT_EQ(ask(), (Seqs{6}));
}

TEST_F(AuditQuery, ByTime) {
    filter.since_ms = kNewYearMs + 60'000;
    EXPECT_EQ(ask(), (Seqs{6, 5, 4, 3, 2}));
    filter.until_ms = kNewYearMs + 180'000;
    EXPECT_EQ(ask(), (Seqs{3, 2}));
    filter.oldest_first = true;
    EXPECT_EQ(ask(), (Seqs{2, 3}));
    filter.until_ms = 0;
    EXPECT_EQ(ask(), Seqs{});
}

TEST_F(AuditQuery, BySequenceNumber) {
    filter.after_seq = 2;
    filter.before_seq = 5;
    EXPECT_EQ(ask(), (Seqs{4, 3}));
    filter.oldest_first = true;
    EXPECT_EQ(ask(), (Seqs{3, 4}));
}

TEST_F(AuditQuery, PagesFollowEachOther) {
    filter.limit = 2;
    auto page = read_audit(directory.path, filter);
    ASSERT_TRUE(page);
    EXPECT_EQ(seqs_of(page.value()), (Seqs{6, 5}));
    ASSERT_EQ(page.value().cursor, 5U);
    filter.before_seq = *page.value().cursor;
    filter.limit = 100;
    page = read_audit(directory.path, filter);
    ASSERT_TRUE(page);
    EXPECT_EQ(seqs_of(page.value()), (Seqs{4, 3, 2, 1}));
    EXPECT_EQ(page.value().cursor, std::nullopt);
}

TEST_F(AuditQuery, WhatIsNoLineIsLeftOut) {
    const auto file = directory.files()[0];
    auto lines = directory.lines();
    lines[1].replace(lines[1].find("bob"), 3, "b\x1b[");
    lines.insert(lines.begin() + 3, "{\"seq\":oh}");
    AuditDirectory::write(file, AuditDirectory::text_of(lines) + "{\"seq\":7,\"time\":\"half");
    EXPECT_EQ(ask(), (Seqs{6, 5, 4, 3, 1}));
}

// Goal: over many files, and files of many windows, each line is found once from both ends, whatever page it begins with.
TEST(AuditQueryPaging, ManyLinesInManyFiles) {
    constexpr std::uint64_t kLines = 9'000;
    AuditDirectory directory;
    directory.options.rotate_bytes = 2'500'000;
    {
        const auto log = directory.open();
        auto event = AuditDirectory::push("v");
        event.reason = std::string(500, 'r');
        for (std::uint64_t i = 0; i < kLines; ++i) {
            ASSERT_TRUE(log->append(event));
            directory.clock.move_s(60);
        }
    }
    ASSERT_GE(directory.files().size(), 3U);
    for (const bool oldest_first : {false, true}) {
        AuditFilter filter;
        filter.limit = AuditFilter::kLimitMax;
        filter.oldest_first = oldest_first;
        std::uint64_t seen = 0;
        for (bool more = true; more;) {
            const auto page = read_audit(directory.path, filter);
            ASSERT_TRUE(page);
            for (const auto seq : seqs_of(page.value()))
                ASSERT_EQ(seq, oldest_first ? ++seen : kLines - seen++);
            more = page.value().cursor.has_value();
            (oldest_first ? filter.after_seq : filter.before_seq) = page.value().cursor.value_or(0);
        }
        EXPECT_EQ(seen, kLines);
    }
    AuditFilter filter;
    filter.limit = 3;
    for (const std::uint64_t minute : {1, 2'500, 4'444, 8'999}) {
        filter.oldest_first = false;
        filter.since_ms = std::nullopt;
        filter.until_ms = kNewYearMs + static_cast<std::int64_t>(minute) * 60'000;
        auto page = read_audit(directory.path, filter);
        ASSERT_TRUE(page);
        EXPECT_EQ(seqs_of(page.value()).front(), minute);
        filter.oldest_first = true;
        filter.since_ms = std::exchange(filter.until_ms, std::nullopt);
        page = read_audit(directory.path, filter);
        ASSERT_TRUE(page);
        EXPECT_EQ(seqs_of(page.value()).front(), minute + 1);
    }
}

TEST(AuditQueryPaging, ADirectoryThatIsNotThereIsAnError) {
    EXPECT_FALSE(read_audit("/nowhere/at/all", {}));
}

}  // namespace
}  // namespace orbitalreg::frontend
