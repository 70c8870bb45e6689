#pragma once
// The oracle: what a registry may answer and hold, given what its clients asked for.
//
// WorldState is everything the registry holds, packed. An Operation is applied to it by apply(), the specification.
// History keeps every state that is possible after what was answered so far: each operation takes effect at one moment
// between its start and its answer, all at once or not at all. An operation without an answer (the power was cut, or the
// store said `unknown`) may take effect at any later moment or never, which is its "maybe". What was answered as done is
// part of every possible state, so a lost acknowledgement leaves none.
//
// Collection may take a blob, and with it the links to it, at any moment at which no manifest refers to it and the grace is
// over that runs since the store last said that it exists, or since a manifest that referred to it was deleted.

#include "sim/universe.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::sim {

enum class SessionState : std::uint8_t { open, finished, cancelled };

struct ImageState {
    std::uint16_t links = 0;                           // a bit a blob
    std::uint16_t manifests = 0;                       // a bit a manifest
    std::array<std::uint8_t, Universe::kTags> tags{};  // 1 + manifest, 0 for none
    friend auto operator<=>(const ImageState&, const ImageState&) = default;
};

struct WorldState {
    static constexpr std::size_t kSessions = 12;
    std::array<ImageState, Universe::kImages> images{};
    std::array<SessionState, kSessions> sessions{};
    std::array<std::uint8_t, Universe::kDocuments> documents{};  // 1 + value, 0 for none
    friend auto operator<=>(const WorldState&, const WorldState&) = default;
};

std::string to_string(const WorldState& state);

// What an answer said, as far as the specification tells answers apart.
enum class Verdict : std::uint8_t { ok, absent, in_use, child_missing, precondition, mismatch };

struct Operation {
    enum class Kind : std::uint8_t {
        link_blob,  // a finished upload, with a session or without
        finish_wrong,
        cancel_session,
        mount,
        delete_link,
        put_manifest,
        set_tag,
        delete_tag,
        delete_manifest,
        read_tag,
        read_link,
        head_link,  // says that it exists, and that it stays
        put_document,
        remove_document,
        read_document,
    };
    enum class Expectation : std::uint8_t { anything, absent, value };

    Kind kind = Kind::read_tag;
    std::uint8_t image = 0;
    std::uint8_t source = 0;  // of a mount
    std::uint8_t blob = 0;
    std::uint8_t manifest = 0;
    std::int8_t tag = -1;      // -1: none
    std::int8_t session = -1;  // -1: none
    std::uint8_t document = 0;
    std::uint8_t value = 0;  // of a document
    Expectation expectation = Expectation::anything;
    std::uint8_t expected = 0;  // manifest
};

std::string to_string(const Operation& operation);
constexpr bool reads(Operation::Kind kind) noexcept {
    return kind == Operation::Kind::read_tag || kind == Operation::Kind::read_link ||
           kind == Operation::Kind::head_link || kind == Operation::Kind::read_document;
}

// Several verdicts where the specification leaves open which of two refusals comes first.
struct Prediction {
    std::uint32_t verdicts = 0;  // a bit each
    int value = -1;              // what a read returns: a manifest or document value, -1 for none

    bool allows(Verdict verdict) const noexcept {
        return (verdicts >> static_cast<unsigned>(verdict) & 1) != 0;
    }
};

// Changes `state` only where the verdict is ok.
Prediction apply(const Universe& universe, const Operation& operation, WorldState& state);

class History {
public:
    static constexpr std::size_t kPendingMax = 24;
    static constexpr std::size_t kPossibleMax = 200'000;

    explicit History(const Universe& universe) : universe_{universe} { possible_.push_back({}); }

    // From now on collection runs. `promise_ms` is how long a blob stays at least after the store has said that it
    // exists, `grace_ms` after it lost its last reference.
    void set_collection(std::uint64_t promise_ms, std::uint64_t grace_ms) noexcept {
        collects_ = true;
        promise_ms_ = promise_ms;
        grace_ms_ = grace_ms;
    }
    bool collects() const noexcept { return collects_; }
    // Store time, of which begin(), end() and settle() take note.
    void set_time(std::uint64_t store_time_ms) noexcept { now_ms_ = store_time_ms; }
    // A store that is read-only writes no lease: its answer to a HEAD promises nothing beyond the next start.
    void set_read_only(bool read_only) noexcept { read_only_ = read_only; }
    // Collection may have taken the blob from `state` by now.
    bool collectable(const WorldState& state, std::size_t blob) const noexcept;

    // The number to end it with. There must be room().
    int begin(const Operation& operation);
    bool room() const noexcept;
    // False when no possible state explains the answer.
    bool end(int operation, Verdict verdict, int value);
    // The answer says that it did not happen.
    bool end_undone(int operation);
    // No answer will come: it may happen later, or never.
    void end_unknown(int operation) noexcept {
        pending_[static_cast<std::size_t>(operation)].abandoned = true;
    }

    // All state was read: it must be one that what was asked explains. Operations without an answer are settled by it.
    bool settle(const WorldState& found);
    // What the store holds is known from elsewhere: after damage that nobody could have survived.
    void reset(const WorldState& state);

    // Whether each possible state has that link, or none has it, whatever is still pending.
    bool agree_on_link(std::size_t image, std::size_t blob) const noexcept;
    // Nobody can say whether the link is there: from now on both is possible.
    void doubt_link(std::size_t image, std::size_t blob);

    // Some possible state, for clients to choose sensible operations by, and for messages.
    const WorldState& any() const noexcept { return possible_.front().state; }
    std::size_t possible() const noexcept { return possible_.size(); }
    // The search became too large and the answers since then were not compared.
    bool overflowed() const noexcept { return overflowed_; }
    std::string describe() const;

private:
    struct Possible {
        WorldState state;
        std::uint32_t done = 0;  // of the pending ones, those that took effect
        // What these will answer.
        std::array<std::uint8_t, kPendingMax> verdicts{};
        std::array<std::int8_t, kPendingMax> values{};
        friend auto operator<=>(const Possible&, const Possible&) = default;
    };
    struct Pending {
        bool used = false;
        bool abandoned = false;
        Operation operation;
        std::uint64_t footprint = 0;
        std::uint32_t blobs = 0;  // that collection might have taken before it
        std::uint64_t begun_ms = 0;
    };

    void take_effect(Possible& possible, std::size_t operation) const;
    // Collection took one of `blobs`.
    void branch_by_collection(const Possible& from, std::uint32_t blobs,
                              std::vector<Possible>& open) const;
    // Forgets the operation, which was done, if it answers so; false otherwise.
    static bool answer(Possible& possible, std::size_t operation, Verdict verdict,
                       int value) noexcept;
    std::uint64_t footprint_of(const Operation& operation) const noexcept;
    std::uint32_t blobs_of(const Operation& operation) const noexcept;
    // After an answer: what it promised of blobs that nothing may refer to.
    void note_promise(const Pending& pending, Verdict verdict) noexcept;
    bool explains(const WorldState& state, const WorldState& found) const noexcept;
    // Of the pending operations, those that could matter to the order of `operation`.
    std::uint32_t related_to(int operation) const noexcept;
    void normalise();

    const Universe& universe_;
    std::vector<Possible> possible_;
    std::array<Pending, kPendingMax> pending_;
    bool overflowed_ = false;
    bool collects_ = false;
    std::uint64_t promise_ms_ = 0;
    std::uint64_t grace_ms_ = 0;
    std::uint64_t now_ms_ = 0;
    bool read_only_ = false;
    std::array<std::uint64_t, Universe::kBlobs> stays_until_ms_{};
};

}  // namespace orbitalreg::sim
