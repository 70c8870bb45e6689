#include "import_store.h"

#include "base/clock.h"
#include "base/cores.h"
#include "base/random.h"
#include "cas/store.h"
#include "engine/request_id.h"
#include "local_registry.h"
#include "store_opening.h"

#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace orbitalreg::program {
namespace {

using engine::Errc;

constexpr std::uint32_t kLinksLookedAt = 16;
const engine::Principal kImporter;

// One size in bytes, read to its end; what is shorter or longer fails its digest.
Awaitable<engine::Answer<void>> fill(engine::UploadWriter* writer, const SourceBlob* source,
                                     std::atomic<std::uint64_t>* read) {
    while (writer->offset() < source->size_bytes) {
        const auto lent = co_await writer->buffer();
        if (!lent) co_return engine::refuse(lent.error());
        const auto wanted =
            std::min<std::uint64_t>(lent.value().size(), source->size_bytes - writer->offset());
        const auto size = ::read(source->fd.get(), lent.value().data(), wanted);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) {
            co_return engine::refuse(
                {Errc::size_invalid,
                 "could not be read: " + std::generic_category().message(errno)});
        }
        if (size == 0) co_return engine::refuse({Errc::size_invalid, "became shorter meanwhile"});
        *read += static_cast<std::uint64_t>(size);
        const auto advanced = co_await writer->advance(static_cast<std::size_t>(size));
        if (!advanced) co_return engine::refuse(advanced.error());
    }
    co_return ok();
}

Awaitable<engine::Answer<void>> copy(engine::Registry* registry, engine::ImageName image,
                                     Digest digest, SourceBlob source,
                                     std::atomic<std::uint64_t>* read) {
    ::posix_fadvise(source.fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    auto opened =
        co_await registry->begin_blob(kImporter, std::move(image), digest, source.size_bytes);
    if (!opened) co_return engine::refuse(opened.error());
    auto& writer = *opened.value();
    const auto filled = co_await fill(&writer, &source, read);
    if (!filled) co_return engine::refuse(filled.error());
    const auto finished = co_await writer.finish(digest);
    if (!finished) co_return engine::refuse(finished.error());
    co_return ok();
}

// On the reactor it is spawned on; the caller waits on its own.
Awaitable<void> copy_there(engine::Registry* registry, engine::ImageName image, Digest digest,
                           SourceBlob source, std::atomic<std::uint64_t>* read,
                           std::optional<engine::Answer<void>>* outcome) {
    auto copied = co_await copy(registry, std::move(image), digest, std::move(source), read);
    outcome->emplace(std::move(copied));
}

Awaitable<void> stop_store(cas::Store* store) { co_await store->stop(); }

Awaitable<void> load_projects(engine::Projects* projects, std::string* trouble) {
    const auto loaded = co_await projects->load();
    if (!loaded) *trouble = loaded.error().message;
}

cas::IoOptions io_options(const frontend::Config& config) {
    cas::IoOptions options;
    if (config.storage.io == frontend::IoBackend::uring) options.choice = cas::IoChoice::uring;
    if (config.storage.io == frontend::IoBackend::threads) options.choice = cas::IoChoice::threads;
    return options;
}

}  // namespace

ImportStore::ImportStore(const frontend::Config& config, bool create_projects, Log& log)
    : config_{config},
      options_{registry_options(config)},
      create_projects_{create_projects},
      log_{log},
      reactors_{config.threads > 0 ? config.threads : usable_cores()} {}

bool ImportStore::open(const std::string& directory, std::string& trouble) {
    std::error_code made;
    std::filesystem::create_directories(directory, made);
    if (made) {
        trouble = directory + ": the data directory cannot be made: " + made.message();
        return false;
    }
    auto io = make_tool_io(directory, io_options(config_), log_, metrics_);
    if (!io) {
        trouble = explain_store_error(io.error(), directory);
        return false;
    }
    io_ = std::move(io).value();
    cas::StoreEnvironment environment{
        *io_,     system_clock(),        system_random(),        log_,
        metrics_, reactors_.executors(), reactors_.background(), false};
    auto embedded =
        engine::open_embedded(std::move(environment), store_options(config_), options_.limits);
    if (!embedded) {
        trouble = explain_store_error(embedded.error(), directory);
        return false;
    }
    embedded_ = std::move(embedded).value();
    projects_ = std::make_unique<engine::Projects>(embedded_->document_store(), system_random(),
                                                   system_clock(), options_.projects,
                                                   options_.default_project);
    registry_ = std::make_unique<engine::Registry>(store(), system_random(), log_, metrics_,
                                                   options_, projects_.get());
    reactors_.start();
    run(load_projects(projects_.get(), &trouble));
    if (!trouble.empty()) trouble = directory + ": the repositories cannot be read: " + trouble;
    return trouble.empty();
}

void ImportStore::run(Awaitable<void> work) {
    asio::co_spawn(executor(), std::move(work), asio::use_future).get();
}

void ImportStore::close() {
    asio::co_spawn(executor(), stop_store(&embedded_->store()), asio::use_future).get();
    reactors_.stop();
    registry_.reset();
    projects_.reset();
    embedded_.reset();
    io_.reset();
}

// --- where it goes ---

// A push to a virtual repository goes to a member, and what is there already would be looked for in the wrong place.
bool ImportStore::is_virtual(const engine::RepositoryName& name) const {
    for (const auto& project : options_.projects) {
        if (project.name != name.project) continue;
        for (const auto& repository : project.repositories) {
            if (repository.name == name.repository)
                return repository.type == engine::RepositoryType::virtual_members;
        }
    }
    const auto kept = projects_->find_fetching(name);
    return kept != nullptr && kept->type == engine::RepositoryType::virtual_members;
}

Awaitable<engine::Answer<void>> ImportStore::may_push(engine::ImageName image) {
    const auto name = engine::ruling_repository(image, options_.default_project);
    if (name && is_virtual(name.value())) {
        co_return engine::refuse({Errc::unsupported, name.value().text() +
                                                         " is a virtual repository: --into one of "
                                                         "its local members"});
    }
    // A session costs nothing until its first byte, and there is none.
    const auto ticket =
        co_await registry_->start_upload(kImporter, std::move(image), DigestAlgorithm::sha256);
    if (!ticket) co_return engine::refuse(ticket.error());
    co_return ok();
}

Awaitable<engine::Answer<bool>> ImportStore::make_room(engine::ImageName image) {
    ORB_CO_TRY(const auto name, engine::ruling_repository(image, options_.default_project));
    const auto known = co_await projects_->find(name.project);
    if (!known) {
        engine::Project project;
        project.name = name.project;
        project.auto_create = true;
        const auto made = co_await projects_->create(std::move(project));
        if (made) co_return true;
        // Another repository of it came first.
        if (made.error().code == Errc::exists) co_return false;
        co_return engine::refuse(made.error());
    }
    engine::RepositorySettings settings;
    settings.project = name.project;
    settings.name = name.repository;
    const auto made = co_await projects_->create_repository(std::move(settings));
    if (!made && made.error().code != Errc::exists) co_return engine::refuse(made.error());
    co_return false;
}

Awaitable<engine::Answer<bool>> ImportStore::prepare(engine::ImageName image) {
    auto may = co_await may_push(image);
    if (may) co_return false;
    if (may.error().code != Errc::name_unknown) co_return engine::refuse(may.error());
    if (!engine::ruling_repository(image, options_.default_project)) {
        may.error().message += "; --into puts one before it";
        co_return engine::refuse(may.error());
    }
    if (!create_projects_) {
        may.error().message += "; --create-projects makes it, --into chooses another";
        co_return engine::refuse(may.error());
    }
    const auto made = co_await make_room(image);
    if (!made) co_return engine::refuse(made.error());
    may = co_await may_push(image);
    if (!may) co_return engine::refuse(may.error());
    co_return made.value();
}

// --- what goes there ---

Awaitable<engine::Answer<bool>> ImportStore::has_blob(engine::ImageName image, Digest digest) {
    const auto found = co_await store().stat_blob(std::move(image), digest);
    if (found) co_return true;
    const auto& code = found.error().code;
    if (code == Errc::blob_unknown || code == Errc::name_unknown) co_return false;
    co_return engine::refuse(found.error());
}

Awaitable<engine::Answer<bool>> ImportStore::link_blob(engine::ImageName image, Digest digest) {
    const auto links = co_await store().find_links(digest, kLinksLookedAt);
    if (!links) co_return engine::refuse(links.error());
    for (const auto& source : links.value()) {
        const std::optional<engine::ImageName> from{source};
        const auto mounted = co_await registry_->mount(kImporter, image, digest, from);
        if (!mounted) co_return engine::refuse(mounted.error());
        if (mounted.value()) co_return true;
    }
    co_return false;
}

Awaitable<engine::Answer<void>> ImportStore::store_blob(engine::ImageName image, Digest digest,
                                                        SourceBlob source,
                                                        std::atomic<std::uint64_t>* read) {
    const auto reactors = reactors_.executors();
    const auto& reactor = reactors[next_reactor_++ % reactors.size()];
    std::optional<engine::Answer<void>> outcome;
    co_await asio::co_spawn(
        reactor,
        copy_there(registry_.get(), std::move(image), digest, std::move(source), read, &outcome),
        asio::use_awaitable);
    co_return std::move(*outcome);
}

Awaitable<engine::Answer<bool>> ImportStore::has_manifest(engine::ImageName image, Digest digest) {
    const engine::Reference reference{digest};
    const auto found = co_await store().resolve(std::move(image), reference);
    if (found) co_return true;
    const auto& code = found.error().code;
    if (code == Errc::manifest_unknown || code == Errc::name_unknown) co_return false;
    co_return engine::refuse(found.error());
}

Awaitable<engine::Answer<void>> ImportStore::put_manifest(engine::ImageName image, Digest digest,
                                                          std::vector<std::byte> bytes) {
    engine::PutManifestRequest request{
        std::move(image), engine::Reference{digest}, std::move(bytes), {}, {}, {}, true};
    const auto put = co_await registry_->put_manifest(kImporter, std::move(request));
    if (!put) co_return engine::refuse(put.error());
    co_return ok();
}

Awaitable<engine::Answer<TagOutcome>> ImportStore::set_tag(engine::ImageName image, engine::Tag tag,
                                                           Digest digest, bool overwrite) {
    const engine::Reference reference{tag};
    const auto now = co_await store().resolve(image, reference);
    if (now && now.value().digest == digest) co_return TagOutcome::present;
    if (now && !overwrite) co_return TagOutcome::kept;
    const auto id = engine::RequestId::make(system_random());
    const auto set = co_await store().set_tag(id, std::move(image), std::move(tag), digest,
                                              engine::TagExpectation::anything());
    if (!set) co_return engine::refuse(set.error());
    co_return now ? TagOutcome::moved : TagOutcome::set;
}

}  // namespace orbitalreg::program
