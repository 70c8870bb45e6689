#pragma once
// Who lost the last administrator's password gets in again from the machine of the server: whoever can write to the data directory
// may do everything anyway.

#include <string>

namespace orbitalreg::program {

// Makes `name` an administrator with this password, whether or not it is there yet, in a directory that no server has open. Recorded in
// the audit log beside it. The exit code.
int rescue_user(const std::string& directory, const std::string& name, const std::string& password);

}  // namespace orbitalreg::program
