// What is kept and what goes: plans, runs, explanations, and the way back. For administrators; of one repository for those who may run
// retention in its project.

#include "engine/retention.h"

#include "audit/audit_trail.h"
#include "handlers/management/nouns.h"
#include "http/ascii.h"

#include <boost/json/parse.hpp>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Action;

Response not_offered() { return api_error(409, "CONFLICT", "this server offers no retention"); }

Response answer_text(std::string text) {
    auto response = json_response(200, std::move(text) + '\n');
    response.headers.add("Cache-Control", "no-store");
    return response;
}

// Nothing when the caller may; an empty repository is the whole system.
Awaitable<std::optional<Response>> refuse_repository(Call* call, std::string repository) {
    if (call->administers()) co_return std::nullopt;
    if (repository.empty())
        co_return api_denied("this is for administrators; name a repository of your project");
    const auto image = engine::ImageName::parse(repository);
    if (!image) co_return api_invalid("`repository` is not the name of one");
    auto project = call->access().project_of(image.value());
    co_return co_await refuse_project(call, Action::run_retention, std::move(project));
}

std::optional<std::string> name_of_image(const std::string& text) {
    const auto image = engine::ImageName::parse(text);
    if (text.empty() || image) return text;
    return std::nullopt;
}

}  // namespace

Awaitable<Response> api_list_policies(Call* call) {
    if (call->services.retention == nullptr) co_return not_offered();
    json::array items;
    for (auto& name : call->services.retention->policy_names())
        items.push_back(json::object{{"name", std::move(name)}});
    co_return api_answer(200, json::object{{"items", std::move(items)}});
}

Awaitable<Response> api_plan_retention(Call* call) {
    if (call->services.retention == nullptr) co_return not_offered();
    BodyMembers members{call->body};
    engine::RetentionQuery query;
    query.policy = members.text("policy").value_or("");
    query.yaml = members.text("yaml").value_or("");
    query.repository = members.text("repository").value_or("");
    const auto now = members.text("now");
    const auto items_max = members.number("items_max");
    query.kept_too = !members.flag("deletions_only").value_or(false);
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (!name_of_image(query.repository))
        co_return api_invalid("`repository` is not the name of one");
    if (items_max && *items_max > engine::Retention::kItemsMax)
        co_return api_invalid("`items_max` is at most 10000");
    if (items_max) query.items_max = static_cast<std::uint32_t>(*items_max);
    if (now) {
        const auto at_ms = parse_audit_time(*now);
        if (!at_ms || *at_ms < 1000)
            co_return api_invalid("`now` is a time such as 2026-01-31T12:00:00Z");
        query.at_wall_s = *at_ms / 1000;
    }
    if (auto refused = co_await refuse_repository(call, query.repository))
        co_return std::move(*refused);
    auto answer = co_await call->services.retention->plan(std::move(query));
    if (!answer) co_return api_refusal(answer.error());
    co_return answer_text(std::move(answer).value());
}

Awaitable<Response> api_run_retention(Call* call) {
    if (call->services.retention == nullptr) co_return not_offered();
    BodyMembers members{call->body};
    engine::RetentionOrder order;
    order.policy = members.text("policy").value_or("");
    order.repository = members.text("repository").value_or("");
    order.confirm_clock = members.flag("confirm_clock").value_or(false);
    order.above_percent = members.flag("above_percent").value_or(false);
    order.principal = call->who->principal.name;
    if (order.principal.empty()) order.principal = "anonymous";
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (!name_of_image(order.repository))
        co_return api_invalid("`repository` is not the name of one");
    call->exchange.notes.reference = order.policy;
    if (auto refused = co_await refuse_repository(call, order.repository))
        co_return std::move(*refused);
    auto answer = co_await call->services.retention->run(std::move(order));
    if (!answer) co_return api_refusal(answer.error());
    co_return answer_text(std::move(answer).value());
}

Awaitable<Response> api_list_retention_runs(Call* call) {
    if (call->services.retention == nullptr) co_return not_offered();
    if (!call->administers()) co_return api_denied("this is for administrators of the system");
    std::optional<Response> refused;
    const auto page = read_page(*call, refused);
    if (!page) co_return std::move(*refused);
    std::uint64_t before = 0;
    if (!page->after.empty()) {
        std::string_view text = page->after;
        if (text.starts_with("r-")) text.remove_prefix(2);
        const auto number = parse_decimal(text);
        if (!number || *number == 0) co_return api_invalid("`after` is a run such as r-17");
        before = *number;
    }
    const auto answer = co_await call->services.retention->runs(before, page->size);
    if (!answer) co_return api_refusal(answer.error());
    auto found = json::parse(answer.value()).as_object();
    auto items = found.at("items").as_array();
    std::string last;
    if (!items.empty()) last = items.back().as_object().at("run").as_string();
    const bool more = found.at("more").as_bool();
    co_return api_list(*call, std::move(items), more, last, *page);
}

Awaitable<Response> api_show_retention_run(Call* call) {
    if (call->services.retention == nullptr) co_return not_offered();
    auto answer = co_await call->services.retention->find_run(call->arguments[0]);
    std::string repository;
    if (answer && !call->administers()) {
        const auto report = json::parse(answer.value()).as_object();
        const auto* of = report.if_contains("repository");
        if (of != nullptr) repository = of->as_string();
        // Nobody learns of a run over what is not theirs.
        if (repository.empty()) co_return api_not_found();
        const auto refused = co_await refuse_repository(call, std::move(repository));
        if (refused) co_return api_not_found();
    }
    if (!answer && !call->administers()) co_return api_not_found();
    if (!answer) co_return api_refusal(answer.error());
    co_return answer_text(std::move(answer).value());
}

Awaitable<Response> api_explain_retention(Call* call) {
    if (call->services.retention == nullptr) co_return not_offered();
    const auto& query = call->exchange.query;
    for (const std::string_view name : {"repo", "ref"}) {
        if (query.count(name) != 1) co_return api_invalid("`repo` and `ref` are needed, once each");
    }
    const auto image = engine::ImageName::parse(*query.get("repo"));
    if (!image) co_return api_invalid("`repo` is not the name of a repository");
    const auto reference = engine::parse_reference(*query.get("ref"));
    if (!reference) co_return api_invalid("`ref` is neither a tag nor a digest");
    if (auto refused = co_await refuse_repository(call, image.value().text()))
        co_return std::move(*refused);
    auto answer = co_await call->services.retention->explain(image.value(), reference.value());
    if (!answer && (answer.error().code == engine::Errc::manifest_unknown ||
                    answer.error().code == engine::Errc::name_unknown))
        co_return api_not_found();
    if (!answer) co_return api_refusal(answer.error());
    co_return answer_text(std::move(answer).value());
}

Awaitable<Response> api_restore_retention(Call* call) {
    if (call->services.retention == nullptr) co_return not_offered();
    BodyMembers members{call->body};
    engine::RestoreOrder order;
    order.run = members.text("run").value_or("");
    order.repository = members.text("repository").value_or("");
    order.reference = members.text("ref").value_or("");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (order.run.empty()) co_return api_invalid("`run` is missing");
    call->exchange.notes.reference = order.run;
    if (auto refused = co_await refuse_repository(call, order.repository))
        co_return std::move(*refused);
    auto answer = co_await call->services.retention->restore(std::move(order));
    if (!answer) co_return api_refusal(answer.error());
    co_return answer_text(std::move(answer).value());
}

}  // namespace orbitalreg::frontend
