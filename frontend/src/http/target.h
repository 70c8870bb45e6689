#pragma once
// The target of a request: split on '/' first, then each segment percent-decoded exactly once. There is no path
// normalisation of any kind, and no redirect for one: a segment that decodes to something that could be read as a path is
// refused (SEC-02, DIST-GEN-03, DIST-GEN-04).

#include <boost/container/small_vector.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbitalreg::frontend {

struct Target {
    enum class Fault : std::uint8_t { none, not_a_path, bad_escape, bad_segment };
    Fault fault = Fault::none;
    // `/v2/a/` gives v2, a and an empty one. Views of the text given to parse_target, or of `decoded`.
    boost::container::small_vector<std::string_view, 10> segments;
    std::vector<char> decoded;  // the segments that had escapes, one after the other
    std::string_view path;      // as it came
    std::string_view query;     // as it came, without the '?'
};

Target parse_target(std::string_view text);

// `text` with its escapes decoded once; nothing where an escape is incomplete.
std::optional<std::string> percent_decode(std::string_view text);
// Everything but unreserved characters escaped; `/` and `:` stay, where `keep` names them.
std::string percent_encode(std::string_view text, std::string_view keep = {});

// Query holds the parameters in the order they came. Form rules: '+' is a space, ';' is data (DIST-HTTP-25).
class Query {
public:
    static Query parse(std::string_view text, std::size_t parameters_max);

    // The first value of that name; nothing when it is absent. An empty value is a value.
    std::optional<std::string_view> get(std::string_view name) const noexcept;
    std::vector<std::string_view> all(std::string_view name) const;
    std::size_t count(std::string_view name) const noexcept;
    bool too_many() const noexcept { return too_many_; }
    const std::vector<std::pair<std::string, std::string>>& parameters() const noexcept {
        return parameters_;
    }

private:
    std::vector<std::pair<std::string, std::string>> parameters_;
    bool too_many_ = false;
};

}  // namespace orbitalreg::frontend
