#include "htpasswd_file.h"

#include <algorithm>

namespace orbitalreg::program {
namespace {

constexpr std::size_t kBcryptSize = 60;
constexpr int kCostMin = 10;  // of the server's, which takes 10 to 14
constexpr int kCostMax = 14;

bool is_bcrypt_alphabet(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '/';
    });
}

std::string refuse(std::string_view hash) {
    if (hash.empty()) return "there is no hash";
    if (hash.starts_with("$apr1$") || hash.starts_with("$1$")) return "MD5 is not taken over";
    if (hash.starts_with("{SHA}") || hash.starts_with("{SSHA}")) return "SHA-1 is not taken over";
    if (hash.starts_with("$5$") || hash.starts_with("$6$"))
        return "SHA-crypt is not taken over, only bcrypt is";
    if (!hash.starts_with("$2")) return "neither crypt() nor a plain password is taken over";
    const bool formed = hash.size() == kBcryptSize &&
                        std::string_view{"aby"}.find(hash[2]) != std::string_view::npos &&
                        hash[3] == '$' && hash[6] == '$' && hash[4] >= '0' && hash[4] <= '9' &&
                        hash[5] >= '0' && hash[5] <= '9' && is_bcrypt_alphabet(hash.substr(7));
    if (!formed) return "is no bcrypt hash";
    const int cost = (hash[4] - '0') * 10 + (hash[5] - '0');
    if (cost < kCostMin || cost > kCostMax) {
        return "bcrypt of cost " + std::to_string(cost) +
               " is not taken over: " + std::to_string(kCostMin) + " to " +
               std::to_string(kCostMax) + " is (htpasswd -B -C 12)";
    }
    return {};
}

HtpasswdLine read_line(std::string_view line, std::size_t number) {
    const auto colon = line.find(':');
    if (colon == line.npos || colon == 0) return {number, {}, {}, "is no `name:hash`"};
    HtpasswdLine read{
        number, std::string{line.substr(0, colon)}, std::string{line.substr(colon + 1)}, {}};
    read.refusal = refuse(read.hash);
    // Of the same algorithm: 2a is how it was called before 2b.
    if (read.refusal.empty() && read.hash[2] == 'a') read.hash[2] = 'b';
    return read;
}

}  // namespace

std::vector<HtpasswdLine> read_htpasswd(std::string_view text) {
    std::vector<HtpasswdLine> lines;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
        if (!line.empty() && line.front() != '#') lines.push_back(read_line(line, number));
    }
    return lines;
}

}  // namespace orbitalreg::program
