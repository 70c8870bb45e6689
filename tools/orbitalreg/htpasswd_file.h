#pragma once
// The lines of an htpasswd file that can be taken over: those with a bcrypt hash. What came of weaker hashing, or of none, is
// not: whoever has seen the file may know the password.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::program {

struct HtpasswdLine {
    std::size_t number = 0;  // from 1
    std::string user;
    std::string hash;
    std::string refusal;  // for people; empty: `hash` is bcrypt of a cost that is taken
};

// Empty lines and comments are not among them.
std::vector<HtpasswdLine> read_htpasswd(std::string_view text);

}  // namespace orbitalreg::program
