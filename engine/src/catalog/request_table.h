#pragma once
// RequestTable remembers how requests ended, by the id their callers made, so that asking again
// gives the first outcome.
//
// Successes come from the applied records, refusals from the checks; both on the sequencer's
// thread, in commit order.
// Ids      are forgotten RegistryLimits::request_outcome_keep_ms after their end, and early when
//          there are more than request_outcomes_max. It lives in memory: a caller dies with an
//          embedded store. What a replay brings back is welcome.
//
// Threads  the sequencer's only.

#include "engine/errors.h"
#include "engine/options.h"
#include "engine/request_id.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

namespace orbitalreg::engine {

struct RequestOutcome {
    std::uint64_t lsn = 0;  // of a success
    std::shared_ptr<const Refusal>
        refusal;  // shared with the coroutine that is told it again; empty: a success
};

class RequestTable {
public:
    explicit RequestTable(const RegistryLimits& limits) noexcept
        : outcomes_max_{limits.request_outcomes_max},
          keep_ms_{static_cast<std::uint64_t>(limits.request_outcome_keep_ms)} {}

    std::optional<RequestOutcome> find(const RequestId& id, std::uint64_t now_store_time_ms) const;
    // The zero id is no id. An id that is known keeps its first outcome.
    void note(const RequestId& id, RequestOutcome outcome, std::uint64_t now_store_time_ms);
    std::uint64_t forgotten_early() const noexcept { return forgotten_early_; }

private:
    struct Entry {
        RequestOutcome outcome;
        std::uint64_t noted_store_time_ms = 0;
    };
    struct IdHash {
        using is_avalanching = void;
        std::size_t operator()(const RequestId& id) const noexcept;
    };
    bool is_over(std::uint64_t noted_store_time_ms,
                 std::uint64_t now_store_time_ms) const noexcept {
        return noted_store_time_ms + keep_ms_ <= now_store_time_ms;
    }

    std::size_t outcomes_max_;
    std::uint64_t keep_ms_;
    boost::unordered_flat_map<RequestId, Entry, IdHash> entries_;
    std::deque<std::pair<RequestId, std::uint64_t>> order_;  // oldest first
    std::uint64_t forgotten_early_ = 0;
};

}  // namespace orbitalreg::engine
