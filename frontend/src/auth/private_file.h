#pragma once
// Files that hold secrets: only their owner may read and write them (SEC-98).
//
// Durable  what was written survives power loss when the call returns; a file is whole or as it was.

#include <string>
#include <string_view>

namespace orbitalreg::frontend {

struct PrivateText {
    std::string content;
    std::string trouble;  // for people; empty: it was read
};

// 1 MiB at most. Trouble where group or others may read or write it.
PrivateText read_private_file(const std::string& path);
// Mode 0600, in place of what was there. What went wrong, or nothing.
std::string write_private_file(const std::string& path, std::string_view content);
// Mode 0700; the folders above it are there.
std::string make_private_folder(const std::string& path);

}  // namespace orbitalreg::frontend
