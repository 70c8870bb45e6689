#pragma once
// PullTimes collects pulls between two writes: one entry for each tag or digest, however often it is pulled.
//
// Durable  nothing here. What was not written when the process dies is lost, at most a minute of it.
// Threads  any; the sequencer asks is_waiting().
// Limits   kEntriesMax; then a pull waits until what is there has been written.

#include "engine/retention_store.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

class PullTimes {
public:
    static constexpr std::size_t kEntriesMax = 100'000;

    // False: there is no room, write first.
    bool note(const ImageName& image, const std::optional<Tag>& tag, const Digest& digest,
              std::uint32_t now_s);
    // Whether a pull of this manifest waits to be written.
    bool is_waiting(const ImageName& image, const Digest& digest) const;
    std::size_t size() const;

    // What is to be written, in batches that fit one record: all of it, or of one image name.
    std::vector<std::vector<ImagePulls>> batches(const std::string& only_image = {}) const;
    // They are in the catalog: what was not pulled again is no longer needed.
    void written(const std::vector<ImagePulls>& batch);

private:
    using Key = std::pair<Digest, std::string>;  // the tag, empty for a pull by digest

    mutable std::mutex mutex_;
    std::map<std::string, std::map<Key, std::uint32_t>> images_;
    std::size_t size_ = 0;
};

}  // namespace orbitalreg::engine
