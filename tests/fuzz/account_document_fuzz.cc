// Documents of accounts as they may lie in a store. What is read is written and read again: the same. And whatever one member of
// it becomes, it never allows more than before: no administrator, no end that is later, no limit that is gone.

#include "access/account_documents.h"
#include "access/document_text.h"
#include "base/assert.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>

using namespace orbitalreg;
using namespace orbitalreg::engine;

namespace {

template <class T, class Decode, class Encode>
void check_round_trip(ByteView bytes, Decode decode, Encode encode) {
    const std::optional<T> read = decode(bytes);
    if (!read) return;
    const auto written = encode(*read);
    const std::optional<T> again = decode(ByteView{written});
    ORB_ASSERT(again.has_value() && encode(*again) == written);
}

bool is_true(const boost::json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_bool() && value->get_bool();
}

bool is_false(const boost::json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_bool() && !value->get_bool();
}

// As many as were written: one that was left out would make the rest wider, since an empty list means no limit.
bool is_list_of(const boost::json::object& object, std::string_view name, std::size_t count) {
    const auto* value = object.if_contains(name);
    if (value == nullptr) return count == 0;
    return value->is_array() && value->get_array().size() == count;
}

void check_grants(const boost::json::object& object) {
    const auto grants = grants_of(object, "grants");
    const boost::json::object again{{"grants", to_array(grants)}};
    ORB_ASSERT(grants_of(again, "grants") == grants);
    const auto* written = object.if_contains("grants");
    ORB_ASSERT(grants.empty() || written->is_array());
    for (const auto& grant : grants) {
        ORB_ASSERT(!grant.project.empty());
        const auto& all = written->get_array();
        const bool stands = std::any_of(all.begin(), all.end(), [&](const auto& each) {
            return each.is_object() && text_of(each.get_object(), "project") == grant.project &&
                   text_of(each.get_object(), "role") == to_string(grant.role) &&
                   is_list_of(each.get_object(), "repositories", grant.patterns.size()) &&
                   is_list_of(each.get_object(), "actions", grant.only.size());
        });
        ORB_ASSERT(stands);
    }
}

void check_limits(ByteView bytes) {
    const auto object = from_document(bytes);
    if (!object) return;
    if (const auto user = decode_user(bytes)) {
        ORB_ASSERT(user->administrator == is_true(*object, "administrator"));
        ORB_ASSERT(user->disabled || is_false(*object, "disabled"));
    }
    if (const auto token = decode_token(bytes)) {
        ORB_ASSERT(token->expires_s > 0 && token->expires_s == number_of(*object, "expires"));
        const auto& limit = object->at("at_most").get_object();
        ORB_ASSERT(is_list_of(limit, "repositories", token->at_most.patterns.size()));
        ORB_ASSERT(is_list_of(limit, "actions", token->at_most.only.size()));
    }
    if (const auto robot = decode_robot(bytes)) {
        ORB_ASSERT(robot->disabled || is_false(*object, "disabled"));
        ORB_ASSERT(object->at("expires").is_int64());
    }
    if (const auto refresh = decode_refresh(bytes))
        ORB_ASSERT(refresh->used_up || is_false(*object, "used_up"));
    check_grants(*object);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes{reinterpret_cast<const std::byte*>(data), size};
    check_round_trip<User>(bytes, decode_user, encode_user);
    check_round_trip<PersonalToken>(bytes, decode_token, encode_token);
    check_round_trip<Robot>(bytes, decode_robot, encode_robot);
    check_round_trip<RefreshToken>(bytes, decode_refresh, encode_refresh);
    check_limits(bytes);
    return 0;
}
