#include "log/commit_request.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

// Stands at the head of a closed queue; never dereferenced as a request.
class ClosedMark final : public CommitRequest {
public:
    ClosedMark() : CommitRequest{Kind::stop, Group{}, asio::any_io_executor{}} {}
    void resume() override {}
};

CommitRequest* closed_mark() noexcept {
    static ClosedMark mark;
    return &mark;
}

}  // namespace

CommitQueue::~CommitQueue() { close(); }

CommitQueue::Pushed CommitQueue::push(std::unique_ptr<CommitRequest>& request) noexcept {
    CommitRequest* head = head_.load(std::memory_order_relaxed);
    do {
        if (head == closed_mark()) return Pushed::closed;
        request->next_ = head;
    } while (!head_.compare_exchange_weak(head, request.get(), std::memory_order_release,
                                          std::memory_order_relaxed));
    static_cast<void>(request.release());
    return head == nullptr ? Pushed::first : Pushed::behind_others;
}

CommitRequests CommitQueue::unlink(CommitRequest* head) {
    CommitRequests requests;
    while (head != nullptr && head != closed_mark()) {
        CommitRequest* const next = head->next_;
        requests.emplace_back(head);
        head = next;
    }
    std::reverse(requests.begin(), requests.end());
    return requests;
}

CommitRequests CommitQueue::take() {
    return unlink(head_.exchange(nullptr, std::memory_order_acquire));
}

CommitRequests CommitQueue::close() {
    return unlink(head_.exchange(closed_mark(), std::memory_order_acquire));
}

}  // namespace orbitalreg::cas
