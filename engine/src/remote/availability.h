#pragma once
// Availability decides whether an upstream is asked at all: after kFailures failures in a row it is left alone for a while that
// doubles, and one request then finds out; where it said 429 it is left alone as long as it asked (REL-22, DIST-PROXY-14).
//
// Threads  any.

#include "engine/upstream.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>

namespace orbitalreg::engine {

class Availability {
public:
    static constexpr int kFailures = 3;
    static constexpr std::int64_t kRestFirstMs = 2'000;
    static constexpr std::int64_t kRestMaxMs = 60'000;
    static constexpr std::int64_t kThrottledMs = 30'000;  // where 429 does not say how long

    // Why it is not asked now; nothing: it is. Of what is `counted` by an upstream's rate limit 429 is a reason too.
    std::optional<UpstreamFailure> refusal(std::int64_t now_ms, bool counted) {
        const std::lock_guard lock{mutex_};
        if (counted && now_ms < throttled_until_ms_)
            return UpstreamFailure{UpstreamFailure::Kind::throttled, throttled_message_,
                                   throttled_until_ms_ - now_ms};
        if (failures_ < kFailures || now_ms >= rests_until_ms_) {
            // Who asks first finds out; the others wait for what it finds.
            if (failures_ >= kFailures) rests_until_ms_ = now_ms + rest_ms_;
            return std::nullopt;
        }
        return last_;
    }
    void answered() {
        const std::lock_guard lock{mutex_};
        failures_ = 0;
        rest_ms_ = kRestFirstMs;
    }
    void failed(const UpstreamFailure& failure, std::int64_t now_ms) {
        using Kind = UpstreamFailure::Kind;
        const std::lock_guard lock{mutex_};
        if (failure.kind == Kind::throttled) {
            const auto wait_ms = failure.retry_after_ms.value_or(kThrottledMs);
            throttled_until_ms_ = std::max(throttled_until_ms_, now_ms + wait_ms);
            throttled_message_ = failure.message;
            return;
        }
        if (failure.kind != Kind::unavailable) {  // it answered
            failures_ = 0;
            rest_ms_ = kRestFirstMs;
            return;
        }
        last_ = failure;
        if (++failures_ < kFailures) return;
        rests_until_ms_ = now_ms + rest_ms_;
        rest_ms_ = std::min(rest_ms_ * 2, kRestMaxMs);
    }
    struct View {
        bool answers = true;
        std::string trouble;
        std::int64_t left_alone_for_ms = 0;
    };
    View view(std::int64_t now_ms) const {
        const std::lock_guard lock{mutex_};
        const auto until_ms =
            std::max(throttled_until_ms_, failures_ < kFailures ? 0 : rests_until_ms_);
        View view{failures_ == 0 && now_ms >= throttled_until_ms_,
                  {},
                  std::max<std::int64_t>(0, until_ms - now_ms)};
        if (failures_ > 0) view.trouble = last_.message;
        if (now_ms < throttled_until_ms_) view.trouble = throttled_message_;
        return view;
    }

private:
    mutable std::mutex mutex_;
    int failures_ = 0;
    std::int64_t rest_ms_ = kRestFirstMs;
    std::int64_t rests_until_ms_ = 0;
    UpstreamFailure last_;
    std::int64_t throttled_until_ms_ = 0;
    std::string throttled_message_;
};

}  // namespace orbitalreg::engine
