#pragma once
// The requests of a client, each asked of the store and its answer compared with the history.

#include "sim/life.h"

#include <cstddef>

namespace orbitalreg::sim {

// What a client remembers of the last request that it has an answer to, to ask it again.
struct ClientState {
    bool has_last = false;
    Operation last;
    engine::RequestId last_id;
    Verdict last_verdict = Verdict::ok;
};

template <class T>
const engine::Refusal* refusal_of(const engine::Answer<T>& answer) noexcept {
    return answer ? nullptr : &answer.error();
}

// Begins an operation of the history at this moment: the number to conclude it with.
int begin_operation(Life& life, const Operation& operation);
// Ends an operation of the history by what the store said. True when it is certain that it was done as asked.
bool conclude(Life& life, int number, const Operation& operation, const engine::Refusal* refusal,
              int value = -1);

// One that changes something, under a request id of its own.
Awaitable<void> run_request(Life& life, ClientState& client, Operation operation);
// The last one under the same id again: the first outcome, and no second effect.
Awaitable<void> repeat_request(Life& life, ClientState& client);
// One that reads a tag, a link with its blob's bytes, or a document.
Awaitable<void> run_read(Life& life, Operation operation);

}  // namespace orbitalreg::sim
