#include "lane/closed_uploads.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/fields.h"
#include "cas/errors.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kSlotsMin = 64;  // a power of two

}  // namespace

std::optional<std::uint64_t> ClosedUploads::CloseRows::next(const std::optional<Key>& after) const {
    const std::uint64_t place = std::max(after ? *after + 1 : 0, uploads.first_place_);
    return place - uploads.first_place_ < uploads.closes_.size() ? std::optional{place}
                                                                 : std::nullopt;
}

void ClosedUploads::CloseRows::encode(Key place, std::vector<std::byte>& row) const {
    const std::uint64_t index = place - uploads.first_place_;
    if (place < uploads.first_place_ || index >= uploads.closes_.size()) return;
    const Close& close = uploads.closes_[index];
    FieldWriter{row}
        .bytes(close.session)
        .number(close.digest_prefix)
        .number(close.blob.value)
        .number(static_cast<std::uint32_t>(close.forget_at_s | close.finished << 31));
}

Result<void> ClosedUploads::CloseRows::load(ByteView row) const {
    FieldReader fields{row};
    Close close;
    const ByteView session = fields.bytes(close.session.size());
    std::copy(session.begin(), session.end(), close.session.begin());
    close.digest_prefix = fields.number<std::uint64_t>();
    close.blob = BlobId{fields.number<std::uint32_t>()};
    const auto ending = fields.number<std::uint32_t>();
    if (ending >> 31 != 0) close.finished = 1;
    close.forget_at_s = ending & 0x7fffffff;
    if (!fields.done() || uploads.find(close.session)) return fail(Errc::bad_format);
    uploads.insert(close);
    return ok();
}

std::size_t ClosedUploads::home_of(const SessionId& session) const noexcept {
    return checksum64(session) & (slots_.size() - 1);
}

const ClosedUploads::Close& ClosedUploads::close_in(std::size_t slot) const noexcept {
    // Numbers run modulo kNone, which itself is no number.
    const std::uint64_t number = slots_[slot];
    const std::uint64_t behind =
        number >= first_number_ ? number - first_number_ : number + kNone - first_number_;
    return closes_[behind];
}

std::size_t ClosedUploads::slot_of(const SessionId& session) const noexcept {
    std::size_t slot = home_of(session);
    while (slots_[slot] != kNone && close_in(slot).session != session) {
        slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
}

void ClosedUploads::grow() {
    slots_.assign(slots_.empty() ? kSlotsMin : slots_.size() * 2, kNone);
    std::uint32_t number = first_number_;
    for (const Close& close : closes_) {
        slots_[slot_of(close.session)] = number;
        number = number + 1 == kNone ? 0 : number + 1;
    }
}

void ClosedUploads::insert(const Close& close) {
    if ((closes_.size() + 1) * 4 > slots_.size() * 3) grow();
    const std::size_t slot = slot_of(close.session);
    if (slots_[slot] != kNone) return;
    walked_.before_change(first_place_ + closes_.size());
    const std::uint64_t number = (std::uint64_t{first_number_} + closes_.size()) % kNone;
    closes_.push_back(close);
    slots_[slot] = static_cast<std::uint32_t>(number);
}

std::optional<ClosedUploads::Close> ClosedUploads::find(const SessionId& session) const noexcept {
    if (slots_.empty()) return std::nullopt;
    const std::size_t slot = slot_of(session);
    if (slots_[slot] == kNone) return std::nullopt;
    return close_in(slot);
}

void ClosedUploads::pop_oldest() noexcept {
    walked_.before_change(first_place_);
    const std::size_t mask = slots_.size() - 1;
    std::size_t hole = slot_of(closes_.front().session);
    ORB_ASSERT(slots_[hole] == first_number_);
    // Close the gap: what lies behind it and may not stay there moves up.
    for (std::size_t next = (hole + 1) & mask; slots_[next] != kNone; next = (next + 1) & mask) {
        const std::size_t home = home_of(close_in(next).session);
        if (((next - home) & mask) < ((next - hole) & mask)) continue;
        slots_[hole] = slots_[next];
        hole = next;
    }
    slots_[hole] = kNone;
    closes_.pop_front();
    ++first_place_;
    first_number_ = first_number_ + 1 == kNone ? 0 : first_number_ + 1;
}

std::uint64_t ClosedUploads::expire(std::uint64_t now_s, std::uint32_t size_max) noexcept {
    while (!closes_.empty() && closes_.front().forget_at_s <= now_s) pop_oldest();
    std::uint64_t forgotten = 0;
    for (; closes_.size() > size_max; ++forgotten) pop_oldest();
    return forgotten;
}

void ClosedUploads::check_invariants() const {
    std::size_t used = 0;
    for (const std::uint32_t number : slots_) used += number != kNone ? 1 : 0;
    ORB_ASSERT(used == closes_.size());
    for (const Close& close : closes_) ORB_ASSERT(find(close.session).has_value());
}

}  // namespace orbitalreg::cas
