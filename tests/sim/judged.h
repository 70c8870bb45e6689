#pragma once
// What retention may delete in a simulation: what is certain of tags and manifests under the image names that a policy matches, and
// the store that retention is given, which compares each of its deletions with that.
//
// A time is certain when what it stands for was answered; it is the earliest that the store may have taken. What an unanswered request
// touched is open until the next one that nothing disturbs.
//
// Life     JudgedWorld as long as its seed; WatchedRetentionStore as long as its process.
// Times    seconds of store time; 0: none.
// Errors   what retention may not do goes to SimWorld::fail().

#include "engine/retention.h"
#include "engine/retention_store.h"
#include "sim/life.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::sim {

// One tag or manifest, and the requests that may change it.
struct JudgedSlot {
    static constexpr int kNothing = -1;

    bool certain = true;
    int value = kNothing;  // of a tag, a manifest of the universe; of a manifest, itself
    std::uint32_t since_s = 0;
    std::uint64_t begun = 0;  // requests
    std::uint64_t under_way = 0;

    struct Ticket {
        std::uint64_t begun = 0;
        bool alone = false;
        bool certain = false;
        int value = kNothing;
        std::uint32_t since_s = 0;
    };
    Ticket begin() noexcept;
    // False when something else may have changed it meanwhile: what it is now stays open.
    bool end(const Ticket& ticket, int to, std::uint32_t now_s) noexcept;
    // It did not happen: as it was.
    void end_unchanged(const Ticket& ticket) noexcept;
    void end_open() noexcept { --under_way; }
    void forget_requests() noexcept { under_way = 0; }
    bool is(int wanted) const noexcept { return certain && value == wanted; }
    bool is_there() const noexcept { return certain && value != kNothing; }
};

// A pull lasts when it is written; until then as long as the process.
struct PullTime {
    std::uint32_t noted_s = 0;
    std::uint32_t written_s = 0;
    std::uint32_t last_s() const noexcept { return std::max(noted_s, written_s); }
    void note(std::uint32_t at_s) noexcept { noted_s = std::max(noted_s, at_s); }
    void write(std::uint32_t at_s) noexcept { written_s = std::max(written_s, at_s); }
};

struct JudgedTagState : JudgedSlot {
    std::uint32_t pushed_s = 0;
    std::uint32_t set_s = 0;  // when it surely pointed there
    PullTime pulled;
};

struct JudgedManifestState : JudgedSlot {
    std::uint32_t first_put_s = 0;
    std::uint32_t last_put_s = 0;
    std::uint32_t tagged_s = 0;  // when it surely had a tag
    PullTime pulled;             // in whatever way
    PullTime pulled_by_digest;
    std::uint64_t deletions = 0;
};

class JudgedWorld {
public:
    static constexpr std::size_t kImages = 2;

    JudgedWorld(SimRandom& random, const Universe& universe);

    const std::string& policy() const noexcept { return policy_; }
    static bool matches(std::string_view image) noexcept;
    static bool is_protected(std::string_view tag) noexcept { return tag == "v2"; }
    // So long without anything and nothing is left but what is protected.
    std::uint32_t everything_goes_after_s() const noexcept;
    engine::PushTarget target(std::size_t image) const;

    void begin_life() noexcept;

    JudgedTagState& tag(const engine::ImageName& image, const engine::Tag& tag) {
        return tags_[{image.text(), tag.text()}];
    }
    JudgedManifestState& manifest(const engine::ImageName& image, const Digest& digest) {
        return manifests_[{image.text(), digest}];
    }
    // Before something that may take the tag from the manifest that it surely names.
    JudgedSlot::Ticket begin_tag(const engine::ImageName& image, const engine::Tag& tag,
                                 std::uint32_t now_s);
    void tag_was_set(const engine::ImageName& image, const engine::Tag& tag,
                     const JudgedSlot::Ticket& ticket, int manifest, std::uint32_t begun_s,
                     std::uint32_t now_s);
    void manifest_was_put(const engine::ImageName& image, int manifest,
                          const JudgedSlot::Ticket& ticket, std::uint32_t begun_s,
                          std::uint32_t now_s);

    // Of a pull: what holds from the look-up to its note.
    struct Pull {
        engine::ImageName image;
        engine::Reference reference;
        Digest digest;
        std::uint64_t deletions = 0;
    };
    std::uint64_t deletions_of(const engine::ImageName& image, const Digest& digest) {
        return manifest(image, digest).deletions;
    }
    void note_pull(const Pull& pull, std::uint32_t at_s);
    // What notes that are being written stand for: what was touched until they are written is not known any more.
    struct Writing {
        PullTime* time;
        const std::uint64_t* changes;
        std::uint64_t changes_before;
        std::uint32_t pulled_s;
    };
    std::vector<Writing> begin_writing(const std::vector<engine::ImagePulls>& pulls);
    static void end_writing(const std::vector<Writing>& writing);
    // It is deleted: no pull of it counts any more.
    void forget_manifest(const engine::ImageName& image, const Digest& digest);

    // While something works on all of them: a restore.
    std::vector<JudgedSlot*> begin_all();
    static void end_all(const std::vector<JudgedSlot*>& slots);

    // What is to be said at the beginning of a deletion, and looked at again at its end.
    struct Judgement {
        struct Holder {
            const JudgedSlot* slot;
            std::uint64_t begun;  // it holds as long as nobody touches it
            std::string why;
        };
        engine::ImageName image;
        std::string what;
        std::optional<Digest> manifest;  // none: a tag
        JudgedSlot* slot;
        JudgedSlot::Ticket ticket;
        std::string never;  // why, where it must not be deleted at all
        std::uint32_t stays_until_s = 0;
        std::vector<Holder> held_by;
    };
    Judgement judge(const engine::ImageName& image, const engine::JudgedTag& judged,
                    std::uint32_t now_s);
    Judgement judge(const engine::ImageName& image, const engine::JudgedManifest& judged,
                    std::uint32_t now_s);

    std::vector<engine::ImageName> images;
    // Until then clients let time pass.
    std::int64_t hour_ns = 0;

    int manifest_of(const Digest& digest) const noexcept;
    const SimManifest& content(int manifest) const {
        return universe_.manifests[static_cast<std::size_t>(manifest)];
    }

private:
    using Pulled = std::pair<PullTime*, const std::uint64_t*>;
    // What a pull counts for, of what is known; each with what counts its changes.
    std::vector<Pulled> pulled_by(const engine::ImageName& image, const Digest& digest,
                                  const engine::Tag* tag);
    void hold(const engine::ImageName& image, int number, std::uint32_t now_s,
              Judgement& judgement);

    const Universe& universe_;
    std::uint32_t age_s_;
    std::uint32_t pulled_s_;
    std::uint32_t untagged_s_;
    std::string policy_;
    std::map<std::pair<std::string, std::string>, JudgedTagState> tags_;
    std::map<std::pair<std::string, Digest>, JudgedManifestState> manifests_;
};

class WatchedRetentionStore final : public engine::RetentionStore {
public:
    WatchedRetentionStore(SimWorld& world, engine::RetentionStore& store)
        : world_{world}, store_{store} {}

    std::uint32_t now_s() const noexcept override { return store_.now_s(); }
    std::uint32_t history_since_s() const noexcept override { return store_.history_since_s(); }
    void set_waiting_pulls(
        std::function<bool(const engine::ImageName&, const Digest&)> is_waiting) override {
        store_.set_waiting_pulls(std::move(is_waiting));
    }
    Awaitable<engine::Answer<void>> note_pulls(engine::RequestId id,
                                               std::vector<engine::ImagePulls> pulls) override;
    Awaitable<engine::Answer<engine::ImageSnapshot>> snapshot(engine::ImageName image) override {
        return store_.snapshot(std::move(image));
    }
    Awaitable<engine::Answer<std::vector<engine::JudgedFate>>> delete_judged_tags(
        engine::RequestId id, engine::ImageName image,
        std::vector<engine::JudgedTag> tags) override;
    Awaitable<engine::Answer<std::vector<engine::JudgedFate>>> delete_judged_manifests(
        engine::RequestId id, engine::ImageName image,
        std::vector<engine::JudgedManifest> manifests) override;
    Awaitable<engine::ReleasedContent> release_of(
        std::vector<engine::ImageManifest> gone) override {
        return store_.release_of(std::move(gone));
    }
    Awaitable<engine::Answer<std::vector<std::byte>>> read_released(
        Digest digest, std::uint64_t size_max) override {
        return store_.read_released(digest, size_max);
    }

private:
    template <class Judged>
    std::vector<JudgedWorld::Judgement> judge(const engine::ImageName& image,
                                              const std::vector<Judged>& items);
    void conclude(const std::vector<JudgedWorld::Judgement>& judgements,
                  const engine::Answer<std::vector<engine::JudgedFate>>& answer);
    void check(const JudgedWorld::Judgement& judgement);

    SimWorld& world_;
    engine::RetentionStore& store_;
};

}  // namespace orbitalreg::sim
