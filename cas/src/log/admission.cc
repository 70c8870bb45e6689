#include "log/admission.h"

#include "base/checksum.h"
#include "base/planted_bug.h"

#include <algorithm>
#include <utility>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kSlotsFirst = 1024;

}  // namespace

Admission::Admission() : slots_(kSlotsFirst) {}

void Admission::clear() noexcept {
    used_ = 0;
    if (++round_ != 0) return;
    std::fill(slots_.begin(), slots_.end(), Slot{});
    round_ = 1;
}

Admission::Slot& Admission::find(std::uint64_t key) noexcept {
    // Keys are hashes already, but of the caller's making: spread once more.
    std::size_t at = mix64(key, 0) & (slots_.size() - 1);
    while (slots_[at].round == round_ && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return slots_[at];
}

const Admission::Slot* Admission::held(std::uint64_t key) noexcept {
    const Slot& slot = find(key);
    return slot.round == round_ ? &slot : nullptr;
}

void Admission::hold(std::uint64_t key, bool exclusive) {
    if ((used_ + 1) * 4 > slots_.size() * 3) grow();
    Slot& slot = find(key);
    if (slot.round != round_) {
        slot = {key, round_, exclusive};
        ++used_;
    } else {
        slot.exclusive = slot.exclusive || exclusive;
    }
}

void Admission::grow() {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    for (const Slot& slot : old) {
        if (slot.round == round_) find(slot.key) = slot;
    }
}

bool Admission::admit(const KeySet& keys) {
    const bool shared_free =
        std::none_of(keys.shared.begin(), keys.shared.end(), [this](std::uint64_t key) {
            const Slot* const slot = held(key);
            return slot != nullptr && slot->exclusive;
        });
    const bool exclusive_free =
        std::none_of(keys.exclusive.begin(), keys.exclusive.end(),
                     [this](std::uint64_t key) { return held(key) != nullptr; });
    for (const std::uint64_t key : keys.shared) hold(key, false);
    for (const std::uint64_t key : keys.exclusive) hold(key, true);
    return (shared_free && exclusive_free) || ORB_PLANTED(conflicting_requests_in_frame);
}

}  // namespace orbitalreg::cas
