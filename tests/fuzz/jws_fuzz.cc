// Tokens as anybody may send them. Whatever they are, none is accepted for a key that did not sign it, and taking one apart
// gives what the text says (SEC-38 to SEC-42).

#include "auth/jws.h"

#include "auth/strict_json.h"
#include "base/assert.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>

using namespace orbitalreg;
using namespace orbitalreg::frontend;

namespace {

bool has_fraction(const boost::json::value& value) {
    if (const auto* object = value.if_object())
        return std::any_of(object->begin(), object->end(),
                           [](const auto& member) { return has_fraction(member.value()); });
    if (const auto* array = value.if_array())
        return std::any_of(array->begin(), array->end(), has_fraction);
    return value.is_double();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto key = SigningKey::generate(SignatureAlgorithm::es256).value();
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto reading = read_jws(text);
    ORB_ASSERT(reading.jws.has_value() == reading.fault.empty());
    if (reading.jws) {
        ORB_ASSERT(!reading.jws->verify(key.public_key()));
        ORB_ASSERT(text.starts_with(reading.jws->signed_part));
        ORB_ASSERT(reading.jws->key_id.size() <= kKeyIdSizeMax);
    }
    // What was parsed is written and parsed again: the same value, fractions apart, of which the last place may differ.
    const auto value = parse_strict_json(text, 8);
    if (value && !has_fraction(*value)) {
        const auto written = boost::json::serialize(*value);
        const auto again = parse_strict_json(written, 8);
        ORB_ASSERT(again.has_value());
        ORB_ASSERT(boost::json::serialize(*again) == written);
    }
    return 0;
}
