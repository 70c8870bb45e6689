#include "http/target.h"

#include "http/ascii.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

bool is_unreserved(char c) noexcept {
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

// A decoded segment that some reader could take for something else than one segment.
bool is_unsafe_segment(std::string_view segment) noexcept {
    if (segment == "." || segment == "..") return true;
    return std::any_of(segment.begin(), segment.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte >= 0x7f || c == '/' || c == '\\';
    });
}

std::string decode_form_value(std::string_view text) {
    std::string with_spaces{text};
    std::replace(with_spaces.begin(), with_spaces.end(), '+', ' ');
    // An escape that is none is data: parameters we do not know must not fail a request (DIST-GEN-07), and those we
    // know have a grammar that it does not meet.
    return percent_decode(with_spaces).value_or(with_spaces);
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size() || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2]))
            return std::nullopt;
        out += static_cast<char>(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
        i += 2;
    }
    return out;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kDigits[byte >> 4];
        out += kDigits[byte & 0xf];
    }
    return out;
}

Target parse_target(std::string_view text) {
    Target target;
    const auto question = text.find('?');
    target.path = text.substr(0, question);
    if (question != std::string_view::npos) target.query = text.substr(question + 1);
    if (!target.path.starts_with('/')) {
        target.fault = Target::Fault::not_a_path;
        return target;
    }
    auto rest = target.path.substr(1);
    for (;;) {
        const auto slash = rest.find('/');
        auto segment = rest.substr(0, slash);
        if (segment.find('%') != std::string_view::npos) {
            const auto decoded = percent_decode(segment);
            if (!decoded) {
                target.fault = Target::Fault::bad_escape;
                return target;
            }
            // All of it has room: what views it stays where it is.
            if (target.decoded.empty()) target.decoded.reserve(text.size());
            const auto at =
                target.decoded.insert(target.decoded.end(), decoded->begin(), decoded->end());
            segment = {&*at, decoded->size()};
        }
        if (is_unsafe_segment(segment)) {
            target.fault = Target::Fault::bad_segment;
            return target;
        }
        target.segments.push_back(segment);
        if (slash == std::string_view::npos) return target;
        rest.remove_prefix(slash + 1);
    }
}

Query Query::parse(std::string_view text, std::size_t parameters_max) {
    Query query;
    while (!text.empty()) {
        const auto ampersand = text.find('&');
        const auto pair = text.substr(0, ampersand);
        text.remove_prefix(ampersand == std::string_view::npos ? text.size() : ampersand + 1);
        if (pair.empty()) continue;
        if (query.parameters_.size() >= parameters_max) {
            query.too_many_ = true;
            return query;
        }
        const auto equals = pair.find('=');
        const auto value =
            equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
        query.parameters_.emplace_back(decode_form_value(pair.substr(0, equals)),
                                       decode_form_value(value));
    }
    return query;
}

std::optional<std::string_view> Query::get(std::string_view name) const noexcept {
    for (const auto& [key, value] : parameters_) {
        if (key == name) return value;
    }
    return std::nullopt;
}

std::vector<std::string_view> Query::all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& [key, value] : parameters_) {
        if (key == name) values.push_back(value);
    }
    return values;
}

std::size_t Query::count(std::string_view name) const noexcept {
    return static_cast<std::size_t>(
        std::count_if(parameters_.begin(), parameters_.end(),
                      [name](const auto& each) { return each.first == name; }));
}

}  // namespace orbitalreg::frontend
