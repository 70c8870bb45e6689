// How an event is written: what a client sent stays inside its field, whatever it is.

#include "audit/audit_line.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kNewYearNs = 1'767'225'600'123'000'000;

SealedAuditLine seal(const AuditEvent& event) {
    return seal_audit_line({}, kNewYearNs, encode_audit_event(event));
}

std::string principal_of(const std::string& principal) {
    AuditEvent event;
    event.principal = principal;
    const auto line = seal(event);
    EXPECT_EQ(line.text.find('\n'), line.text.size() - 1);
    for (const char c : line.text.substr(0, line.text.size() - 1)) {
        EXPECT_TRUE(c >= 0x20 && c < 0x7f);
    }
    const auto json = boost::json::parse(line.text);
    return std::string{json.at("principal").as_string()};
}

TEST(AuditLine, SaysWhatAnEventHolds) {
    AuditEvent event;
    event.action = "tag";
    event.principal = "alice";
    event.credential = "pat:17";
    event.address = "192.0.2.1";
    event.request_id = "r-1";
    event.object = "acme/app";
    event.reference = "latest";
    event.digest = "sha256:aa";
    event.old_digest = "sha256:bb";
    event.granted = true;
    event.status = 201;
    event.rule = "member:writer";
    event.reason = "because";
    event.more = {{"size", "12"}, {"with", "a \"quote\""}};
    const auto line = seal(event);
    EXPECT_EQ(
        line.text.substr(0, line.text.find(",\"prev\"")),
        R"({"seq":1,"time":"2026-01-01T00:00:00.123Z","action":"tag","granted":true,"status":201,)"
        R"("principal":"alice","credential":"pat:17","address":"192.0.2.1","request_id":"r-1",)"
        R"("object":"acme/app","reference":"latest","digest":"sha256:aa","old_digest":"sha256:bb",)"
        R"("rule":"member:writer","reason":"because","more":{"size":"12","with":"a \"quote\""})");
    const auto text = std::string_view{line.text}.substr(0, line.text.size() - 1);
    const auto view = view_audit_line(text);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->seq, 1U);
    EXPECT_EQ(view->previous_hash, std::string(64, '0'));
    EXPECT_EQ(view->hash, line.hash);
    EXPECT_TRUE(has_right_hash(*view));
    EXPECT_EQ(audit_field(text, "credential"), "pat:17");
    EXPECT_EQ(audit_field(text, "status"), "201");
    EXPECT_EQ(audit_field(text, "granted"), "true");
    EXPECT_EQ(audit_field(text, "size"), "");
}

TEST(AuditLine, HostileTextStaysInItsField) {
    for (const std::string text :
         {"a\nb", "a\r\n{\"seq\":9}", "\"},\"granted\":true,\"x\":\"", "back\\slash\\", "\x1b[2J",
          "\xc3\xa9t\xc3\xa9", "\xf0\x9f\x90\xb3", "\x7f\x01"}) {
        EXPECT_EQ(principal_of(text), text);
    }
    EXPECT_EQ(principal_of(std::string{"\0", 1}), (std::string{"\0", 1}));
    EXPECT_EQ(principal_of("a\xff\xc0\x80z"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
}

TEST(AuditLine, AFieldPretendsInVainToBeAnother) {
    AuditEvent event;
    event.action = R"(x","principal":"root)";
    event.principal = "mallory";
    event.reason = R"(","more":{"address":"1.2.3.4)";
    event.more = {{"x", "y"}, {"object", "stolen"}};
    const auto line = seal(event).text;
    EXPECT_EQ(audit_field(line, "principal"), "mallory");
    EXPECT_EQ(audit_field(line, "address"), "");
    EXPECT_EQ(audit_field(line, "object"), "");
}

TEST(AuditLine, FieldsAreCutAtOneKibAndSaySo) {
    EXPECT_EQ(principal_of(std::string(1'024, 'a')), std::string(1'024, 'a'));
    EXPECT_EQ(principal_of(std::string(10'000'000, 'a')), std::string(1'024, 'a') + "\xe2\x80\xa6");
    // Never in the middle of a character.
    EXPECT_EQ(principal_of(std::string(1'023, 'a') + "\xc3\xa9"),
              std::string(1'023, 'a') + "\xe2\x80\xa6");
}

TEST(AuditLine, TheLargestEventFitsIntoALine) {
    AuditEvent event;
    const std::string large(2'000, '\x01');
    for (auto* field : {&event.action, &event.principal, &event.credential, &event.address,
                        &event.request_id, &event.object, &event.reference, &event.digest,
                        &event.old_digest, &event.rule, &event.reason})
        *field = large;
    for (int i = 0; i < 20; ++i) event.more.emplace_back(large, large);
    const auto line = seal(event).text;
    EXPECT_LE(line.size(), kAuditLineSizeMax);
    EXPECT_EQ(boost::json::parse(line).at("more_left_out").as_string(), "4");
}

TEST(AuditLine, WhatNoServerWroteIsNoLine) {
    const auto text = seal(AuditEvent{}).text;
    const auto line = text.substr(0, text.size() - 1);
    ASSERT_TRUE(view_audit_line(line));
    for (const std::string& wrong :
         {std::string{}, std::string{"{}"}, line + " ", ' ' + line, line.substr(1),
          line.substr(0, line.size() - 1), R"({"seq":0)" + line.substr(8),
          R"({"seq":01)" + line.substr(8), R"({"seq":99999999999999999999)" + line.substr(8)}) {
        EXPECT_FALSE(view_audit_line(wrong)) << wrong;
    }
}

TEST(AuditLine, TimesAreReadAsTheyAreWritten) {
    EXPECT_EQ(audit_time_text(kNewYearNs), "2026-01-01T00:00:00.123Z");
    EXPECT_EQ(parse_audit_time("2026-01-01T00:00:00.123Z"), kNewYearNs / 1'000'000);
    EXPECT_EQ(parse_audit_time("2026-01-01T00:00:00.123999Z"), kNewYearNs / 1'000'000);
    EXPECT_EQ(parse_audit_time("2026-01-01T00:00:00Z"), kNewYearNs / 1'000'000 - 123);
    EXPECT_EQ(parse_audit_time("2026-01-01"), kNewYearNs / 1'000'000 - 123);
    for (const char* text : {"", "2026", "2026-13-01", "2026-01-01T", "2026-01-01T00:00:00",
                             "2026-01-01T00:00:00.Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00Z",
                             "2026-01-01 00:00:00Z", "2026-01-01T00:00:00+01:00", "+026-01-01"}) {
        EXPECT_EQ(parse_audit_time(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace orbitalreg::frontend
