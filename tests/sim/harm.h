#pragma once
// Harm is what is done to a disk behind the store's back while no process runs: bits that flip, files that go back to
// what they were, files put in the place of others.

#include "sim/life.h"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace orbitalreg::sim {

// A dozen bits at most, anywhere; mostly in lanes.
void flip_bits(SimWorld& world);

// FileMemory remembers files as they were.
class FileMemory {
public:
    void remember(const SimWorld& world);
    // One file becomes what it was, as a volume does that is restored in part. False when nothing remembered differs. The
    // last segment of the log in use is left alone: without what was behind it nobody could tell.
    bool put_one_back(SimWorld& world);

private:
    std::map<std::string, std::vector<std::byte>> files_;
};

// A frame of the log that is not its last one rots. False when there is none.
bool spoil_a_frame(SimWorld& world);

// One file's content in the place of another's of its kind. False when there are no two.
bool put_one_over_another(SimWorld& world);

}  // namespace orbitalreg::sim
