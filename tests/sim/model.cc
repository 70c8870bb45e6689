#include "sim/model.h"

#include "base/assert.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace orbitalreg::sim {
namespace {

constexpr std::uint32_t bit(Verdict verdict) noexcept {
    return 1U << static_cast<unsigned>(verdict);
}
constexpr Prediction kOk{bit(Verdict::ok), -1};

Prediction only(Verdict verdict) noexcept { return {bit(verdict), -1}; }

bool expectation_holds(const Operation& operation, std::uint8_t found) noexcept {
    switch (operation.expectation) {
        case Operation::Expectation::anything:
            return true;
        case Operation::Expectation::absent:
            return found == 0;
        case Operation::Expectation::value:
            return found == operation.expected + 1;
    }
    return true;
}

Prediction apply_put_manifest(const Universe& universe, const Operation& operation,
                              ImageState& image) {
    const SimManifest& manifest = universe.manifests[operation.manifest];
    Prediction prediction;
    if ((manifest.blobs & ~image.links) != 0 || (manifest.manifests & ~image.manifests) != 0) {
        prediction.verdicts |= bit(Verdict::child_missing);
    }
    const bool tagged = operation.tag >= 0;
    std::uint8_t* const tag =
        tagged ? &image.tags[static_cast<std::size_t>(operation.tag)] : nullptr;
    if (tagged && !expectation_holds(operation, *tag))
        prediction.verdicts |= bit(Verdict::precondition);
    if (prediction.verdicts != 0) return prediction;
    image.manifests |= static_cast<std::uint16_t>(1U << operation.manifest);
    if (tagged) *tag = static_cast<std::uint8_t>(operation.manifest + 1);
    return kOk;
}

Prediction apply_delete_link(const Universe& universe, const Operation& operation,
                             ImageState& image) {
    if ((image.links >> operation.blob & 1) == 0) return only(Verdict::absent);
    for (std::size_t i = 0; i < universe.manifests.size(); ++i) {
        const bool here = (image.manifests >> i & 1) != 0;
        if (here && (universe.manifests[i].blobs >> operation.blob & 1) != 0)
            return only(Verdict::in_use);
    }
    image.links &= static_cast<std::uint16_t>(~(1U << operation.blob));
    return kOk;
}

Prediction apply_delete_manifest(const Operation& operation, ImageState& image) {
    if ((image.manifests >> operation.manifest & 1) == 0) return only(Verdict::absent);
    image.manifests &= static_cast<std::uint16_t>(~(1U << operation.manifest));
    for (std::uint8_t& tag : image.tags) {
        if (tag == operation.manifest + 1) tag = 0;
    }
    return kOk;
}

Prediction apply_tag(const Operation& operation, ImageState& image) {
    std::uint8_t& tag = image.tags[static_cast<std::size_t>(operation.tag)];
    Prediction prediction;
    const bool removes = operation.kind == Operation::Kind::delete_tag;
    const bool missing = removes ? tag == 0 : (image.manifests >> operation.manifest & 1) == 0;
    if (missing) prediction.verdicts |= bit(Verdict::absent);
    if (!expectation_holds(operation, tag)) prediction.verdicts |= bit(Verdict::precondition);
    if (prediction.verdicts != 0) return prediction;
    tag = removes ? std::uint8_t{0} : static_cast<std::uint8_t>(operation.manifest + 1);
    return kOk;
}

Prediction apply_document(const Operation& operation, std::uint8_t& document) {
    const bool removes = operation.kind == Operation::Kind::remove_document;
    if (removes && document == 0) return only(Verdict::absent);
    if (!expectation_holds(operation, document)) return only(Verdict::precondition);
    document = removes ? std::uint8_t{0} : static_cast<std::uint8_t>(operation.value + 1);
    return kOk;
}

Prediction read_result(int value) noexcept {
    return value < 0 ? only(Verdict::absent) : Prediction{bit(Verdict::ok), value};
}

}  // namespace

Prediction apply(const Universe& universe, const Operation& operation, WorldState& state) {
    ImageState& image = state.images[operation.image];
    const auto close_session = [&](SessionState outcome) {
        if (operation.session >= 0)
            state.sessions[static_cast<std::size_t>(operation.session)] = outcome;
    };
    switch (operation.kind) {
        case Operation::Kind::link_blob:
            image.links |= static_cast<std::uint16_t>(1U << operation.blob);
            close_session(SessionState::finished);
            return kOk;
        case Operation::Kind::finish_wrong:
            close_session(SessionState::cancelled);
            return only(Verdict::mismatch);
        case Operation::Kind::cancel_session:
            close_session(SessionState::cancelled);
            return kOk;
        case Operation::Kind::mount:
            if ((state.images[operation.source].links >> operation.blob & 1) == 0)
                return only(Verdict::absent);
            image.links |= static_cast<std::uint16_t>(1U << operation.blob);
            return kOk;
        case Operation::Kind::delete_link:
            return apply_delete_link(universe, operation, image);
        case Operation::Kind::put_manifest:
            return apply_put_manifest(universe, operation, image);
        case Operation::Kind::set_tag:
        case Operation::Kind::delete_tag:
            return apply_tag(operation, image);
        case Operation::Kind::delete_manifest:
            return apply_delete_manifest(operation, image);
        case Operation::Kind::read_tag:
            return read_result(image.tags[static_cast<std::size_t>(operation.tag)] - 1);
        case Operation::Kind::read_link:
        case Operation::Kind::head_link:
            return read_result((image.links >> operation.blob & 1) - 1);
        case Operation::Kind::put_document:
        case Operation::Kind::remove_document:
            return apply_document(operation, state.documents[operation.document]);
        case Operation::Kind::read_document:
            return read_result(state.documents[operation.document] - 1);
    }
    return {};
}

std::uint32_t History::blobs_of(const Operation& operation) const noexcept {
    using Kind = Operation::Kind;
    switch (operation.kind) {
        case Kind::link_blob:
        case Kind::mount:
        case Kind::delete_link:
        case Kind::read_link:
        case Kind::head_link:
            return 1U << operation.blob;
        case Kind::put_manifest:
        case Kind::delete_manifest:
            return universe_.manifests[operation.manifest].blobs;
        default:
            return 0;
    }
}

bool History::collectable(const WorldState& state, std::size_t blob) const noexcept {
    if (!collects_ || now_ms_ < stays_until_ms_[blob]) return false;
    for (const ImageState& image : state.images) {
        for (std::size_t i = 0; i < universe_.manifests.size(); ++i) {
            const bool here = (image.manifests >> i & 1) != 0;
            if (here && (universe_.manifests[i].blobs >> blob & 1) != 0) return false;
        }
    }
    return true;
}

void History::note_promise(const Pending& pending, Verdict verdict) noexcept {
    using Kind = Operation::Kind;
    if (!collects_ || verdict != Verdict::ok) return;
    std::uint64_t stays_ms = 0;
    switch (pending.operation.kind) {
        case Kind::head_link:
            if (read_only_) return;
            [[fallthrough]];
        case Kind::link_blob:
        case Kind::mount:
            stays_ms = promise_ms_;
            break;
        case Kind::delete_manifest:
            stays_ms = grace_ms_;
            break;
        default:
            return;
    }
    for (std::size_t i = 0; i < Universe::kBlobs; ++i) {
        if ((pending.blobs >> i & 1) == 0) continue;
        stays_until_ms_[i] = std::max(stays_until_ms_[i], pending.begun_ms + stays_ms);
    }
}

std::uint64_t History::footprint_of(const Operation& operation) const noexcept {
    using Kind = Operation::Kind;
    const bool document = operation.kind == Kind::put_document ||
                          operation.kind == Kind::remove_document ||
                          operation.kind == Kind::read_document;
    std::uint64_t bits = 0;
    if (document) {
        bits |= 1ULL << (8 + operation.document);
    } else if (operation.kind != Kind::cancel_session && operation.kind != Kind::finish_wrong) {
        bits |= 1ULL << operation.image;
        if (operation.kind == Kind::mount) bits |= 1ULL << operation.source;
    }
    if (operation.session >= 0) bits |= 1ULL << (16 + operation.session);
    // A reference that goes under one image name lets a blob go under all.
    if (collects_) bits |= std::uint64_t{blobs_of(operation)} << 32;
    return bits;
}

std::uint32_t History::related_to(int operation) const noexcept {
    std::uint64_t footprint = pending_[static_cast<std::size_t>(operation)].footprint;
    std::uint32_t related = 1U << operation;
    for (bool grown = true; grown;) {
        grown = false;
        for (std::size_t i = 0; i < kPendingMax; ++i) {
            const Pending& other = pending_[i];
            if (!other.used || (related >> i & 1) != 0 || (other.footprint & footprint) == 0)
                continue;
            related |= 1U << i;
            footprint |= other.footprint;
            grown = true;
        }
    }
    return related;
}

bool History::room() const noexcept {
    return std::ranges::any_of(pending_, [](const Pending& pending) { return !pending.used; });
}

int History::begin(const Operation& operation) {
    for (std::size_t i = 0; i < kPendingMax; ++i) {
        if (pending_[i].used) continue;
        pending_[i] = {true,   false, operation, footprint_of(operation), blobs_of(operation),
                       now_ms_};
        return static_cast<int>(i);
    }
    ORB_ASSERT(!"room() was not asked");
    return -1;
}

void History::normalise() {
    std::sort(possible_.begin(), possible_.end());
    possible_.erase(std::unique(possible_.begin(), possible_.end()), possible_.end());
}

void History::take_effect(Possible& possible, std::size_t operation) const {
    const Prediction prediction = apply(universe_, pending_[operation].operation, possible.state);
    possible.done |= 1U << operation;
    possible.verdicts[operation] = static_cast<std::uint8_t>(prediction.verdicts);
    possible.values[operation] = static_cast<std::int8_t>(prediction.value);
}

bool History::answer(Possible& possible, std::size_t operation, Verdict verdict,
                     int value) noexcept {
    const Prediction prediction{possible.verdicts[operation], possible.values[operation]};
    possible.done &= ~(1U << operation);
    possible.verdicts[operation] = 0;
    possible.values[operation] = 0;
    return prediction.allows(verdict) && (prediction.value < 0 || prediction.value == value);
}

namespace {

void take_away(WorldState& state, std::size_t blob) noexcept {
    for (ImageState& image : state.images) image.links &= static_cast<std::uint16_t>(~(1U << blob));
}

bool linked(const WorldState& state, std::size_t blob) noexcept {
    return std::ranges::any_of(
        state.images, [blob](const ImageState& image) { return (image.links >> blob & 1) != 0; });
}

}  // namespace

void History::branch_by_collection(const Possible& from, std::uint32_t blobs,
                                   std::vector<Possible>& open) const {
    for (std::size_t i = 0; i < Universe::kBlobs; ++i) {
        const bool may_go = (blobs >> i & 1) != 0 && linked(from.state, i);
        if (!may_go || !collectable(from.state, i)) continue;
        Possible to = from;
        take_away(to.state, i);
        open.push_back(to);
    }
}

bool History::end(int operation, Verdict verdict, int value) {
    const auto index = static_cast<std::size_t>(operation);
    const std::uint32_t blobs = pending_[index].blobs;
    const std::uint32_t related = related_to(operation);
    std::vector<Possible> next;
    std::set<Possible> seen;
    std::vector<Possible> open = possible_;
    while (!open.empty() && !overflowed_) {
        Possible from = open.back();
        open.pop_back();
        if (!seen.insert(from).second) continue;
        overflowed_ = seen.size() > kPossibleMax;
        if ((from.done >> index & 1) != 0) {
            if (answer(from, index, verdict, value)) next.push_back(from);
            continue;
        }
        branch_by_collection(from, blobs, open);
        for (std::size_t i = 0; i < kPendingMax; ++i) {
            if (!pending_[i].used || (related >> i & 1) == 0 || (from.done >> i & 1) != 0) continue;
            Possible to = from;
            take_effect(to, i);
            open.push_back(to);
        }
    }
    pending_[index].used = false;
    note_promise(pending_[index], verdict);
    if (overflowed_) return true;
    possible_ = std::move(next);
    normalise();
    return !possible_.empty();
}

bool History::end_undone(int operation) {
    pending_[static_cast<std::size_t>(operation)].used = false;
    const std::uint32_t mask = 1U << operation;
    std::erase_if(possible_,
                  [mask](const Possible& possible) { return (possible.done & mask) != 0; });
    return overflowed_ || !possible_.empty();
}

// What was found while collection went on may show a blob under one image name that is gone under another.
bool History::explains(const WorldState& state, const WorldState& found) const noexcept {
    if (state == found) return true;
    if (!collects_) return false;
    WorldState rest = state;
    for (std::size_t i = 0; i < Universe::kImages; ++i) {
        for (std::size_t blob = 0; blob < Universe::kBlobs; ++blob) {
            const bool gone = (state.images[i].links & ~found.images[i].links) >> blob & 1;
            if (!gone) continue;
            if (!collectable(state, blob)) return false;
            rest.images[i].links &= static_cast<std::uint16_t>(~(1U << blob));
        }
    }
    return rest == found;
}

bool History::agree_on_link(std::size_t image, std::size_t blob) const noexcept {
    const auto linked_there = [image, blob](const Possible& possible) {
        return (possible.state.images[image].links >> blob & 1) != 0;
    };
    const bool pending = std::ranges::any_of(pending_, [image, blob](const Pending& each) {
        return each.used && each.operation.image == image && each.operation.blob == blob;
    });
    return !pending && (std::ranges::all_of(possible_, linked_there) ||
                        std::ranges::none_of(possible_, linked_there));
}

void History::doubt_link(std::size_t image, std::size_t blob) {
    std::vector<Possible> others = possible_;
    for (Possible& other : others) {
        other.state.images[image].links ^= static_cast<std::uint16_t>(1U << blob);
    }
    possible_.insert(possible_.end(), others.begin(), others.end());
    normalise();
}

bool History::settle(const WorldState& found) {
    bool explained = overflowed_;
    std::uint32_t blobs = 0;
    for (const Pending& pending : pending_) blobs |= pending.used ? pending.blobs : 0;
    std::set<Possible> seen;
    std::vector<Possible> open = possible_;
    while (!open.empty() && !explained) {
        const Possible from = open.back();
        open.pop_back();
        if (!seen.insert(from).second) continue;
        explained = explains(from.state, found) || seen.size() > kPossibleMax;
        branch_by_collection(from, blobs, open);
        for (std::size_t i = 0; i < kPendingMax; ++i) {
            if (!pending_[i].used || (from.done >> i & 1) != 0) continue;
            Possible to = from;
            take_effect(to, i);
            open.push_back(to);
        }
    }
    if (!explained) return false;
    reset(found);
    return true;
}

void History::reset(const WorldState& state) {
    possible_.assign(1, Possible{state, 0, {}, {}});
    for (Pending& pending : pending_) pending.used = false;
    overflowed_ = false;
}

std::string History::describe() const {
    std::string text = std::to_string(possible_.size()) + " possible states";
    for (std::size_t i = 0; i < possible_.size() && i < 4; ++i)
        text += "\n    " + to_string(possible_[i].state);
    for (const Pending& pending : pending_) {
        if (pending.used) text += "\n    pending: " + to_string(pending.operation);
    }
    return text;
}

std::string to_string(const WorldState& state) {
    std::string text;
    for (const ImageState& image : state.images) {
        char part[64];
        std::snprintf(part, sizeof part, "{links %03x manifests %02x tags %d %d %d} ", image.links,
                      image.manifests, image.tags[0] - 1, image.tags[1] - 1, image.tags[2] - 1);
        text += part;
    }
    text += "sessions ";
    for (const SessionState session : state.sessions)
        text += "ofc"[static_cast<std::size_t>(session)];
    text += " documents";
    for (const std::uint8_t document : state.documents) text += ' ' + std::to_string(document - 1);
    return text;
}

std::string to_string(const Operation& operation) {
    static constexpr std::array<const char*, 15> kNames{
        "link_blob",    "finish_wrong", "cancel_session", "mount",           "delete_link",
        "put_manifest", "set_tag",      "delete_tag",     "delete_manifest", "read_tag",
        "read_link",    "head_link",    "put_document",   "remove_document", "read_document"};
    char text[160];
    std::snprintf(text, sizeof text,
                  "%s image %d source %d blob %d manifest %d tag %d session %d document %d value "
                  "%d expects %d/%d",
                  kNames[static_cast<std::size_t>(operation.kind)], operation.image,
                  operation.source, operation.blob, operation.manifest, operation.tag,
                  operation.session, operation.document, operation.value,
                  static_cast<int>(operation.expectation), operation.expected);
    return text;
}

}  // namespace orbitalreg::sim
