#pragma once
// Admission decides which requests may share a frame: those whose declared keys conflict with
// nothing that was looked at before them, admitted or left waiting. So what two requests do to each
// other is never in one frame, each check() sees exactly the state its change meets, and requests
// that conflict run in the order they were submitted.
//
// Threads  use from one, the sequencer.
// Limits   the table grows with the keys of one frame's requests and is kept for the next.

#include "cas/journal.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace orbitalreg::cas {

class Admission {
public:
    Admission();

    // Forgets all keys: a new frame begins.
    void clear() noexcept;
    // Whether a request with these keys conflicts with none before it. Its keys count for those
    // behind it either way.
    bool admit(const KeySet& keys);

private:
    struct Slot {
        std::uint64_t key = 0;
        std::uint32_t round = 0;  // in use when equal to round_
        bool exclusive = false;
    };

    Slot& find(std::uint64_t key) noexcept;
    const Slot* held(std::uint64_t key) noexcept;
    void hold(std::uint64_t key, bool exclusive);
    void grow();

    std::vector<Slot> slots_;  // open addressing, a power of two
    std::size_t used_ = 0;
    std::uint32_t round_ = 1;
};

}  // namespace orbitalreg::cas
