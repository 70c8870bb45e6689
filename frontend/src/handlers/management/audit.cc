// What was done, by whom: the audit log, for those who may see it.

#include "audit/audit_trail.h"
#include "handlers/management/nouns.h"
#include "http/ascii.h"

#include <boost/json/serialize.hpp>

namespace orbitalreg::frontend {
namespace {

using engine::Action;

// Nothing, and `trouble` says what is wrong with the query.
std::optional<AuditFilter> read_filter(const Query& query, std::string& trouble) {
    AuditFilter filter;
    const auto text = [&](std::string_view name) {
        return std::string{query.get(name).value_or("")};
    };
    filter.principal = text("principal");
    filter.action = text("action");
    filter.object = text("object");
    filter.address = text("address");
    if (const auto result = query.get("result")) {
        if (*result != "granted" && *result != "refused")
            trouble = "`result` is granted or refused";
        filter.granted = *result == "granted";
    }
    for (const auto& [name, to] :
         {std::pair{"since", &filter.since_ms}, {"until", &filter.until_ms}}) {
        const auto given = query.get(name);
        if (!given) continue;
        *to = parse_audit_time(*given);
        if (!*to) trouble = '`' + std::string{name} + "` is a time such as 2026-01-31T12:00:00Z";
    }
    if (const auto order = query.get("order")) {
        if (*order != "newest" && *order != "oldest") trouble = "`order` is newest or oldest";
        filter.oldest_first = *order == "oldest";
    }
    if (const auto limit = query.get("limit")) {
        const auto number = parse_decimal(*limit);
        if (!number || *number == 0 || *number > AuditFilter::kLimitMax)
            trouble = "`limit` is 1 to 1000";
        filter.limit = number.value_or(0);
    }
    if (const auto after = query.get("after")) {
        const auto number = parse_decimal(*after);
        if (!number) trouble = "`after` is the `next` of the page before";
        (filter.oldest_first ? filter.after_seq : filter.before_seq) = number.value_or(0);
    }
    if (query.too_many()) trouble = "too many parameters";
    return trouble.empty() ? std::optional{std::move(filter)} : std::nullopt;
}

// Where it may block. The one who waits may go before it is done.
using SharedPage = std::shared_ptr<std::optional<Result<AuditPage>>>;
Awaitable<void> read_there(const AuditLog* log, AuditFilter filter, SharedPage page) {
    page->emplace(log->read(filter));
    co_return;
}

}  // namespace

Awaitable<Response> api_list_audit(Call* call) {
    std::string trouble;
    auto filter = read_filter(call->exchange.query, trouble);
    if (!filter) co_return api_invalid(trouble);
    if (!call->administers()) {
        // Of one's own project: its images, and what was done to itself.
        constexpr std::string_view kManaged = "/api/v1/projects/";
        std::string_view object = filter->object;
        if (object.starts_with(kManaged)) object.remove_prefix(kManaged.size());
        const auto slash = object.find('/');
        if (slash == object.npos) {
            co_return api_denied(
                "this is for administrators; of a project, with object=<project>/");
        }
        std::string project{object.substr(0, slash)};
        if (auto refused =
                co_await refuse_project(call, Action::manage_members, std::move(project)))
            co_return std::move(*refused);
    }
    if (call->services.audit == nullptr)
        co_return api_error(409, "CONFLICT", "nothing is recorded: audit.enabled");
    const auto shared = std::make_shared<std::optional<Result<AuditPage>>>();
    co_await asio::co_spawn(call->services.background,
                            read_there(&call->services.audit->log(), std::move(*filter), shared),
                            asio::use_awaitable);
    auto& page = **shared;
    if (!page) co_return api_error(500, "UNKNOWN", "the audit log cannot be read");
    std::string body = R"({"items":[)";
    for (const auto& line : page.value().lines) {
        if (&line != &page.value().lines.front()) body += ',';
        body += line;
    }
    const auto& cursor = page.value().cursor;
    body += R"(],"next":)" + (cursor ? std::to_string(*cursor) : std::string{"null"}) + "}\n";
    auto response = json_response(200, std::move(body));
    response.headers.add("Cache-Control", "no-store");
    co_return response;
}

}  // namespace orbitalreg::frontend
