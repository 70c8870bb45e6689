#include "remote/remote_repository.h"

namespace orbitalreg::engine {

RemoteRepository::RemoteRepository(RemoteRooms& rooms, RepositoryObject object,
                                   std::shared_ptr<const RemoteSettings> settings)
    : rooms_{rooms},
      object_{std::move(object)},
      settings_{std::move(settings)},
      upstream_{rooms.environment.factory.make(*settings_)} {}

RemoteStatus RemoteRepository::status() const {
    const auto view = availability_.view(rooms_.steady_ms());
    const std::lock_guard lock{mutex_};
    return {object_.name.text(), settings_->url,         flights_.size(),    view.answers,
            view.trouble,        view.left_alone_for_ms, upstream_->budget()};
}

Awaitable<void> RemoteRepository::stop() {
    for (;;) {
        std::shared_ptr<Flight> flight;
        {
            const std::lock_guard lock{mutex_};
            stopped_ = true;
            for (const auto& [digest, running] : flights_) running->stop();
            if (flights_.empty()) co_return;
            flight = flights_.begin()->second;
        }
        const auto state = flight->state();
        if (state.committed || state.failure) {
            // It is about to leave the map: others get their turn meanwhile.
            const auto executor = co_await asio::this_coro::executor;
            co_await asio::post(executor, asio::use_awaitable);
            continue;
        }
        co_await state.next->wait();
    }
}

}  // namespace orbitalreg::engine
