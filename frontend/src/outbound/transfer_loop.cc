#include "outbound/transfer_loop.h"

#include "base/assert.h"

#include <algorithm>
#include <utility>

namespace orbitalreg::frontend {
namespace {

constexpr int kPollMs = 100;  // while something runs, whose time is looked at
constexpr int kPollIdleMs = 10'000;
constexpr std::int64_t kLookEveryNs = 100'000'000;

}  // namespace

ConnectionSlots::ConnectionSlots(std::size_t running_max, Gauge& running)
    : running_max_{running_max},
      bulk_max_{running_max < 2 ? running_max
                                : running_max - std::max<std::size_t>(running_max / 8, 1)},
      gauge_{running} {}

bool ConnectionSlots::take(bool bulk) noexcept {
    if (running_ >= running_max_ || (bulk && bulk_running_ >= bulk_max_)) return false;
    ++running_;
    if (bulk) ++bulk_running_;
    gauge_.add(1);
    return true;
}

void ConnectionSlots::give_back(bool bulk) noexcept {
    ORB_ASSERT(running_ > 0);
    ORB_ASSERT(!bulk || bulk_running_ > 0);
    --running_;
    if (bulk) --bulk_running_;
    gauge_.add(-1);
}

bool ConnectionSlots::wait(std::shared_ptr<StreamedTransfer> transfer) {
    if (waiting_.size() + bulk_waiting_.size() >= kTransfersWaitingMax) return false;
    auto& queue = waiting(transfer->slot().bulk);
    queue.push_back(std::move(transfer));
    return true;
}

void ConnectionSlots::forget(const std::shared_ptr<StreamedTransfer>& transfer) {
    std::erase(waiting(transfer->slot().bulk), transfer);
}

void ConnectionSlots::forget_all() noexcept {
    waiting_.clear();
    bulk_waiting_.clear();
}

std::shared_ptr<StreamedTransfer> ConnectionSlots::take_next() {
    for (const bool bulk : {false, true}) {
        auto& queue = waiting(bulk);
        if (queue.empty() || !take(bulk)) continue;
        auto next = std::move(queue.front());
        queue.pop_front();
        return next;
    }
    return nullptr;
}

TransferLoop::TransferLoop(Clock& clock, std::function<void(const std::string&)> address_refused)
    : clock_{clock}, address_refused_{std::move(address_refused)} {
    if (curl_ready()) multi_.reset(curl_multi_init());
    if (multi_) curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, kConnectionsKeptMax);
    thread_ = std::thread{[this] { run(); }};
}

TransferLoop::~TransferLoop() { stop(); }

void TransferLoop::note_failure(const HttpTrouble& trouble) const {
    if (trouble.failure == HttpFailure::address_refused && address_refused_)
        address_refused_(trouble.text);
}

void TransferLoop::start(std::shared_ptr<StreamedTransfer> transfer) {
    command(Kind::start, std::move(transfer));
}

void TransferLoop::resume(std::shared_ptr<StreamedTransfer> transfer) {
    command(Kind::resume, std::move(transfer));
}

void TransferLoop::cancel(std::shared_ptr<StreamedTransfer> transfer) {
    command(Kind::cancel, std::move(transfer));
}

void TransferLoop::command(Kind kind, std::shared_ptr<StreamedTransfer> transfer) {
    {
        const std::lock_guard lock{mutex_};
        if (!ended_) {
            commands_.push_back({kind, std::move(transfer)});
            if (multi_) curl_multi_wakeup(multi_.get());
            return;
        }
    }
    if (kind != Kind::start) return;
    transfer->end_with(HttpFailure::stopped, "stopped");
    transfer->notify();
}

void TransferLoop::stop() noexcept {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        if (multi_) curl_multi_wakeup(multi_.get());
    }
    const std::lock_guard lock{join_mutex_};
    if (thread_.joinable()) thread_.join();
}

void TransferLoop::run() {
    // Without libcurl every transfer ends as it comes.
    while (multi_ && take_commands()) {
        int still = 0;
        curl_multi_perform(multi_.get(), &still);
        take_ends();
        look_at_time();
        notify_all();
        const bool busy = !running_.empty() || !queued_.empty();
        curl_multi_poll(multi_.get(), nullptr, 0, busy ? kPollMs : kPollIdleMs, nullptr);
    }
    end_all();
}

bool TransferLoop::take_commands() {
    std::vector<Command> commands;
    {
        const std::lock_guard lock{mutex_};
        if (stopping_) return false;
        commands.swap(commands_);
    }
    for (auto& command : commands) obey(command);
    return true;
}

void TransferLoop::obey(Command& command) {
    const auto& transfer = command.transfer;
    switch (command.kind) {
        case Kind::start:
            admit(transfer);
            break;
        case Kind::resume:
            if (running_.contains(transfer->handle())) transfer->unpause(clock_.steady_ns());
            break;
        case Kind::cancel:
            transfer->end_with(HttpFailure::stopped, "given up");
            leave(transfer);
            break;
    }
    if (transfer->dirty) transfer->notify();
}

void TransferLoop::admit(const std::shared_ptr<StreamedTransfer>& transfer) {
    auto fault = transfer->prepare_stream();
    if (fault.failure != HttpFailure::none) {
        transfer->end_with(std::move(fault));
        return;
    }
    const auto& [slots, bulk] = transfer->slot();
    if (!slots || slots->take(bulk)) {
        perform(transfer);
    } else if (!slots->wait(transfer)) {
        transfer->end_with(HttpFailure::too_slow, "too many requests wait for a connection");
    } else {
        transfer->queued_ns = clock_.steady_ns();
        queued_.emplace(transfer.get(), transfer);
    }
}

void TransferLoop::perform(const std::shared_ptr<StreamedTransfer>& transfer) {
    transfer->begin(clock_.steady_ns());
    if (curl_multi_add_handle(multi_.get(), transfer->handle()) == CURLM_OK) {
        running_.emplace(transfer->handle(), transfer);
        return;
    }
    transfer->end_with(HttpFailure::broken_off, "libcurl cannot be used");
    free_slot(transfer->slot());
}

// It runs or waits no longer, whichever it did.
void TransferLoop::leave(const std::shared_ptr<StreamedTransfer>& transfer) {
    if (running_.erase(transfer->handle()) > 0) {
        curl_multi_remove_handle(multi_.get(), transfer->handle());
        free_slot(transfer->slot());
    } else if (queued_.erase(transfer.get()) > 0) {
        transfer->slot().slots->forget(transfer);
    }
}

void TransferLoop::free_slot(const SlotWish& slot) {
    if (!slot.slots) return;
    slot.slots->give_back(slot.bulk);
    const auto next = slot.slots->take_next();
    if (!next) return;
    queued_.erase(next.get());
    perform(next);
    if (next->dirty) next->notify();
}

void TransferLoop::take_ends() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const auto found = running_.find(message->easy_handle);
        if (found == running_.end()) continue;
        const auto transfer = found->second;
        const auto code = message->data.result;
        // First its slot is free, then its reader may know.
        leave(transfer);
        transfer->end(code);
        transfer->notify();
    }
}

void TransferLoop::look_at_time() {
    const auto now_ns = clock_.steady_ns();
    if (now_ns - looked_ns_ < kLookEveryNs) return;
    looked_ns_ = now_ns;
    struct Late {
        std::shared_ptr<StreamedTransfer> transfer;
        std::string_view why;
    };
    std::vector<Late> late;
    for (const auto& [handle, transfer] : running_) {
        const auto pace = transfer->pace(now_ns);
        if (pace == StreamedTransfer::Pace::fine) continue;
        const bool silent = pace == StreamedTransfer::Pace::silent;
        late.push_back({transfer, silent ? "nothing came for too long" : "the answer is too slow"});
    }
    for (const auto& [key, transfer] : queued_) {
        const auto patience_ns = std::chrono::nanoseconds{transfer->policy().idle_timeout}.count();
        if (patience_ns == 0 || now_ns - transfer->queued_ns < patience_ns) continue;
        late.push_back({transfer, "no connection became free"});
    }
    for (const auto& [transfer, why] : late) {
        leave(transfer);
        transfer->end_with(HttpFailure::too_slow, why);
        transfer->notify();
    }
}

void TransferLoop::notify_all() {
    for (const auto& [handle, transfer] : running_) {
        if (transfer->dirty) transfer->notify();
    }
}

void TransferLoop::end_all() {
    std::vector<Command> commands;
    {
        const std::lock_guard lock{mutex_};
        ended_ = true;
        commands.swap(commands_);
    }
    std::vector<std::shared_ptr<StreamedTransfer>> all;
    for (const auto& [handle, transfer] : running_) {
        curl_multi_remove_handle(multi_.get(), handle);
        const auto& [slots, bulk] = transfer->slot();
        if (slots) slots->give_back(bulk);
        all.push_back(transfer);
    }
    for (const auto& [key, transfer] : queued_) all.push_back(transfer);
    for (const auto& command : commands) all.push_back(command.transfer);
    running_.clear();
    queued_.clear();
    for (const auto& transfer : all) {
        transfer->end_with(HttpFailure::stopped, "stopped");
        if (transfer->slot().slots) transfer->slot().slots->forget_all();
        transfer->notify();
    }
}

}  // namespace orbitalreg::frontend
