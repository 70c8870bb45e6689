#include "distribution_tree.h"

#include "engine/names.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

// What a folder is called must not drive a terminal.
std::string printable(std::string_view text) {
    std::string plain;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7F) {
            plain += c;
            continue;
        }
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
        plain += escaped;
    }
    return plain;
}

auto trouble(std::string_view path, std::string what) {
    return boost::outcome_v2::failure(TreeTrouble{printable(path), std::move(what)});
}

std::string joined(std::string_view path, std::string_view name) {
    std::string whole{path};
    if (!whole.empty()) whole += '/';
    whole += name;
    return whole;
}

std::string reason(int error) { return std::generic_category().message(error); }

bool is_symlink(int directory, const std::string& name) noexcept {
    struct stat status {};
    return ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISLNK(status.st_mode);
}

std::string why_not_opened(int directory, const std::string& name, int error) {
    if ((error == ELOOP || error == ENOTDIR) && is_symlink(directory, name))
        return "is a symbolic link, and those are not followed";
    if (error == EACCES) {
        return "user " + std::to_string(::geteuid()) +
               " may not read it: the importing user is the owner of the data directory";
    }
    return reason(error);
}

// Nothing: there is none.
TreeResult<std::optional<UniqueFd>> open_entry(int directory, std::string_view path,
                                               const std::string& name, int flags) {
    // Not blocking: a pipe that nobody writes to.
    UniqueFd fd{::openat(directory, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
    if (fd) return std::optional{std::move(fd)};
    const int error = errno;
    if (error == ENOENT) return std::optional<UniqueFd>{};
    return trouble(joined(path, name), why_not_opened(directory, name, error));
}

// Each part of `relative` is opened by itself, so that none of them can be a link elsewhere.
TreeResult<std::optional<TreeDirectory>> walk_down(const TreeDirectory& from,
                                                   std::string_view relative) {
    TreeDirectory at{UniqueFd{::dup(from.fd.get())}, from.path};
    if (!at.fd) return trouble(from.path, reason(errno));
    while (!relative.empty()) {
        const auto slash = std::min(relative.find('/'), relative.size());
        const std::string part{relative.substr(0, slash)};
        relative.remove_prefix(std::min(slash + 1, relative.size()));
        ORB_TRY(auto opened, open_entry(at.fd.get(), at.path, part, O_PATH | O_DIRECTORY));
        if (!opened) return std::optional<TreeDirectory>{};
        at = {std::move(*opened), joined(at.path, part)};
    }
    return std::optional{std::move(at)};
}

// A regular file, opened for reading, with its size.
TreeResult<std::optional<SourceBlob>> open_file(const TreeDirectory& directory,
                                                const std::string& name) {
    ORB_TRY(auto opened, open_entry(directory.fd.get(), directory.path, name, O_RDONLY));
    if (!opened) return std::optional<SourceBlob>{};
    struct stat status {};
    const auto path = joined(directory.path, name);
    if (::fstat(opened->get(), &status) != 0) return trouble(path, reason(errno));
    if (!S_ISREG(status.st_mode)) return trouble(path, "is no regular file");
    return std::optional{
        SourceBlob{std::move(*opened), static_cast<std::uint64_t>(status.st_size), path}};
}

std::string blob_directory(const Digest& digest) {
    const auto hex = digest.hex();
    return std::string{to_string(digest.algorithm())} + '/' + hex.substr(0, 2) + '/' + hex;
}

auto no_blob(const TreeDirectory& blobs, const Digest& stored) {
    return trouble(joined(blobs.path, blob_directory(stored)) + "/data", "is not there");
}

}  // namespace

TreeResult<std::optional<Digest>> read_link(const TreeDirectory& directory,
                                            const std::string& name) {
    ORB_TRY(auto file, open_file(directory, name));
    if (!file) return std::optional<Digest>{};
    if (file->size_bytes > DistributionTree::kLinkSizeMax)
        return trouble(file->path, "is longer than a digest: no link");
    std::array<char, DistributionTree::kLinkSizeMax> text{};
    const auto size = ::read(file->fd.get(), text.data(), text.size());
    if (size < 0) return trouble(file->path, reason(errno));
    const auto digest = Digest::parse({text.data(), static_cast<std::size_t>(size)});
    if (!digest) return trouble(file->path, "does not hold a digest, and nothing but that");
    return std::optional{digest.value()};
}

// --- entries ---

TreeResult<DirectoryEntries> DirectoryEntries::open(const TreeDirectory& parent,
                                                    std::string_view name) {
    DirectoryEntries entries;
    entries.path_ = name == "." ? parent.path : joined(parent.path, name);
    ORB_TRY(auto opened,
            open_entry(parent.fd.get(), parent.path, std::string{name}, O_RDONLY | O_DIRECTORY));
    if (!opened) return entries;
    entries.directory_.reset(::fdopendir(opened->get()));
    if (!entries.directory_) return trouble(entries.path_, reason(errno));
    opened->release();
    return entries;
}

TreeItem<std::string> DirectoryEntries::next() {
    while (directory_) {
        errno = 0;
        const auto* entry = ::readdir(directory_.get());
        if (entry == nullptr) {
            const int error = errno;
            directory_.reset();
            if (error == 0) return std::nullopt;
            return TreeResult<std::string>{trouble(path_, reason(error))};
        }
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") return TreeResult<std::string>{std::string{name}};
    }
    return std::nullopt;
}

bool DirectoryEntries::is_file(const std::string& name) const noexcept {
    struct stat status {};
    return ::fstatat(::dirfd(directory_.get()), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode);
}

TreeResult<TreeDirectory> DirectoryEntries::enter(const std::string& name) const {
    const int directory = ::dirfd(directory_.get());
    ORB_TRY(auto opened, open_entry(directory, path_, name, O_PATH | O_DIRECTORY));
    if (!opened) return trouble(joined(path_, name), "went away meanwhile");
    return TreeDirectory{std::move(*opened), joined(path_, printable(name))};
}

// --- walks ---

TreeItem<SourceRepository> RepositoryWalk::descend(const std::string& component) {
    const auto& above = levels_.back();
    auto name = above.name.empty() ? component : above.name + '/' + component;
    // A file among the folders is none of the registry's.
    if (above.entries.is_file(component)) return std::nullopt;
    auto entered = above.entries.enter(component);
    if (!entered) return TreeResult<SourceRepository>{boost::outcome_v2::failure(entered.error())};
    auto& directory = entered.value();
    if (name.size() > engine::kImageNameSizeMax) {
        return TreeResult<SourceRepository>{
            trouble(directory.path, "is longer than a name may be: nothing below it is looked at")};
    }
    auto entries = DirectoryEntries::open(directory, ".");
    if (!entries) return TreeResult<SourceRepository>{boost::outcome_v2::failure(entries.error())};
    levels_.push_back({std::move(entries).value(), name});
    struct stat status {};
    const bool is_repository =
        ::fstatat(directory.fd.get(), "_manifests", &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_repository) return std::nullopt;
    return TreeResult<SourceRepository>{SourceRepository{std::move(name), std::move(directory)}};
}

TreeItem<SourceRepository> RepositoryWalk::next() {
    if (!begun_) {
        begun_ = true;
        auto entries = DirectoryEntries::open(root_, ".");
        if (!entries)
            return TreeResult<SourceRepository>{boost::outcome_v2::failure(entries.error())};
        levels_.push_back({std::move(entries).value(), {}});
    }
    while (!levels_.empty()) {
        auto entry = levels_.back().entries.next();
        if (!entry) {
            levels_.pop_back();
            continue;
        }
        if (!*entry)
            return TreeResult<SourceRepository>{boost::outcome_v2::failure(entry->error())};
        // No component of a name begins so: it is the registry's own.
        if (entry->value().starts_with('_')) continue;
        if (auto found = descend(entry->value())) return found;
    }
    return std::nullopt;
}

RevisionWalk::RevisionWalk(const SourceRepository& repository)
    : algorithms_{[&repository]() -> TreeResult<DirectoryEntries> {
          ORB_TRY(auto manifests, walk_down(repository.directory, "_manifests"));
          if (!manifests) return DirectoryEntries{};
          return DirectoryEntries::open(*manifests, "revisions");
      }()} {}

bool RevisionWalk::next_algorithm(TreeItem<Revision>& trouble_found) {
    auto algorithm = algorithms_.value().next();
    if (!algorithm) return false;
    if (!*algorithm) {
        trouble_found = TreeResult<Revision>{boost::outcome_v2::failure(algorithm->error())};
        return true;
    }
    algorithm_ = algorithm->value();
    if (!parse_digest_algorithm(algorithm_)) {
        trouble_found = TreeResult<Revision>{trouble(joined(algorithms_.value().path(), algorithm_),
                                                     "is no algorithm that is supported")};
        return true;
    }
    auto entered = algorithms_.value().enter(algorithm_);
    auto hashes = entered
                      ? DirectoryEntries::open(entered.value(), ".")
                      : TreeResult<DirectoryEntries>{boost::outcome_v2::failure(entered.error())};
    if (!hashes) {
        trouble_found = TreeResult<Revision>{boost::outcome_v2::failure(hashes.error())};
    } else {
        hashes_ = std::move(hashes).value();
    }
    return true;
}

TreeItem<Revision> RevisionWalk::next() {
    if (failed_) return std::nullopt;
    if (!algorithms_) {
        failed_ = true;
        return TreeResult<Revision>{boost::outcome_v2::failure(algorithms_.error())};
    }
    for (;;) {
        if (!hashes_) {
            TreeItem<Revision> found;
            if (!next_algorithm(found)) return std::nullopt;
            if (found) return found;
            continue;
        }
        const auto entry = hashes_->next();
        if (!entry) {
            hashes_.reset();
            continue;
        }
        if (!*entry) return TreeResult<Revision>{boost::outcome_v2::failure(entry->error())};
        const auto path = joined(hashes_->path(), entry->value());
        const auto digest = Digest::parse(algorithm_ + ':' + entry->value());
        if (!digest) return TreeResult<Revision>{trouble(path, "is no digest")};
        auto entered = hashes_->enter(entry->value());
        if (!entered) return TreeResult<Revision>{boost::outcome_v2::failure(entered.error())};
        const auto link = read_link(entered.value(), "link");
        if (!link) return TreeResult<Revision>{boost::outcome_v2::failure(link.error())};
        if (link.value()) return TreeResult<Revision>{Revision{digest.value(), *link.value()}};
    }
}

TagWalk::TagWalk(const SourceRepository& repository)
    : entries_{[&repository]() -> TreeResult<DirectoryEntries> {
          ORB_TRY(auto manifests, walk_down(repository.directory, "_manifests"));
          if (!manifests) return DirectoryEntries{};
          return DirectoryEntries::open(*manifests, "tags");
      }()} {}

TreeItem<SourceTag> TagWalk::next() {
    if (failed_) return std::nullopt;
    if (!entries_) {
        failed_ = true;
        return TreeResult<SourceTag>{boost::outcome_v2::failure(entries_.error())};
    }
    const auto entry = entries_.value().next();
    if (!entry) return std::nullopt;
    if (!*entry) return TreeResult<SourceTag>{boost::outcome_v2::failure(entry->error())};
    return read(entry->value());
}

TreeResult<SourceTag> TagWalk::read(const std::string& name) const {
    ORB_TRY(const auto entered, entries_.value().enter(name));
    const auto path = entered.path + "/current/link";
    ORB_TRY(auto current, walk_down(entered, "current"));
    if (!current) return trouble(path, "is not there");
    ORB_TRY(const auto link, read_link(*current, "link"));
    if (!link) return trouble(path, "is not there");
    return SourceTag{name, *link, path};
}

// --- the tree ---

TreeResult<DistributionTree> DistributionTree::open(const std::string& path) {
    // The directory itself may be reached through a link: that is the operator's word.
    UniqueFd root{::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!root) return trouble(path, reason(errno));
    const TreeDirectory at{std::move(root), {}};
    for (const std::string_view below : {"docker/registry/v2", ""}) {
        ORB_TRY(auto version, walk_down(at, below));
        if (!version) continue;
        ORB_TRY(auto repositories, walk_down(*version, "repositories"));
        ORB_TRY(auto blobs, walk_down(*version, "blobs"));
        if (!repositories || !blobs) continue;
        DistributionTree tree;
        tree.blobs_ = std::move(*blobs);
        tree.repositories_ = std::move(*repositories);
        return tree;
    }
    return trouble(path,
                   "holds no docker/registry/v2 with blobs and repositories: name the "
                   "directory that `storage.filesystem.rootdirectory` of the distribution "
                   "names");
}

TreeResult<std::optional<Digest>> DistributionTree::layer(const SourceRepository& repository,
                                                          const Digest& digest) const {
    const auto below = "_layers/" + std::string{to_string(digest.algorithm())} + '/' + digest.hex();
    ORB_TRY(auto directory, walk_down(repository.directory, below));
    if (!directory) return std::optional<Digest>{};
    return read_link(*directory, "link");
}

TreeResult<SourceBlob> DistributionTree::open_blob(const Digest& stored) const {
    ORB_TRY(auto directory, walk_down(blobs_, blob_directory(stored)));
    if (!directory) return no_blob(blobs_, stored);
    ORB_TRY(auto file, open_file(*directory, "data"));
    if (!file) return no_blob(blobs_, stored);
    return std::move(*file);
}

TreeResult<std::uint64_t> DistributionTree::blob_size(const Digest& stored) const {
    ORB_TRY(auto directory, walk_down(blobs_, blob_directory(stored)));
    if (!directory) return no_blob(blobs_, stored);
    struct stat status {};
    if (::fstatat(directory->fd.get(), "data", &status, AT_SYMLINK_NOFOLLOW) != 0)
        return no_blob(blobs_, stored);
    if (!S_ISREG(status.st_mode)) return trouble(directory->path + "/data", "is no regular file");
    return static_cast<std::uint64_t>(status.st_size);
}

std::uint64_t DistributionTree::measure(const std::function<bool()>& more) const {
    constexpr std::size_t kFoldersAbove = 3;  // algorithm, two digits, digest
    std::uint64_t bytes = 0;
    std::vector<DirectoryEntries> levels;
    const auto enter = [&levels](TreeResult<DirectoryEntries> entries) {
        if (entries) levels.push_back(std::move(entries).value());
    };
    enter(DirectoryEntries::open(blobs_, "."));
    while (!levels.empty() && more()) {
        const auto entry = levels.back().next();
        if (!entry || !*entry) {
            levels.pop_back();
            continue;
        }
        const auto folder = levels.back().enter(entry->value());
        if (!folder) continue;
        if (levels.size() < kFoldersAbove) {
            enter(DirectoryEntries::open(folder.value(), "."));
            continue;
        }
        struct stat status {};
        if (::fstatat(folder.value().fd.get(), "data", &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            bytes += static_cast<std::uint64_t>(status.st_size);
    }
    return bytes;
}

}  // namespace orbitalreg::program
