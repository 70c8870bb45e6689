#include "base/errors.h"

#include "base/bytes.h"

#include <algorithm>
#include <string>

namespace orbitalreg {
namespace {

class BaseCategory final : public boost::system::error_category {
public:
    constexpr BaseCategory() noexcept : error_category{0x6f72622d62617365} {}
    const char* name() const noexcept override { return "base"; }
    std::string message(int value) const override {
        switch (static_cast<BaseErrc>(value)) {
            case BaseErrc::digest_malformed:
                return "malformed digest";
            case BaseErrc::digest_unsupported:
                return "unsupported digest algorithm";
            case BaseErrc::hash_state_invalid:
                return "invalid saved hash state";
        }
        return "unknown error";
    }
};

}  // namespace

const boost::system::error_category& base_category() noexcept {
    static constexpr BaseCategory category;
    return category;
}

bool all_zero(ByteView bytes) noexcept {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

std::string to_hex(ByteView bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::byte b : bytes) {
        text += kDigits[std::to_integer<unsigned>(b) >> 4];
        text += kDigits[std::to_integer<unsigned>(b) & 15];
    }
    return text;
}

}  // namespace orbitalreg
