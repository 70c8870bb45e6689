#pragma once
// Headers are the fields of a response, as they will be sent. Everything we emit goes through add(), which refuses what could
// end a line: a value that a client had a hand in cannot become a header of ours (SEC-85).

#include "http/ascii.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace orbitalreg::frontend {

// HeaderName is one of ours: the compiler has seen that it is a token.
struct HeaderName {
    std::string_view text;

    consteval HeaderName(const char* name) : text{name} {
        for (const char c : text) {
            if (!is_token_character(c)) throw "not a token";
        }
    }
};

class Headers {
public:
    // A value with CR, LF, NUL or another control byte is refused: the response is then unsafe() and is answered with 500
    // instead.
    void add(HeaderName name, std::string_view value);
    void add(HeaderName name, std::uint64_t value);

    // `Warning: 299 - "text"` (DIST-WARN-01); left out where the sum of all would pass 4096 bytes (DIST-WARN-02).
    void add_warning(std::string_view text);
    // `base` before the paths of Location and Link, where the client sees this server elsewhere.
    void put_before_paths(std::string_view base);

    bool unsafe() const noexcept { return unsafe_; }
    bool has(std::string_view name) const noexcept;
    // `Name: value CRLF` for each, in the order they were added.
    std::string_view text() const noexcept { return text_; }

private:
    std::string text_;
    std::size_t warning_bytes_ = 0;
    bool unsafe_ = false;
};

}  // namespace orbitalreg::frontend
