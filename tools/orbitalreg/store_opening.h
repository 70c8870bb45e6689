#pragma once
// Opening a data directory, and saying what to do when it cannot be opened.

#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "cas/io.h"

#include <memory>
#include <string>

namespace orbitalreg::program {

// The Io for a data directory that a tool looks at: blocking calls are all it needs. The process goes on as the owner of
// the directory (process.h), so it is called while there is one thread only.
Result<std::unique_ptr<cas::Io>> make_tool_io(const std::string& directory, Log& log,
                                              Metrics& metrics);
// As above, with the Io that the options choose.
Result<std::unique_ptr<cas::Io>> make_tool_io(const std::string& directory,
                                              const cas::IoOptions& options, Log& log,
                                              Metrics& metrics);

// One sentence about the error and one about what to do, for people at a terminal.
std::string explain_store_error(const ErrorCode& error, const std::string& directory);

}  // namespace orbitalreg::program
