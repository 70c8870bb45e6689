#pragma once
// What fsck finds, up to a bound.

#include "cas/inspect.h"

#include <string>
#include <utility>

namespace orbitalreg::cas {

inline constexpr std::size_t kFindingsMax = 10'000;

inline void add_finding(FsckReport& report, FsckFinding::Severity severity, std::string code,
                        std::string where, std::string detail, std::uint64_t uid = 0) {
    if (report.findings.size() >= kFindingsMax) {
        ++report.findings_dropped;
        return;
    }
    report.findings.push_back(
        {severity, std::move(code), std::move(where), std::move(detail), uid});
}

}  // namespace orbitalreg::cas
