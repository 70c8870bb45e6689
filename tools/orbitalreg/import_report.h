#pragma once
// ImportReport is what an import has found and done, while it runs and afterwards.
//
// Threads  the atomic ones any; the rest one.
// Limits   kProblemsMax problems are kept; each is told when it is found.

#include <boost/json/object.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace orbitalreg::program {

struct ImportProblem {
    std::string path;
    std::string what;
};

struct ImportReport {
    static constexpr std::size_t kProblemsMax = 1'000;

    std::uint64_t repositories = 0;
    std::uint64_t repositories_left_out = 0;  // by --include and --exclude
    std::uint64_t projects_made = 0;
    std::uint64_t manifests_stored = 0;
    std::uint64_t manifests_present = 0;  // they were there before
    std::uint64_t indexes = 0;            // of all these
    std::uint64_t referrers = 0;          // of all these, with a subject
    std::uint64_t signatures = 0;         // cosign's tags .sig, and referrers that are signatures
    std::uint64_t attachments = 0;        // cosign's tags .att and .sbom
    std::uint64_t tags_set = 0;
    std::uint64_t tags_moved = 0;
    std::uint64_t tags_present = 0;
    std::uint64_t tags_kept = 0;  // they name something else here
    std::uint64_t blobs_stored = 0;
    std::uint64_t blobs_present = 0;
    std::uint64_t blobs_shared = 0;  // uses of a blob beyond its first
    std::uint64_t bytes_shared = 0;
    std::uint64_t bytes_stored = 0;
    std::atomic<std::uint64_t> bytes_read{0};
    std::atomic<std::uint64_t> bytes_present{0};  // of blobs that were there before
    std::vector<ImportProblem> problems;
    std::uint64_t problems_found = 0;
    std::string stopped_by;  // why it did not go on to the end; empty: it did
    bool dry_run = false;
    std::int64_t duration_ms = 0;

    // Told each problem as it is found.
    std::function<void(const ImportProblem&)> on_problem;
    void add_problem(std::string path, std::string what);

    boost::json::object to_json() const;
    std::string to_text() const;
};

}  // namespace orbitalreg::program
