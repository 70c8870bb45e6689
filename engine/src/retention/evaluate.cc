// Plans over many image names, and why one item stays or goes.
#include "retention/rooms.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace orbitalreg::engine {

namespace json = boost::json;

namespace {

constexpr std::uint32_t kImagesPerPage = 1000;
constexpr std::uint64_t kConfigSizeMax =
    1024 * 1024;  // of an image's configuration, for its labels
constexpr std::string_view kHelmConfig = "application/vnd.cncf.helm.config.v1+json";
constexpr std::string_view kWasmConfig = "application/vnd.wasm.config";

Awaitable<std::unique_ptr<const ImagePlan>> make_plan(PlanInput input) {
    co_return std::make_unique<const ImagePlan>(std::move(input));
}

std::string text_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains({name.data(), name.size()});
    return value != nullptr && value->is_string() ? std::string{value->get_string()}
                                                  : std::string{};
}

void add_labels(const json::value* labels, ManifestFacts& facts) {
    if (labels == nullptr || !labels->is_object()) return;
    for (const auto& label : labels->get_object()) {
        if (label.value().is_string())
            facts.labels.emplace_back(std::string{label.key()},
                                      std::string{label.value().get_string()});
    }
}

ArtifactKind kind_of(const HeldManifest& manifest, const std::string& config_type,
                     const std::string& artifact_type) {
    if (is_index(manifest.kind)) return ArtifactKind::index;
    if (config_type == kHelmConfig) return ArtifactKind::helm_chart;
    if (config_type.starts_with(kWasmConfig)) return ArtifactKind::wasm;
    const bool image = config_type == "application/vnd.oci.image.config.v1+json" ||
                       config_type == "application/vnd.docker.container.image.v1+json";
    return image && artifact_type.empty() ? ArtifactKind::container_image
                                          : ArtifactKind::oci_artifact;
}

std::optional<json::object> parse_object(const std::vector<std::byte>& bytes) {
    boost::system::error_code error;
    const auto text = as_text(bytes);
    auto value = json::parse({text.data(), text.size()}, error);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

}  // namespace

Policies matching(const Policies& policies, std::string_view image) {
    Policies found;
    for (const auto& policy : policies) {
        if (policy->matches(image)) found.push_back(policy);
    }
    return found;
}

Awaitable<Answer<std::vector<std::string>>> Retention::Rooms::images_of(const Policies* wanted,
                                                                        std::string repository) {
    std::vector<std::string> names;
    if (!repository.empty()) {
        if (!matching(*wanted, repository).empty()) names.push_back(std::move(repository));
        co_return names;
    }
    std::string after;
    for (bool more = true; more;) {
        const auto page = co_await registry.list_images(after, kImagesPerPage);
        if (!page) co_return refuse(page.error());
        for (const auto& name : page.value().items) {
            after = name;
            if (!matching(*wanted, name).empty()) names.push_back(name);
        }
        more = page.value().more && !page.value().items.empty();
    }
    co_return names;
}

Awaitable<ManifestFacts> Retention::Rooms::read_facts_of(ImageName image,
                                                         const HeldManifest* manifest) {
    ManifestFacts facts;
    facts.kind = is_index(manifest->kind) ? ArtifactKind::index : ArtifactKind::oci_artifact;
    const auto limit = current_options().manifest_size_max_bytes;
    const auto bytes = co_await store.read_released(manifest->digest, limit);
    const auto object = bytes ? parse_object(bytes.value()) : std::nullopt;
    if (!object) co_return facts;
    add_labels(object->if_contains("annotations"), facts);
    const auto* config = object->if_contains("config");
    if (config == nullptr || !config->is_object()) co_return facts;
    const auto config_type = text_of(config->get_object(), "mediaType");
    facts.kind = kind_of(*manifest, config_type, text_of(*object, "artifactType"));
    if (facts.kind != ArtifactKind::container_image) co_return facts;
    const auto digest = parse_digest(text_of(config->get_object(), "digest"));
    if (!digest) co_return facts;
    const auto held = co_await registry.stat_blob(std::move(image), digest.value());
    if (!held) co_return facts;
    const auto config_bytes = co_await store.read_released(digest.value(), kConfigSizeMax);
    const auto inner = config_bytes ? parse_object(config_bytes.value()) : std::nullopt;
    if (!inner) co_return facts;
    const auto* section = inner->if_contains("config");
    if (section != nullptr && section->is_object())
        add_labels(section->get_object().if_contains("Labels"), facts);
    co_return facts;
}

Awaitable<std::vector<ManifestFacts>> Retention::Rooms::read_facts(ImageName image,
                                                                   const ImageSnapshot* snapshot) {
    std::vector<ManifestFacts> facts;
    facts.reserve(snapshot->manifests.size());
    for (const auto& manifest : snapshot->manifests) {
        auto of_manifest = co_await read_facts_of(image, &manifest);
        facts.push_back(std::move(of_manifest));
    }
    co_return facts;
}

Awaitable<Answer<std::optional<JudgedImage>>> Retention::Rooms::judge(
    ImageName image, Policies matching_it, const RetentionPolicy* running_policy,
    std::int64_t ahead_s) {
    auto taken = co_await store.snapshot(image);
    if (!taken && taken.error().code == Errc::name_unknown) co_return std::optional<JudgedImage>{};
    if (!taken) co_return refuse(taken.error());
    std::optional<JudgedImage> judged{std::in_place};
    judged->snapshot = std::make_unique<const ImageSnapshot>(std::move(taken).value());
    PlanInput input;
    input.snapshot = judged->snapshot.get();
    input.running = running_policy;
    input.now_s = judged->snapshot->taken_s + static_cast<std::uint64_t>(ahead_s);
    const bool asks = std::any_of(matching_it.begin(), matching_it.end(),
                                  [](const auto& policy) { return policy->needs_facts(); });
    if (asks) input.facts = co_await read_facts(image, input.snapshot);
    input.policies = std::move(matching_it);
    judged->plan =
        co_await asio::co_spawn(background, make_plan(std::move(input)), asio::use_awaitable);
    co_return judged;
}

// --- plans ---

namespace {

// What a query speaks of: all policies that count, and the one that runs.
struct Chosen {
    Policies policies;
    std::shared_ptr<const RetentionPolicy> running;
};

Answer<Chosen> choose(const RetentionPolicies& stored, const std::string& name,
                      const std::string& yaml) {
    Chosen chosen{stored.all, nullptr};
    if (!yaml.empty()) {
        const auto read = read_policy_text("yaml", yaml);
        if (!read.policies) return refuse({Errc::name_invalid, read.errors.front().text()});
        chosen.policies = read.policies->all;
    }
    if (name.empty()) {
        if (chosen.policies.size() == 1) chosen.running = chosen.policies.front();
        return chosen;
    }
    for (const auto& policy : chosen.policies) {
        if (policy->name == name) chosen.running = policy;
    }
    if (!chosen.running)
        return refuse({Errc::document_unknown, "there is no policy of this name: " + name});
    return chosen;
}

void add_manifests(const JudgedImage& judged, const std::vector<std::uint32_t>& places,
                   std::vector<ImageManifest>& to) {
    for (const auto place : places)
        to.push_back({judged.snapshot->image, judged.snapshot->manifests[place].digest});
}

}  // namespace

Awaitable<Answer<std::string>> Retention::plan(RetentionQuery query) {
    const auto stored = rooms_->current_policies();
    auto chosen = choose(*stored, query.policy, query.yaml);
    if (!chosen) co_return refuse(chosen.error());
    constexpr std::int64_t kSlackS = 60;
    const auto wall_s = rooms_->wall_s();
    if (query.at_wall_s != 0 && query.at_wall_s < wall_s - kSlackS)
        co_return refuse({Errc::name_invalid, "`now` lies in the past"});
    const auto ahead_s =
        query.at_wall_s == 0 ? 0 : std::max<std::int64_t>(0, query.at_wall_s - wall_s);
    const auto flushed = co_await rooms_->flush({});
    if (!flushed) co_return refuse(flushed.error());
    auto only = chosen.value().policies;
    if (chosen.value().running) only = {chosen.value().running};
    const auto names = co_await rooms_->images_of(&only, query.repository);
    if (!names) co_return refuse(names.error());
    auto times = rooms_->times();
    RetentionTotals totals;
    std::vector<ImageManifest> gone;
    std::vector<ImageManifest> later;
    json::array items;
    bool more = false;
    const auto items_max = std::min(query.items_max, kItemsMax);
    for (const auto& name : names.value()) {
        auto image = ImageName::parse(name);
        if (!image) continue;
        auto of_image = matching(chosen.value().policies, name);
        auto judged = co_await rooms_->judge(std::move(image).value(), std::move(of_image),
                                             chosen.value().running.get(), ahead_s);
        if (!judged) co_return refuse(judged.error());
        if (!judged.value()) continue;
        const auto& plan = *judged.value()->plan;
        ++totals.repositories;
        totals.kept += plan.kept();
        totals.deleted += plan.gone();
        add_manifests(*judged.value(), plan.manifests_gone(), gone);
        add_manifests(*judged.value(), plan.manifests_gone_later(), later);
        for (const auto& unit : plan.units()) {
            if (!query.kept_too && !unit.gone()) continue;
            if (items.size() >= items_max) {
                more = true;
                break;
            }
            items.push_back(item_json(plan, unit, times));
        }
    }
    later.insert(later.begin(), gone.begin(), gone.end());
    const auto released = co_await rooms_->store.release_of(std::move(gone));
    const auto estimate = co_await rooms_->store.release_of(std::move(later));
    totals.bytes_unreferenced = released.bytes;
    totals.bytes_unreferenced_estimate = estimate.bytes;
    json::object report;
    report["policy"] = nullptr;
    if (chosen.value().running) report["policy"] = chosen.value().running->name;
    report["now"] = times.text(times.store_now_s + static_cast<std::uint64_t>(ahead_s));
    report["dry_run"] = true;
    report["totals"] = to_json(totals);
    report["items"] = std::move(items);
    report["items_more"] = more;
    co_return json::serialize(report);
}

Awaitable<Answer<std::string>> Retention::explain(ImageName image, Reference reference) {
    const auto stored = rooms_->current_policies();
    const auto policies = matching(stored->all, image.text());
    json::object report;
    report["repo"] = image.text();
    report["ref"] = to_string(reference);
    json::array names;
    for (const auto& policy : policies) names.push_back(json::string{policy->name});
    report["policies"] = std::move(names);
    const auto found = co_await rooms_->registry.resolve(image, reference);
    if (!found) co_return refuse(found.error());
    report["digest"] = found.value().digest.to_string();
    if (policies.empty()) {
        report["items"] = json::array{};
        report["why"] = "no policy matches this repository: nothing in it is ever touched";
        co_return json::serialize(report);
    }
    const auto flushed = co_await rooms_->flush(image.text());
    if (!flushed) co_return refuse(flushed.error());
    const auto* running = policies.size() == 1 ? policies.front().get() : nullptr;
    const auto judged = co_await rooms_->judge(image, policies, running, 0);
    if (!judged) co_return refuse(judged.error());
    if (!judged.value()) co_return refuse(Errc::manifest_unknown);
    const auto& plan = *judged.value()->plan;
    const auto times = rooms_->times();
    const auto* tag = std::get_if<Tag>(&reference);
    json::array items;
    for (const auto& unit : plan.units()) {
        const bool tagged = unit.tag != PlanUnit::kNoTag;
        if (plan.snapshot().manifests[unit.manifest].digest != found.value().digest) continue;
        if (tag != nullptr && (!tagged || plan.snapshot().tags[unit.tag].tag != tag->text()))
            continue;
        items.push_back(item_json(plan, unit, times));
    }
    report["now"] = times.text(times.store_now_s);
    const auto since_s = plan.snapshot().history_since_s;
    report["history_since"] = nullptr;
    if (since_s != 0) report["history_since"] = times.text(since_s);
    report["items"] = std::move(items);
    co_return json::serialize(report);
}

}  // namespace orbitalreg::engine
