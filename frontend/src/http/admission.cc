#include "http/admission.h"

namespace orbitalreg::frontend {
namespace {

std::uint64_t share_of(std::uint64_t all, Admission::Share share) noexcept {
    return share == Admission::Share::whole ? all : all - all / 4;
}

}  // namespace

Admission::Admission(std::uint32_t requests_max, std::uint64_t bytes_max, Metrics& metrics)
    : requests_max_{requests_max},
      bytes_max_{bytes_max},
      shed_{metrics.counter("http_requests_shed_total",
                            "Requests answered 503 because too much was in hand.")} {
    metrics.gauge_function("http_requests_in_hand", "Requests between header and answer.", {},
                           [this] { return static_cast<double>(requests()); });
    metrics.gauge_function("http_request_memory_bytes",
                           "Held by requests beside buffers: manifests, lists.", {},
                           [this] { return static_cast<double>(bytes()); });
}

bool Admission::take(std::atomic<std::uint64_t>& of, std::uint64_t more,
                     std::uint64_t limit) noexcept {
    auto now = of.load(std::memory_order_relaxed);
    do {
        if (now > limit || more > limit - now) {
            shed_.add();
            return false;
        }
    } while (!of.compare_exchange_weak(now, now + more, std::memory_order_relaxed));
    return true;
}

std::optional<Admission::Ticket> Admission::admit(Share share) noexcept {
    if (!take(requests_, 1, share_of(requests_max_, share))) return std::nullopt;
    return Ticket{*this, share};
}

bool Admission::Ticket::hold(std::uint64_t bytes) noexcept {
    if (admission_ == nullptr) return true;
    if (bytes > held_) {
        if (!admission_->take(admission_->bytes_, bytes - held_,
                              share_of(admission_->bytes_max_, share_)))
            return false;
    } else {
        admission_->bytes_.fetch_sub(held_ - bytes, std::memory_order_relaxed);
    }
    held_ = bytes;
    return true;
}

Admission::Ticket::~Ticket() {
    if (admission_ == nullptr) return;
    hold(0);
    admission_->requests_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace orbitalreg::frontend
