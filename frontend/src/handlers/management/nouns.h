#pragma once
// The handlers of the management API, by noun. What stands for `{}` in the path is in Call::arguments, in order.

#include "handlers/management/call.h"

namespace orbitalreg::frontend {

using ApiHandler = Awaitable<Response> (*)(Call* call);

// projects
Awaitable<Response> api_list_projects(Call* call);
Awaitable<Response> api_create_project(Call* call);
Awaitable<Response> api_show_project(Call* call);
Awaitable<Response> api_change_project(Call* call);
Awaitable<Response> api_remove_project(Call* call);
Awaitable<Response> api_list_repositories(Call* call);
Awaitable<Response> api_create_repository(Call* call);
Awaitable<Response> api_show_repository(Call* call);
Awaitable<Response> api_change_repository(Call* call);
Awaitable<Response> api_remove_repository(Call* call);
Awaitable<Response> api_list_members(Call* call);
Awaitable<Response> api_show_member(Call* call);
Awaitable<Response> api_put_member(Call* call);
Awaitable<Response> api_remove_member(Call* call);
// robots, of a project or, without its name, of the system
Awaitable<Response> api_list_robots(Call* call);
Awaitable<Response> api_create_robot(Call* call);
Awaitable<Response> api_show_robot(Call* call);
Awaitable<Response> api_change_robot(Call* call);
Awaitable<Response> api_remove_robot(Call* call);
Awaitable<Response> api_add_robot_secret(Call* call);
// people and their tokens
Awaitable<Response> api_list_users(Call* call);
Awaitable<Response> api_create_user(Call* call);
Awaitable<Response> api_show_user(Call* call);
Awaitable<Response> api_change_user(Call* call);
Awaitable<Response> api_remove_user(Call* call);
Awaitable<Response> api_set_password(Call* call);
Awaitable<Response> api_list_tokens(Call* call);
Awaitable<Response> api_create_token(Call* call);
Awaitable<Response> api_remove_token(Call* call);
// what is kept
Awaitable<Response> api_list_policies(Call* call);
Awaitable<Response> api_plan_retention(Call* call);
Awaitable<Response> api_run_retention(Call* call);
Awaitable<Response> api_list_retention_runs(Call* call);
Awaitable<Response> api_show_retention_run(Call* call);
Awaitable<Response> api_explain_retention(Call* call);
Awaitable<Response> api_restore_retention(Call* call);
// what is allowed, and by what
Awaitable<Response> api_session(Call* call);
Awaitable<Response> api_explain(Call* call);
Awaitable<Response> api_list_audit(Call* call);
Awaitable<Response> api_list_keys(Call* call);
Awaitable<Response> api_rotate_keys(Call* call);
// remote and virtual repositories at work
Awaitable<Response> api_explain_pull(Call* call);
Awaitable<Response> api_list_upstreams(Call* call);

}  // namespace orbitalreg::frontend
