// The lines of an audit log as this version writes them, kept in golden/data: they verify today as they did, and the same events
// make the same bytes. To make the file anew after a change of format: ORB_WRITE_GOLDEN=1 audit_golden_test

#include "audit/audit_line.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace orbitalreg::frontend {
namespace {

const std::string kPath = std::string{ORB_GOLDEN_DATA} + "/audit-00000000000000000001.jsonl";
constexpr std::int64_t kFirstNs = 1'767'225'600'123'456'789;

std::vector<AuditEvent> golden_events() {
    std::vector<AuditEvent> events(3);
    events[0].action = "start";
    events[0].granted = true;
    events[1].action = "tag";
    events[1].principal = "alice";
    events[1].credential = "pat:17";
    events[1].address = "192.0.2.1";
    events[1].request_id = "0123456789abcdef";
    events[1].object = "acme/app";
    events[1].reference = "latest";
    events[1].digest = "sha256:" + std::string(64, 'a');
    events[1].old_digest = "sha256:" + std::string(64, 'b');
    events[1].granted = true;
    events[1].status = 201;
    events[1].rule = "project acme: writer";
    events[1].more = {{"size", "1234"}};
    events[2].action = "login.fail";
    events[2].principal = "m\xc3\xa9\n\"\\\xff\xf0\x9f\x90\xb3";
    events[2].reason = "unknown";
    events[2].status = 401;
    return events;
}

std::string make_file() {
    std::string text;
    AuditHead head;
    for (const auto& event : golden_events()) {
        const auto wall_ns = kFirstNs + static_cast<std::int64_t>(head.seq) * 1'000'000'000;
        const auto line = seal_audit_line(head, wall_ns, encode_audit_event(event));
        text += line.text;
        head = {head.seq + 1, line.hash};
    }
    return text;
}

TEST(AuditGolden, TheSameEventsMakeTheSameBytes) {
    if (std::getenv("ORB_WRITE_GOLDEN") != nullptr) {
        std::ofstream{kPath, std::ios::binary} << make_file();
    }
    std::ifstream file{kPath, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_EQ(text, make_file());
}

TEST(AuditGolden, WhatWasWrittenVerifies) {
    const auto found = verify_audit_files({kPath});
    ASSERT_TRUE(found);
    EXPECT_FALSE(found.value().first_break);
    EXPECT_EQ(found.value().lines, 3U);
    EXPECT_EQ(found.value().head.hash,
              "a36bf134deedc185bdd72182f5815c865f6b7be572aae13264780517e6871da6");
}

}  // namespace
}  // namespace orbitalreg::frontend
