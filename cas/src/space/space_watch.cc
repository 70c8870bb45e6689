#include "space/space_watch.h"

#include "space/space_report.h"

#include <utility>

namespace orbitalreg::cas {

SpaceReport SpaceWatch::report() {
    const std::int64_t now_ns = rooms_->environment.clock.steady_ns();
    const std::lock_guard lock{mutex_};
    const bool old = !looked_ || now_ns - looked_ns_ > kAgeMaxNs;
    if (old && !looking_ && !rooms_->stopped) {
        looking_ = true;
        rooms_->begin_work();
        asio::post(rooms_->environment.background, [self = shared_from_this()] { self->look(); });
    }
    return report_;
}

void SpaceWatch::look() {
    if (!rooms_->stopped) {
        SpaceReport report = report_space(*rooms_, false);
        const std::lock_guard lock{mutex_};
        report_ = std::move(report);
        looked_ = true;
        looked_ns_ = rooms_->environment.clock.steady_ns();
    }
    {
        const std::lock_guard lock{mutex_};
        looking_ = false;
    }
    rooms_->end_work();
}

}  // namespace orbitalreg::cas
