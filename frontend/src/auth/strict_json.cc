#include "auth/strict_json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

// Builds the value while it is parsed, and knows the keys of each object that is still open.
class Builder {
public:
    static constexpr std::size_t max_object_size = std::numeric_limits<std::int32_t>::max();
    static constexpr std::size_t max_array_size = max_object_size;
    static constexpr std::size_t max_key_size = max_object_size;
    static constexpr std::size_t max_string_size = max_object_size;

    json::value release() { return stack_.release(); }

    bool on_document_begin(error_code&) {
        stack_.reset();
        return true;
    }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) {
        keys_.emplace_back();
        return true;
    }
    bool on_object_end(std::size_t count, error_code&) {
        keys_.pop_back();
        stack_.push_object(count);
        return true;
    }
    bool on_array_begin(error_code&) { return true; }
    bool on_array_end(std::size_t count, error_code&) {
        stack_.push_array(count);
        return true;
    }
    bool on_key_part(string_view text, std::size_t, error_code&) {
        key_.append(text.data(), text.size());
        stack_.push_chars(text);
        return true;
    }
    bool on_key(string_view text, std::size_t, error_code& ec) {
        key_.append(text.data(), text.size());
        const bool first = keys_.back().insert(std::move(key_)).second;
        key_.clear();
        if (!first) {
            ec = json::error::syntax;
            return false;
        }
        stack_.push_key(text);
        return true;
    }
    bool on_string_part(string_view text, std::size_t, error_code&) {
        stack_.push_chars(text);
        return true;
    }
    bool on_string(string_view text, std::size_t, error_code&) {
        stack_.push_string(text);
        return true;
    }
    bool on_number_part(string_view, error_code&) { return true; }
    bool on_int64(std::int64_t number, string_view, error_code&) {
        stack_.push_int64(number);
        return true;
    }
    bool on_uint64(std::uint64_t number, string_view, error_code&) {
        stack_.push_uint64(number);
        return true;
    }
    bool on_double(double number, string_view, error_code& ec) {
        if (!std::isfinite(number)) {
            ec = json::error::exponent_overflow;
            return false;
        }
        stack_.push_double(number);
        return true;
    }
    bool on_bool(bool value, error_code&) {
        stack_.push_bool(value);
        return true;
    }
    bool on_null(error_code&) {
        stack_.push_null();
        return true;
    }
    bool on_comment_part(string_view, error_code&) { return true; }
    bool on_comment(string_view, error_code&) { return true; }

private:
    json::value_stack stack_;
    std::vector<std::set<std::string>> keys_;
    std::string key_;  // of which only the beginning has been seen
};

}  // namespace

std::optional<json::value> parse_strict_json(std::string_view text, std::size_t depth_max) {
    json::parse_options options;
    options.max_depth = depth_max;
    json::basic_parser<Builder> parser{options};
    error_code ec;
    const auto consumed = parser.write_some(false, text.data(), text.size(), ec);
    if (ec || consumed != text.size() || !parser.done()) return std::nullopt;
    return parser.handler().release();
}

}  // namespace orbitalreg::frontend
