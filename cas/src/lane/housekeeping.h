#pragma once
// Sessions that nobody wrote to for StoreOptions::uploads_idle_expiry_ms of store time are closed
// as cancelled.

#include "lane/lane_rooms.h"

#include <memory>

namespace orbitalreg::cas {

// Runs on `environment.background` until stop_housekeeping().
void start_housekeeping(const std::shared_ptr<LaneRooms>& rooms);
void stop_housekeeping(LaneRooms& rooms) noexcept;

// One round: how many sessions it closed.
Awaitable<std::uint64_t> close_expired(std::shared_ptr<LaneRooms> rooms);

// Closes, as cancelled, a session that the caller claimed, and gives up the claim.
// Errc::upload_closed when it is closed.
Awaitable<Result<void>> close_claimed(std::shared_ptr<LaneRooms> rooms, SessionId session,
                                      std::uint64_t issued_store_time_s);

}  // namespace orbitalreg::cas
