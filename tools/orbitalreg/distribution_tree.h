#pragma once
// DistributionTree is the directory in which CNCF Distribution (Docker's registry, and with it Harbor) keeps its content, as `import`
// reads it: docker/registry/v2/{blobs,repositories}. It is never written.
//
// Nothing in it is trusted. A link file holds a digest and nothing else; paths are made from digests, never from what a file says; no
// symbolic link below the directory is followed, and what is no regular file is not read. What the bytes of a digest are is
// for the caller to verify.
//
// Threads  open_blob() and blob_size() any, side by side; a walk belongs to one.
// Limits   kLinkSizeMax; names as long as the grammar of image names allows, which bounds the depth.
// Errors   TreeTrouble: which file, and what is wrong with it; both fit for a terminal.

#include "base/digest.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>

#include <cstdint>
#include <dirent.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::program {

struct TreeTrouble {
    std::string path;  // below the directory that was opened
    std::string what;
};
template <class T>
using TreeResult =
    boost::outcome_v2::basic_result<T, TreeTrouble, boost::outcome_v2::policy::terminate>;

// A walk gives an item, or what kept it from one; then nothing any more.
template <class T>
using TreeItem = std::optional<TreeResult<T>>;

struct TreeDirectory {
    UniqueFd fd;
    std::string path;  // below the directory that was opened, fit for a terminal: only ever told
};

class DirectoryEntries {
public:
    // Nothing is there: no entries.
    static TreeResult<DirectoryEntries> open(const TreeDirectory& parent, std::string_view name);
    // Neither `.` nor `..`.
    TreeItem<std::string> next();
    const std::string& path() const noexcept { return path_; }
    bool is_file(const std::string& name) const noexcept;
    // A directory that is an entry of this one.
    TreeResult<TreeDirectory> enter(const std::string& name) const;

private:
    struct Close {
        void operator()(DIR* directory) const noexcept { ::closedir(directory); }
    };
    std::unique_ptr<DIR, Close> directory_;
    std::string path_;
};

struct SourceRepository {
    std::string name;  // as the folders say; not held against any grammar yet
    TreeDirectory directory;
};

// A manifest that the repository would serve: `stored` names the bytes among the blobs.
struct Revision {
    Digest digest;
    Digest stored;
};

struct SourceTag {
    std::string name;  // as the folder says
    Digest digest;
    std::string path;  // of its link
};

struct SourceBlob {
    UniqueFd fd;
    std::uint64_t size_bytes = 0;
    std::string path;
};

// All repositories, those below others too.
class RepositoryWalk {
public:
    explicit RepositoryWalk(const TreeDirectory& root) : root_{root} {}
    TreeItem<SourceRepository> next();

private:
    struct Level {
        DirectoryEntries entries;
        std::string name;
    };
    // Goes down; a repository if it is one.
    TreeItem<SourceRepository> descend(const std::string& component);

    const TreeDirectory& root_;
    std::vector<Level> levels_;
    bool begun_ = false;
};

// The manifests of a repository, in no order. What was deleted leaves a folder without a link: that is none.
class RevisionWalk {
public:
    explicit RevisionWalk(const SourceRepository& repository);
    TreeItem<Revision> next();

private:
    // False: there are no further algorithms.
    bool next_algorithm(TreeItem<Revision>& trouble);

    TreeResult<DirectoryEntries> algorithms_;
    std::optional<DirectoryEntries> hashes_;
    std::string algorithm_;
    bool failed_ = false;
};

class TagWalk {
public:
    explicit TagWalk(const SourceRepository& repository);
    TreeItem<SourceTag> next();

private:
    TreeResult<SourceTag> read(const std::string& name) const;

    TreeResult<DirectoryEntries> entries_;
    bool failed_ = false;
};

class DistributionTree {
public:
    static constexpr std::uint64_t kLinkSizeMax = 256;

    // `path` is the root directory of a distribution, or its docker/registry/v2.
    static TreeResult<DistributionTree> open(const std::string& path);

    RepositoryWalk repositories() const { return RepositoryWalk{repositories_}; }
    // Where the repository may get this blob from; nothing: it has no link to it, and would not serve it.
    TreeResult<std::optional<Digest>> layer(const SourceRepository& repository,
                                            const Digest& digest) const;
    TreeResult<SourceBlob> open_blob(const Digest& stored) const;
    TreeResult<std::uint64_t> blob_size(const Digest& stored) const;
    // All bytes of blobs, used or not: what progress is measured by. Goes on until `more` says no.
    std::uint64_t measure(const std::function<bool()>& more) const;

private:
    TreeDirectory blobs_;
    TreeDirectory repositories_;
};

// What a link file below a repository says; nothing: there is no such file.
TreeResult<std::optional<Digest>> read_link(const TreeDirectory& directory,
                                            const std::string& name);

}  // namespace orbitalreg::program
