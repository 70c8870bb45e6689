// fsck beside a running server. Nothing is locked and nothing written: the view is what superblock, checkpoint and log say when
// they are read, exact at the last whole frame. Meanwhile frames are appended, segments recycled, dead bytes punched, so that
// what a pass finds may be a race with the server. Hence a finding stands only if every one of kPassesMax passes, each over a
// view of its own, makes it again at the same place; damage of a blob only if its extent still lives in the last view.

#include "cas/errors.h"
#include "check/findings.h"
#include "check/fsck_pass.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace orbitalreg::cas {
namespace {

constexpr int kPassesMax = 4;

auto identity(const FsckFinding& finding) {
    return std::tie(finding.severity, finding.code, finding.where);
}

std::set<std::uint64_t> uids_of(const FsckReport& report) {
    std::set<std::uint64_t> uids;
    for (const FsckFinding& finding : report.findings) uids.insert(finding.uid);
    return uids;
}

void keep_what_stands(FsckReport& report, const FsckReport& again) {
    std::erase_if(report.findings, [&again](const FsckFinding& finding) {
        return std::ranges::none_of(again.findings, [&finding](const FsckFinding& other) {
            return identity(other) == identity(finding);
        });
    });
    report.findings_dropped = std::min(report.findings_dropped, again.findings_dropped);
}

}  // namespace

Result<FsckReport> fsck_online(Io& io, FsckOptions options, const MakeCatalog& make_catalog,
                               Log& log, const std::function<void(std::string_view)>& progress) {
    Result<FsckReport> standing = fail(Errc::io_error);
    for (int pass = 0; pass < kPassesMax; ++pass) {
        FsckScope scope;
        scope.locked = false;
        const auto uids = standing ? uids_of(standing.value()) : std::set<std::uint64_t>{};
        if (standing) scope.uids = &uids;
        const auto catalog = make_catalog();
        auto found = fsck_pass(io, options, scope, *catalog, log, progress);
        if (found && standing) {
            keep_what_stands(standing.value(), found.value());
        } else if (!standing) {
            standing = std::move(found);  // files that went away under the pass: once more
        }
        if (standing && standing.value().findings.empty()) break;
    }
    return standing;
}

}  // namespace orbitalreg::cas
