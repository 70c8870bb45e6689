#include "import_report.h"

#include "report_text.h"

#include <boost/json/array.hpp>

#include <algorithm>

namespace orbitalreg::program {
namespace {

std::int64_t whole(std::uint64_t number) { return static_cast<std::int64_t>(number); }

std::string bytes(std::uint64_t number) { return bytes_text(whole(number)); }

std::string count(std::uint64_t number, std::string_view one) { return plural(whole(number), one); }

}  // namespace

void ImportReport::add_problem(std::string path, std::string what) {
    ImportProblem problem{std::move(path), std::move(what)};
    ++problems_found;
    if (on_problem) on_problem(problem);
    if (problems.size() < kProblemsMax) problems.push_back(std::move(problem));
}

json::object ImportReport::to_json() const {
    json::array told;
    for (const auto& each : problems)
        told.push_back(json::object{{"path", each.path}, {"problem", each.what}});
    json::object object{
        {"dry_run", dry_run},
        {"complete", stopped_by.empty()},
        {"stopped_by", stopped_by},
        {"duration_ms", duration_ms},
        {"repositories", repositories},
        {"repositories_left_out", repositories_left_out},
        {"projects_made", projects_made},
        {"manifests",
         {{"stored", manifests_stored}, {"present", manifests_present}, {"indexes", indexes}}},
        {"referrers", referrers},
        {"signatures", signatures},
        {"attachments", attachments},
        {"tags",
         {{"set", tags_set},
          {"moved", tags_moved},
          {"present", tags_present},
          {"kept", tags_kept}}},
        {"blobs", {{"stored", blobs_stored}, {"present", blobs_present}, {"shared", blobs_shared}}},
        {"bytes_read", bytes_read.load()},
        {"bytes_stored", bytes_stored},
        {"bytes_present", bytes_present.load()},
        {"bytes_shared", bytes_shared},
        {"problems_found", problems_found}};
    object.emplace("problems", std::move(told));
    return object;
}

std::string ImportReport::to_text() const {
    const auto seconds = std::max<std::int64_t>(duration_ms, 1);
    const auto rate = bytes_read.load() * 1000 / static_cast<std::uint64_t>(seconds);
    std::string text =
        dry_run ? "would be imported, as far as can be said without reading blobs:\n" : "";
    text += "repositories  " + std::to_string(repositories);
    if (repositories_left_out > 0) text += ", left out " + std::to_string(repositories_left_out);
    if (projects_made > 0) text += ", projects made " + std::to_string(projects_made);
    text += "\nmanifests     " + std::to_string(manifests_stored) + " stored, " +
            std::to_string(manifests_present) + " were there; indexes " + std::to_string(indexes) +
            "\n              referrers " + std::to_string(referrers) + ", signatures " +
            std::to_string(signatures) + ", attestations and SBOMs by tag " +
            std::to_string(attachments);
    text += "\ntags          " + std::to_string(tags_set) + " set, " +
            std::to_string(tags_present) + " were there, " + std::to_string(tags_moved) +
            " moved, " + std::to_string(tags_kept) + " kept as they were";
    text += "\nblobs         " + std::to_string(blobs_stored) + " stored, " +
            std::to_string(blobs_present) + " were there; shared " + count(blobs_shared, "time") +
            ", " + bytes(bytes_shared);
    text += "\nbytes         " + bytes(bytes_read) + " read, " + bytes(bytes_stored) + " stored; " +
            duration_text(duration_ms) + ", " + bytes(rate) + "/s";
    text += "\nproblems      " + std::to_string(problems_found) + '\n';
    if (!stopped_by.empty()) text += "stopped before the end: " + plain_text(stopped_by) + '\n';
    return text;
}

}  // namespace orbitalreg::program
