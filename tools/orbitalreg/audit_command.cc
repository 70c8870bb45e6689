// `orbitalreg audit verify|list`: the files of an audit log, also beside a server that writes them; or what a server says of
// its own.

#include "exit_codes.h"
#include "frontend/audit.h"
#include "management_call.h"
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
    std::string directory;  // empty: a server
    ServerPlace server;
    AuditFilter filter;
    bool granted = false;
    bool refused = false;
    std::string since;
    std::string until;
    std::size_t limit = 100;
    bool json = false;
};

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
            return could_not_run(
                "--head takes a sequence number, a colon and 64 hexadecimal digits");
    }
    const bool one_directory = arguments.paths.size() == 1 && is_directory(arguments.paths[0]);
    const auto found = one_directory ? frontend::verify_audit(arguments.paths[0], expected)
                                     : frontend::verify_audit_files(arguments.paths, expected);
    if (!found) return could_not_run(arguments.paths[0] + ": " + found.error().message());
    if (found.value().files == 0)
        return could_not_run(arguments.paths[0] + ": there is no file of an audit log");
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

void show(const ListArguments& arguments, std::string_view line) {
    if (arguments.json) {
        std::cout << line << '\n';
    } else {
        print_line(line);
    }
}

int list_files(ListArguments arguments) {
    AuditFilter& filter = arguments.filter;
    std::size_t left = arguments.limit;
    while (left > 0) {
        filter.limit = std::min(left, AuditFilter::kLimitMax);
        const auto page = frontend::read_audit(arguments.directory, filter);
        if (!page) return could_not_run(arguments.directory + ": " + page.error().message());
        for (const auto& line : page.value().lines) show(arguments, line);
        left -= page.value().lines.size();
        if (!page.value().cursor) break;
        (filter.oldest_first ? filter.after_seq : filter.before_seq) = *page.value().cursor;
    }
    return exit_clean;
}

// The objects in the one array of an answer, byte for byte: written anew, a line would be none of the chain. `body` is JSON.
std::vector<std::string_view> lines_in(std::string_view body) {
    std::vector<std::string_view> lines;
    std::size_t depth = 0;
    std::size_t begin = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < body.size(); ++i) {
        const char c = body[i];
        if (in_string) {
            if (c == '\\') ++i;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (depth++ == 2) begin = i;
        } else if (c == '}' || c == ']') {
            if (--depth == 2) lines.push_back(body.substr(begin, i + 1 - begin));
        }
    }
    return lines;
}

std::string cursor_text(const json::object& page) {
    const auto* next = page.if_contains("next");
    if (next == nullptr || next->is_null()) return {};
    return next->is_string() ? std::string{next->as_string()}
                             : std::to_string(number(page, "next"));
}

int list_server(const ListArguments& arguments) {
    const AuditFilter& filter = arguments.filter;
    const auto from = filter.oldest_first ? filter.after_seq : filter.before_seq;
    if ((filter.oldest_first ? filter.before_seq : filter.after_seq) != 0) {
        return could_not_run("of a server: --after goes with --oldest-first, --before without it");
    }
    const auto client = find_server(arguments.server);
    if (!client) return exit_could_not_run;
    std::string after = from == 0 ? std::string{} : std::to_string(from);
    for (std::size_t left = arguments.limit; left > 0;) {
        const auto limit = std::min(left, AuditFilter::kLimitMax);
        const auto result = !filter.granted ? "" : *filter.granted ? "granted" : "refused";
        const auto answer = client->get(
            with_query(api_path({"audit"}), {{"principal", filter.principal},
                                             {"action", filter.action},
                                             {"object", filter.object},
                                             {"address", filter.address},
                                             {"result", result},
                                             {"since", arguments.since},
                                             {"until", arguments.until},
                                             {"order", filter.oldest_first ? "oldest" : "newest"},
                                             {"limit", std::to_string(limit)},
                                             {"after", after}}));
        if (!answer.ok()) return could_not_run(answer.trouble);
        const auto page = parse_object(answer.body);
        if (!page) return could_not_run("the answer is none of this API: is there OrbitalReg?");
        const auto lines = lines_in(answer.body);
        for (const auto line : lines) show(arguments, line);
        left -= std::min(left, lines.size());
        after = cursor_text(*page);
        if (after.empty()) break;
    }
    return exit_clean;
}

int list(ListArguments arguments) {
    AuditFilter& filter = arguments.filter;
    if (arguments.granted != arguments.refused) filter.granted = arguments.granted;
    if (!set_time(filter.since_ms, arguments.since) || !set_time(filter.until_ms, arguments.until))
        return could_not_run("a time is 2026-01-31 or 2026-01-31T12:00:00Z");
    if (arguments.directory.empty()) return list_server(arguments);
    return list_files(std::move(arguments));
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
    auto* directory = command->add_option("directory", arguments->directory,
                                          "Directory of the audit log; a server without it");
    add_server_options(*command, arguments->server);
    directory->excludes("--server");
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
