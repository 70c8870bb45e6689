// Goal: whatever is asked of a store, it answers as the model does, and after each reopening it holds what the model
// holds.
// Method: a seed draws operations over a small universe, so that they meet; each runs on both stores and is rendered as
// text, which must agree. Requests are repeated under their id now and then. From time to time the embedded store is
// reopened, and the whole visible state of both is compared.

#include "contract/registry_store_content.h"
#include "contract/store_under_test.h"
#include "support/sim_random.h"

#include <gtest/gtest.h>

#include <set>

namespace orbitalreg::engine {
namespace {

enum class Kind {
    push_blob,
    push_in_session,
    cancel_session,
    mount,
    delete_link,
    put_manifest,
    set_tag,
    delete_tag,
    delete_manifest,
    put_document,
    remove_document,
    pass_time,
};
constexpr std::uint64_t kKinds = 12;

// One request, the same for both stores.
struct Operation {
    Kind kind = Kind::push_blob;
    RequestId id;
    std::string image;
    std::string source;
    std::string content;   // of a blob
    std::string manifest;  // its text
    std::vector<std::string> tags;
    TagExpectation expected;
    SessionId session{};
    std::size_t keep = 0;  // bytes received before the session is left; SIZE_MAX: it is finished
    bool wrong_digest = false;
    std::string document;
    int document_expects = 0;  // 0 anything, 1 absent, 2 the version seen last
    std::uint64_t milliseconds = 0;
};

// A store with what its client has seen of it.
struct Side {
    StoreUnderTest& store;
    std::map<std::string, std::uint64_t> versions;
};

std::string text_of(const Refusal& refusal) {
    std::string text = refusal.code.message();
    for (const auto& digest : refusal.digests) text += " " + digest.to_string();
    return text;
}

template <class T, class Render>
std::string text_of(const Answer<T>& answer, Render render) {
    return answer ? "ok " + render(answer.value()) : text_of(answer.error());
}

std::string text_of(const Answer<void>& answer) { return answer ? "ok" : text_of(answer.error()); }

std::string text_of(const Answer<BlobInfo>& answer) {
    return text_of(answer, [](const BlobInfo& i) {
        return i.digest.to_string() + " " + std::to_string(i.size_bytes);
    });
}

std::string text_of(const Answer<ManifestInfo>& answer) {
    return text_of(answer, [](const ManifestInfo& i) {
        return i.digest.to_string() + " " + std::string{media_type_of(i.kind)} + " " +
               std::to_string(i.size_bytes);
    });
}

Awaitable<std::string> push_in_session(RegistryStore& store, Operation op) {
    const UploadStart start{op.session, store.store_time_ms() / 1000, DigestAlgorithm::sha256, {}};
    auto writer = co_await store.open_upload(target_of(op.image), start);
    if (!writer) co_return "open: " + text_of(writer.error());
    const auto from = writer.value()->offset();
    if (from > op.content.size()) co_return "another content";
    const auto until = std::max<std::size_t>(from, std::min(op.keep, op.content.size()));
    const auto written =
        co_await write_all(*writer.value(), op.content.substr(from, until - from), 33'000);
    if (!written) co_return "write: " + text_of(written.error());
    if (op.keep < op.content.size()) {
        const auto marked = co_await writer.value()->mark();
        co_return "marked at " +
            (marked ? std::to_string(marked.value()) : text_of(marked.error()));
    }
    const auto digest = digest_of(op.wrong_digest ? op.content + "!" : op.content);
    const auto done = co_await writer.value()->finish(digest);
    co_return "from " + std::to_string(from) + ": " + text_of(done);
}

DocumentExpectation expectation_of(const Operation& op, const Side& side) {
    if (op.document_expects == 1) return DocumentExpectation::absent();
    if (op.document_expects == 0) return DocumentExpectation::anything();
    const auto seen = side.versions.find(op.document);
    // What no document ever has.
    return DocumentExpectation::at_version(seen == side.versions.end() ? UINT64_MAX : seen->second);
}

std::string put_document(const Operation& op, Side& side) {
    const auto put = side.store.run(side.store.documents().put(
        op.id, {op.document, bytes_of(op.content), expectation_of(op, side), op.milliseconds}));
    if (!put) return text_of(put.error());
    const bool grew = put.value() > side.versions[op.document];
    side.versions[op.document] = std::max(side.versions[op.document], put.value());
    return grew ? "ok newer" : "ok as before";
}

std::string perform(const Operation& op, Side& side) {
    auto& registry = side.store.registry();
    auto& run = side.store;
    switch (op.kind) {
        case Kind::push_blob:
            return text_of(run.run(push_blob(registry, op.image, op.content)));
        case Kind::push_in_session:
            return run.run(push_in_session(registry, op));
        case Kind::cancel_session:
            return text_of(run.run(registry.cancel_upload(
                {op.session, registry.store_time_ms() / 1000, DigestAlgorithm::sha256, {}})));
        case Kind::mount:
            return text_of(run.run(registry.mount(op.id, target_of(op.image), digest_of(op.content),
                                                  image_name(op.source))));
        case Kind::delete_link: {
            // Which of several users is named is left to the store.
            auto done =
                run.run(registry.delete_link(op.id, image_name(op.image), digest_of(op.content)));
            if (!done) done.error().digests.clear();
            return text_of(done);
        }
        case Kind::put_manifest:
            return text_of(run.run(
                registry.put_manifest(op.id, put_of(op.image, op.manifest, op.tags, op.expected))));
        case Kind::set_tag:
            return text_of(
                run.run(registry.set_tag(op.id, image_name(op.image), tag_name(op.tags[0]),
                                         digest_of(op.manifest), op.expected)));
        case Kind::delete_tag:
            return text_of(run.run(registry.delete_tag(op.id, image_name(op.image),
                                                       tag_name(op.tags[0]), op.expected)));
        case Kind::delete_manifest:
            return text_of(run.run(
                registry.delete_manifest(op.id, image_name(op.image), digest_of(op.manifest))));
        case Kind::put_document:
            return put_document(op, side);
        case Kind::remove_document:
            return text_of(run.run(
                side.store.documents().remove(op.id, op.document, expectation_of(op, side))));
        case Kind::pass_time:
            side.store.advance_ms(op.milliseconds);
            return "";
    }
    return "";
}

std::string describe_operation(const Operation& op) {
    const char* names[]{"push_blob",       "push_in_session", "cancel_session",  "mount",
                        "delete_link",     "put_manifest",    "set_tag",         "delete_tag",
                        "delete_manifest", "put_document",    "remove_document", "pass_time"};
    return std::to_string(op.id.low) + " " + names[static_cast<int>(op.kind)] + " " + op.image +
           " from " + op.source + " blob " + digest_of(op.content).hex().substr(0, 6) +
           " manifest " + digest_of(op.manifest).hex().substr(0, 6) + " session " +
           std::to_string(static_cast<int>(op.session[0])) + " ms " +
           std::to_string(op.milliseconds);
}

// Small enough for everything to meet everything.
class Universe {
public:
    explicit Universe(std::uint64_t seed) : random_{seed} {
        blobs_ = {"", "a", "bb", std::string(70'000, 'c'), std::string(200'000, 'd')};
        for (std::size_t i = 0; i + 1 < blobs_.size(); ++i) {
            manifests_.push_back(image_text({blobs_[i], {blobs_[i + 1]}, "", ""}));
        }
        const auto first = manifests_[0];
        manifests_.push_back(image_text({"a", {}, first, ""}));      // refers to the first
        manifests_.push_back(image_text({"bb", {"a"}, first, ""}));  // so does this one
        manifests_.push_back(
            image_text({"a", {"bb"}, "", std::string(100'000, 'x')}));  // not inline
        manifests_.push_back(index_text({manifests_[0], manifests_[1]}));
        manifests_.push_back(index_text({}));
    }

    Operation draw() {
        if (!past_.empty() && random_.one_in(12))
            return past_[random_.below(past_.size())];  // asked again
        Operation op;
        op.kind = static_cast<Kind>(random_.below(kKinds));
        if (random_.one_in(3)) op.kind = Kind::put_manifest;
        if (random_.one_in(4)) op.kind = Kind::push_blob;
        op.id = {3, ++ids_};
        op.image = image();
        op.source = image();
        op.content = blobs_[random_.below(blobs_.size())];
        op.manifest = manifests_[random_.below(manifests_.size())];
        op.tags = {tag()};
        if (op.kind == Kind::put_manifest && random_.coin()) op.tags.push_back(tag());
        if (op.kind == Kind::put_manifest && random_.one_in(3)) op.tags.clear();
        if (random_.one_in(4)) op.expected = TagExpectation::absent();
        if (random_.one_in(4))
            op.expected =
                TagExpectation::at(digest_of(manifests_[random_.below(manifests_.size())]));
        // A session always carries the same content.
        const auto session = random_.below(6);
        op.session.fill(static_cast<std::byte>(session + 1));
        if (op.kind == Kind::push_in_session)
            op.content = "session " + blobs_[session % blobs_.size()];
        op.keep = random_.coin() ? SIZE_MAX : random_.below(op.content.size() + 1);
        op.wrong_digest = random_.one_in(6);
        op.document = "d/" + std::to_string(random_.below(4));
        op.document_expects = static_cast<int>(random_.below(3));
        op.milliseconds = random_.one_in(3) ? 20'000 : 0;
        if (op.kind == Kind::pass_time)
            op.milliseconds = 1000 * (1 + random_.below(random_.one_in(8) ? 900 : 30));
        past_.push_back(op);
        if (past_.size() > 40) past_.erase(past_.begin());
        return op;
    }

    // Everything a client can see.
    std::string describe(Side& side) {
        auto& registry = side.store.registry();
        auto& run = side.store;
        std::string text = "images:";
        const auto images = run.run(registry.list_images("", 100)).value();
        for (const auto& name : images.items) text += " " + name;
        for (const auto& image : images_) {
            text += "\n" + image + " tags:";
            const auto tags = run.run(registry.list_tags(image_name(image), "", 100));
            if (!tags) text += text_of(tags.error());
            for (const auto& tag : tags ? tags.value().items : std::vector<std::string>{}) {
                text += "\n  " + tag + " " +
                        text_of(run.run(registry.resolve(image_name(image), tag_name(tag))));
            }
            for (const auto& manifest : manifests_) {
                const auto digest = digest_of(manifest);
                text += "\n  " + text_of(run.run(registry.resolve(image_name(image), digest)));
                const auto content = run.run(pull_manifest(registry, image, digest));
                text +=
                    content ? (content.value() == manifest ? " same" : " OTHER BYTES") : " unread";
                const auto referrers =
                    run.run(registry.referrers(image_name(image), {digest, {}, {}, 100, 0}));
                for (const auto& referrer : referrers.value().items)
                    text += " <- " + referrer.digest.to_string();
            }
            for (const auto& blob : blobs_) {
                text += "\n  " +
                        text_of(run.run(registry.stat_blob(image_name(image), digest_of(blob))));
                const auto content = run.run(pull_blob(registry, image, digest_of(blob)));
                text += content ? (content.value() == blob ? " same" : " OTHER BYTES") : " unread";
            }
        }
        const auto documents = run.run(side.store.documents().list("", "", 100)).value();
        for (const auto& document : documents.documents) {
            text += "\n" + document.name + " " + std::string{as_text(document.bytes)};
        }
        const auto stats = registry.stats();
        for (const auto count :
             {stats.images, stats.manifests, stats.tags, stats.links, stats.repositories}) {
            text += " " + std::to_string(count);
        }
        return text;
    }

    // An embedded store remembers refusals while it runs: their callers died with it.
    void forget_requests() { past_.clear(); }
    bool one_in(std::uint64_t n) { return random_.one_in(n); }

private:
    std::string image() { return images_[random_.below(images_.size())]; }
    std::string tag() { return "t" + std::to_string(random_.below(4)); }

    sim::SimRandom random_;
    std::vector<std::string> images_{"p/a", "p/b/deep", "single"};
    std::vector<std::string> blobs_;
    std::vector<std::string> manifests_;
    std::vector<Operation> past_;
    std::uint64_t ids_ = 0;
};

class RegistryStoreRandom : public testing::TestWithParam<StoreFactory> {};

TEST_P(RegistryStoreRandom, AgreesWithTheModel) {
    constexpr int kSteps = 250;
    const std::uint64_t seeds = GetParam().name == "simulated" ? 8 : 2;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const auto tested = GetParam().make(RegistryLimits{});
        const auto model = model_factory().make(RegistryLimits{});
        Side side{*tested, {}};
        Side oracle{*model, {}};
        Universe universe{seed};
        std::string history;
        for (int step = 0; step < kSteps; ++step) {
            const auto operation = universe.draw();
            const auto answer = perform(operation, side);
            history += describe_operation(operation) + ": " + answer.substr(0, 120) + "\n";
            ASSERT_EQ(answer, perform(operation, oracle)) << "after\n" << history;
            if (!universe.one_in(60)) continue;
            const auto before = tested->fingerprint();
            tested->reopen();
            universe.forget_requests();
            ASSERT_EQ(tested->fingerprint(), before) << "step " << step;
            ASSERT_EQ(universe.describe(side), universe.describe(oracle)) << "step " << step;
        }
        ASSERT_EQ(universe.describe(side), universe.describe(oracle));
    }
}

INSTANTIATE_TEST_SUITE_P(All, RegistryStoreRandom, testing::ValuesIn(embedded_factories()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace orbitalreg::engine
