// Virtual repositories: one view over members, in order. The first that has what is asked for answers; who says that it is not
// there is passed over; an error or a refusal ends it, so that nobody gets another's content because one did not answer (SEC-70).

#include "registry/rooms.h"

#include <algorithm>

namespace orbitalreg::engine {
namespace {

bool is_absence(const Refusal& refusal) noexcept {
    return refusal.code == Errc::manifest_unknown || refusal.code == Errc::name_unknown ||
           refusal.code == Errc::blob_unknown;
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
    return std::any_of(patterns.begin(), patterns.end(), [text](const std::string& pattern) {
        return matches_pattern(pattern, text);
    });
}

std::string rewritten(const VirtualMember& member, std::string_view rest) {
    for (const auto& rule : member.rewrite) {
        if (rest.starts_with(rule.from))
            return rule.to + std::string{rest.substr(rule.from.size())};
    }
    return std::string{rest};
}

Refusal of_member(Refusal refusal, const std::string& member) {
    refusal.message = "member " + member + ": " + refusal.message;
    return refusal;
}

PullExplanation::Step explained(const Ruling& ruling, const ImageName& image) {
    PullExplanation::Step step;
    step.member = ruling.object.name.repository;
    step.type = ruling.object.type;
    step.image = image.text();
    if (ruling.remote) step.upstream = ruling.remote->url;
    return step;
}

void explain_outcome(PullExplanation::Step& step, const Answer<FoundManifest>& answer) {
    if (answer) {
        step.outcome = "found";
        step.reason = std::string{to_string(answer.value().source.cache)};
        if (!answer.value().source.warning.empty()) step.reason = answer.value().source.warning;
        return;
    }
    const auto& refusal = answer.error();
    step.outcome = is_absence(refusal)            ? "absent"
                   : refusal.code == Errc::denied ? "refused"
                                                  : "error";
    step.reason = refusal.message;
}

Refusal nobody_has(const Ruling& ruling, Errc code) {
    return {code, "no member of " + ruling.object.name.text() + " has it"};
}

}  // namespace

bool asks_for(const VirtualMember& member, std::string_view rest) {
    return (member.include.empty() || matches_any(member.include, rest)) &&
           !matches_any(member.exclude, rest);
}

std::vector<Registry::Rooms::MemberStep> Registry::Rooms::steps_of(const Ruling& ruling,
                                                                   const ImageName& image) const {
    std::vector<MemberStep> steps;
    const auto rest = rest_of(image);
    for (const auto& member : ruling.members->members) {
        MemberStep step;
        step.member = &member;
        step.ruling =
            rules.ruling_of(RepositoryName{ruling.object.name.project, member.repository});
        if (!member.include.empty() && !matches_any(member.include, rest)) {
            step.why_not = "the name is not one that it is asked for (include)";
        } else if (matches_any(member.exclude, rest)) {
            step.why_not = "the name is one that it is not asked for (exclude)";
        } else {
            const auto name = name_in(step.ruling.object.name, rewritten(member, rest));
            if (name) {
                step.image = name.value();
            } else {
                step.why_not = "rewritten, the name is none";
            }
        }
        steps.push_back(std::move(step));
    }
    std::stable_partition(steps.begin(), steps.end(), [](const MemberStep& step) {
        return step.ruling.object.type == RepositoryType::local;
    });
    return steps;
}

Awaitable<bool> Registry::Rooms::holds_name(ImageName image) const {
    const auto listed = co_await store.list_tags(std::move(image), {}, 0);
    co_return listed.has_value();
}

Awaitable<bool> Registry::Rooms::is_owned_by(const MemberStep& step) const {
    if (!step.image || step.ruling.object.type != RepositoryType::local) co_return false;
    if (!step.member->owns_names) co_return false;
    if (!step.member->include.empty()) co_return true;
    co_return co_await holds_name(*step.image);
}

Awaitable<std::vector<Registry::Rooms::MemberStep>> Registry::Rooms::asked_steps(
    const Ruling& ruling, ImageName image) const {
    std::vector<MemberStep> local;
    std::vector<MemberStep> holding;
    std::vector<MemberStep> others;
    bool owned = false;
    for (auto& step : steps_of(ruling, image)) {
        if (!step.image) continue;
        if (step.ruling.object.type == RepositoryType::local) {
            const bool owns = co_await is_owned_by(step);
            owned = owned || owns;
            local.push_back(std::move(step));
            continue;
        }
        const bool holds = co_await holds_name(*step.image);
        (holds ? holding : others).push_back(std::move(step));
    }
    if (owned) co_return local;
    std::move(holding.begin(), holding.end(), std::back_inserter(local));
    std::move(others.begin(), others.end(), std::back_inserter(local));
    co_return local;
}

Awaitable<Answer<Registry::Rooms::LocatedManifest>> Registry::Rooms::locate(
    ImageName image, Reference reference, bool whole, PullExplanation* explanation) {
    ORB_CO_TRY(const auto ruling, rules.ruling_of(image));
    if (explanation != nullptr) {
        explanation->repository = ruling.object.name.text();
        explanation->type = ruling.object.type;
    }
    if (!ruling.members) {
        auto found = co_await find_in(ruling, image, std::move(reference), whole);
        if (explanation != nullptr) {
            auto step = explained(ruling, image);
            explain_outcome(step, found);
            explanation->steps.push_back(std::move(step));
        }
        if (!found) co_return refuse(found.error());
        co_return LocatedManifest{std::move(found).value(), std::move(image)};
    }
    std::string owner;
    for (auto& step : steps_of(ruling, image)) {
        auto told = explained(step.ruling, step.image.value_or(image));
        const auto& name = step.member->repository;
        const bool local = step.ruling.object.type == RepositoryType::local;
        if (step.image && !local && !owner.empty()) {
            step.image.reset();
            step.why_not = "the name belongs to member " + owner;
        }
        if (!step.image) {
            told.outcome = "not asked";
            told.reason = step.why_not;
            if (explanation != nullptr) explanation->steps.push_back(std::move(told));
            continue;
        }
        auto found = co_await find_in(step.ruling, *step.image, reference, whole);
        explain_outcome(told, found);
        if (explanation != nullptr) explanation->steps.push_back(std::move(told));
        if (found) {
            found.value().source.member = name;
            co_return LocatedManifest{std::move(found).value(), *step.image};
        }
        if (!is_absence(found.error())) co_return refuse(of_member(found.error(), name));
        const bool owned = owner.empty() && co_await is_owned_by(step);
        if (owned) owner = name;
    }
    co_return refuse(nobody_has(ruling, Errc::manifest_unknown));
}

Awaitable<Answer<Registry::Rooms::LocatedBlob>> Registry::Rooms::locate_blob(const Ruling& ruling,
                                                                             ImageName image,
                                                                             Digest digest) {
    if (!ruling.members) {
        auto found = co_await stat_in(ruling, image, digest);
        if (!found) co_return refuse(found.error());
        co_return LocatedBlob{std::move(found).value(), std::move(image)};
    }
    const auto steps = co_await asked_steps(ruling, image);
    for (const auto& step : steps) {
        auto found = co_await stat_in(step.ruling, *step.image, digest);
        if (found) {
            found.value().source.member = step.member->repository;
            co_return LocatedBlob{std::move(found).value(), *step.image};
        }
        if (!is_absence(found.error()))
            co_return refuse(of_member(found.error(), step.member->repository));
    }
    co_return refuse(nobody_has(ruling, Errc::blob_unknown));
}

Awaitable<Answer<Registry::Rooms::LocatedContent>> Registry::Rooms::open_located(
    const Ruling& ruling, ImageName image, Digest digest) {
    if (!ruling.members) {
        auto opened = co_await open_in(ruling, image, digest);
        if (!opened) co_return refuse(opened.error());
        co_return LocatedContent{std::move(opened).value(), std::move(image)};
    }
    const auto steps = co_await asked_steps(ruling, image);
    for (const auto& step : steps) {
        auto opened = co_await open_in(step.ruling, *step.image, digest);
        if (opened) {
            opened.value().source.member = step.member->repository;
            co_return LocatedContent{std::move(opened).value(), *step.image};
        }
        if (!is_absence(opened.error()))
            co_return refuse(of_member(opened.error(), step.member->repository));
    }
    co_return refuse(nobody_has(ruling, Errc::blob_unknown));
}

}  // namespace orbitalreg::engine
