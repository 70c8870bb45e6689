#pragma once
// TransferLoop performs transfers on one thread over one multi handle of libcurl: connections are kept and used again, names are
// looked up on libcurl's own threads.
//
// Life     made -> start(), resume(), cancel() -> stop(), which the destructor calls as well.
// Threads  any.
// Limits   ConnectionSlots; kConnectionsKeptMax idle connections.

#include "base/clock.h"
#include "base/metrics.h"
#include "outbound/streamed_transfer.h"

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <unordered_map>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr long kConnectionsKeptMax = 256;
inline constexpr std::size_t kTransfersWaitingMax = 1024;  // for a slot, of one upstream

// ConnectionSlots bounds how many transfers of one upstream run at once; the others wait in their order (REL-22). An eighth is
// kept from bulk, so that blobs on their way to slow clients keep nobody from asking for a manifest. Changed by the loop's
// thread alone.
class ConnectionSlots {
public:
    ConnectionSlots(std::size_t running_max, Gauge& running);

    bool take(bool bulk) noexcept;
    void give_back(bool bulk) noexcept;
    // False: too many wait.
    bool wait(std::shared_ptr<StreamedTransfer> transfer);
    void forget(const std::shared_ptr<StreamedTransfer>& transfer);
    void forget_all() noexcept;
    // Who is next and has taken a slot; null: nobody can.
    std::shared_ptr<StreamedTransfer> take_next();

private:
    using Waiting = std::deque<std::shared_ptr<StreamedTransfer>>;
    Waiting& waiting(bool bulk) noexcept { return bulk ? bulk_waiting_ : waiting_; }

    const std::size_t running_max_;
    const std::size_t bulk_max_;
    Gauge& gauge_;
    std::size_t running_ = 0;
    std::size_t bulk_running_ = 0;
    Waiting waiting_;
    Waiting bulk_waiting_;
};

class TransferLoop {
public:
    // `address_refused`: OutboundEnvironment.
    explicit TransferLoop(Clock& clock,
                          std::function<void(const std::string&)> address_refused = {});
    ~TransferLoop();
    TransferLoop(const TransferLoop&) = delete;
    TransferLoop& operator=(const TransferLoop&) = delete;

    void start(std::shared_ptr<StreamedTransfer> transfer);
    void resume(std::shared_ptr<StreamedTransfer> transfer);
    // Nobody reads it any more.
    void cancel(std::shared_ptr<StreamedTransfer> transfer);
    // Tells of it, where it was the address.
    void note_failure(const HttpTrouble& trouble) const;
    // Ends all of it with HttpFailure::stopped, and whatever is started later at once.
    void stop() noexcept;

private:
    enum class Kind : std::uint8_t { start, resume, cancel };
    struct Command {
        Kind kind;
        std::shared_ptr<StreamedTransfer> transfer;
    };

    void run();
    void command(Kind kind, std::shared_ptr<StreamedTransfer> transfer);
    // False: it is time to stop.
    bool take_commands();
    void obey(Command& command);
    void admit(const std::shared_ptr<StreamedTransfer>& transfer);
    void perform(const std::shared_ptr<StreamedTransfer>& transfer);
    void leave(const std::shared_ptr<StreamedTransfer>& transfer);
    void free_slot(const SlotWish& slot);
    void take_ends();
    void look_at_time();
    void notify_all();
    void end_all();

    Clock& clock_;
    const std::function<void(const std::string&)> address_refused_;
    MultiHandle multi_;

    std::mutex mutex_;
    std::vector<Command> commands_;
    bool stopping_ = false;
    bool ended_ = false;  // the thread takes no more commands

    // Of the thread alone.
    std::unordered_map<CURL*, std::shared_ptr<StreamedTransfer>> running_;
    std::unordered_map<StreamedTransfer*, std::shared_ptr<StreamedTransfer>> queued_;
    std::int64_t looked_ns_ = 0;

    std::mutex join_mutex_;
    std::thread thread_;
};

}  // namespace orbitalreg::frontend
