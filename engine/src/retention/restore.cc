// What a run deleted comes back, as long as the blobs wait for collection.
#include "engine/manifest.h"
#include "retention/rooms.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace orbitalreg::engine {

namespace json = boost::json;

namespace {

constexpr std::uint32_t kPiecesPerPage = 16;
constexpr int kRoundsMax = 32;  // of indexes that wait for their parts
constexpr std::size_t kSkippedShown = 200;

struct Thrown {
    ImageName image;
    std::optional<Tag> tag;  // none: a manifest
    Digest digest;
};

std::optional<Thrown> parse_line(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
        const auto end = std::min(line.find(' '), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    const bool tagged = words.size() == 4 && words[0] == "t";
    if (!tagged && !(words.size() == 3 && words[0] == "m")) return std::nullopt;
    auto image = ImageName::parse(words[1]);
    const auto digest = parse_digest(words.back());
    if (!image || !digest) return std::nullopt;
    Thrown thrown{std::move(image).value(), std::nullopt, digest.value()};
    if (!tagged) return thrown;
    auto tag = Tag::parse(words[2]);
    if (!tag) return std::nullopt;
    thrown.tag = std::move(tag).value();
    return thrown;
}

bool is_asked(const Thrown& thrown, const RestoreOrder& order) {
    if (!order.repository.empty() && thrown.image.text() != order.repository) return false;
    if (order.reference.empty()) return true;
    return thrown.digest.to_string() == order.reference ||
           (thrown.tag && thrown.tag->text() == order.reference);
}

json::object describe(const Thrown& thrown, std::string_view why) {
    json::object item{{"repo", thrown.image.text()}, {"digest", thrown.digest.to_string()}};
    if (thrown.tag) item["tag"] = thrown.tag->text();
    item["why"] = std::string{why};
    return item;
}

}  // namespace

struct Retention::RestoreSteps {
    // Everything the run threw away that was asked for; parts and subjects of it come along.
    static Awaitable<Answer<std::vector<Thrown>>> read_trash(Rooms* rooms, std::uint64_t number);
    static Awaitable<Answer<void>> put_back(Rooms* rooms, const Thrown* thrown);
};

Awaitable<Answer<std::vector<Thrown>>> Retention::RestoreSteps::read_trash(Rooms* rooms,
                                                                           std::uint64_t number) {
    std::vector<Thrown> all;
    std::string after;
    for (bool more = true; more;) {
        const auto page =
            co_await rooms->documents.list(trash_prefix(number), after, kPiecesPerPage);
        if (!page) co_return refuse(page.error());
        for (const auto& document : page.value().documents) {
            after = document.name;
            auto text = as_text(document.bytes);
            while (!text.empty()) {
                const auto end = std::min(text.find('\n'), text.size());
                auto thrown = parse_line(text.substr(0, end));
                if (thrown) all.push_back(std::move(*thrown));
                text.remove_prefix(std::min(end + 1, text.size()));
            }
        }
        more = page.value().more && !page.value().documents.empty();
    }
    co_return all;
}

Awaitable<Answer<void>> Retention::RestoreSteps::put_back(Rooms* rooms, const Thrown* thrown) {
    const auto size_max = rooms->current_options().manifest_size_max_bytes;
    auto bytes = co_await rooms->store.read_released(thrown->digest, size_max);
    if (!bytes) co_return refuse(bytes.error());
    RegistryLimits limits;
    limits.manifest_size_max_bytes = size_max;
    ORB_CO_TRY(auto manifest, Manifest::parse(bytes.value(), {}, limits));
    ORB_CO_TRY(auto name, ruling_repository(thrown->image, "library"));
    ManifestPut put{PushTarget{thrown->image, RepositoryObject{std::move(name)}, false},
                    thrown->digest,
                    std::move(bytes).value(),
                    std::move(manifest),
                    {},
                    TagExpectation::anything(),
                    false,
                    0,
                    {}};
    const auto done = co_await rooms->registry.put_manifest(rooms->new_request(), std::move(put));
    if (!done) co_return refuse(done.error());
    co_return ok();
}

Awaitable<Answer<std::string>> Retention::restore(RestoreOrder order) {
    const auto number = parse_run(order.run);
    if (!number) co_return refuse({Errc::document_unknown, "no such run"});
    const auto known = co_await rooms_->read_run(*number);
    if (!known) co_return refuse(known.error());
    auto all = co_await RestoreSteps::read_trash(rooms_.get(), *number);
    if (!all) co_return refuse(all.error());
    json::array skipped;
    const auto skip = [&skipped](const Thrown& thrown, std::string_view why) {
        if (skipped.size() < kSkippedShown) skipped.push_back(describe(thrown, why));
    };
    std::vector<Thrown> manifests;
    std::vector<Thrown> tags;
    for (auto& thrown : all.value()) {
        if (!is_asked(thrown, order)) continue;
        (thrown.tag ? tags : manifests).push_back(std::move(thrown));
    }
    std::uint64_t restored_manifests = 0;
    std::string why;
    // Parts before what they are part of: in as many rounds as that takes.
    for (int round = 0; round < kRoundsMax && !manifests.empty(); ++round) {
        std::vector<Thrown> waiting;
        for (auto& thrown : manifests) {
            const auto held = co_await rooms_->registry.resolve(thrown.image, thrown.digest);
            if (held) continue;
            const auto done = co_await RestoreSteps::put_back(rooms_.get(), &thrown);
            if (done) {
                ++restored_manifests;
            } else if (done.error().code == Errc::child_missing) {
                why = done.error().message;
                waiting.push_back(std::move(thrown));
            } else {
                skip(thrown, done.error().message);
            }
        }
        const bool stuck = waiting.size() == manifests.size();
        manifests = std::move(waiting);
        if (stuck) break;
    }
    for (const auto& thrown : manifests) skip(thrown, why);
    std::uint64_t restored_tags = 0;
    for (const auto& thrown : tags) {
        const auto done =
            co_await rooms_->registry.set_tag(rooms_->new_request(), thrown.image, *thrown.tag,
                                              thrown.digest, TagExpectation::absent());
        if (!done) {
            skip(thrown, done.error().message);
            continue;
        }
        ++restored_tags;
        RetentionEvent event;
        event.action = "retention.restored";
        event.image = thrown.image.text();
        event.reference = thrown.tag->text();
        event.digest = thrown.digest.to_string();
        event.run = order.run;
        rooms_->tell(std::move(event));
    }
    co_return json::serialize(json::object{{"run", order.run},
                                           {"restored_tags", restored_tags},
                                           {"restored_manifests", restored_manifests},
                                           {"skipped", std::move(skipped)}});
}

}  // namespace orbitalreg::engine
