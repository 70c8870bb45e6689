#pragma once
// Challenge is what a WWW-Authenticate field asks for (RFC 9110, 11.6.1), as upstreams write it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::size_t kChallengeTextMax = 8 * 1024;
inline constexpr std::size_t kChallengesMax = 16;

struct Challenge {
    enum class Scheme : std::uint8_t { basic, bearer };
    Scheme scheme = Scheme::basic;
    std::string realm;
    std::string service;
    std::string scope;  // of a ping a placeholder, so never used (DIST-PROXY-08)
    std::string error;

    friend bool operator==(const Challenge&, const Challenge&) = default;
};

// Those of schemes that are known, in their order. What makes no sense is passed over; the first of two equal parameters counts.
std::vector<Challenge> parse_challenges(std::string_view field);

}  // namespace orbitalreg::frontend
