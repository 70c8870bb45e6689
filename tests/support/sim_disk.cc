#include "support/sim_disk.h"

#include "base/assert.h"
#include "base/checksum.h"

#include <algorithm>
#include <set>

namespace orbitalreg::sim {
namespace {

using cas::kPageSize;

void put(std::vector<std::byte>& content, std::uint64_t offset, ByteView bytes) {
    if (bytes.empty()) return;
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
}

void put_pending(std::vector<std::byte>& content, const SimInode::PendingWrite& write) {
    if (content.size() < write.size_after) content.resize(write.size_after);
    put(content, write.offset, write.bytes);
}

// How a crash chooses among pending writes. Each is a case of "any subset" that chance alone would
// hardly meet.
enum class Survival : std::uint8_t { all, none, by_write, by_sector, prefix };

Survival draw_survival(SimSurvival wanted, SimRandom& random) {
    if (wanted == SimSurvival::all) return Survival::all;
    if (wanted == SimSurvival::none) return Survival::none;
    switch (random.below(8)) {
        case 0:
        case 1:
            return Survival::all;
        case 2:
        case 3:
            return Survival::none;
        case 4:
            return Survival::by_write;
        case 5:
            return Survival::prefix;
        default:
            return Survival::by_sector;
    }
}

}  // namespace

SimDisk::SimDisk(SimDiskMode mode, std::uint64_t capacity_bytes)
    : mode_{mode}, capacity_bytes_{capacity_bytes}, root_{std::make_shared<SimInode>()} {
    root_->directory = true;
    root_->links = 1;
}

SimInodePtr SimDisk::find(std::string_view path) const {
    SimInodePtr inode = root_;
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        const std::string_view part = path.substr(0, slash);
        path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
        const auto entry = inode->entries.find(part);
        if (entry == inode->entries.end()) return nullptr;
        inode = entry->second;
    }
    return inode;
}

SimDisk::Place SimDisk::place(std::string_view path) const {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {root_, std::string{path}};
    SimInodePtr directory = find(path.substr(0, slash));
    if (directory != nullptr && !directory->directory) directory = nullptr;
    return {std::move(directory), std::string{path.substr(slash + 1)}};
}

SimInodePtr SimDisk::create(const Place& place, bool directory) {
    auto inode = std::make_shared<SimInode>();
    inode->id = next_id_++;
    inode->name = place.name;
    inode->directory = directory;
    inode->links = 1;
    place.directory->entries[place.name] = inode;
    pending_links_.push_back({place.directory, place.name, inode, nullptr, {}});
    return inode;
}

void SimDisk::rename(const Place& from, const Place& to) {
    const SimInodePtr inode = from.directory->entries.at(from.name);
    SimInodePtr& target = to.directory->entries[to.name];
    if (target == inode) return;
    if (target != nullptr) {
        --target->links;
        forget_if_unlinked(*target);
    }
    target = inode;
    from.directory->entries.erase(from.name);
    pending_links_.push_back({to.directory, to.name, inode, from.directory, from.name});
}

void SimDisk::remove(const Place& place) {
    const auto entry = place.directory->entries.find(place.name);
    --entry->second->links;
    forget_if_unlinked(*entry->second);
    place.directory->entries.erase(entry);
    pending_links_.push_back({place.directory, place.name, nullptr, nullptr, {}});
}

void SimDisk::forget_if_unlinked(SimInode& inode) {
    if (inode.links > 0) return;
    pages_used_ -= static_cast<std::uint64_t>(
        std::count(inode.allocated.begin(), inode.allocated.end(), true));
    inode.allocated.clear();
}

void SimDisk::apply(const PendingLink& link) {
    if (link.other_directory != nullptr)
        link.other_directory->durable_entries.erase(link.other_name);
    if (link.target != nullptr) {
        link.directory->durable_entries[link.name] = link.target;
    } else {
        link.directory->durable_entries.erase(link.name);
    }
}

void SimDisk::sync_directory(SimInode& directory) {
    const bool everything = mode_ == SimDiskMode::ordered;
    std::erase_if(pending_links_, [&](const PendingLink& link) {
        const bool concerned = everything || link.directory.get() == &directory ||
                               link.other_directory.get() == &directory;
        if (concerned) apply(link);
        return concerned;
    });
}

bool SimDisk::has_room(const SimInode& file, std::uint64_t offset, std::uint64_t length) const {
    std::uint64_t missing = 0;
    for (std::uint64_t page = offset / kPageSize; page * kPageSize < offset + length; ++page) {
        if (page >= file.allocated.size() || !file.allocated[page]) ++missing;
    }
    return missing == 0 || (!full_ && (pages_used_ + missing) * kPageSize <= capacity_bytes_);
}

void SimDisk::take_pages(SimInode& file, std::uint64_t offset, std::uint64_t length) {
    if (length == 0) return;
    const std::uint64_t end = (offset + length + kPageSize - 1) / kPageSize;
    if (file.allocated.size() < end) file.allocated.resize(end);
    for (std::uint64_t page = offset / kPageSize; page < end; ++page) {
        if (file.allocated[page]) continue;
        file.allocated[page] = true;
        ++pages_used_;
    }
}

bool SimDisk::write(SimInode& file, std::uint64_t offset, ByteView bytes) {
    if (write_watch_ && has_room(file, offset, bytes.size())) write_watch_(file, offset, bytes);
    return write_astray(file, offset, bytes);
}

bool SimDisk::write_astray(SimInode& file, std::uint64_t offset, ByteView bytes) {
    if (!has_room(file, offset, bytes.size())) return false;
    take_pages(file, offset, bytes.size());
    put(file.current, offset, bytes);
    file.pending.push_back({offset, {bytes.begin(), bytes.end()}, file.current.size(), false});
    file.dirty = true;
    return true;
}

bool SimDisk::allocate(SimInode& file, std::uint64_t offset, std::uint64_t length) {
    if (!has_room(file, offset, length)) return false;
    take_pages(file, offset, length);
    if (file.current.size() < offset + length) file.current.resize(offset + length);
    file.pending.push_back({offset, {}, file.current.size(), false});
    file.dirty = true;
    return true;
}

void SimDisk::punch(SimInode& file, std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t end = std::min<std::uint64_t>(offset + length, file.current.size());
    if (offset >= end) return;
    std::vector<std::byte> zeros(end - offset);
    put(file.current, offset, zeros);
    file.pending.push_back({offset, std::move(zeros), file.current.size(), false});
    file.dirty = true;
    for (std::uint64_t page = (offset + kPageSize - 1) / kPageSize;
         (page + 1) * kPageSize <= offset + length; ++page) {
        if (page >= file.allocated.size() || !file.allocated[page]) continue;
        file.allocated[page] = false;
        --pages_used_;
    }
}

void SimDisk::sync(SimInode& file) {
    bool complete = true;
    for (const auto& write : file.pending) {
        complete = complete && !write.lost;
        if (!write.lost) put_pending(file.durable, write);
    }
    // What a failed sync dropped is gone for good; reads go on seeing it until the power is cut.
    file.dirty = file.dirty && !(complete && file.durable == file.current);
    file.pending.clear();
    if (mode_ == SimDiskMode::ordered) sync_directory(*root_);
}

void SimDisk::sync_range(SimInode& file, std::uint64_t offset, std::uint64_t length) {
    if (file.durable.size() < file.current.size()) file.durable.resize(file.current.size());
    std::vector<SimInode::PendingWrite> rest;
    for (auto& write : file.pending) {
        const std::uint64_t end = write.offset + write.bytes.size();
        if (end <= offset || write.offset >= offset + length) {
            rest.push_back(std::move(write));
            continue;
        }
        const ByteView bytes = write.bytes;
        if (write.offset < offset) {
            const ByteView head = bytes.first(offset - write.offset);
            rest.push_back(
                {write.offset, {head.begin(), head.end()}, write.size_after, write.lost});
        }
        if (end > offset + length) {
            const ByteView tail = bytes.last(end - (offset + length));
            rest.push_back(
                {offset + length, {tail.begin(), tail.end()}, write.size_after, write.lost});
        }
    }
    file.pending = std::move(rest);
    put(file.durable, offset, ByteView{file.current}.subspan(offset, length));
}

void SimDisk::fail_sync(SimInode& file, SimRandom& random) {
    const bool all = random.coin();
    for (auto& write : file.pending) write.lost = write.lost || all || random.coin();
}

std::uint64_t SimDisk::used_bytes() const noexcept { return pages_used_ * kPageSize; }

void SimDisk::crash_file(SimInode& file, SimRandom& random) {
    if (!file.dirty) return;
    file.dirty = false;
    const Survival survival = draw_survival(survival_, random);
    const std::size_t cut = survival == Survival::all    ? file.pending.size()
                            : survival == Survival::none ? 0
                                                         : random.below(file.pending.size() + 1);
    std::uint64_t size = file.durable.size();
    for (std::size_t i = 0; i < cut; ++i) size = std::max(size, file.pending[i].size_after);
    std::vector<std::byte> image = std::move(file.durable);
    std::uint64_t covered = image.size();
    image.resize(size);
    for (std::size_t i = 0; i < file.pending.size(); ++i) {
        const auto& write = file.pending[i];
        const bool extends = write.size_after > covered;
        covered = std::max(covered, write.size_after);
        if (write.lost) continue;
        const bool promised = mode_ == SimDiskMode::ordered && extends && i < cut;
        const bool whole = survival == Survival::by_write && random.coin();
        for (std::uint64_t done = 0; done < write.bytes.size(); done += kSectorSize) {
            const bool kept = promised || survival == Survival::all || whole ||
                              (survival == Survival::prefix && i < cut) ||
                              (survival == Survival::by_sector && random.coin());
            const std::uint64_t at = write.offset + done;
            if (!kept || at >= size) continue;
            const std::uint64_t length =
                std::min<std::uint64_t>({kSectorSize, write.bytes.size() - done, size - at});
            put(image, at, ByteView{write.bytes}.subspan(done, length));
        }
    }
    file.pending.clear();
    file.durable = std::move(image);
    file.current = file.durable;
}

// A hole that did not survive has its bytes back.
void SimDisk::allocate_what_holds_bytes(SimInode& file) {
    for (std::size_t page = 0; page < file.allocated.size(); ++page) {
        if (file.allocated[page]) continue;
        const std::size_t begin = page * kPageSize;
        const ByteView bytes = ByteView{file.current}.subspan(
            begin, std::min<std::size_t>(kPageSize, file.current.size() - begin));
        file.allocated[page] =
            std::ranges::any_of(bytes, [](std::byte b) { return b != std::byte{0}; });
    }
}

void SimDisk::release_locks() {
    visit([](const std::string&, SimInode& file) {
        file.shared_locks = 0;
        file.exclusive_lock = false;
    });
}

void SimDisk::crash(SimRandom& random) {
    const Survival survival = draw_survival(survival_, random);
    const std::size_t cut = random.below(pending_links_.size() + 1);
    for (std::size_t i = 0; i < pending_links_.size(); ++i) {
        bool kept = survival == Survival::all;
        if (survival == Survival::prefix || mode_ == SimDiskMode::ordered)
            kept = kept || i < cut;
        else if (survival != Survival::none)
            kept = kept || random.coin();
        if (survival == Survival::none && mode_ == SimDiskMode::strict) kept = false;
        if (kept) apply(pending_links_[i]);
    }
    pending_links_.clear();
    pages_used_ = 0;
    std::set<std::uint64_t> seen;
    std::vector<SimInodePtr> open{root_};
    while (!open.empty()) {
        const SimInodePtr inode = std::move(open.back());
        open.pop_back();
        inode->entries = inode->durable_entries;
        inode->shared_locks = 0;
        inode->exclusive_lock = false;
        const bool was_removed = inode->links == 0;
        inode->links = 1;
        if (!inode->directory) {
            const bool changed = inode->dirty;
            crash_file(*inode, random);
            inode->allocated.resize((inode->current.size() + kPageSize - 1) / kPageSize,
                                    was_removed);
            if (changed) allocate_what_holds_bytes(*inode);
            pages_used_ += static_cast<std::uint64_t>(
                std::count(inode->allocated.begin(), inode->allocated.end(), true));
        }
        for (const auto& [name, child] : inode->entries) {
            // One rename of two, kept without the other, could leave a file under two names; the
            // second one is dropped.
            if (child->id != 0 && !seen.insert(child->id).second) continue;
            open.push_back(child);
        }
    }
}

void SimDisk::replace(SimInode& file, std::vector<std::byte> bytes) {
    file.pending.clear();
    file.dirty = false;
    take_pages(file, 0, bytes.size());
    file.current = bytes;
    file.durable = std::move(bytes);
}

void SimDisk::flip_bit(SimInode& file, std::uint64_t offset, unsigned bit) {
    ORB_ASSERT(offset < file.current.size());
    const auto mask = static_cast<std::byte>(1U << (bit & 7));
    file.current[offset] ^= mask;
    if (offset < file.durable.size()) file.durable[offset] ^= mask;
}

void SimDisk::visit(const std::function<void(const std::string&, SimInode&)>& visitor) const {
    std::vector<std::pair<std::string, SimInodePtr>> open{{"", root_}};
    while (!open.empty()) {
        const auto [path, inode] = std::move(open.back());
        open.pop_back();
        if (!inode->directory) visitor(path, *inode);
        for (auto entry = inode->entries.rbegin(); entry != inode->entries.rend(); ++entry) {
            open.emplace_back(path.empty() ? entry->first : path + '/' + entry->first,
                              entry->second);
        }
    }
}

std::uint64_t SimDisk::fingerprint() const {
    std::uint64_t sum = 0;
    visit([&sum](const std::string& path, SimInode& file) {
        sum = mix64(sum, checksum64(as_bytes(path)));
        sum = mix64(sum, checksum64(file.durable));
    });
    return sum;
}

}  // namespace orbitalreg::sim
