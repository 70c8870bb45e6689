#include "lane/id_blocks.h"

#include "base/checksum.h"
#include "base/fields.h"
#include "cas/errors.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t block_size(IdKind kind) noexcept {
    return kind == IdKind::uid ? IdBlocks::kUidsPerBlock : IdBlocks::kLanesPerBlock;
}

}  // namespace

std::optional<std::uint8_t> IdBlocks::IdRows::next(const std::optional<Key>& after) const {
    const int kind = after ? *after + 1 : static_cast<int>(IdKind::uid);
    return kind > static_cast<int>(IdKind::lane) ? std::nullopt
                                                 : std::optional{static_cast<Key>(kind)};
}

void IdBlocks::IdRows::encode(Key kind, std::vector<std::byte>& row) const {
    FieldWriter{row}.number(kind).number(ids.end(static_cast<IdKind>(kind)));
}

Result<void> IdBlocks::IdRows::load(ByteView row) const {
    FieldReader fields{row};
    const auto kind = fields.number<std::uint8_t>();
    const auto end = fields.number<std::uint64_t>();
    const bool known = kind == static_cast<std::uint8_t>(IdKind::uid) ||
                       kind == static_cast<std::uint8_t>(IdKind::lane);
    if (!fields.done() || !known || end == 0) return fail(Errc::bad_format);
    const std::lock_guard lock{ids.mutex_};
    ids.of(static_cast<IdKind>(kind)).end = end;
    return ok();
}

void IdBlocks::apply(const IdBlockRecord& block) {
    walked_.before_change(static_cast<std::uint8_t>(block.kind));
    const std::lock_guard lock{mutex_};
    Ids& ids = of(block.kind);
    ids.end = std::max(ids.end, block.first + block.count);
}

Group IdBlocks::group_for(IdKind kind, IdBlockRecord& block) const {
    block = {.kind = kind, .first = end(kind), .count = block_size(kind)};
    Group group;
    group.keys.exclusive.push_back(mix64(0x1db10c, static_cast<std::uint64_t>(kind)));
    group.records.push_back(encode_record(block));
    return group;
}

Result<void> IdBlocks::take(CommitLog& log) {
    for (const IdKind kind : {IdKind::uid, IdKind::lane}) {
        IdBlockRecord block;
        Group group = group_for(kind, block);
        if (kind == IdKind::lane && block.first + block.count > UINT32_MAX)
            return fail(Errc::overloaded);
        ORB_TRY(log.commit_now(std::move(group)));
        const std::lock_guard lock{mutex_};
        of(kind).current = {block.first, block.first + block.count};
    }
    return ok();
}

std::uint64_t IdBlocks::next(IdKind kind) noexcept {
    const std::lock_guard lock{mutex_};
    Ids& ids = of(kind);
    if (ids.current.next == ids.current.end) {
        ids.current = ids.spare;
        ids.spare = {};
    }
    if (ids.current.next == ids.current.end) return 0;
    return ids.current.next++;
}

bool IdBlocks::wants_renewal(IdKind kind) noexcept {
    const std::lock_guard lock{mutex_};
    Ids& ids = of(kind);
    const std::uint64_t left = ids.current.end - ids.current.next;
    if (ids.renewing || ids.spare.end != 0 || left > block_size(kind) / 2) return false;
    ids.renewing = true;
    return true;
}

Awaitable<Result<void>> IdBlocks::renew(IdKind kind, CommitLog& log) {
    IdBlockRecord block;
    Group group = group_for(kind, block);
    Result<Committed> committed = fail(Errc::overloaded);
    const bool left = kind == IdKind::uid || block.first + block.count <= UINT32_MAX;
    if (left) committed = co_await log.commit(std::move(group));
    const std::lock_guard lock{mutex_};
    Ids& ids = of(kind);
    ids.renewing = false;
    if (!committed) co_return fail(committed.error());
    ids.spare = {block.first, block.first + block.count};
    co_return ok();
}

std::uint64_t IdBlocks::end(IdKind kind) const {
    const std::lock_guard lock{mutex_};
    return of(kind).end;
}

}  // namespace orbitalreg::cas
