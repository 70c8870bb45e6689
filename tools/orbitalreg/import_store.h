#pragma once
// ImportStore is a data directory that an import writes to: the store with the rules of its configuration, on threads of its own.
//
// Life     open() -> run() -> close() -> destroyed.
// Threads  open(), run() and close(): the calling one. Blobs are read and hashed on all reactors, everything else on the first.
// Durable  as a push: what was answered with success.

#include "base/log.h"
#include "base/metrics.h"
#include "cas/io.h"
#include "engine/embedded_store.h"
#include "engine/projects.h"
#include "engine/registry.h"
#include "frontend/config.h"
#include "import_target.h"
#include "reactors.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace orbitalreg::program {

class ImportStore final : public ImportTarget {
public:
    // What is not there may be made: projects and, in those that do not make them of themselves, repositories.
    ImportStore(const frontend::Config& config, bool create_projects, Log& log);
    ~ImportStore() override { reactors_.stop(); }

    // The process goes on as the owner of the directory. False: `trouble` says what happened and what to do.
    bool open(const std::string& directory, std::string& trouble);
    asio::any_io_executor executor() { return reactors_.executors().front(); }
    // Blocking, until it has ended.
    void run(Awaitable<void> work);
    void close();

    Awaitable<engine::Answer<bool>> prepare(engine::ImageName image) override;
    Awaitable<engine::Answer<bool>> has_blob(engine::ImageName image, Digest digest) override;
    Awaitable<engine::Answer<bool>> link_blob(engine::ImageName image, Digest digest) override;
    Awaitable<engine::Answer<void>> store_blob(engine::ImageName image, Digest digest,
                                               SourceBlob source,
                                               std::atomic<std::uint64_t>* read) override;
    Awaitable<engine::Answer<bool>> has_manifest(engine::ImageName image, Digest digest) override;
    Awaitable<engine::Answer<void>> put_manifest(engine::ImageName image, Digest digest,
                                                 std::vector<std::byte> bytes) override;
    Awaitable<engine::Answer<TagOutcome>> set_tag(engine::ImageName image, engine::Tag tag,
                                                  Digest digest, bool overwrite) override;
    const engine::RegistryLimits& limits() const override { return options_.limits; }

private:
    bool is_virtual(const engine::RepositoryName& name) const;
    // Whether a push may go there.
    Awaitable<engine::Answer<void>> may_push(engine::ImageName image);
    // True: a project was made.
    Awaitable<engine::Answer<bool>> make_room(engine::ImageName image);
    engine::RegistryStore& store() noexcept { return embedded_->registry_store(); }

    const frontend::Config& config_;
    const engine::RegistryOptions options_;
    const bool create_projects_;
    Log& log_;
    Metrics metrics_;
    Reactors reactors_;
    std::unique_ptr<cas::Io> io_;
    std::unique_ptr<engine::EmbeddedStore> embedded_;
    std::unique_ptr<engine::Projects> projects_;
    std::unique_ptr<engine::Registry> registry_;
    std::size_t next_reactor_ = 0;
};

}  // namespace orbitalreg::program
