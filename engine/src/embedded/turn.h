#pragma once
// commit() takes a request through the sequencer: its check runs in its turn against applied state,
// remembers a refusal under the request id, and recognises an id that has had its turn before.

#include "cas/store.h"
#include "catalog/catalog.h"
#include "engine/errors.h"
#include "engine/request_id.h"

#include <functional>
#include <memory>
#include <optional>

namespace orbitalreg::engine {

// Runs on the sequencer. May add records to the change.
using TurnCheck = std::function<Answer<void>(cas::Change& change, const cas::FrameContext& frame)>;

// What was found out in a request's turn. Written on the sequencer before it answers, read by the
// coroutine after.
struct Turn {
    std::optional<RequestOutcome> outcome;  // refused, or had its turn before
};

// Puts `check` behind the look-up of the request id, and adds the id's key. `catalog` outlives the
// change.
void take_turn(cas::Change& change, Catalog& catalog, RequestId id, TurnCheck check,
               std::shared_ptr<Turn> turn);

// The LSN of the commit, of the first one where the id had its turn before.
Answer<std::uint64_t> settle(const Turn& turn, const Result<cas::Committed>& committed);

Awaitable<Answer<std::uint64_t>> commit(cas::Store& store, Catalog& catalog, RequestId id,
                                        cas::Change change, TurnCheck check);

}  // namespace orbitalreg::engine
