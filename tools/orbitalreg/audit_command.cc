// `orbitalreg audit verify|list`: the files of an audit log, also beside a server that writes them.

#include "exit_codes.h"
#include "frontend/audit.h"
#include "subcommands.h"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace orbitalreg::program {
namespace {

using frontend::AuditFilter;
using frontend::AuditHead;

struct VerifyArguments {
    std::vector<std::string> paths;
    std::string head;
    bool json = false;
};

struct ListArguments {
    std::string directory;
    AuditFilter filter;
    bool granted = false;
    bool refused = false;
    std::string since;
    std::string until;
    std::size_t limit = 100;
    bool json = false;
};

int audit_could_not_run(const std::string& what) {
    std::cerr << "error: " << what << '\n';
    return exit_could_not_run;
}

bool is_directory(const std::string& path) {
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

// SEQ:HASH
std::optional<AuditHead> parse_head(const std::string& text) {
    AuditHead head;
    const auto colon = text.find(':');
    if (colon == std::string::npos) return std::nullopt;
    const char* const end = text.data() + colon;
    const auto [stopped, error] = std::from_chars(text.data(), end, head.seq);
    head.hash = text.substr(colon + 1);
    const bool is_hash = head.hash.size() == 64 &&
                         head.hash.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (error != std::errc{} || stopped != end || !is_hash) return std::nullopt;
    return head;
}

void print_json(const frontend::AuditVerification& found) {
    std::cout << R"({"clean":)" << (found.first_break ? "false" : "true") << R"(,"files":)"
              << found.files << R"(,"lines":)" << found.lines << R"(,"bytes":)" << found.bytes
              << R"(,"first_seq":)" << found.first_seq << R"(,"head":{"seq":)" << found.head.seq
              << R"(,"hash":")" << found.head.hash << R"("},"unfinished_bytes":)"
              << found.unfinished_bytes;
    if (found.first_break) {
        std::cout << R"(,"break":{"file":")" << escape_json(found.first_break->file)
                  << R"(","line":)" << found.first_break->line << R"(,"what":")"
                  << escape_json(found.first_break->what) << "\"}";
    }
    std::cout << "}\n";
}

void print_text(const frontend::AuditVerification& found) {
    if (found.first_break) {
        std::cout << "break: " << found.first_break->file << ':' << found.first_break->line << ": "
                  << found.first_break->what << '\n';
    }
    std::cout << found.files << (found.files == 1 ? " file, " : " files, ") << found.lines
              << (found.lines == 1 ? " line, " : " lines, ") << found.bytes
              << " bytes: " << (found.first_break ? "BROKEN" : "clean") << '\n'
              << "head: " << found.head.seq << ':' << found.head.hash << '\n';
}

int verify(const VerifyArguments& arguments) {
    std::optional<AuditHead> expected;
    if (!arguments.head.empty()) {
        expected = parse_head(arguments.head);
        if (!expected)
            return audit_could_not_run(
                "--head takes a sequence number, a colon and 64 hexadecimal digits");
    }
    const bool one_directory = arguments.paths.size() == 1 && is_directory(arguments.paths[0]);
    const auto found = one_directory ? frontend::verify_audit(arguments.paths[0], expected)
                                     : frontend::verify_audit_files(arguments.paths, expected);
    if (!found) return audit_could_not_run(arguments.paths[0] + ": " + found.error().message());
    if (found.value().files == 0)
        return audit_could_not_run(arguments.paths[0] + ": there is no file of an audit log");
    arguments.json ? print_json(found.value()) : print_text(found.value());
    return found.value().first_break ? exit_findings : exit_clean;
}

// Values stay escaped as they are in the file: nothing in them reaches a terminal.
void print_line(std::string_view line) {
    std::cout << frontend::audit_field(line, "time") << ' '
              << (frontend::audit_field(line, "granted") == "true" ? "granted" : "REFUSED");
    for (const char* name : {"seq", "action", "principal", "credential", "address", "object",
                             "reference", "digest", "old_digest", "status", "rule", "reason"}) {
        const auto value = frontend::audit_field(line, name);
        if (value.empty()) continue;
        const bool quoted = value.find(' ') != value.npos;
        std::cout << ' ' << name << '=' << (quoted ? "\"" : "") << value << (quoted ? "\"" : "");
    }
    std::cout << '\n';
}

bool set_time(std::optional<std::int64_t>& to, const std::string& text) {
    if (text.empty()) return true;
    to = frontend::parse_audit_time(text);
    return to.has_value();
}

int list(ListArguments arguments) {
    AuditFilter& filter = arguments.filter;
    if (arguments.granted != arguments.refused) filter.granted = arguments.granted;
    if (!set_time(filter.since_ms, arguments.since) || !set_time(filter.until_ms, arguments.until))
        return audit_could_not_run("a time is 2026-01-31 or 2026-01-31T12:00:00Z");
    std::size_t left = arguments.limit;
    while (left > 0) {
        filter.limit = std::min(left, AuditFilter::kLimitMax);
        const auto page = frontend::read_audit(arguments.directory, filter);
        if (!page) return audit_could_not_run(arguments.directory + ": " + page.error().message());
        for (const auto& line : page.value().lines) {
            if (arguments.json) {
                std::cout << line << '\n';
            } else {
                print_line(line);
            }
        }
        left -= page.value().lines.size();
        if (!page.value().cursor) break;
        (filter.oldest_first ? filter.after_seq : filter.before_seq) = *page.value().cursor;
    }
    return exit_clean;
}

void add_verify(CLI::App& audit, int& exit_code) {
    auto* command = audit.add_subcommand("verify", "Hold every line against the chain of hashes");
    auto arguments = std::make_shared<VerifyArguments>();
    command
        ->add_option("paths", arguments->paths,
                     "The directory, or files of it, which the chain may enter in the middle")
        ->required();
    command->add_option("--head", arguments->head,
                        "SEQ:HASH of a line that must be there, as an earlier run printed it");
    command->add_flag("--json", arguments->json, "Report as JSON");
    command->footer("Exit codes: 0 clean; 2 a break was found; 3 could not run.");
    command->callback([arguments, &exit_code] { exit_code = verify(*arguments); });
}

void add_list(CLI::App& audit, int& exit_code) {
    auto* command = audit.add_subcommand("list", "Print events, the newest first");
    auto arguments = std::make_shared<ListArguments>();
    AuditFilter& filter = arguments->filter;
    command->add_option("directory", arguments->directory, "Directory of the audit log")
        ->required();
    command->add_option("--principal", filter.principal, "Who");
    command->add_option("--action", filter.action, "What, or how it begins: token");
    command->add_option("--object", filter.object,
                        "To what; with a / at its end, to everything under it");
    command->add_option("--address", filter.address, "From where");
    command->add_flag("--granted", arguments->granted, "Only what was granted");
    command->add_flag("--refused", arguments->refused, "Only what was refused");
    command->add_option("--since", arguments->since, "2026-01-31 or 2026-01-31T12:00:00Z");
    command->add_option("--until", arguments->until, "Up to, but not including");
    command->add_option("--after", filter.after_seq, "Only behind this sequence number");
    command->add_option("--before", filter.before_seq, "Only before this sequence number");
    command->add_flag("--oldest-first", filter.oldest_first, "The oldest first");
    command->add_option("--limit", arguments->limit, "So many lines at most")
        ->capture_default_str();
    command->add_flag("--json", arguments->json, "The lines as they are, one JSON object each");
    command->footer("Lines are not held against the chain: that is what `audit verify` does.");
    command->callback([arguments, &exit_code] { exit_code = list(*arguments); });
}

}  // namespace

void add_audit(CLI::App& app, int& exit_code) {
    auto* audit = app.add_subcommand("audit", "Who did what: look into an audit log, verify it");
    audit->require_subcommand(1);
    add_verify(*audit, exit_code);
    add_list(*audit, exit_code);
}

}  // namespace orbitalreg::program
