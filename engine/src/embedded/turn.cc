#include "embedded/turn.h"

#include "cas/errors.h"
#include "embedded/keys.h"
#include "embedded/translate.h"

namespace orbitalreg::engine {

namespace {

// A refusal that names more than this is not remembered, it is found again: the table's memory
// stays bounded.
constexpr std::size_t kRememberedDigestsMax = 8;

}  // namespace

void take_turn(cas::Change& change, Catalog& catalog, RequestId id, TurnCheck check,
               std::shared_ptr<Turn> turn) {
    change.keys.exclusive.push_back(request_key(id));
    change.check = [&catalog, id, check = std::move(check), turn = std::move(turn)](
                       cas::Change& self, const cas::FrameContext& frame) -> Result<void> {
        if (auto known = catalog.requests().find(id, frame.store_time_ms)) {
            turn->outcome = std::move(known);
            return fail(cas::Errc::precondition_failed);
        }
        const auto answer = check(self, frame);
        if (answer) return ok();
        turn->outcome = RequestOutcome{0, std::make_shared<const Refusal>(answer.error())};
        if (answer.error().digests.size() <= kRememberedDigestsMax) {
            catalog.requests().note(id, *turn->outcome, frame.store_time_ms);
        }
        return fail(cas::Errc::precondition_failed);
    };
}

Answer<std::uint64_t> settle(const Turn& turn, const Result<cas::Committed>& committed) {
    if (turn.outcome) {
        if (turn.outcome->refusal) return refuse(*turn.outcome->refusal);
        return turn.outcome->lsn;
    }
    if (!committed) return refuse(translate(committed.error()));
    return committed.value().lsn.value;
}

Awaitable<Answer<std::uint64_t>> commit(cas::Store& store, Catalog& catalog, RequestId id,
                                        cas::Change change, TurnCheck check) {
    auto turn = std::make_shared<Turn>();
    take_turn(change, catalog, id, std::move(check), turn);
    const auto committed = co_await store.submit(std::move(change));
    co_return settle(*turn, committed);
}

}  // namespace orbitalreg::engine
