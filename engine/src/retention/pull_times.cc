#include "retention/pull_times.h"

namespace orbitalreg::engine {

bool PullTimes::note(const ImageName& image, const std::optional<Tag>& tag, const Digest& digest,
                     std::uint32_t now_s) {
    std::scoped_lock lock{mutex_};
    auto& pulls = images_[image.text()];
    const Key key{digest, tag ? tag->text() : std::string{}};
    const auto known = pulls.find(key);
    if (known != pulls.end()) {
        known->second = now_s;
        return true;
    }
    if (size_ >= kEntriesMax) return false;
    pulls.emplace(key, now_s);
    ++size_;
    return true;
}

bool PullTimes::is_waiting(const ImageName& image, const Digest& digest) const {
    std::scoped_lock lock{mutex_};
    const auto pulls = images_.find(image.text());
    if (pulls == images_.end()) return false;
    const auto next = pulls->second.lower_bound({digest, {}});
    return next != pulls->second.end() && next->first.first == digest;
}

std::size_t PullTimes::size() const {
    std::scoped_lock lock{mutex_};
    return size_;
}

std::vector<std::vector<ImagePulls>> PullTimes::batches(const std::string& only_image) const {
    std::scoped_lock lock{mutex_};
    std::vector<std::vector<ImagePulls>> batches;
    std::size_t room = 0;
    for (const auto& [name, pulls] : images_) {
        if (!only_image.empty() && name != only_image) continue;
        const auto image = ImageName::parse(name);
        if (!image) continue;
        bool of_image = false;  // the last entry of the last batch is this image's
        for (const auto& [key, pulled_s] : pulls) {
            if (room == 0) {
                batches.emplace_back();
                room = RetentionStore::kPullsMax;
                of_image = false;
            }
            if (!of_image) batches.back().emplace_back(image.value());
            of_image = true;
            PullNote note{key.first, {}, pulled_s};
            if (!key.second.empty()) {
                const auto tag = Tag::parse(key.second);
                if (tag) note.tag = tag.value();
            }
            batches.back().back().pulls.push_back(std::move(note));
            --room;
        }
    }
    return batches;
}

void PullTimes::written(const std::vector<ImagePulls>& batch) {
    std::scoped_lock lock{mutex_};
    for (const auto& [image, notes] : batch) {
        const auto pulls = images_.find(image.text());
        if (pulls == images_.end()) continue;
        for (const auto& note : notes) {
            const auto known =
                pulls->second.find({note.digest, note.tag ? note.tag->text() : std::string{}});
            if (known == pulls->second.end() || known->second != note.pulled_s) continue;
            pulls->second.erase(known);
            --size_;
        }
        if (pulls->second.empty()) images_.erase(pulls);
    }
}

}  // namespace orbitalreg::engine
