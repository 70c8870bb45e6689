// Keys from the first one to their end, with a clock that is moved; what lies in the folder is what the next start finds.

#include "auth/key_ring.h"

#include "auth/private_file.h"
#include "support/access_world.h"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kDay_s = 24 * 3600;

class KeyRingTest : public testing::Test {
protected:
    KeyRingTest() {
        options.folder = testing::TempDir() + "key_ring_" + std::to_string(::getpid());
        std::filesystem::remove_all(options.folder);
    }
    ~KeyRingTest() override { std::filesystem::remove_all(options.folder); }

    std::string open(KeyRing& ring) { return ring.open(); }
    std::string path(const std::string& id) { return options.folder + '/' + id + ".pem"; }
    std::string list() { return options.folder + "/keys.json"; }
    static unsigned mode_of(const std::string& file) {
        struct stat facts {};
        return ::stat(file.c_str(), &facts) == 0 ? facts.st_mode & 0777U : 0U;
    }
    // `next active` and so on, in the order of the ring.
    static std::string states(const KeyRing& ring) {
        std::string text;
        for (const auto& each : ring.states())
            text.append(text.empty() ? "" : " ").append(each.state);
        return text;
    }
    static std::string active(const KeyRing& ring) {
        return ring.keys()->active.public_key().thumbprint();
    }
    bool advance(KeyRing& ring) {
        std::string trouble;
        const bool changed = ring.advance(trouble);
        EXPECT_EQ(trouble, "");
        return changed;
    }
    void write(const std::string& content) { ASSERT_EQ(write_private_file(list(), content), ""); }

    engine::StandingClock clock;
    KeyRingOptions options;
};

TEST_F(KeyRingTest, MakesTheFirstKeyForItsOwnerAlone) {
    KeyRing ring{options, clock};
    ASSERT_EQ(open(ring), "");
    const auto id = active(ring);
    EXPECT_EQ(states(ring), "active");
    EXPECT_EQ(mode_of(options.folder), 0700u);
    EXPECT_EQ(mode_of(path(id)), 0600u);
    EXPECT_EQ(mode_of(list()), 0600u);
    EXPECT_EQ(ring.keys()->verifying.size(), 1u);
    EXPECT_NE(ring.keys()->jwks.find(id), std::string::npos);
    EXPECT_EQ(ring.keys()->jwks.find("\"d\""), std::string::npos);  // no private half
    KeyRing again{options, clock};
    ASSERT_EQ(open(again), "");
    EXPECT_EQ(active(again), id);
    EXPECT_FALSE(advance(again));
}

TEST_F(KeyRingTest, AFileThatOthersMayReadStopsTheStart) {
    std::string id;
    {
        KeyRing ring{options, clock};
        ASSERT_EQ(open(ring), "");
        id = active(ring);
    }
    for (const auto& file : {path(id), list()}) {
        ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
        KeyRing ring{options, clock};
        EXPECT_EQ(open(ring),
                  file + ": others than its owner may read or write it: chmod 600 " + file);
        ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
    }
    ASSERT_EQ(::chmod(options.folder.c_str(), 0770), 0);
    KeyRing ring{options, clock};
    EXPECT_EQ(open(ring), options.folder + ": others than its owner may write to it: chmod 700 " +
                              options.folder);
}

TEST_F(KeyRingTest, AKeyUnderAnotherNameStopsTheStart) {
    KeyRing ring{options, clock};
    ASSERT_EQ(open(ring), "");
    const auto pem = read_private_file(path(active(ring))).content;
    ASSERT_EQ(write_private_file(path("other"), pem), "");
    write(R"({"keys":[{"kid":"other","state":"active","since":1}]})");
    KeyRing again{options, clock};
    EXPECT_EQ(open(again), path("other") + ": is not the key that its name says");
    ASSERT_EQ(write_private_file(path("other"), "no key"), "");
    EXPECT_EQ(open(again), path("other") + ": is not the key that its name says");
}

TEST_F(KeyRingTest, AListThatIsNoneStopsTheStart) {
    KeyRing ring{options, clock};
    ASSERT_EQ(open(ring), "");
    const auto id = active(ring);
    const auto entry = [&](const std::string& kid, const std::string& state) {
        return R"({"kid":")" + kid + R"(","state":")" + state + R"(","since":1})";
    };
    for (const auto* kid : {"../x", "a/b", "a.b", ""}) {
        write("{\"keys\":[" + entry(kid, "active") + "]}");
        KeyRing again{options, clock};
        EXPECT_EQ(open(again), list() + ": names a key that is none") << kid;
    }
    for (const auto* state : {"gone", "", "Active"}) {
        write("{\"keys\":[" + entry(id, state) + "]}");
        KeyRing again{options, clock};
        EXPECT_EQ(open(again), list() + ": names a key that is none") << state;
    }
    const auto none = list() + ": lists not one key that signs, and perhaps a next one";
    for (const auto& content :
         {std::string{}, std::string{"{}"}, std::string{"[]"}, std::string{R"({"keys":[]})"},
          std::string{R"({"keys":[7]})"}, "{\"keys\":[" + entry(id, "next") + "]}",
          "{\"keys\":[" + entry(id, "active") + ',' + entry(id, "active") + "]}"}) {
        write(content);
        KeyRing again{options, clock};
        EXPECT_EQ(open(again), none) << content;
        // Nor does a ring that runs take it.
        EXPECT_FALSE(ring.look_again("unknown"));
        EXPECT_EQ(active(ring), id);
        clock.move_s(60);
        EXPECT_FALSE(advance(ring));
    }
}

// A key is published before it signs, signs, and is good for what it signed until nothing of that can live.
TEST_F(KeyRingTest, EachKeyGoesItsWay) {
    KeyRing ring{options, clock};
    ASSERT_EQ(open(ring), "");
    const auto first = active(ring);
    clock.move_s(90 * kDay_s - 601);
    EXPECT_FALSE(advance(ring));
    clock.move_s(1);
    EXPECT_TRUE(advance(ring));
    EXPECT_EQ(states(ring), "active next");
    EXPECT_EQ(active(ring), first);
    const auto second = ring.states()[1].id;
    EXPECT_NE(ring.keys()->jwks.find(second), std::string::npos);
    EXPECT_TRUE(ring.keys()->verifying.contains(second));
    clock.move_s(599);
    EXPECT_FALSE(advance(ring));
    clock.move_s(1);
    EXPECT_TRUE(advance(ring));
    EXPECT_EQ(states(ring), "retiring active");
    EXPECT_EQ(active(ring), second);
    EXPECT_TRUE(ring.keys()->verifying.contains(first));
    clock.move_s(options.keep_retired_s - 1);
    EXPECT_FALSE(advance(ring));
    const auto held = ring.keys();
    clock.move_s(1);
    EXPECT_TRUE(advance(ring));
    EXPECT_EQ(states(ring), "active");
    EXPECT_FALSE(ring.keys()->verifying.contains(first));
    EXPECT_TRUE(held->verifying.contains(first));  // who has the keys in hand keeps them
    EXPECT_FALSE(std::filesystem::exists(path(first)));
    KeyRing again{options, clock};
    ASSERT_EQ(open(again), "");
    EXPECT_EQ(active(again), second);
    EXPECT_EQ(states(again), "active");
}

TEST_F(KeyRingTest, RotatesWhenAsked) {
    options.rotate_every_s = 0;
    KeyRing ring{options, clock};
    ASSERT_EQ(open(ring), "");
    const auto first = active(ring);
    clock.move_s(1000 * kDay_s);
    EXPECT_FALSE(advance(ring));
    std::string trouble;
    const auto second = ring.rotate(false, trouble);
    EXPECT_EQ(trouble, "");
    EXPECT_EQ(states(ring), "active next");
    EXPECT_EQ(active(ring), first);
    EXPECT_EQ(ring.rotate(false, trouble), second);  // asked again it is the same
    EXPECT_EQ(ring.rotate(true, trouble), second);
    EXPECT_EQ(active(ring), second);
    EXPECT_EQ(states(ring), "retiring active");
    EXPECT_TRUE(ring.keys()->verifying.contains(first));
    const auto third = ring.rotate(true, trouble);
    EXPECT_EQ(active(ring), third);
    EXPECT_EQ(states(ring), "retiring retiring active");
}

// Where the folder cannot be written nothing has happened: no key signs that the next start would not know, and no file is gone
// that it would look for.
TEST_F(KeyRingTest, WhatCannotBeWrittenHasNotHappened) {
    KeyRing ring{options, clock};
    ASSERT_EQ(open(ring), "");
    std::string trouble;
    const auto first = active(ring);
    ASSERT_NE(ring.rotate(true, trouble), "");
    const auto second = active(ring);
    ASSERT_TRUE(std::filesystem::create_directory(list() + ".new"));
    clock.move_s(options.keep_retired_s);
    EXPECT_FALSE(ring.advance(trouble));
    EXPECT_NE(trouble, "");
    EXPECT_EQ(ring.rotate(true, trouble), "");
    EXPECT_NE(trouble, "");
    EXPECT_EQ(active(ring), second);
    EXPECT_EQ(states(ring), "retiring active");
    EXPECT_TRUE(std::filesystem::exists(path(first)));
    KeyRing again{options, clock};
    EXPECT_EQ(open(again), "");
    std::filesystem::remove(list() + ".new");
    EXPECT_TRUE(advance(ring));
    EXPECT_EQ(states(ring), "active");
    EXPECT_FALSE(std::filesystem::exists(path(first)));
}

TEST_F(KeyRingTest, LooksAgainEachTenSecondsAtMost) {
    KeyRing ring{options, clock};
    ASSERT_EQ(open(ring), "");
    KeyRing other{options, clock};
    ASSERT_EQ(open(other), "");
    std::string trouble;
    const auto second = other.rotate(false, trouble);
    EXPECT_TRUE(ring.look_again(active(ring)));
    EXPECT_TRUE(ring.look_again(second));
    EXPECT_TRUE(ring.keys()->verifying.contains(second));
    const auto third = other.rotate(true, trouble).empty() ? "" : other.rotate(false, trouble);
    clock.move_s(9);
    EXPECT_FALSE(ring.look_again(third));
    EXPECT_TRUE(ring.look_again(second));  // known: nothing is read
    clock.move_s(1);
    EXPECT_TRUE(ring.look_again(third));
    EXPECT_EQ(active(ring), second);
    clock.move_s(10);
    EXPECT_FALSE(ring.look_again("nobody's"));
    EXPECT_FALSE(ring.look_again("nobody's"));
}

}  // namespace
}  // namespace orbitalreg::frontend
