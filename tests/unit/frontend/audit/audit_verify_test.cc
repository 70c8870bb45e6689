// What is done to the files afterwards is found: each byte, each line, the beginning and the end.

#include "unit/frontend/audit/audit_directory.h"

namespace orbitalreg::frontend {
namespace {

TEST(AuditVerify, ALogThatIsSoundIsClean) {
    AuditDirectory directory;
    const auto head = directory.fill(4);
    const auto found = verify_audit(directory.path, head);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found.value().first_break);
    EXPECT_EQ(found.value().files, 1U);
    EXPECT_EQ(found.value().lines, 4U);
    EXPECT_EQ(found.value().bytes, std::filesystem::file_size(directory.files()[0]));
    EXPECT_EQ(found.value().first_seq, 1U);
    EXPECT_EQ(found.value().head, head);
}

TEST(AuditVerify, EachFlippedByteIsFound) {
    AuditDirectory directory;
    directory.fill(2);
    const auto file = directory.files()[0];
    const auto text = AuditDirectory::read(file);
    for (std::size_t i = 0; i < text.size(); ++i) {
        for (const int bit : {0x01, 0x20}) {
            auto changed = text;
            changed[i] = static_cast<char>(changed[i] ^ bit);
            AuditDirectory::write(file, changed);
            EXPECT_NE(directory.trouble(), "") << i << ' ' << bit;
        }
    }
}

class AuditTampering : public testing::Test {
protected:
    std::string trouble_with(const std::vector<std::string>& changed,
                             const std::optional<AuditHead>& expected = std::nullopt) {
        AuditDirectory::write(directory.files()[0], AuditDirectory::text_of(changed));
        return directory.trouble(expected);
    }

    AuditDirectory directory;
    const AuditHead head = directory.fill(5);
    std::vector<std::string> lines = directory.lines();
};

TEST_F(AuditTampering, ARemovedLineIsFound) {
    lines.erase(lines.begin() + 2);
    EXPECT_EQ(trouble_with(lines), "line with seq 3 missing before this line");
    lines.erase(lines.begin() + 1);
    EXPECT_EQ(trouble_with(lines), "lines with seq 2 to 3 missing before this line");
    lines.erase(lines.begin());
    EXPECT_EQ(trouble_with(lines), "begins with seq 4, which its name denies");
}

TEST_F(AuditTampering, SwappedLinesAreFound) {
    std::swap(lines[1], lines[2]);
    EXPECT_EQ(trouble_with(lines), "line with seq 2 missing before this line");
}

TEST_F(AuditTampering, ALineThatIsThereTwiceIsFound) {
    lines.insert(lines.begin() + 2, lines[1]);
    EXPECT_EQ(trouble_with(lines),
              "the line with seq 2 stands behind the one with seq 2: inserted or moved");
}

TEST_F(AuditTampering, AnInsertedLineIsFound) {
    lines.insert(lines.begin() + 2, "{\"seq\":3}");
    EXPECT_EQ(trouble_with(lines), "is no line of an audit log");
    lines[2] = std::string(600'000, 'x');
    EXPECT_EQ(trouble_with(lines), "is longer than a line can be");
}

// Goal: a line taken from another log, sound in itself, does not fit into the chain.
TEST_F(AuditTampering, ALineOfAnotherLogIsFound) {
    AuditDirectory other;
    other.clock.move_s(1);
    other.fill(5);
    lines[2] = other.lines()[2];
    EXPECT_EQ(trouble_with(lines),
              "does not follow from the line before: one of the two was replaced");
    AuditDirectory::write(directory.files()[0], AuditDirectory::text_of(other.lines()));
    EXPECT_EQ(directory.trouble(), "");
    EXPECT_EQ(directory.trouble(head), "is not the line that was expected there");
}

TEST_F(AuditTampering, AnEndThatWasCutOffIsFoundByWhoeverKeptIt) {
    lines.pop_back();
    EXPECT_EQ(trouble_with(lines), "");
    EXPECT_EQ(trouble_with(lines, head), "the end is cut off: seq 4 is the last, and there was 5");
    EXPECT_EQ(trouble_with({}, head), "the end is cut off: seq 0 is the last, and there was 5");
}

TEST_F(AuditTampering, TheBreakIsNamedWithFileAndLine) {
    lines.erase(lines.begin() + 2);
    AuditDirectory::write(directory.files()[0], AuditDirectory::text_of(lines));
    const auto found = verify_audit(directory.path);
    ASSERT_TRUE(found && found.value().first_break);
    EXPECT_EQ(found.value().first_break->file, "audit-00000000000000000001.jsonl");
    EXPECT_EQ(found.value().first_break->line, 3U);
    EXPECT_EQ(found.value().lines, 2U);
}

TEST(AuditVerify, AMissingFileIsFound) {
    AuditDirectory directory;
    directory.options.rotate_bytes = 1;
    const auto head = directory.fill(4);
    const auto files = directory.files();
    ASSERT_EQ(files.size(), 4U);
    const auto first = AuditDirectory::read(files[0]);
    std::filesystem::remove(files[0]);
    EXPECT_EQ(directory.trouble(),
              "the beginning is missing, up to seq 1, and no event says that it was removed");
    AuditDirectory::write(files[0], first);
    std::filesystem::remove(files[2]);
    EXPECT_EQ(directory.trouble(), "line with seq 3 missing before this line");
    std::filesystem::remove(files[3]);
    EXPECT_EQ(directory.trouble(), "");
    EXPECT_EQ(directory.trouble(head), "the end is cut off: seq 2 is the last, and there was 4");
}

// Goal: an excerpt is verified by itself, in whatever order its files are named.
TEST(AuditVerify, FilesOfTheMiddleAreAChainOfTheirOwn) {
    AuditDirectory directory;
    directory.options.rotate_bytes = 1;
    directory.fill(4);
    const auto files = directory.files();
    auto found = verify_audit_files({files[2], files[1]});
    ASSERT_TRUE(found);
    EXPECT_FALSE(found.value().first_break);
    EXPECT_EQ(found.value().first_seq, 2U);
    EXPECT_EQ(found.value().head.seq, 3U);
    found = verify_audit_files({files[0], files[2]});
    ASSERT_TRUE(found && found.value().first_break);
    EXPECT_FALSE(verify_audit_files({directory.path + "/nothing"}));
}

// Goal: beside a server that writes, half a line at the end is one that is being written.
TEST(AuditVerify, ALineThatIsBeingWrittenIsNoBreak) {
    AuditDirectory directory;
    directory.fill(2);
    const auto log = directory.open();
    std::ofstream{directory.files()[0], std::ios::app} << "{\"seq\":3,";
    const auto found = verify_audit(directory.path, log->head());
    ASSERT_TRUE(found);
    EXPECT_FALSE(found.value().first_break);
    EXPECT_EQ(found.value().unfinished_bytes, 9U);
    log->stop();
}

}  // namespace
}  // namespace orbitalreg::frontend
