#include "check/deep_check.h"

#include "check/findings.h"
#include "log/log_segment.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kPieceSize = 1_MiB;
constexpr std::uint64_t kProgressEvery = 64_MiB;

// 16 bytes a blob; the rest is in its row.
struct Entry {
    std::uint64_t file = 0;  // lanes before the log
    std::uint32_t position = 0;
    BlobId id;
};

// In the order of their places, so that the device reads forward.
std::vector<Entry> in_order(const BlobTable& blobs, const std::set<std::uint64_t>* uids) {
    std::vector<Entry> all;
    if (uids == nullptr) all.reserve(blobs.size());
    blobs.for_each([&all, uids](const BlobView& blob) {
        if (uids != nullptr && !uids->contains(blob.extent.uid)) return;
        const std::uint64_t log = blob.extent.in_lane ? 0 : 1;
        all.push_back({log << 32 | blob.extent.file, blob.extent.position, blob.id});
    });
    std::ranges::sort(all, {}, [](const Entry& entry) {
        return std::pair{entry.file, entry.position};
    });
    return all;
}

// What the level below reports too.
bool is_known(const ExtentTrouble& trouble) noexcept {
    return trouble.code == "descriptor_invalid";
}

}  // namespace

struct DeepCheck::Shared {
    const BlobTable& blobs;
    std::vector<Entry> order;
    std::uint64_t bytes_all = 0;
    std::atomic<std::size_t> next{0};
    std::atomic<std::uint64_t> bytes{0};
    std::mutex mutex{};
    std::vector<Outcome> found{};
};

void DeepCheck::work(Shared& shared, bool tell) const {
    ExtentCheck check{io_, store_, kPieceSize};
    std::uint64_t told = 0;
    for (;;) {
        const std::size_t number = shared.next.fetch_add(1);
        if (number >= shared.order.size()) return;
        const auto found = shared.blobs.get(shared.order[number].id);
        if (!found) continue;
        const BlobView& blob = *found;
        check.begin(blob, true);
        ExtentVerdict verdict = ExtentVerdict::more;
        while (verdict == ExtentVerdict::more) verdict = check.step();
        const std::uint64_t bytes = shared.bytes += blob.extent.size_bytes;
        if (verdict != ExtentVerdict::sound) {
            const std::lock_guard lock{shared.mutex};
            if (shared.found.size() <= kFindingsMax)
                shared.found.push_back({number, blob, check.trouble()});
        }
        if (!tell || bytes - told < kProgressEvery) continue;
        told = bytes;
        progress_("digests: " + std::to_string(number + 1) + " of " +
                  std::to_string(shared.order.size()) + " blobs, " + std::to_string(bytes >> 20) +
                  " of " + std::to_string(shared.bytes_all >> 20) + " MiB");
    }
}

void DeepCheck::report(std::vector<Outcome> found) {
    std::ranges::sort(found, {}, &Outcome::number);
    for (const Outcome& outcome : found) {
        if (is_known(outcome.trouble)) continue;
        const BlobView& blob = outcome.blob;
        const std::string file =
            blob.extent.in_lane ? lane_path(blob.extent.file) : log_segment_path(blob.extent.file);
        const bool unreadable = outcome.trouble.code == "read_failed";
        add_finding(report_, FsckFinding::Severity::loss, outcome.trouble.code,
                    file + " page " + std::to_string(outcome.trouble.page),
                    "blob " + blob.digest.to_string() + " (" +
                        std::to_string(blob.extent.size_bytes) + " bytes): " +
                        outcome.trouble.detail + (unreadable ? "" : "; push it again to heal it"),
                    blob.extent.uid);
    }
}

void DeepCheck::run(const BlobTable& blobs, const std::set<std::uint64_t>* uids) {
    Shared shared{.blobs = blobs, .order = in_order(blobs, uids), .bytes_all = blobs.bytes()};
    std::vector<std::thread> others;
    for (unsigned i = 1; i < threads_; ++i) {
        others.emplace_back([this, &shared] { work(shared, false); });
    }
    work(shared, true);
    for (std::thread& other : others) other.join();
    report_.bytes = shared.bytes;
    report(std::move(shared.found));
}

}  // namespace orbitalreg::cas
