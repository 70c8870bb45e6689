#include "soak.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "content.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace orbitalreg::load {
namespace {

constexpr std::size_t kPieceBytes = 256_KiB;
constexpr int kSocketBytes = static_cast<int>(256_KiB);  // so that the kernel holds little of each
constexpr std::size_t kAnswerHeadMax = 16_KiB;
constexpr std::int64_t kRetryNs = 1'000'000'000;
constexpr std::int64_t kSampleNs = 100'000'000;
constexpr unsigned kBeginAtOnce = 32;
constexpr int kEventsMax = 256;
constexpr int kPollMs = 20;
constexpr std::size_t kReadBack = 8;  // pushes, after the clock has stopped

std::int64_t now_ns() { return system_clock().steady_ns(); }

// Pushed contents are alike up to their last block.
class PushContent {
public:
    PushContent(std::uint64_t seed, std::uint64_t size_bytes)
        : seed_{seed}, shared_{seed, size_bytes}, last_{(size_bytes - 1) / kBlockBytes} {
        for (std::uint64_t block = 0; block < last_; ++block)
            before_last_.update(shared_.piece(block * kBlockBytes));
    }

    ByteView piece(std::uint64_t number, std::uint64_t offset) {
        return offset / kBlockBytes < last_ ? shared_.piece(offset) : own(number).piece(offset);
    }

    std::string digest(std::uint64_t number) {
        Hasher hasher = before_last_;
        hasher.update(own(number).piece(last_ * kBlockBytes));
        return hasher.digest().to_string();
    }

private:
    Content own(std::uint64_t number) const {
        return Content{mix64(seed_, number + 1), shared_.size_bytes()};
    }

    std::uint64_t seed_;
    Content shared_;
    std::uint64_t last_;
    Hasher before_last_{DigestAlgorithm::sha256};
};

struct Transfer {
    enum class Phase {
        waiting,    // to try again at retry_ns
        asking,     // GET or POST is sent, its answer awaited
        moving,     // the body comes or goes
        answering,  // the body of a PUT is sent, its answer awaited
    };

    bool pushes = false;
    bool verified = false;
    unsigned slot = 0;
    Phase phase = Phase::waiting;
    UniqueFd socket;
    std::uint32_t interest = 0;
    std::string out;   // a request's head, what is not sent of it
    std::string head;  // an answer's, what has come of it
    std::uint64_t number = 0;
    std::string digest;
    std::uint64_t offset = 0;       // in the body
    std::uint64_t moved_bytes = 0;  // since the clock started
    std::int64_t progress_ns = 0;
    std::int64_t retry_ns = 0;

    bool in_flight() const {
        return phase == Phase::moving || (pushes && phase == Phase::answering);
    }
};

struct Blob {
    Content content;
    std::string digest;
};

class Soak {
public:
    explicit Soak(const SoakOptions& options)
        : options_{options}, pushed_{options.seed, options.push_bytes}, buffer_(kPieceBytes) {}

    SoakOutcome run() {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
        poll_ = UniqueFd{::epoll_create1(EPOLL_CLOEXEC)};
        prepare();
        if (outcome_.failures > 0) return std::move(outcome_);
        ramp_up();
        if (options_.announce) {
            std::puts("");
            std::fflush(stdout);
        }
        keep_going();
        for (auto& transfer : transfers_) transfer->socket.reset();
        read_back();
        summarise(pull_samples_, false, outcome_.pull);
        summarise(push_samples_, true, outcome_.push);
        return std::move(outcome_);
    }

private:
    using Phase = Transfer::Phase;

    void count_failure(const std::string& why) {
        ++outcome_.failures;
        if (outcome_.first_failure.empty()) outcome_.first_failure = why;
    }

    // What the pulls pull.
    void prepare() {
        HttpConnection connection{options_.server};
        for (unsigned i = 0; i < options_.blobs && options_.pulls > 0; ++i) {
            Content content{mix64(options_.seed, ~std::uint64_t{i}), options_.pull_bytes};
            const std::string digest = content.digest();
            const Answer opened = connection.ask({.method = "POST", .target = uploads()});
            const std::string target = with_digest(opened.location, digest);
            const Answer done = connection.ask(
                {.method = "PUT", .target = target, .body_size_bytes = options_.pull_bytes},
                [&](std::uint64_t offset) { return content.piece(offset); });
            if (done.status != 201)
                return count_failure("preparing: PUT: " + std::to_string(done.status));
            blobs_.push_back({content, digest});
        }
    }

    std::string uploads() const { return "/v2/" + options_.name + "/blobs/uploads/"; }
    static std::string with_digest(const std::string& location, const std::string& digest) {
        return location + (location.find('?') == std::string::npos ? "?digest=" : "&digest=") +
               digest;
    }
    std::string request(std::string_view method, const std::string& target,
                        std::uint64_t size_bytes) const {
        std::string head{method};
        head.append(" ").append(target).append(" HTTP/1.1\r\nHost: ");
        head.append(options_.server.text()).append("\r\n");
        if (method != "GET") head.append("Content-Length: " + std::to_string(size_bytes) + "\r\n");
        return head.append("\r\n");
    }

    void ramp_up() {
        const std::int64_t begun = now_ns();
        const unsigned all = options_.pulls + options_.pushes;
        // Both kinds from the start, in the proportion asked for.
        for (unsigned i = 0; i < all; ++i) {
            auto transfer = std::make_unique<Transfer>();
            transfer->pushes = std::uint64_t{i + 1} * options_.pushes / all >
                               std::uint64_t{i} * options_.pushes / all;
            transfer->slot = i;
            transfer->verified = !transfer->pushes && pulls_made_++ % kVerifyEvery == 0;
            transfers_.push_back(std::move(transfer));
            begin(*transfers_.back());
            if (i % kBeginAtOnce == 0) poll(0);
        }
        const std::int64_t deadline = begun + kRampSeconds * std::int64_t{1'000'000'000};
        while (now_ns() < deadline && !all_in_flight()) {
            poll(kPollMs);
            try_again();
        }
        outcome_.ramp_seconds = static_cast<double>(now_ns() - begun) / 1e9;
        running_ = true;
        for (auto& transfer : transfers_) transfer->moved_bytes = 0;
    }

    bool all_in_flight() const {
        return std::all_of(transfers_.begin(), transfers_.end(),
                           [](const auto& transfer) { return transfer->in_flight(); });
    }

    void keep_going() {
        const std::int64_t begun = now_ns();
        const std::int64_t end = begun + options_.seconds * std::int64_t{1'000'000'000};
        std::int64_t sample_due = begun;
        for (std::int64_t now = begun; now < end; now = now_ns()) {
            if (now >= sample_due) {
                sample(now);
                try_again();
                sample_due = now + kSampleNs;
            }
            poll(kPollMs);
        }
        outcome_.seconds = static_cast<double>(now_ns() - begun) / 1e9;
        running_ = false;
    }

    void sample(std::int64_t now) {
        unsigned pulls = 0;
        unsigned pushes = 0;
        for (const auto& transfer : transfers_) {
            if (!transfer->in_flight()) continue;
            ++(transfer->pushes ? pushes : pulls);
            note_stall(*transfer, now);
        }
        pull_samples_.push_back(pulls);
        push_samples_.push_back(pushes);
    }

    void note_stall(const Transfer& transfer, std::int64_t now) {
        if (!running_) return;
        double& longest = figures(transfer).stall_seconds_max;
        longest = std::max(longest, static_cast<double>(now - transfer.progress_ns) / 1e9);
    }

    SoakFigures& figures(const Transfer& transfer) {
        return transfer.pushes ? outcome_.push : outcome_.pull;
    }

    void try_again() {
        const std::int64_t now = now_ns();
        for (auto& transfer : transfers_)
            if (transfer->phase == Phase::waiting && now >= transfer->retry_ns) begin(*transfer);
    }

    void poll(int wait_ms) {
        std::array<epoll_event, kEventsMax> events;
        const int count = ::epoll_wait(poll_.get(), events.data(), kEventsMax, wait_ms);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            Transfer& transfer = *transfers_[event.data.u32];
            if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) receive(transfer);
            if (transfer.socket && (event.events & EPOLLOUT) != 0) send(transfer);
            if (transfer.socket) watch(transfer);
        }
    }

    // The next transfer of this slot.
    void begin(Transfer& transfer) {
        if (!transfer.socket && !connect(transfer)) return failed(transfer, "connect");
        transfer.phase = Phase::asking;
        transfer.offset = 0;
        transfer.head.clear();
        transfer.progress_ns = now_ns();
        if (transfer.pushes) {
            transfer.number = next_push_++;
            transfer.digest = pushed_.digest(transfer.number);
            transfer.out = request("POST", uploads(), 0);
        } else {
            const std::string& digest = blobs_[transfer.slot % blobs_.size()].digest;
            transfer.out = request("GET", "/v2/" + options_.name + "/blobs/" + digest, 0);
        }
        watch(transfer);
    }

    bool connect(Transfer& transfer) const {
        UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const int option = transfer.pushes ? SO_SNDBUF : SO_RCVBUF;
        ::setsockopt(fd.get(), SOL_SOCKET, option, &kSocketBytes, sizeof kSocketBytes);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(options_.server.port);
        if (::inet_pton(AF_INET, options_.server.host.c_str(), &address.sin_addr) != 1)
            return false;
        if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
            errno != EINPROGRESS)
            return false;
        transfer.interest = EPOLLIN | EPOLLOUT;
        epoll_event event{.events = transfer.interest, .data = {.u32 = transfer.slot}};
        if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) return false;
        transfer.socket = std::move(fd);
        return true;
    }

    void watch(Transfer& transfer) const {
        const bool sends =
            !transfer.out.empty() || (transfer.pushes && transfer.phase == Phase::moving);
        const std::uint32_t wanted = EPOLLIN | (sends ? std::uint32_t{EPOLLOUT} : 0);
        if (wanted == transfer.interest) return;
        transfer.interest = wanted;
        epoll_event event{.events = wanted, .data = {.u32 = transfer.slot}};
        ::epoll_ctl(poll_.get(), EPOLL_CTL_MOD, transfer.socket.get(), &event);
    }

    void failed(Transfer& transfer, const std::string& why) {
        count_failure((transfer.pushes ? "push: " : "pull: ") + why);
        transfer.socket.reset();
        transfer.out.clear();
        transfer.phase = Phase::waiting;
        transfer.retry_ns = now_ns() + kRetryNs;
    }

    void send(Transfer& transfer) {
        const bool body = transfer.out.empty();
        ByteView bytes = as_bytes(transfer.out);
        if (body) {
            if (!transfer.pushes || transfer.phase != Phase::moving) return;
            bytes = pushed_.piece(transfer.number, transfer.offset);
            bytes = bytes.first(std::min(bytes.size(), kPieceBytes));
        }
        const auto count = ::send(transfer.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EAGAIN || errno == EINTR) return;
            // Perhaps there is an answer that says why.
            receive(transfer);
            if (transfer.socket) failed(transfer, "the connection was lost while sending");
            return;
        }
        if (!body) {
            transfer.out.erase(0, static_cast<std::size_t>(count));
            return;
        }
        moved(transfer, static_cast<std::uint64_t>(count));
        if (transfer.offset == options_.push_bytes) transfer.phase = Phase::answering;
    }

    void moved(Transfer& transfer, std::uint64_t bytes) {
        const std::int64_t now = now_ns();
        note_stall(transfer, now);
        transfer.progress_ns = now;
        transfer.offset += bytes;
        if (!running_) return;
        transfer.moved_bytes += bytes;
        figures(transfer).bytes += bytes;
    }

    void receive(Transfer& transfer) {
        if (!transfer.socket) return;
        const bool body = !transfer.pushes && transfer.phase == Phase::moving;
        const std::uint64_t left = body ? options_.pull_bytes - transfer.offset : buffer_.size();
        const auto size = std::min<std::uint64_t>(left, buffer_.size());
        const int flags = body && !transfer.verified ? MSG_TRUNC : 0;
        const auto count = ::recv(transfer.socket.get(), buffer_.data(), size, flags);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) return failed(transfer, "the connection was lost while receiving");
        const ByteView bytes = ByteView{buffer_}.first(static_cast<std::size_t>(count));
        if (body) return take(transfer, bytes);
        transfer.head.append(as_text(bytes));
        const auto end = transfer.head.find("\r\n\r\n");
        if (end != std::string::npos) return on_answer(transfer, end + 4);
        if (transfer.head.size() > kAnswerHeadMax) failed(transfer, "an answer without an end");
    }

    // Bytes of a pull; what lies in them counts for a verified one alone.
    void take(Transfer& transfer, ByteView bytes) {
        if (transfer.verified) {
            Content& content = blobs_[transfer.slot % blobs_.size()].content;
            for (std::size_t at = 0; at < bytes.size();) {
                const ByteView wanted = content.piece(transfer.offset + at);
                const auto size = std::min(wanted.size(), bytes.size() - at);
                if (!std::equal(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(size),
                                bytes.begin() + static_cast<std::ptrdiff_t>(at)))
                    return failed(transfer, "wrong bytes");
                at += size;
            }
            if (running_) outcome_.pull.verified_bytes += bytes.size();
        }
        moved(transfer, bytes.size());
        if (transfer.offset == options_.pull_bytes) finished(transfer);
    }

    void finished(Transfer& transfer) {
        if (running_) ++figures(transfer).finished;
        begin(transfer);
    }

    // transfer.head is an answer's head, of `size` bytes, and what came behind it.
    void on_answer(Transfer& transfer, std::size_t size) {
        const std::string received = std::exchange(transfer.head, {});
        const std::string_view head = std::string_view{received}.substr(0, size);
        const bool opens = transfer.pushes && transfer.phase == Phase::asking;
        const int status = std::atoi(received.c_str() + std::min<std::size_t>(9, size));
        const int wanted = !transfer.pushes ? 200 : opens ? 202 : 201;
        if (status != wanted || (transfer.pushes && transfer.phase == Phase::moving)) {
            if (status == 503 || status == 429) ++outcome_.refusals;
            const char* const what = !transfer.pushes ? "GET: " : opens ? "POST: " : "PUT: ";
            return failed(transfer, what + std::to_string(status));
        }
        transfer.progress_ns = now_ns();
        if (!transfer.pushes) {
            transfer.phase = Phase::moving;
            if (field(head, "Content-Length") != std::to_string(options_.pull_bytes))
                return failed(transfer, "GET: another length");
            const auto rest = as_bytes(std::string_view{received}.substr(size));
            if (!rest.empty()) take(transfer, rest);
        } else if (opens) {
            put(transfer, head);
        } else {
            note_pushed(transfer);
            finished(transfer);
        }
    }

    void put(Transfer& transfer, std::string_view answer) {
        std::string location = field(answer, "Location");
        if (const auto scheme = location.find("://"); scheme != std::string::npos)
            location.erase(0, location.find('/', scheme + 3));
        transfer.out = request("PUT", with_digest(location, transfer.digest), options_.push_bytes);
        transfer.phase = Phase::moving;
    }

    // Both peers write this field in the same way; anything else is an empty answer.
    static std::string field(std::string_view head, std::string_view name) {
        const std::string line = "\r\n" + std::string{name} + ": ";
        const auto at = head.find(line);
        if (at == std::string_view::npos) return {};
        const auto value = head.substr(at + line.size());
        return std::string{value.substr(0, value.find("\r\n"))};
    }

    void note_pushed(const Transfer& transfer) {
        if (!running_) return;
        if (kept_.size() < kReadBack) kept_.push_back(transfer.digest);
    }

    void read_back() {
        HttpConnection connection{options_.server};
        for (const std::string& digest : kept_) {
            Hasher hasher{DigestAlgorithm::sha256};
            const Answer got = connection.ask(
                {.method = "GET", .target = "/v2/" + options_.name + "/blobs/" + digest}, {},
                [&](ByteView piece) { hasher.update(piece); });
            if (got.status != 200 || hasher.digest().to_string() != digest) {
                count_failure("a push reads back otherwise: " + std::to_string(got.status));
                continue;
            }
            outcome_.push.verified_bytes += got.body_size_bytes;
        }
    }

    void summarise(const std::vector<unsigned>& samples, bool pushes, SoakFigures& into) const {
        std::vector<std::uint64_t> moved;
        for (const auto& transfer : transfers_)
            if (transfer->pushes == pushes) moved.push_back(transfer->moved_bytes);
        if (moved.empty() || samples.empty()) return;
        std::sort(moved.begin(), moved.end());
        into.least_bytes = moved.front();
        into.median_bytes = moved[moved.size() / 2];
        into.most_bytes = moved.back();
        double sum = 0;
        for (const unsigned count : samples) sum += count;
        into.in_flight_mean = sum / static_cast<double>(samples.size());
        into.in_flight_min = *std::min_element(samples.begin(), samples.end());
    }

    const SoakOptions& options_;
    std::vector<Blob> blobs_;
    PushContent pushed_;
    std::vector<std::byte> buffer_;
    UniqueFd poll_;
    std::vector<std::unique_ptr<Transfer>> transfers_;  // by slot
    unsigned pulls_made_ = 0;
    std::uint64_t next_push_ = 0;
    bool running_ = false;
    std::vector<unsigned> pull_samples_;
    std::vector<unsigned> push_samples_;
    std::vector<std::string> kept_;  // digests of pushes that ended
    SoakOutcome outcome_;
};

}  // namespace

SoakOutcome soak(const SoakOptions& options) { return Soak{options}.run(); }

}  // namespace orbitalreg::load
