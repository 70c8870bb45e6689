// Members of Projects, and the view of one project that decisions are made from.

#include "access/project_documents.h"
#include "engine/projects.h"

#include <array>

namespace orbitalreg::engine {
namespace {

constexpr std::uint32_t kPage = 1000;
constexpr std::size_t kGroupNameMax = 64;

std::string member_document(std::string_view project, Member::Kind kind, std::string_view name) {
    return folder("member", project) + (kind == Member::Kind::user ? "user:" : "group:") +
           name_part(name);
}

std::vector<std::byte> encode(const Member& member) {
    return to_document({{"project", member.project},
                        {"member", member.text()},
                        {"account_id", member.account_id},
                        {"grants", to_array(member.grants)}});
}

std::optional<Member> decode_member(ByteView bytes) {
    const auto object = from_document(bytes);
    if (!object) return std::nullopt;
    auto who = parse_member(text_of(*object, "member"));
    if (!who) return std::nullopt;
    return Member{text_of(*object, "project"),  who->first,
                  std::move(who->second),       text_of(*object, "account_id"),
                  grants_of(*object, "grants"), false};
}

}  // namespace

std::optional<std::pair<Member::Kind, std::string>> parse_member(std::string_view text) {
    constexpr std::array kKinds{std::pair{std::string_view{"user:"}, Member::Kind::user},
                                std::pair{std::string_view{"group:"}, Member::Kind::group}};
    for (const auto& [prefix, kind] : kKinds) {
        if (!text.starts_with(prefix)) continue;
        const auto name = text.substr(prefix.size());
        const bool valid = kind == Member::Kind::user
                               ? is_user_name(name)
                               : !name.empty() && name.size() <= kGroupNameMax;
        if (valid) return std::pair{kind, std::string{name}};
    }
    return std::nullopt;
}

bool ProjectView::is_open(std::string_view repository) const {
    const auto found = repositories.find(repository);
    return found == repositories.end() ? open_to_all : found->second;
}

Awaitable<Answer<Member>> Projects::find_member(std::string project, Member::Kind kind,
                                                std::string name) {
    const Member wanted{project, kind, name, {}, {}, false};
    if (const auto* known = declared(project)) {
        const auto found = known->members.find(wanted.text());
        if (found != known->members.end()) co_return found->second;
    }
    const auto document = co_await documents_.get(member_document(project, kind, name));
    if (!document) co_return refuse(document.error());
    auto member = decode_member(document.value().bytes);
    if (!member) co_return refuse(broken(document.value().name));
    co_return std::move(*member);
}

Awaitable<Answer<void>> Projects::put_member(Member member) {
    if (!parse_member(member.text())) {
        co_return refuse({Errc::name_invalid,
                          "a member is `user:<name>`, or `group:<name>` of at most 64 bytes"});
    }
    if (const auto* known = declared(member.project);
        known != nullptr && known->members.contains(member.text()))
        co_return refuse(is_declared("the member"));
    if (member.grants.empty() || member.grants.size() > limits_.grants_per_member) {
        co_return refuse(
            {Errc::limit_reached,
             "a member has 1 to " + std::to_string(limits_.grants_per_member) + " grants"});
    }
    for (auto& grant : member.grants) {
        grant.project = member.project;
        grant.origin = "member " + member.text();
    }
    const auto written = co_await write(member_document(member.project, member.kind, member.name),
                                        encode(member), DocumentExpectation::anything());
    if (!written) co_return refuse(written.error());
    co_return ok();
}

Awaitable<Answer<void>> Projects::remove_member(std::string project, Member::Kind kind,
                                                std::string name) {
    const Member wanted{project, kind, name, {}, {}, false};
    if (const auto* known = declared(project);
        known != nullptr && known->members.contains(wanted.text()))
        co_return refuse(is_declared("the member"));
    co_return co_await remove_document(member_document(project, kind, name));
}

Awaitable<Answer<AccountPage<Member>>> Projects::list_members(std::string project,
                                                              std::string after,
                                                              std::uint32_t count) {
    std::string from;
    if (const auto who = parse_member(after))
        from = member_document(project, who->first, who->second);
    const auto page = co_await documents_.list(folder("member", project), from, count);
    if (!page) co_return refuse(page.error());
    AccountPage<Member> stored{{}, page.value().more};
    for (const auto& document : page.value().documents) {
        if (auto member = decode_member(document.bytes)) stored.items.push_back(std::move(*member));
    }
    const auto* known = declared(project);
    if (known == nullptr) co_return stored;
    co_return with_declared(
        known->members, std::move(stored), from, count,
        [&](const Member& each) { return member_document(project, each.kind, each.name); });
}

// The same look-ups whether the project is there or not: the time does not tell (SEC-32).
Awaitable<Answer<ProjectView>> Projects::view(std::string project, std::string user,
                                              std::string user_id,
                                              std::vector<std::string> groups) {
    ProjectView view;
    const auto known = co_await find(project);
    if (!known && known.error().code != Errc::document_unknown) co_return refuse(known.error());
    if (known) view.open_to_all = known.value().open_to_all;
    const auto read = co_await read_visibility(project, &view);
    if (!read) co_return refuse(read.error());
    std::vector<std::pair<Member::Kind, std::string>> names;
    if (!user.empty()) names.emplace_back(Member::Kind::user, std::move(user));
    for (auto& group : groups) names.emplace_back(Member::Kind::group, std::move(group));
    for (auto& [kind, name] : names) {
        auto member = co_await find_member(project, kind, std::move(name));
        if (!member && member.error().code == Errc::document_unknown) continue;
        if (!member) co_return refuse(member.error());
        auto& found = member.value();
        // The name may have been given to somebody else since.
        const bool same =
            kind == Member::Kind::group || found.declared || found.account_id == user_id;
        if (!same) continue;
        std::move(found.grants.begin(), found.grants.end(), std::back_inserter(view.rights.grants));
    }
    // A project that is gone has no members, whatever is left of it.
    if (!known) co_return ProjectView{};
    co_return view;
}

Awaitable<Answer<void>> Projects::read_visibility(std::string project, ProjectView* view) {
    const auto prefix = folder("visibility", project);
    std::string after;
    for (bool more = true; more;) {
        const auto page = co_await documents_.list(prefix, after, kPage);
        if (!page) co_return refuse(page.error());
        for (const auto& document : page.value().documents) {
            const auto object = from_document(document.bytes);
            if (!object) co_return refuse(broken(document.name));
            view->repositories[text_of(*object, "name")] = flag_of(*object, "public");
            after = document.name;
        }
        more = page.value().more && !page.value().documents.empty();
    }
    if (const auto* fixed = declared(project)) {
        // What was stored before it was declared counts no more.
        for (const auto& [name, settings] : fixed->repositories) {
            view->repositories.erase(name);
            if (settings.open_to_all) view->repositories[name] = *settings.open_to_all;
        }
    }
    co_return ok();
}

}  // namespace orbitalreg::engine
