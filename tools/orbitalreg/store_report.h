#pragma once
// Reports of stats, compaction and scrub in words, from the JSON that a server or a data directory answers with; and what
// they mean for the exit code.

#include <string>
#include <string_view>

namespace orbitalreg::program {

std::string describe_stats(std::string_view json);
std::string describe_compaction(std::string_view json);
std::string describe_compaction_status(std::string_view json);
std::string describe_scrub(std::string_view json);

int no_verdict(std::string_view json);  // exit_clean
// Whether dead bytes had to stay.
int compaction_verdict(std::string_view json);
// Whether something is damaged or could not be read; exit_repaired when marks went.
int scrub_verdict(std::string_view json);

}  // namespace orbitalreg::program
