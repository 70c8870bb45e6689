#pragma once
// Grants as JSON, in tokens and in the management API: {"project", "role", "repositories"?, "actions"?}.

#include "engine/access.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <vector>

namespace orbitalreg::frontend {

boost::json::array to_json(const std::vector<engine::Grant>& grants);
// Nothing where one member is not understood: an empty list means no limit, and must not come of a reading error.
std::optional<std::vector<engine::Grant>> grants_from_json(const boost::json::value& value);

boost::json::object to_json(const engine::Restriction& limit);
std::optional<engine::Restriction> restriction_from_json(const boost::json::value& value);

}  // namespace orbitalreg::frontend
