// How a pull is answered, and how the upstreams are.

#include "engine/remotes.h"
#include "handlers/management/nouns.h"

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Action;

std::string_view type_text(engine::RepositoryType type) noexcept {
    switch (type) {
        case engine::RepositoryType::remote:
            return "remote";
        case engine::RepositoryType::virtual_members:
            return "virtual";
        case engine::RepositoryType::local:
            break;
    }
    return "local";
}

json::object to_object(const engine::PullExplanation& explanation) {
    json::array steps;
    for (const auto& step : explanation.steps) {
        steps.push_back(json::object{{"member", step.member},
                                     {"type", type_text(step.type)},
                                     {"image", step.image},
                                     {"upstream", step.upstream},
                                     {"outcome", step.outcome},
                                     {"reason", step.reason}});
    }
    json::object object{{"repository", explanation.repository},
                        {"type", type_text(explanation.type)},
                        {"digest", nullptr},
                        {"member", nullptr},
                        {"cache", nullptr},
                        {"refusal", nullptr},
                        {"steps", std::move(steps)}};
    if (explanation.found) {
        object["digest"] = explanation.found->info.digest.to_string();
        object["cache"] = engine::to_string(explanation.found->source.cache);
        if (!explanation.found->source.member.empty())
            object["member"] = explanation.found->source.member;
    }
    if (explanation.refusal) object["refusal"] = explanation.refusal->message;
    return object;
}

}  // namespace

// The members of a repository are for those who may list its project, and who may pull the image through it.
Awaitable<Response> api_explain_pull(Call* call) {
    const auto& query = call->exchange.query;
    for (const std::string_view name : {"image", "reference"}) {
        if (query.count(name) != 1)
            co_return api_invalid("`image` and `reference` are needed, once each");
    }
    const auto image = engine::ImageName::parse(*query.get("image"));
    if (!image) co_return api_invalid("`image` is not the name of an image");
    auto reference = engine::parse_reference(*query.get("reference"));
    if (!reference) co_return api_invalid("`reference` is neither a tag nor a digest");
    const auto project = call->access().project_of(image.value());
    if (auto refused = co_await refuse_project(call, Action::list, project))
        co_return std::move(*refused);
    const auto view = co_await call->access().view(*call->who, project);
    if (!view) co_return api_refusal(view.error());
    const auto decision = engine::AccessControl::decide_in(view.value(), *call->who, Action::pull,
                                                           project, image.value().text());
    if (!decision.allowed && !call->administers())
        co_return api_denied("to explain a pull one must be allowed to pull");
    const auto explanation =
        co_await call->services.registry.explain_pull(image.value(), std::move(reference).value());
    auto object = to_object(explanation);
    object["image"] = image.value().text();
    object["reference"] = std::string{*query.get("reference")};
    co_return api_answer(200, object);
}

Awaitable<Response> api_list_upstreams(Call* call) {
    if (!call->administers()) co_return api_denied("this is for administrators of the system");
    json::array items;
    const auto* remotes = call->services.registry.remotes();
    const auto all = remotes == nullptr ? std::vector<engine::RemoteStatus>{} : remotes->status();
    for (const auto& status : all) {
        json::object item{{"repository", status.repository},
                          {"url", status.url},
                          {"answers", status.answers},
                          {"trouble", status.trouble},
                          {"left_alone_for_ms", status.left_alone_for_ms},
                          {"transfers", status.transfers},
                          {"limit", nullptr},
                          {"remaining", nullptr},
                          {"window_s", nullptr}};
        if (status.budget.limit) item["limit"] = *status.budget.limit;
        if (status.budget.remaining) item["remaining"] = *status.budget.remaining;
        if (status.budget.window_s) item["window_s"] = *status.budget.window_s;
        items.push_back(std::move(item));
    }
    co_return api_answer(200, json::object{{"items", std::move(items)}});
}

}  // namespace orbitalreg::frontend
