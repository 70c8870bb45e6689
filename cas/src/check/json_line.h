#pragma once
// JsonLine builds one flat object, for dump. Values are numbers, JSON of its own, or text.

#include "base/log.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace orbitalreg::cas {

class JsonLine {
public:
    JsonLine& number(std::string_view key, std::uint64_t value) {
        return raw(key, std::to_string(value));
    }
    JsonLine& text(std::string_view key, std::string_view value) {
        return raw(key, '"' + escape_json(value) + '"');
    }
    JsonLine& flag(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
    JsonLine& raw(std::string_view key, std::string_view json) {
        line_ += line_.empty() ? "{\"" : ",\"";
        line_ += key;
        line_ += "\":";
        line_ += json;
        return *this;
    }
    std::string end() { return line_ + '}'; }

private:
    std::string line_;
};

}  // namespace orbitalreg::cas
