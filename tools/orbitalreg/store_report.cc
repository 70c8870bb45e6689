#include "store_report.h"

#include "exit_codes.h"
#include "report_text.h"

#include <algorithm>
#include <array>

namespace orbitalreg::program {
namespace {

std::string line(std::string_view name, std::string_view value) {
    std::string out{name};
    out.resize(std::max<std::size_t>(out.size() + 1, 16), ' ');
    return out + std::string{value} + '\n';
}

constexpr std::array kColumns{"size_bytes", "used_bytes",    "live_bytes",     "dead_bytes",
                              "held_bytes", "punched_bytes", "allocated_bytes"};

std::string cell(std::string_view text) {
    std::string out{text};
    if (out.size() < 12) out.insert(0, 12 - out.size(), ' ');
    return out;
}

std::string row(std::string_view name, const json::object& figures) {
    std::string out{name};
    out.resize(std::max<std::size_t>(out.size() + 1, 22), ' ');
    for (const char* column : kColumns) {
        const bool told = figures.contains(column);
        out += cell(told ? bytes_text(number(figures, column)) : "");
    }
    return out + '\n';
}

std::string file_rows(const json::object& space, std::string_view list, const char* name) {
    std::string out;
    const json::value* files = space.if_contains({list.data(), list.size()});
    if (files == nullptr || !files->is_array()) return out;
    for (const json::value& each : files->as_array()) {
        if (!each.is_object()) continue;
        const json::object& file = each.as_object();
        out += row("  " + std::string{name} + ' ' + std::to_string(number(file, "file")) + ' ' +
                       text(file, "state"),
                   file);
    }
    return out;
}

std::string space_table(const json::object& space) {
    std::string out(22, ' ');
    for (const char* column : {"size", "used", "live", "dead", "held", "punched", "allocated"})
        out += cell(column);
    out += '\n';
    const auto titled = [&](const char* title, const char* name) {
        const json::object figures = part(space, name);
        return row(std::string{title} + " (" + std::to_string(number(figures, "files")) + ')',
                   figures);
    };
    out += titled("lanes", "lanes") + file_rows(space, "lane_files", "lane");
    out += titled("log segments", "log") + file_rows(space, "log_files", "segment");
    out += titled("checkpoint files", "checkpoints") + titled("other files", "other");
    return out;
}

// What a figure asks of whoever looks at it.
std::string space_advice(const json::object& space) {
    const json::object lanes = part(space, "lanes");
    const std::int64_t dead = number(lanes, "dead_bytes");
    const std::int64_t waiting = std::max<std::int64_t>(0, dead - number(lanes, "punched_bytes"));
    std::string out;
    if (waiting > 1 << 20) {
        out += bytes_text(waiting) +
               " in lanes are dead and not given back yet: a server does it each minute, "
               "`orbitalreg compact` at once\n";
    }
    if (number(lanes, "held_bytes") > 0) {
        out += bytes_text(number(lanes, "held_bytes")) +
               " in lanes belong to uploads that are not finished; they go when these end or "
               "expire (uploads.idle_expiry)\n";
    }
    return out;
}

std::string memory_lines(const json::object& memory) {
    std::string out;
    for (const auto& [share, use] : memory) {
        if (!use.is_object()) continue;
        out += line(out.empty() ? "memory" : "",
                    std::string{share} + ' ' + bytes_text(number(use.as_object(), "used_bytes")) +
                        " of " + bytes_text(number(use.as_object(), "limit_bytes")));
    }
    return out;
}

std::string state_lines(const json::object& stats) {
    std::string out;
    if (const auto reason = text(stats, "read_only"); !reason.empty())
        out += line("READ-ONLY", reason);
    if (const auto damaged = number(stats, "damaged_blobs"); damaged > 0) {
        out += line("DAMAGED", plural(damaged, "blob") +
                                   ": they answer as absent until they are pushed again; "
                                   "`orbitalreg fsck --level quick` names them");
    }
    if (flag(stats, "damage_limit_reached")) {
        out += line("DAMAGE LIMIT",
                    "too many blobs were found damaged within a minute: is the device sound? "
                    "Then `orbitalreg scrub --server URL --resume-marking`");
    }
    return out;
}

std::string done_text(const json::object& round) {
    return plural(number(round, "lanes_punched"), "lane") + " punched (" +
           bytes_text(number(round, "bytes_punched")) + "), " +
           plural(number(round, "lanes_unlinked"), "lane") + " removed (" +
           bytes_text(number(round, "bytes_unlinked")) + "); " +
           plural(number(round, "segments_removed") + number(round, "segments_recycled"),
                  "log segment") +
           " given back (" + bytes_text(number(round, "bytes_relocated")) + " moved out of them)";
}

std::string stays_text(const json::object& round) {
    std::string out;
    if (const auto deferred = number(round, "lanes_deferred"); deferred > 0) {
        out += plural(deferred, "lane") +
               " keep dead bytes for now: a reader, a second hard link (a backup?) or the device "
               "stands in the way; the log says which\n";
    }
    if (const auto left = number(round, "segments_left"); left > 0) {
        out += plural(left, "log segment") +
               " keep damaged small blobs, or what the device refuses to read: push these again; "
               "`orbitalreg fsck --level deep` names them\n";
    }
    if (const auto refused = number(round, "lanes_refused"); refused > 0) {
        out += plural(refused, "lane") +
               " REFUSED: records in them are live though the rows call them dead. Nothing was "
               "destroyed. Keep the log, copy the directory, run `orbitalreg fsck --level deep`\n";
    }
    return out;
}

std::string seen_text(const json::object& status) {
    return plural(number(status, "blobs"), "blob") + ", " + bytes_text(number(status, "bytes")) +
           " of " + bytes_text(number(status, "bytes_stored"));
}

}  // namespace

std::string describe_stats(std::string_view json_text) {
    const auto stats = parse_object(json_text);
    if (!stats) return std::string{json_text};
    const json::object catalog = part(*stats, "catalog");
    const json::object space = part(*stats, "space");
    const json::object log = part(*stats, "log");
    const json::object start = part(*stats, "start");
    std::string out = state_lines(*stats);
    out += line("blobs", std::to_string(number(*stats, "blobs")) + ", " +
                             bytes_text(number(*stats, "blob_bytes")) + "; " +
                             plural(number(*stats, "uploads_open"), "upload") + " open");
    out += line("catalog", plural(number(catalog, "images"), "image") + ", " +
                               plural(number(catalog, "manifests"), "manifest") + ", " +
                               plural(number(catalog, "tags"), "tag") + ", " +
                               plural(number(catalog, "links"), "link"));
    out += line("on disk", bytes_text(number(space, "allocated_bytes")) + "; " +
                               bytes_text(number(space, "file_system_free_bytes")) + " of " +
                               bytes_text(number(space, "file_system_bytes")) +
                               " free in the file system");
    out += '\n' + space_table(space) + space_advice(space) + '\n';
    out += line("log", "frame " + std::to_string(number(log, "lsn")) + "; a start would replay " +
                           bytes_text(number(log, "bytes_since_checkpoint")));
    out += line("last start",
                std::string{flag(start, "clean") ? "after a clean stop" : "after an unclean end"} +
                    ", took " + duration_text(number(start, "took_ms")) + ": " +
                    plural(number(start, "checkpoint_rows_loaded"), "row") + " loaded, " +
                    plural(number(start, "frames_replayed"), "frame") + " replayed");
    return out + memory_lines(part(*stats, "memory"));
}

std::string describe_compaction(std::string_view json_text) {
    const auto round = parse_object(json_text);
    if (!round) return std::string{json_text};
    const json::object before = part(*round, "before");
    const json::object after = part(*round, "after");
    return done_text(*round) + ": " + bytes_text(number(after, "allocated_bytes")) +
           " on disk now, " + bytes_text(number(before, "allocated_bytes")) + " before\n" +
           stays_text(*round);
}

std::string describe_compaction_status(std::string_view json_text) {
    const auto status = parse_object(json_text);
    if (!status) return std::string{json_text};
    const json::object last = part(*status, "last");
    std::string out = line("state", flag(*status, "running") ? "a round is running" : "asleep");
    out += line("since start", plural(number(*status, "rounds"), "round") + ", " +
                                   done_text(part(*status, "total")));
    if (!last.empty()) {
        out += line("last round", duration_text(number(*status, "last_ended_ago_ms")) + " ago, " +
                                      done_text(last));
    }
    return out + stays_text(last);
}

std::string describe_scrub(std::string_view json_text) {
    const auto status = parse_object(json_text);
    if (!status) return std::string{json_text};
    std::string out;
    if (flag(*status, "running")) {
        out += line("state", "pass " + std::to_string(number(*status, "pass")) + " is at " +
                                 text(*status, "at") + ": " + seen_text(*status) +
                                 (flag(*status, "digests") ? ", with digests" : ""));
    } else {
        out += line("state", flag(*status, "enabled") ? "waiting for the next pass"
                                                      : "off (scrub.rate is 0)");
        if (number(*status, "pass") > 0) out += line("last pass", seen_text(*status) + " read");
    }
    out += line("verified", number(*status, "full_pass") == 0
                                ? "no pass has gone through the whole store yet"
                                : "all that was stored " +
                                      duration_text(number(*status, "all_verified_since_ms")) +
                                      " ago has been read since");
    out +=
        line("found", plural(number(*status, "damaged"), "blob") + " damaged, " +
                          std::to_string(number(*status, "unreadable")) + " unreadable, " +
                          std::to_string(number(*status, "headers_damaged")) +
                          " record headers damaged, " + std::to_string(number(*status, "cleared")) +
                          " verify again, since the start");
    out += state_lines(*status);
    if (number(*status, "unreadable") > 0) {
        out +=
            "the device could not read some blobs: nothing was marked; look at the device and "
            "the kernel's log first\n";
    }
    if (number(*status, "headers_damaged") > 0) {
        out +=
            "damaged record headers cost nothing: `orbitalreg fsck --repair` rewrites them "
            "when the server is stopped\n";
    }
    return out;
}

int no_verdict(std::string_view) { return exit_clean; }

int compaction_verdict(std::string_view json_text) {
    const auto round = parse_object(json_text);
    const bool stays =
        round && number(*round, "lanes_deferred") + number(*round, "lanes_refused") > 0;
    return stays ? exit_findings : exit_clean;
}

int scrub_verdict(std::string_view json_text) {
    const auto status = parse_object(json_text);
    if (!status) return exit_findings;
    const bool findings = number(*status, "damaged_blobs") + number(*status, "unreadable") +
                              number(*status, "headers_damaged") >
                          0;
    if (findings || !text(*status, "read_only").empty()) return exit_findings;
    return number(*status, "cleared") > 0 ? exit_repaired : exit_clean;
}

}  // namespace orbitalreg::program
