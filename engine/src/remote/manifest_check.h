#pragma once
// ManifestCheck is one question about one reference that is put to an upstream, for all who ask it meanwhile.
//
// Life     shared by its coroutine and those who wait. Threads  any.

#include "base/event.h"
#include "engine/remotes.h"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace orbitalreg::engine {

class ManifestCheck {
public:
    struct State {
        std::optional<Answer<FoundManifest>> outcome;
        bool late = false;  // it takes so long that what is kept is good enough
        std::shared_ptr<Event> next = std::make_shared<Event>();
    };

    State state() const {
        const std::lock_guard lock{mutex_};
        return state_;
    }
    void end(Answer<FoundManifest> outcome) {
        tell([&](State& state) { state.outcome.emplace(std::move(outcome)); });
    }
    void set_late() {
        tell([](State& state) { state.late = true; });
    }

private:
    template <class What>
    void tell(What what) {
        std::shared_ptr<Event> changed;
        {
            const std::lock_guard lock{mutex_};
            what(state_);
            changed = std::exchange(state_.next, std::make_shared<Event>());
        }
        changed->set();
    }

    mutable std::mutex mutex_;
    State state_;
};

}  // namespace orbitalreg::engine
