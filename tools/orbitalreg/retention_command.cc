// `orbitalreg retention ...`: what the policies would delete, why, doing it, and undoing it.

#include "exit_codes.h"
#include "management_call.h"
#include "subcommands.h"

#include <fstream>
#include <iterator>
#include <memory>

namespace orbitalreg::program {
namespace {

struct RetentionArguments {
    ManagementPlace place;
    std::string policy;
    std::string file;
    std::string repository;
    std::string reference;
    std::string run;
    std::string now;
    std::int64_t items_max = 1000;
    bool all = false;
    bool confirm_clock = false;
    bool above_percent = false;
};

std::string name_of(const json::object& item) {
    const auto tag = text(item, "tag");
    if (tag.empty()) return text(item, "repo") + '@' + text(item, "digest").substr(0, 19);
    return text(item, "repo") + ':' + tag;
}

// The day is what people ask for.
std::string date_of(const json::object& item, std::string_view name) {
    return text(item, name).substr(0, 10);
}

std::string describe_items(const json::object& report) {
    std::vector<TextRow> rows{{"ITEM", "DECISION", "PUSHED", "PULLED", "UNTIL", "WHY"}};
    for (const auto& item : objects(report, "items")) {
        rows.push_back({name_of(item), text(item, "decision"), date_of(item, "pushed_at"),
                        date_of(item, "last_pulled_at"), date_of(item, "expires_at"),
                        text(item, "why")});
    }
    return aligned(rows);
}

std::string describe_totals(const json::object& report) {
    const auto totals = part(report, "totals");
    std::string out = plural(number(totals, "repositories"), "repository");
    if (number(totals, "repositories") != 1)
        out = std::to_string(number(totals, "repositories")) + " repositories";
    out += ": " + std::to_string(number(totals, "deleted")) + " deleted, " +
           std::to_string(number(totals, "kept")) + " kept";
    if (number(totals, "skipped") > 0)
        out += ", " + std::to_string(number(totals, "skipped")) + " changed meanwhile and stay";
    out += "; " + bytes_text(number(totals, "bytes_unreferenced")) +
           " are free after collection, " +
           bytes_text(number(totals, "bytes_unreferenced_estimate")) + " in the end\n";
    return out;
}

std::string describe_plan(const json::object& report) {
    const auto policy = text(report, "policy");
    std::string out = "Dry run of " + (policy.empty() ? "all policies" : policy) + " as of " +
                      text(report, "now") + ". Nothing is deleted.\n";
    out += describe_items(report) + describe_totals(report);
    if (flag(report, "items_more")) out += "There are more items: --items, --repository, --json.\n";
    return out;
}

std::string describe_run(const json::object& report) {
    std::string out =
        text(report, "run") + " of " + text(report, "policy") + ": " + text(report, "state") + '\n';
    if (const auto trouble = text(report, "trouble"); !trouble.empty())
        out += plain_text(trouble) + '\n';
    out += describe_items(report);
    std::vector<TextRow> rows{{"REPOSITORY", "STATE", "KEPT", "PLANNED", "DELETED", "PERCENT"}};
    for (const auto& image : objects(report, "images")) {
        rows.push_back(
            {text(image, "repo"), text(image, "state"), std::to_string(number(image, "kept")),
             std::to_string(number(image, "planned")), std::to_string(number(image, "deleted")),
             std::to_string(number(image, "percent"))});
    }
    if (rows.size() > 1) out += aligned(rows);
    out += describe_totals(report);
    if (text(report, "state") == "blocked")
        out +=
            "Nothing was deleted where more than max_delete_percent would have gone: look at the "
            "plan, then --above-percent.\n";
    return out;
}

std::string describe_explanation(const json::object& report) {
    std::string out =
        text(report, "repo") + ' ' + text(report, "ref") + " is " + text(report, "digest") + '\n';
    const auto policies = joined(report, "policies");
    out += "policies: " + (policies.empty() ? "none" : policies) + '\n';
    if (const auto why = text(report, "why"); !why.empty()) out += why + '\n';
    for (const auto& item : objects(report, "items")) {
        out +=
            '\n' + name_of(item) + ": " + text(item, "decision") + ", " + text(item, "why") + '\n';
        for (const auto& [label, name] : {std::pair{"pushed", "pushed_at"},
                                          {"last pulled", "last_pulled_at"},
                                          {"untagged", "untagged_at"},
                                          {"kept until", "expires_at"}}) {
            if (const auto time = text(item, name); !time.empty())
                out += "  " + std::string{label} + ' ' + time + '\n';
        }
        std::vector<TextRow> rows{{"  RULE", "KEEPS", "WHY"}};
        for (const auto& rule : objects(item, "rules")) {
            rows.push_back(
                {"  " + text(rule, "rule"), flag(rule, "keeps") ? "yes" : "no", text(rule, "why")});
        }
        if (rows.size() > 1) out += aligned(rows);
    }
    return out;
}

std::string describe_runs(const json::object& answer) {
    std::vector<TextRow> rows{{"RUN", "POLICY", "TIME", "STATE", "DELETED", "BY"}};
    for (const auto& run : objects(answer, "items")) {
        const auto by = text(run, "principal");
        rows.push_back({text(run, "run"), text(run, "policy"), text(run, "now"), text(run, "state"),
                        std::to_string(number(part(run, "totals"), "deleted")),
                        by.empty() ? "schedule" : by});
    }
    return rows.size() == 1 ? "there was no run yet\n" : aligned(rows);
}

std::string describe_restore(const json::object& report) {
    std::string out = plural(number(report, "restored_tags"), "tag") + " and " +
                      plural(number(report, "restored_manifests"), "manifest") + " are back\n";
    std::vector<TextRow> rows{{"NOT RESTORED", "WHY"}};
    for (const auto& item : objects(report, "skipped"))
        rows.push_back({name_of(item), text(item, "why")});
    return rows.size() == 1 ? out : out + aligned(rows);
}

int plan(const RetentionArguments& arguments) {
    json::object body{{"items_max", arguments.items_max}};
    if (!arguments.policy.empty()) body["policy"] = arguments.policy;
    if (!arguments.repository.empty()) body["repository"] = arguments.repository;
    if (!arguments.now.empty()) body["now"] = arguments.now;
    if (!arguments.all) body["deletions_only"] = true;
    if (!arguments.file.empty()) {
        std::ifstream in{arguments.file, std::ios::binary};
        const std::string yaml(std::istreambuf_iterator<char>{in}, {});
        if (!in) return could_not_run(arguments.file + ": cannot be read");
        body["yaml"] = yaml;
    }
    return call(arguments.place, {"POST", api_path({"retention", "dry-run"}), std::move(body)},
                describe_plan);
}

// What is left to do is a finding.
int run(const RetentionArguments& arguments) {
    json::object body;
    if (!arguments.policy.empty()) body["policy"] = arguments.policy;
    if (!arguments.repository.empty()) body["repository"] = arguments.repository;
    if (arguments.confirm_clock) body["confirm_clock"] = true;
    if (arguments.above_percent) body["above_percent"] = true;
    const auto client = find_server(arguments.place.server);
    if (!client) return exit_could_not_run;
    const auto answer = send(*client, {"POST", api_path({"retention", "run"}), std::move(body)});
    if (!answer.ok()) return could_not_run(answer.trouble);
    const auto printed = print(arguments.place, answer.body, describe_run);
    const auto report = parse_object(answer.body);
    if (printed != exit_clean || !report) return printed;
    return text(*report, "state") == "done" ? exit_clean : exit_findings;
}

int explain(const RetentionArguments& arguments) {
    return call(arguments.place,
                {"GET",
                 with_query(api_path({"retention", "explain"}),
                            {{"repo", arguments.repository}, {"ref", arguments.reference}}),
                 {}},
                describe_explanation);
}

int runs(const RetentionArguments& arguments) {
    if (!arguments.run.empty())
        return call(arguments.place, {"GET", api_path({"retention", "runs", arguments.run}), {}},
                    describe_run);
    return show_list(arguments.place, api_path({"retention", "runs"}), describe_runs);
}

int restore(const RetentionArguments& arguments) {
    json::object body{{"run", arguments.run}};
    if (!arguments.repository.empty()) body["repository"] = arguments.repository;
    if (!arguments.reference.empty()) body["ref"] = arguments.reference;
    const auto client = find_server(arguments.place.server);
    if (!client) return exit_could_not_run;
    const auto answer =
        send(*client, {"POST", api_path({"retention", "restore"}), std::move(body)});
    if (!answer.ok()) return could_not_run(answer.trouble);
    const auto printed = print(arguments.place, answer.body, describe_restore);
    const auto report = parse_object(answer.body);
    if (printed != exit_clean || !report) return printed;
    return objects(*report, "skipped").empty() ? exit_clean : exit_findings;
}

using Work = int (*)(const RetentionArguments&);

CLI::App* add(CLI::App& retention, const char* name, const char* description, Work work,
              int& exit_code, const std::shared_ptr<RetentionArguments>& arguments) {
    auto* command = retention.add_subcommand(name, description);
    add_management_options(*command, arguments->place);
    command->callback([arguments, work, &exit_code] { exit_code = work(*arguments); });
    return command;
}

}  // namespace

void add_retention(CLI::App& app, int& exit_code) {
    auto* retention = app.add_subcommand("retention", "What is kept, what goes, and why");
    retention->require_subcommand(1);
    auto arguments = std::make_shared<RetentionArguments>();
    auto& a = *arguments;
    auto* planned = add(*retention, "plan", "What would be deleted; deletes nothing", plan,
                        exit_code, arguments);
    planned->add_option("--policy", a.policy, "One of the server's; otherwise all together");
    planned->add_option("--file", a.file, "A file with policies, instead of the server's");
    planned->add_option("--repository", a.repository, "One repository, as acme/app");
    planned->add_option("--now", a.now, "As of then, as 2026-01-31T12:00:00Z");
    planned->add_option("--items", a.items_max, "As many items at most")
        ->check(CLI::Range(0, 10000));
    planned->add_flag("--all", a.all, "Show what stays, too");
    auto* ran = add(*retention, "run", "Delete what no policy keeps", run, exit_code, arguments);
    ran->add_option("--policy", a.policy, "Its name; needed where there are several");
    ran->add_option("--repository", a.repository, "One repository, as acme/app");
    ran->add_flag("--confirm-clock", a.confirm_clock, "The clock is right, although it has jumped");
    ran->add_flag("--above-percent", a.above_percent,
                  "Also where more than max_delete_percent goes");
    auto* explained =
        add(*retention, "explain", "Why something stays or goes", explain, exit_code, arguments);
    explained->add_option("repository", a.repository, "As acme/app")->required();
    explained->add_option("reference", a.reference, "A tag or a digest")->required();
    auto* listed =
        add(*retention, "runs", "What was run, or one of them", runs, exit_code, arguments);
    listed->add_option("run", a.run, "As r-17");
    auto* restored =
        add(*retention, "restore", "Bring back what a run deleted", restore, exit_code, arguments);
    restored->add_option("run", a.run, "As r-17")->required();
    restored->add_option("--repository", a.repository, "Only of this repository");
    restored->add_option("--ref", a.reference, "Only this tag or digest");
}

}  // namespace orbitalreg::program
