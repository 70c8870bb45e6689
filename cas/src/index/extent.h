#pragma once
// Extent is where a blob's bytes are: in a log segment (inline) or in a lane.

#include <cstdint>

namespace orbitalreg::cas {

struct Extent {
    bool in_lane = false;
    std::uint32_t file = 0;  // log segment id or lane id, both from 1
    std::uint32_t position =
        0;  // lane: base page of the record (payload one page later); log: offset / 64
    std::uint64_t size_bytes = 0;  // of the payload
    std::uint64_t uid = 0;

    std::uint64_t log_offset_bytes() const noexcept { return std::uint64_t{position} * 64; }
    std::uint64_t lane_payload_offset_bytes() const noexcept {
        return (std::uint64_t{position} + 1) * 4096;
    }
    friend bool operator==(const Extent&, const Extent&) = default;
};

}  // namespace orbitalreg::cas
