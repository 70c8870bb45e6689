#pragma once
// CommitRequest is one group, or one step between two frames, on its way through the sequencer,
// with the coroutine that waits for it. The sequencer owns it from submission until it is answered; a waiter that was destroyed early
// drops only the answer. CommitQueue hands requests from the reactors to the sequencer.

#include "base/asio.h"
#include "base/result.h"
#include "log/group.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace orbitalreg::cas {

class CommitRequest {
public:
    enum class Kind : std::uint8_t { commit, step, stop };

    CommitRequest(Kind k, Group&& g, asio::any_io_executor waiter)
        : kind{k}, group{std::move(g)}, executor{std::move(waiter)} {}
    CommitRequest(const CommitRequest&) = delete;
    CommitRequest& operator=(const CommitRequest&) = delete;
    virtual ~CommitRequest() = default;

    // On `executor`; resumes the waiter with `outcome`.
    virtual void resume() = 0;

    const Kind kind;
    Group group;
    std::function<void()> step;            // of Kind::step
    const asio::any_io_executor executor;  // counts as work for it
    std::int64_t submitted_ns = 0;
    Result<Committed> outcome = Committed{};

private:
    friend class CommitQueue;
    CommitRequest* next_ = nullptr;
};

using CommitRequests = std::vector<std::unique_ptr<CommitRequest>>;

// CommitQueue is a queue of many producers and one consumer.
//
// Threads  push() from any, the rest from the sequencer.
class CommitQueue {
public:
    enum class Pushed : std::uint8_t { first, behind_others, closed };

    CommitQueue() = default;
    CommitQueue(const CommitQueue&) = delete;
    CommitQueue& operator=(const CommitQueue&) = delete;
    ~CommitQueue();

    // Takes the request unless the queue is closed. `first` means that the sequencer may be asleep.
    Pushed push(std::unique_ptr<CommitRequest>& request) noexcept;
    // All there is, in the order it came.
    CommitRequests take();
    // Takes what is there and refuses all that comes later.
    CommitRequests close();
    bool empty() const noexcept { return head_.load(std::memory_order_acquire) == nullptr; }

private:
    CommitRequests unlink(CommitRequest* head);

    // The latest first; a mark of its own once closed.
    std::atomic<CommitRequest*> head_{nullptr};
};

}  // namespace orbitalreg::cas
