// `orbitalreg repo ...`: repositories of a project, and their settings.

#include "exit_codes.h"
#include "management_call.h"
#include "subcommands.h"

#include <memory>

namespace orbitalreg::program {
namespace {

const CLI::IsMember kVisibility{{"on", "off", "inherit"}};
const CLI::IsMember kSparseIndex{{"allow", "refuse"}};

struct RepoArguments {
    ManagementPlace place;
    std::string name;  // acme/app
    std::string project;
    std::string visibility;
    std::string sparse_index;
    std::optional<std::string> description;
};

struct RepoName {
    std::string project;
    std::string repository;

    std::string path() const { return api_path({"projects", project, "repositories", repository}); }
};

// Nothing: told on stderr.
std::optional<RepoName> read_name(const std::string& text) {
    const auto slash = text.find('/');
    const bool two = slash != std::string::npos && slash > 0 && slash + 1 < text.size() &&
                     text.find('/', slash + 1) == std::string::npos;
    if (two) return RepoName{text.substr(0, slash), text.substr(slash + 1)};
    could_not_run(text + ": a repository is acme/app, its project and a name");
    return std::nullopt;
}

std::string visibility_text(const json::object& repository) {
    const auto* value = repository.if_contains("public");
    if (value == nullptr || !value->is_bool()) return "as the project";
    return value->as_bool() ? "yes" : "no";
}

std::string describe_repos(const json::object& answer) {
    std::vector<TextRow> rows{{"NAME", "PUBLIC", "SPARSE INDEX", "DECLARED", "DESCRIPTION"}};
    for (const auto& repository : objects(answer, "items")) {
        rows.push_back({text(repository, "project") + '/' + text(repository, "name"),
                        visibility_text(repository), text(repository, "sparse_index"),
                        flag(repository, "declared") ? "yes" : "",
                        text(repository, "description")});
    }
    return rows.size() == 1 ? "no repository has settings of its own\n" : aligned(rows);
}

std::string describe_repo(const json::object& repository) {
    return describe_repos({{"items", json::array{repository}}});
}

json::object settings(const RepoArguments& arguments) {
    json::object body;
    if (arguments.visibility == "inherit") body["public"] = nullptr;
    if (arguments.visibility == "on") body["public"] = true;
    if (arguments.visibility == "off") body["public"] = false;
    if (!arguments.sparse_index.empty()) body["sparse_index"] = arguments.sparse_index;
    if (arguments.description) body["description"] = *arguments.description;
    return body;
}

int list(const RepoArguments& arguments) {
    return show_list(arguments.place, api_path({"projects", arguments.project, "repositories"}),
                     describe_repos);
}

int create(const RepoArguments& arguments) {
    const auto name = read_name(arguments.name);
    if (!name) return exit_could_not_run;
    auto body = settings(arguments);
    body["name"] = name->repository;
    return call(arguments.place,
                {"POST", api_path({"projects", name->project, "repositories"}), std::move(body)},
                describe_repo);
}

int show(const RepoArguments& arguments) {
    const auto name = read_name(arguments.name);
    if (!name) return exit_could_not_run;
    return call(arguments.place, {"GET", name->path(), {}}, describe_repo);
}

int set(const RepoArguments& arguments) {
    const auto name = read_name(arguments.name);
    if (!name) return exit_could_not_run;
    auto body = settings(arguments);
    if (body.empty()) return could_not_run("set what? --public, --sparse-index or --description");
    return call(arguments.place, {"PATCH", name->path(), std::move(body)}, describe_repo);
}

int remove(const RepoArguments& arguments) {
    const auto name = read_name(arguments.name);
    if (!name) return exit_could_not_run;
    return call(arguments.place, {"DELETE", name->path(), {}},
                [&](const json::object&) { return arguments.name + " is removed\n"; });
}

using Work = int (*)(const RepoArguments&);

CLI::App* add(CLI::App& repo, const char* name, const char* description, Work work, int& exit_code,
              const std::shared_ptr<RepoArguments>& arguments) {
    auto* command = repo.add_subcommand(name, description);
    add_management_options(*command, arguments->place);
    command->callback([arguments, work, &exit_code] { exit_code = work(*arguments); });
    return command;
}

CLI::App* add_named(CLI::App& repo, const char* name, const char* description, Work work,
                    int& exit_code, const std::shared_ptr<RepoArguments>& arguments) {
    auto* command = add(repo, name, description, work, exit_code, arguments);
    command->add_option("repository", arguments->name, "As acme/app")->required();
    return command;
}

void add_settings(CLI::App& command, RepoArguments& arguments) {
    command
        .add_option("--public", arguments.visibility,
                    "on: anybody may pull; off; inherit: as the project")
        ->check(kVisibility);
    command
        .add_option("--sparse-index", arguments.sparse_index,
                    "An index whose children are missing: allow or refuse it")
        ->check(kSparseIndex);
    command.add_option("--description", arguments.description, "For people");
}

}  // namespace

void add_repo(CLI::App& app, int& exit_code) {
    auto* repo = app.add_subcommand("repo", "Repositories of a project, and their settings");
    repo->require_subcommand(1);
    auto arguments = std::make_shared<RepoArguments>();
    add(*repo, "list", "All of a project", list, exit_code, arguments)
        ->add_option("project", arguments->project, "Its name")
        ->required();
    add_settings(*add_named(*repo, "create", "A new one", create, exit_code, arguments),
                 *arguments);
    add_named(*repo, "show", "One of them", show, exit_code, arguments);
    add_settings(*add_named(*repo, "set", "Change it", set, exit_code, arguments), *arguments);
    add_named(*repo, "remove", "Remove it", remove, exit_code, arguments);
}

}  // namespace orbitalreg::program
