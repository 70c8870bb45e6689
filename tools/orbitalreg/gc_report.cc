#include "gc_report.h"

#include "report_text.h"

namespace orbitalreg::program {
namespace {

std::string round_text(const json::object& round) {
    std::string out = flag(round, "dry_run") ? "would delete " : "deleted ";
    out += plural(number(round, "deleted"), "blob") + ", " +
           std::to_string(number(round, "deleted_bytes")) + " bytes (" +
           bytes_text(number(round, "deleted_bytes")) + "); compaction can give back " +
           bytes_text(number(round, "lane_bytes")) + " in lanes and " +
           bytes_text(number(round, "log_bytes")) + " in the log\n";
    if (number(round, "kept") != 0)
        out += plural(number(round, "kept"), "blob") + " came back into use before their turn\n";
    if (number(round, "uploads_closed") != 0)
        out += plural(number(round, "uploads_closed"), "expired upload session") + " closed\n";
    out += "took " + duration_text(number(round, "duration_ms")) + '\n';
    if (const auto trouble = text(round, "trouble"); !trouble.empty())
        out += "broke off: " + trouble + '\n';
    return out;
}

std::string paths_text(const json::array& paths) {
    std::string out;
    for (const json::value& each : paths) {
        if (!each.is_object()) continue;
        const json::object& path = each.as_object();
        const auto tag = text(path, "tag");
        out += "  " + text(path, "image") + (tag.empty() ? " (no tag)" : ":" + tag);
        const json::value* manifests = path.if_contains("manifests");
        if (manifests != nullptr && manifests->is_array()) {
            for (const json::value& manifest : manifests->as_array())
                if (manifest.is_string())
                    out += "\n      -> manifest " + std::string{manifest.as_string()};
        }
        out += '\n';
    }
    return out;
}

std::string links_text(const json::object& blob) {
    const json::value* links = blob.if_contains("links");
    if (links == nullptr || !links->is_array() || links->as_array().empty()) return {};
    std::string out = "it may be seen under:\n";
    for (const json::value& link : links->as_array())
        if (link.is_string()) out += "  " + std::string{link.as_string()} + '\n';
    return out;
}

std::string there_text(const json::object& blob) {
    std::string out = ", " + std::to_string(number(blob, "size_bytes")) + " bytes";
    if (flag(blob, "damaged")) out += ", DAMAGED: push it again to heal it";
    return out + '\n';
}

}  // namespace

std::string describe_round(std::string_view text_of_round) {
    const auto round = parse_object(text_of_round);
    return round ? round_text(*round) : std::string{text_of_round};
}

std::string describe_status(std::string_view text_of_status) {
    const auto status = parse_object(text_of_status);
    if (!status) return std::string{text_of_status};
    std::string out = "state         ";
    const auto halted = text(*status, "halted");
    if (!halted.empty()) {
        out += "HALTED: " + halted;
    } else if (flag(*status, "running")) {
        out += "a round is running";
    } else if (const json::value* next = status->if_contains("next_in_ms"); next != nullptr) {
        out += "next round in " + duration_text(number(*status, "next_in_ms"));
    } else {
        out += flag(*status, "paused") ? "paused (gc.paused)" : "no server runs rounds";
    }
    out += "\ngrace         " + duration_text(number(*status, "grace_ms")) + ", a round every " +
           duration_text(number(*status, "interval_ms")) + "\nunreferenced  " +
           plural(number(*status, "unreferenced_blobs"), "blob") + "\nnot given back" +
           (" " + plural(number(*status, "condemned_extents"), "extent")) +
           " of deleted blobs\nsince start   " + plural(number(*status, "rounds"), "round") + ", " +
           plural(number(*status, "deleted"), "blob") + " deleted, " +
           bytes_text(number(*status, "deleted_bytes")) + "; " +
           plural(number(*status, "leases"), "lease") + " written\n";
    const json::value* last = status->if_contains("last");
    if (last != nullptr && last->is_object())
        out += "last round    " + round_text(last->as_object());
    return out;
}

std::string describe_explanation(std::string_view text_of_blob) {
    const auto blob = parse_object(text_of_blob);
    if (!blob) return std::string{text_of_blob};
    const auto digest = text(*blob, "digest");
    const auto state = text(*blob, "state");
    if (state == "held") {
        std::string out = digest + " is held by " +
                          plural(number(*blob, "references"), "reference") + there_text(*blob);
        const json::value* paths = blob->if_contains("paths");
        if (paths != nullptr && paths->is_array()) out += paths_text(paths->as_array());
        return out;
    }
    if (state == "waiting") {
        const auto goes_in_ms = number(*blob, "goes_in_ms");
        return digest + " is referenced by nothing since " +
               duration_text(number(*blob, "unreferenced_for_ms")) + there_text(*blob) +
               (goes_in_ms == 0 ? "its grace is over: the next round deletes it\n"
                                : "it goes in " + duration_text(goes_in_ms) +
                                      " at the earliest, unless it is used again\n") +
               links_text(*blob);
    }
    if (state == "deleted") {
        return digest + " was deleted by collection " +
               duration_text(number(*blob, "deleted_ago_ms")) +
               " ago: nothing had referenced it for " +
               duration_text(number(*blob, "unreferenced_until_ms")) + ", " +
               std::to_string(number(*blob, "size_bytes")) + " bytes\n";
    }
    return digest +
           " is not here, and nothing is known of it: it never was, or it went before the " +
           plural(number(*blob, "deletions_remembered"), "deletion") +
           " that this process remembers\n";
}

std::string text_member(std::string_view json_text, std::string_view name) {
    const auto object = parse_object(json_text);
    return object ? text(*object, name) : std::string{};
}

}  // namespace orbitalreg::program
