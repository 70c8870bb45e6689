#pragma once
// Remote and virtual repositories as the management API speaks of them: the names and values are those of the configuration.

#include "engine/options.h"

#include <boost/json/object.hpp>

#include <string>

namespace orbitalreg::frontend {

// A password is never shown, only whether there is one.
boost::json::object to_json(const engine::RemoteSettings& remote);
boost::json::object to_json(const engine::VirtualSettings& settings);
// Changes what `object` names. What is wrong with it, or nothing.
std::string read_remote(const boost::json::object& object, engine::RemoteSettings& remote);
std::string read_virtual(const boost::json::object& object, engine::VirtualSettings& settings);

}  // namespace orbitalreg::frontend
