// `orbitalreg repo ...`: repositories of a project, and their settings.

#include "exit_codes.h"
#include "management_call.h"
#include "subcommands.h"

#include <fstream>
#include <memory>
#include <string>
#include <vector>

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
    std::string image;
    std::string reference;
    // Of a remote one.
    std::string url;
    std::string username;
    std::string password_file;
    std::vector<std::string> allow_networks;
    // Of a virtual one.
    std::vector<std::string> members;
    std::string deploy_to;
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

// The upstream of a remote one, the members of a virtual one.
std::string content_text(const json::object& repository) {
    if (const auto* remote = repository.if_contains("remote"))
        return text(remote->as_object(), "url");
    const auto* view = repository.if_contains("virtual");
    if (view == nullptr) return {};
    std::string names;
    for (const auto& member : objects(view->as_object(), "members"))
        names += (names.empty() ? "" : ", ") + text(member, "name");
    return names;
}

std::string describe_repos(const json::object& answer) {
    std::vector<TextRow> rows{
        {"NAME", "TYPE", "PUBLIC", "SPARSE INDEX", "DECLARED", "CONTENT", "DESCRIPTION"}};
    for (const auto& repository : objects(answer, "items")) {
        rows.push_back({text(repository, "project") + '/' + text(repository, "name"),
                        text(repository, "type"), visibility_text(repository),
                        text(repository, "sparse_index"), flag(repository, "declared") ? "yes" : "",
                        content_text(repository), text(repository, "description")});
    }
    return rows.size() == 1 ? "no repository has settings of its own\n" : aligned(rows);
}

std::string describe_repo(const json::object& repository) {
    return describe_repos({{"items", json::array{repository}}});
}

std::string describe_pull(const json::object& answer) {
    std::vector<TextRow> rows{{"MEMBER", "TYPE", "OUTCOME", "IMAGE", "WHY"}};
    for (const auto& step : objects(answer, "steps")) {
        rows.push_back({text(step, "member"), text(step, "type"), text(step, "outcome"),
                        text(step, "image"), text(step, "reason")});
    }
    const auto* digest = answer.if_contains("digest");
    const bool found = digest != nullptr && digest->is_string();
    auto told = aligned(rows);
    told += found ? "answered with " + text(answer, "digest") + '\n'
                  : "refused: " + text(answer, "refusal") + '\n';
    return told;
}

// What makes it remote or virtual. Nothing: told on stderr.
bool add_type(const RepoArguments& arguments, json::object& body) {
    if (!arguments.url.empty() && !arguments.members.empty()) {
        could_not_run("a repository has a --url or --member, not both");
        return false;
    }
    if (!arguments.url.empty()) {
        json::object remote{{"url", arguments.url}};
        if (!arguments.username.empty()) remote["username"] = arguments.username;
        if (!arguments.password_file.empty()) {
            std::ifstream stream{arguments.password_file};
            std::string password;
            if (!std::getline(stream, password)) {
                could_not_run(arguments.password_file + ": cannot be read, or is empty");
                return false;
            }
            remote["password"] = password;
        }
        if (!arguments.allow_networks.empty()) {
            json::array networks;
            for (const auto& network : arguments.allow_networks) networks.emplace_back(network);
            remote["allow_networks"] = std::move(networks);
        }
        body["type"] = "remote";
        body["remote"] = std::move(remote);
    }
    if (!arguments.members.empty()) {
        json::array members;
        for (const auto& member : arguments.members) members.emplace_back(member);
        body["type"] = "virtual";
        body["virtual"] =
            json::object{{"members", std::move(members)}, {"deploy_to", arguments.deploy_to}};
    }
    return true;
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
    if (!add_type(arguments, body)) return exit_could_not_run;
    return call(arguments.place,
                {"POST", api_path({"projects", name->project, "repositories"}), std::move(body)},
                describe_repo);
}

int show(const RepoArguments& arguments) {
    const auto name = read_name(arguments.name);
    if (!name) return exit_could_not_run;
    return call(arguments.place, {"GET", name->path(), {}}, describe_repo);
}

int explain(const RepoArguments& arguments) {
    const auto path = api_path({"pulls", "explain"}) + "?image=" + arguments.image +
                      "&reference=" + arguments.reference;
    return call(arguments.place, {"GET", path, {}}, describe_pull);
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

void add_types(CLI::App& command, RepoArguments& arguments) {
    command.add_option("--url", arguments.url, "Remote: the registry that it fetches from");
    command.add_option("--username", arguments.username, "Remote: of an account there");
    command.add_option("--password-file", arguments.password_file,
                       "Remote: whose first line is the password of that account");
    command.add_option("--allow-network", arguments.allow_networks,
                       "Remote: addresses that may be reached beside public ones, as 10.0.0.0/8");
    command.add_option(
        "--member", arguments.members,
        "Virtual: a repository of the project; several, in the order they are asked");
    command.add_option("--deploy-to", arguments.deploy_to,
                       "Virtual: the local member that takes pushes");
}

}  // namespace

void add_repo(CLI::App& app, int& exit_code) {
    auto* repo = app.add_subcommand("repo", "Repositories of a project, and their settings");
    repo->require_subcommand(1);
    auto arguments = std::make_shared<RepoArguments>();
    add(*repo, "list", "All of a project", list, exit_code, arguments)
        ->add_option("project", arguments->project, "Its name")
        ->required();
    auto* made = add_named(*repo, "create", "A new one", create, exit_code, arguments);
    add_settings(*made, *arguments);
    add_types(*made, *arguments);
    auto* explained = add(*repo, "explain", "How a pull is answered, and why: each member asked",
                          explain, exit_code, arguments);
    explained->add_option("image", arguments->image, "As acme/all/library/alpine")->required();
    explained->add_option("reference", arguments->reference, "A tag or a digest")->required();
    add_named(*repo, "show", "One of them", show, exit_code, arguments);
    add_settings(*add_named(*repo, "set", "Change it", set, exit_code, arguments), *arguments);
    add_named(*repo, "remove", "Remove it", remove, exit_code, arguments);
}

}  // namespace orbitalreg::program
