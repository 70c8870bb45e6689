#include "importer.h"

#include "engine/access.h"
#include "engine/errors.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace orbitalreg::program {
namespace {

using engine::Errc;

// After these there is no point in going on.
bool takes_nothing_more(const engine::Refusal& refusal) {
    static constexpr std::array kErrors{Errc::no_space, Errc::read_only, Errc::io_error,
                                        Errc::unwritable, Errc::stopped};
    return std::any_of(kErrors.begin(), kErrors.end(),
                       [&refusal](Errc error) { return refusal.code == error; });
}

std::string path_of(const TreeDirectory& repository, const Digest& digest) {
    return repository.path + "/_manifests/revisions/" + std::string{to_string(digest.algorithm())} +
           '/' + digest.hex() + "/link";
}

bool is_signature_type(std::string_view artifact_type) {
    return artifact_type == "application/vnd.dev.cosign.artifact.sig.v1+json" ||
           artifact_type == "application/vnd.cncf.notary.signature" ||
           artifact_type.starts_with("application/vnd.dev.sigstore.bundle");
}

// `sha256-<hex>` and the ending: where cosign keeps what belongs to an image.
bool is_attached_by_tag(std::string_view tag, std::string_view ending) {
    constexpr std::size_t kHexAt = 7;
    return tag.starts_with("sha256-") && tag.ends_with(ending) &&
           Digest::parse("sha256:" +
                         std::string{tag.substr(kHexAt, tag.size() - kHexAt - ending.size())});
}

}  // namespace

struct Importer::RevisionWork {
    enum class State : std::uint8_t { waiting, running, imported, left_out };
    Digest stored;
    State state = State::waiting;
    std::shared_ptr<Gate> ended;
};

struct Importer::RepositoryWork {
    SourceRepository source;
    engine::ImageName image;
    std::unordered_map<Digest, RevisionWork> revisions;
    std::vector<Digest> order;
    std::size_t next = 0;
    std::unique_ptr<TagWalk> tags;
};

struct Importer::ReadManifest {
    std::vector<std::byte> bytes;
    engine::Manifest manifest;
};

Importer::Importer(asio::any_io_executor executor, const DistributionTree& tree,
                   ImportTarget& target, ImportOptions options, ImportReport& report)
    : executor_{std::move(executor)},
      tree_{tree},
      target_{target},
      options_{std::move(options)},
      report_{report},
      slots_{executor_, std::max<std::size_t>(1, options_.jobs)} {}

Awaitable<void> Importer::run() {
    auto walk = tree_.repositories();
    Workers workers{executor_};
    for (std::size_t i = 0; i < std::min(options_.jobs, kRepositoriesInHandMax); ++i)
        workers.start(repository_worker(this, &walk));
    co_await workers.wait();
}

Awaitable<void> Importer::repository_worker(Importer* self, RepositoryWalk* walk) {
    while (!self->stopped()) {
        auto found = walk->next();
        if (!found) co_return;
        if (!*found) {
            self->report_.add_problem(found->error().path, found->error().what);
            continue;
        }
        co_await self->import_repository(std::move(*found).value());
    }
}

bool Importer::is_wanted(const std::string& name) const {
    const auto matches = [&name](const std::string& pattern) {
        return engine::matches_pattern(pattern, name);
    };
    const auto& in = options_.include;
    const auto& out = options_.exclude;
    return (in.empty() || std::any_of(in.begin(), in.end(), matches)) &&
           std::none_of(out.begin(), out.end(), matches);
}

Awaitable<void> Importer::import_repository(SourceRepository source) {
    if (!is_wanted(source.name)) {
        ++report_.repositories_left_out;
        co_return;
    }
    const auto path = source.directory.path;
    const auto named = engine::ImageName::parse(
        options_.into.empty() ? source.name : options_.into + '/' + source.name);
    if (!named) {
        report_.add_problem(
            path, "would be called what no image may be called: " + named.error().message());
        co_return;
    }
    const auto prepared = co_await target_.prepare(named.value());
    if (!prepared) {
        report_.add_problem(path, refused(prepared.error()));
        co_return;
    }
    if (prepared.value()) ++report_.projects_made;
    ++report_.repositories;
    RepositoryWork repository{std::move(source), named.value(), {}, {}, 0, nullptr};
    if (!list_revisions(repository)) co_return;

    Workers manifests{executor_};
    for (std::size_t i = 0; i < std::min(options_.jobs, repository.order.size()); ++i)
        manifests.start(revision_worker(this, &repository));
    co_await manifests.wait();
    repository.tags = std::make_unique<TagWalk>(repository.source);
    Workers tags{executor_};
    for (std::size_t i = 0; i < options_.jobs; ++i) tags.start(tag_worker(this, &repository));
    co_await tags.wait();
}

bool Importer::list_revisions(RepositoryWork& repository) {
    RevisionWalk walk{repository.source};
    while (auto found = walk.next()) {
        if (!*found) {
            report_.add_problem(found->error().path, found->error().what);
            continue;
        }
        const auto& revision = found->value();
        if (repository.order.size() == kRevisionsMax) {
            report_.add_problem(repository.source.directory.path,
                                "has more manifests than an import takes from one repository: " +
                                    std::to_string(kRevisionsMax));
            return false;
        }
        if (repository.revisions.try_emplace(revision.digest, RevisionWork{revision.stored, {}, {}})
                .second)
            repository.order.push_back(revision.digest);
    }
    return true;
}

Awaitable<void> Importer::revision_worker(Importer* self, RepositoryWork* repository) {
    while (repository->next < repository->order.size() && !self->stopped()) {
        const auto digest = repository->order[repository->next++];
        co_await self->import_revision(repository, digest);
    }
}

Awaitable<bool> Importer::import_revision(RepositoryWork* repository, Digest digest) {
    using State = RevisionWork::State;
    auto& work = repository->revisions.at(digest);
    if (work.state == State::running) {
        const auto ended = work.ended;
        co_await ended->wait();
    } else if (work.state == State::waiting) {
        work.state = State::running;
        work.ended = std::make_shared<Gate>(executor_);
        const bool imported = co_await import_manifest(repository, digest, work.stored);
        work.state = imported ? State::imported : State::left_out;
        work.ended->open();
    }
    co_return work.state == State::imported;
}

TreeResult<Importer::ReadManifest> Importer::read_manifest(const RepositoryWork& repository,
                                                           const Digest& digest,
                                                           const Digest& stored) const {
    const auto failed = [](std::string path, std::string what) {
        return boost::outcome_v2::failure(TreeTrouble{std::move(path), std::move(what)});
    };
    ORB_TRY(auto file, tree_.open_blob(stored));
    if (file.size_bytes > target_.limits().manifest_size_max_bytes)
        return failed(file.path, "is a manifest larger than http.limits.manifest_bytes");
    std::vector<std::byte> bytes(file.size_bytes);
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const auto size = ::read(file.fd.get(), bytes.data() + filled, bytes.size() - filled);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return failed(file.path, "could not be read to its end");
        filled += static_cast<std::size_t>(size);
    }
    if (Digest::of(digest.algorithm(), bytes) != digest)
        return failed(file.path, "is damaged: its bytes are not those of " + digest.to_string());
    auto manifest = engine::Manifest::parse(bytes, {}, target_.limits());
    if (!manifest)
        return failed(path_of(repository.source.directory, digest), manifest.error().message);
    return ReadManifest{std::move(bytes), std::move(manifest).value()};
}

Awaitable<bool> Importer::import_manifest(RepositoryWork* repository, Digest digest,
                                          Digest stored) {
    std::string why;
    std::optional<Slots::Hold> slot;
    co_await slots_.take();
    slot.emplace(slots_);
    auto read = read_manifest(*repository, digest, stored);
    if (read && engine::is_index(read.value().manifest.kind())) {
        // Held by nobody while its children are under way: they need slots.
        slot.reset();
        read.value().bytes = {};
        why = co_await import_children(repository, &read.value().manifest);
        co_await slots_.take();
        slot.emplace(slots_);
        if (why.empty()) read = read_manifest(*repository, digest, stored);
    }
    if (!read) {
        report_.add_problem(read.error().path, read.error().what);
        co_return false;
    }
    if (why.empty()) why = co_await import_blobs(repository, &read.value().manifest);
    if (why.empty()) why = co_await put_manifest(repository, digest, std::move(read).value());
    if (!why.empty()) report_.add_problem(path_of(repository->source.directory, digest), why);
    co_return why.empty();
}

Awaitable<std::string> Importer::import_children(RepositoryWork* repository,
                                                 const engine::Manifest* manifest) {
    for (const auto& edge : manifest->edges()) {
        const auto& digest = edge.descriptor.digest;
        // What is not there at all is for the target to judge: it may take indexes without some of their children.
        if (!edge.to_manifest || !repository->revisions.contains(digest)) continue;
        if (stopped()) co_return "was not reached";
        const bool imported = co_await import_revision(repository, digest);
        if (!imported) co_return "its child " + digest.to_string() + " was not imported";
    }
    co_return std::string{};
}

TreeResult<std::optional<Digest>> Importer::find_blob(const RepositoryWork& repository,
                                                      const engine::ManifestEdge& edge) const {
    const auto& blob = edge.descriptor;
    ORB_TRY(const auto stored, tree_.layer(repository.source, blob.digest));
    if (!stored) return std::optional<Digest>{};
    ORB_TRY(const auto size, tree_.blob_size(*stored));
    if (size != blob.size_bytes) {
        return boost::outcome_v2::failure(
            TreeTrouble{{},
                        "blob " + blob.digest.to_string() + " has " + std::to_string(size) +
                            " bytes, and the manifest says " + std::to_string(blob.size_bytes)});
    }
    return stored;
}

// All are looked for before the first is copied: what is incomplete costs nothing.
Awaitable<std::string> Importer::import_blobs(RepositoryWork* repository,
                                              const engine::Manifest* manifest) {
    std::vector<std::pair<engine::Descriptor, Digest>> blobs;
    for (const auto& edge : manifest->edges()) {
        const bool is_child = edge.to_manifest;
        if (is_child && repository->revisions.contains(edge.descriptor.digest)) continue;
        const auto found = find_blob(*repository, edge);
        if (!found) {
            const auto& [path, what] = found.error();
            co_return path.empty() ? what : path + ": " + what;
        }
        if (found.value()) {
            blobs.emplace_back(edge.descriptor, *found.value());
        } else if (is_child && !target_.looks_for_children()) {
            co_return "its child " + edge.descriptor.digest.to_string() +
                " has no link in this repository: only a repository with sparse_index: allow "
                "takes it";
        } else if (!edge.foreign && !is_child) {
            co_return "blob " + edge.descriptor.digest.to_string() +
                " has no link in this repository: the source does not serve it";
        }
    }
    for (auto& [blob, stored] : blobs) {
        if (stopped()) co_return "was not reached";
        auto why = co_await import_blob(repository, blob, stored);
        if (!why.empty()) co_return why;
    }
    co_return std::string{};
}

Awaitable<std::string> Importer::import_blob(RepositoryWork* repository, engine::Descriptor blob,
                                             Digest stored) {
    for (;;) {
        const auto running = copying_.find(blob.digest);
        if (running == copying_.end()) break;
        const auto ended = running->second;
        co_await ended->wait();
    }
    if (const auto known = damaged_.find(blob.digest); known != damaged_.end())
        co_return known->second;
    const auto gate = std::make_shared<Gate>(executor_);
    copying_.emplace(blob.digest, gate);
    auto why = co_await link_or_store(repository, blob, stored);
    copying_.erase(blob.digest);
    gate->open();
    if (why.empty()) count_use(blob);
    co_return why;
}

Awaitable<std::string> Importer::link_or_store(RepositoryWork* repository, engine::Descriptor blob,
                                               Digest stored) {
    const bool first = !seen_.contains(blob.digest.prefix());
    const auto here = co_await target_.has_blob(repository->image, blob.digest);
    if (!here) co_return refused(here.error());
    bool there = here.value();
    if (!there) {
        const auto linked = co_await target_.link_blob(repository->image, blob.digest);
        if (!linked) co_return refused(linked.error());
        there = linked.value();
    }
    if (!there) {
        auto why = co_await store_blob(repository, blob, stored);
        co_return why;
    }
    if (first) {
        ++report_.blobs_present;
        report_.bytes_present += blob.size_bytes;
    }
    co_return std::string{};
}

Awaitable<std::string> Importer::store_blob(RepositoryWork* repository, engine::Descriptor blob,
                                            Digest stored) {
    auto source = tree_.open_blob(stored);
    if (!source) co_return source.error().path + ": " + source.error().what;
    const auto path = source.value().path;
    const auto done = co_await target_.store_blob(repository->image, blob.digest,
                                                  std::move(source).value(), &report_.bytes_read);
    if (!done) {
        auto why = path + ": " + refused(done.error());
        if (done.error().code == Errc::digest_mismatch) {
            why = path + ": is damaged: its bytes are not those of " + blob.digest.to_string();
            if (damaged_.size() < kDamagedBlobsMax) damaged_.emplace(blob.digest, why);
        }
        co_return why;
    }
    if (!seen_.contains(blob.digest.prefix())) {
        ++report_.blobs_stored;
        report_.bytes_stored += blob.size_bytes;
    }
    co_return std::string{};
}

Awaitable<std::string> Importer::put_manifest(RepositoryWork* repository, Digest digest,
                                              ReadManifest read) {
    const auto here = co_await target_.has_manifest(repository->image, digest);
    if (!here) co_return refused(here.error());
    if (!here.value()) {
        const auto put =
            co_await target_.put_manifest(repository->image, digest, std::move(read.bytes));
        if (!put) {
            auto why = refused(put.error());
            if (put.error().code == Errc::child_missing)
                why += ": the source does not serve them in this repository";
            for (const auto& each : put.error().digests) why += ' ' + each.to_string();
            co_return why;
        }
    }
    ++(here.value() ? report_.manifests_present : report_.manifests_stored);
    count_manifest(read.manifest);
    co_return std::string{};
}

// --- tags ---

Awaitable<void> Importer::tag_worker(Importer* self, RepositoryWork* repository) {
    while (!self->stopped()) {
        auto found = repository->tags->next();
        if (!found) co_return;
        if (*found) {
            co_await self->import_tag(repository, std::move(*found).value());
        } else {
            self->report_.add_problem(found->error().path, found->error().what);
        }
    }
}

Awaitable<void> Importer::import_tag(RepositoryWork* repository, SourceTag tag) {
    const auto& path = tag.path;
    const auto name = engine::Tag::parse(tag.name);
    if (!name) {
        report_.add_problem(path, "is no tag: " + name.error().message());
        co_return;
    }
    const auto revision = repository->revisions.find(tag.digest);
    if (revision == repository->revisions.end()) {
        report_.add_problem(path, "names " + tag.digest.to_string() +
                                      ", which has no link in this repository: the source does not "
                                      "serve it");
        co_return;
    }
    if (revision->second.state != RevisionWork::State::imported) {
        report_.add_problem(path, "its manifest " + tag.digest.to_string() + " was not imported");
        co_return;
    }
    const auto outcome = co_await target_.set_tag(repository->image, name.value(), tag.digest,
                                                  options_.overwrite_tags);
    if (!outcome) {
        report_.add_problem(path, refused(outcome.error()));
        co_return;
    }
    switch (outcome.value()) {
        case TagOutcome::set:
            ++report_.tags_set;
            break;
        case TagOutcome::moved:
            ++report_.tags_moved;
            break;
        case TagOutcome::present:
            ++report_.tags_present;
            break;
        case TagOutcome::kept:
            ++report_.tags_kept;
            report_.add_problem(path,
                                "the tag is there and names something else: it was kept, and "
                                "--overwrite-tags would move it");
            co_return;
    }
    count_tag(tag.name);
}

// --- what was found ---

void Importer::count_use(const engine::Descriptor& blob) {
    if (seen_.insert(blob.digest.prefix()).second) return;
    ++report_.blobs_shared;
    report_.bytes_shared += blob.size_bytes;
}

void Importer::count_manifest(const engine::Manifest& manifest) {
    if (engine::is_index(manifest.kind())) ++report_.indexes;
    if (!manifest.subject()) return;
    ++report_.referrers;
    if (is_signature_type(manifest.artifact_type())) ++report_.signatures;
}

void Importer::count_tag(const std::string& name) {
    if (is_attached_by_tag(name, ".sig")) ++report_.signatures;
    if (is_attached_by_tag(name, ".att") || is_attached_by_tag(name, ".sbom"))
        ++report_.attachments;
}

std::string Importer::refused(const engine::Refusal& refusal) {
    if (takes_nothing_more(refusal) && !stopped()) report_.stopped_by = refusal.message;
    return refusal.message;
}

}  // namespace orbitalreg::program
