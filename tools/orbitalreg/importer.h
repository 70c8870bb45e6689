#pragma once
// Importer takes the content of a DistributionTree over into a registry: what the source would serve, and nothing it would not.
//
// A repository at a time for each of a few workers, and in it manifests side by side: blobs before the manifest, children before
// their index, tags when all manifests are done. A blob is read once, whatever the number of repositories that link it, and stored
// under the digest its bytes have been compared with. What is missing, damaged or refused is told, with its path, and what depends
// on it is left out whole. To run it again costs what was not done: what is there is seen to be there.
//
// Life     run() once.
// Threads  one reactor; the target may copy on others.
// Memory   the digests of the repositories in hand, `jobs` manifests, and 40 bytes for each blob of the tree.
// Limits   kRevisionsMax manifests in a repository; RegistryLimits of the target.

#include "base/asio.h"
#include "distribution_tree.h"
#include "engine/manifest.h"
#include "engine/names.h"
#include "import_gates.h"
#include "import_report.h"
#include "import_target.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace orbitalreg::program {

struct ImportOptions {
    std::string into;                  // put before each name, with a `/`
    std::vector<std::string> include;  // patterns of the source's names; empty: all
    std::vector<std::string> exclude;
    bool overwrite_tags = false;
    std::size_t jobs = 8;  // manifests in hand
};

class Importer {
public:
    static constexpr std::size_t kRevisionsMax = 1'000'000;
    static constexpr std::size_t kRepositoriesInHandMax = 4;
    static constexpr std::size_t kDamagedBlobsMax = 100'000;

    // All outlive it.
    Importer(asio::any_io_executor executor, const DistributionTree& tree, ImportTarget& target,
             ImportOptions options, ImportReport& report);

    // Through the whole tree, or until the target takes no more: ImportReport::stopped_by.
    Awaitable<void> run();

private:
    struct RevisionWork;
    struct RepositoryWork;
    struct ReadManifest;

    static Awaitable<void> repository_worker(Importer* self, RepositoryWalk* walk);
    static Awaitable<void> revision_worker(Importer* self, RepositoryWork* repository);
    static Awaitable<void> tag_worker(Importer* self, RepositoryWork* repository);

    bool is_wanted(const std::string& name) const;
    Awaitable<void> import_repository(SourceRepository source);
    bool list_revisions(RepositoryWork& repository);
    // Whether it is in the registry now.
    Awaitable<bool> import_revision(RepositoryWork* repository, Digest digest);
    Awaitable<bool> import_manifest(RepositoryWork* repository, Digest digest, Digest stored);
    TreeResult<ReadManifest> read_manifest(const RepositoryWork& repository, const Digest& digest,
                                           const Digest& stored) const;
    // Empty, or why the manifest cannot be taken over.
    Awaitable<std::string> import_children(RepositoryWork* repository,
                                           const engine::Manifest* manifest);
    Awaitable<std::string> import_blobs(RepositoryWork* repository,
                                        const engine::Manifest* manifest);
    TreeResult<std::optional<Digest>> find_blob(const RepositoryWork& repository,
                                                const engine::ManifestEdge& edge) const;
    Awaitable<std::string> import_blob(RepositoryWork* repository, engine::Descriptor blob,
                                       Digest stored);
    Awaitable<std::string> link_or_store(RepositoryWork* repository, engine::Descriptor blob,
                                         Digest stored);
    Awaitable<std::string> store_blob(RepositoryWork* repository, engine::Descriptor blob,
                                      Digest stored);
    Awaitable<std::string> put_manifest(RepositoryWork* repository, Digest digest,
                                        ReadManifest read);
    Awaitable<void> import_tag(RepositoryWork* repository, SourceTag tag);

    void count_use(const engine::Descriptor& blob);
    void count_manifest(const engine::Manifest& manifest);
    void count_tag(const std::string& name);
    // What the target says; ends the import where it takes nothing any more.
    std::string refused(const engine::Refusal& refusal);
    bool stopped() const noexcept { return !report_.stopped_by.empty(); }

    const asio::any_io_executor executor_;
    const DistributionTree& tree_;
    ImportTarget& target_;
    const ImportOptions options_;
    ImportReport& report_;
    Slots slots_;
    std::unordered_map<Digest, std::shared_ptr<Gate>> copying_;
    std::unordered_map<Digest, std::string> damaged_;
    std::unordered_set<std::uint64_t> seen_;  // beginnings of digests: for counts alone
};

}  // namespace orbitalreg::program
