#include "store_opening.h"

#include "cas/errors.h"
#include "process.h"

namespace orbitalreg::program {
namespace {

std::string advice(cas::Errc error, const std::string& directory) {
    switch (error) {
        case cas::Errc::locked:
            return "another process has it open. Stop that server first, or ask it: its /metrics "
                   "and /readyz?verbose "
                   "are on the admin address.";
        case cas::Errc::not_a_store:
            return "it holds files but no store. Name the directory that `storage.path` names, or "
                   "an empty one to make "
                   "a new store.";
        case cas::Errc::wrong_store:
            return "a file in it belongs to another store or another place. Were files of two "
                   "stores mixed? Run "
                   "`orbitalreg fsck " +
                   directory + "`.";
        case cas::Errc::version_unsupported:
            return "it was written by a newer version. Nothing was changed; use that version.";
        case cas::Errc::log_corrupt:
            return "acknowledged changes in its log are damaged, so it is not opened for writing. "
                   "Nothing was changed. "
                   "Run `orbitalreg fsck --level normal " +
                   directory + "` to see what is affected.";
        case cas::Errc::superblock_corrupt:
            return "no copy of its superblock is valid. Nothing was changed. Run `orbitalreg "
                   "fsck " +
                   directory + "`.";
        case cas::Errc::catalog_unreadable:
            return "its catalog holds records that this version does not understand. Nothing was "
                   "changed; use the "
                   "version that wrote it.";
        default:
            return {};
    }
}

}  // namespace

Result<std::unique_ptr<cas::Io>> make_tool_io(const std::string& directory, Log& log,
                                              Metrics& metrics) {
    cas::IoOptions options;
    options.choice = cas::IoChoice::threads;
    options.threads = 1;
    return make_tool_io(directory, options, log, metrics);
}

Result<std::unique_ptr<cas::Io>> make_tool_io(const std::string& directory,
                                              const cas::IoOptions& options, Log& log,
                                              Metrics& metrics) {
    // What a tool writes there, the server must be able to read, and root's files it cannot.
    const auto privileges = drop_privileges(directory);
    if (!privileges.trouble.empty()) {
        log.error(privileges.trouble, {});
        return fail(make_error_code(boost::system::errc::permission_denied));
    }
    return cas::make_io(directory, options, log, metrics);
}

std::string explain_store_error(const ErrorCode& error, const std::string& directory) {
    if (error.category() == cas::category()) {
        const auto text = advice(static_cast<cas::Errc>(error.value()), directory);
        if (!text.empty()) return directory + ": " + text;
    }
    if (error == boost::system::errc::no_such_file_or_directory)
        return directory + ": there is no such directory.";
    if (error == boost::system::errc::permission_denied) {
        return directory + ": this user may not read or write it. Run as the user that owns it.";
    }
    return directory + ": " + error.message() + '.';
}

}  // namespace orbitalreg::program
