#include "sim/harm.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace orbitalreg::sim {
namespace {

using NamedFile = std::pair<std::string, SimInode*>;

std::vector<NamedFile> all_files(const SimWorld& world) {
    std::vector<NamedFile> files;
    world.disk.visit([&](const std::string& path, SimInode& file) {
        if (!file.current.empty()) files.emplace_back(path, &file);
    });
    return files;
}

// The frame names the segment it was written for: one that was made a spare keeps the frames of its life before.
bool is_frame(const NamedFile& segment, std::uint64_t offset) {
    constexpr std::string_view kMagic = "ORBFRAME";  // docs/on-disk-format.md: frame header
    constexpr std::size_t kSegmentAt = 28;
    const auto& [path, file] = segment;
    if (file->current.size() < offset + cas::kPageSize) return false;
    const std::byte* const header = file->current.data() + offset;
    if (std::memcmp(header, kMagic.data(), kMagic.size()) != 0) return false;
    const std::string_view name = std::string_view{path}.substr(path.rfind('/') + 1);
    return load_le<std::uint32_t>(header + kSegmentAt) ==
           std::strtoul(std::string{name.substr(0, name.find('.'))}.c_str(), nullptr, 16);
}

bool is_opened_frame(const SimInode& file, std::uint64_t offset) {
    constexpr std::size_t kKindAt = 18;
    constexpr std::uint16_t kOpened = 2;
    return load_le<std::uint16_t>(file.current.data() + offset + kKindAt) == kOpened;
}

bool holds_frames(const NamedFile& segment) { return is_frame(segment, cas::kPageSize); }

// Of the log: the one that the last frames are in. Files come in order.
std::string last_segment(const std::vector<NamedFile>& files) {
    std::string last;
    for (const NamedFile& file : files) {
        if (file.first.starts_with("log/") && holds_frames(file)) last = file.first;
    }
    return last;
}

std::string_view folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return std::string_view{path}.substr(0, slash == std::string::npos ? 0 : slash);
}

}  // namespace

void flip_bits(SimWorld& world) {
    std::vector<SimInode*> files;
    for (const auto& [path, file] : all_files(world)) {
        if (path.starts_with("lane/") || world.random.one_in(3)) files.push_back(file);
    }
    if (files.empty()) return;
    for (std::uint64_t flips = world.random.between(1, 12); flips > 0; --flips) {
        SimInode& file = *files[world.random.below(files.size())];
        world.disk.flip_bit(file, world.random.below(file.current.size()),
                            static_cast<unsigned>(world.random.below(8)));
    }
    world.damage = Damage::rot;
}

void FileMemory::remember(const SimWorld& world) {
    files_.clear();
    for (const auto& [path, file] : all_files(world)) files_[path] = file->current;
}

bool FileMemory::put_one_back(SimWorld& world) {
    const std::vector<NamedFile> files = all_files(world);
    const std::string last = last_segment(files);
    std::vector<NamedFile> changed;
    for (const NamedFile& candidate : files) {
        const auto before = files_.find(candidate.first);
        const bool differs = before != files_.end() && before->second != candidate.second->current;
        // A segment behind the last one is a spare, and holds nothing.
        if (differs && (!candidate.first.starts_with("log/") || candidate.first < last))
            changed.push_back(candidate);
    }
    if (changed.empty()) return false;
    const auto& [path, file] = changed[world.random.below(changed.size())];
    world.say("=== " + path + " goes back to what it was");
    world.disk.replace(*file, files_[path]);
    world.damage = Damage::stale;
    return true;
}

bool spoil_a_frame(SimWorld& world) {
    std::vector<std::pair<SimInode*, std::uint64_t>> frames;
    for (const NamedFile& segment : all_files(world)) {
        if (!segment.first.starts_with("log/")) continue;
        SimInode& file = *segment.second;
        for (std::uint64_t at = cas::kPageSize; at < file.current.size(); at += cas::kPageSize) {
            if (is_frame(segment, at)) frames.emplace_back(&file, at);
        }
    }
    // Damage of the very last frame looks like a write that was never finished.
    if (frames.size() < 3) return false;
    frames.resize(frames.size() - 2);
    // The one that each start writes is the only one whose successors may all be of another incarnation.
    const auto opened = std::find_if(frames.rbegin(), frames.rend(), [](const auto& frame) {
        return is_opened_frame(*frame.first, frame.second);
    });
    if (opened != frames.rend() && world.random.coin()) frames.assign(1, *opened);
    const auto& [file, offset] = frames[world.random.below(frames.size())];
    world.say("=== a frame of " + file->name + " rots at " + std::to_string(offset));
    world.disk.flip_bit(*file, offset + world.random.below(128),
                        static_cast<unsigned>(world.random.below(8)));
    world.damage = Damage::stale;
    return true;
}

bool put_one_over_another(SimWorld& world) {
    const std::vector<NamedFile> files = all_files(world);
    const auto& [path, file] = files[world.random.below(files.size())];
    const std::string last = last_segment(files);
    std::vector<NamedFile> kin;
    for (const NamedFile& other : files) {
        const bool same_kind = folder_of(other.first) == folder_of(path);
        if (same_kind && other.second != file && !folder_of(path).empty()) kin.push_back(other);
    }
    // What is put over the last segment, or a spare, takes its frames away as if they had never been written.
    if (kin.empty() || (path.starts_with("log/") && path >= last)) return false;
    const auto& [other_path, other] = kin[world.random.below(kin.size())];
    world.say("=== " + other_path + " is put over " + path);
    world.disk.replace(*file, other->current);
    world.damage = Damage::stale;
    return true;
}

}  // namespace orbitalreg::sim
