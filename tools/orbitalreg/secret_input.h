#pragma once
// Where passwords and tokens come from: a terminal that does not show them, a file, standard input. Never the command line,
// which every user of the machine can see.
//
// Limits   4 KiB. Of a file and of standard input the line break at the end does not count.
// Errors   nothing, and `trouble` says why.

#include <optional>
#include <string>

namespace orbitalreg::program {

// Whether there is somebody to ask.
bool can_ask();
std::optional<std::string> ask_line(const std::string& prompt, std::string& trouble);
// A signal that ends the program while it asks leaves the terminal as it was.
std::optional<std::string> ask_secret(const std::string& prompt, std::string& trouble);
// Asks twice.
std::optional<std::string> ask_new_secret(const std::string& what, std::string& trouble);
// `-`: standard input.
std::optional<std::string> read_secret(const std::string& path, std::string& trouble);

}  // namespace orbitalreg::program
