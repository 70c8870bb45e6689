#pragma once
// Documents of accounts and projects are JSON objects: what `dump` shows can be read by people, and a field that a later
// version adds is passed over by an earlier one.

#include "base/bytes.h"
#include "engine/access.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

std::vector<std::byte> to_document(const boost::json::object& object);
// Nothing for bytes that are no object.
std::optional<boost::json::object> from_document(ByteView bytes);

// Empty, 0 and false for a member that is absent or of another kind.
std::string text_of(const boost::json::object& object, std::string_view name);
std::int64_t number_of(const boost::json::object& object, std::string_view name);
bool flag_of(const boost::json::object& object, std::string_view name);

boost::json::array to_array(const std::vector<std::string>& texts);
std::vector<std::string> texts_of(const boost::json::object& object, std::string_view name);
boost::json::array to_array(const std::vector<Action>& actions);
std::vector<Action> actions_of(const boost::json::object& object, std::string_view name);
boost::json::array to_array(const std::vector<Grant>& grants);
// A grant of which a part is not understood grants nothing and is left out.
std::vector<Grant> grants_of(const boost::json::object& object, std::string_view name);
boost::json::object to_object(const Restriction& limit);
// Nothing where it is absent or not wholly understood.
std::optional<Restriction> restriction_of(const boost::json::object& object, std::string_view name);

// Part of a document's name: everything but letters, digits, `.`, `_`, `-`, `@`, `+` and `$` as %XX.
std::string name_part(std::string_view text);

}  // namespace orbitalreg::engine
