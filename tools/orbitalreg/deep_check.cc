#include "deep_check.h"

#include "base/bytes.h"
#include "base/hasher.h"

#include <algorithm>
#include <string>

namespace orbitalreg::program {
namespace {

constexpr std::uint64_t kPieceBytes = 1_MiB;
constexpr std::size_t kFindingsMax = 10'000;  // as cas::FsckReport
constexpr std::uint64_t kProgressEvery = 256_MiB;

void add_finding(cas::FsckReport& report, const Digest& digest, std::string detail) {
    if (report.findings.size() >= kFindingsMax) {
        ++report.findings_dropped;
        return;
    }
    report.findings.push_back(
        {cas::FsckFinding::Severity::loss, "blob_damaged", digest.to_string(), std::move(detail)});
}

// The digest of what the store reads under `digest`.
Awaitable<Result<Digest>> read_digest(cas::Store& store, const Digest& digest,
                                      std::uint64_t& bytes_read) {
    ORB_CO_TRY(const auto reader, store.open_blob(digest));
    Hasher hasher{digest.algorithm()};
    while (hasher.size_bytes() < reader->size_bytes()) {
        const auto left = reader->size_bytes() - hasher.size_bytes();
        ORB_CO_TRY(const auto piece,
                   co_await reader->read(hasher.size_bytes(), std::min(left, kPieceBytes)));
        hasher.update(piece.bytes);
        bytes_read += piece.bytes.size();
    }
    co_return hasher.digest();
}

Awaitable<void> check_all(cas::Store* store, cas::FsckReport* report,
                          const std::function<void(std::string_view)>* progress) {
    const auto blobs = store->stats().blobs;
    std::uint64_t seen = 0;
    std::uint64_t bytes = 0;
    std::uint64_t told = 0;
    for (std::uint32_t id = 0; seen < blobs && id < UINT32_MAX; ++id) {
        const auto digest = store->digest_of(cas::BlobId{id});
        if (!digest) continue;
        ++seen;
        const auto found = co_await read_digest(*store, *digest, bytes);
        if (!found) {
            add_finding(*report, *digest, found.error().message() + "; push it again to heal it");
        } else if (found.value() != *digest) {
            add_finding(*report, *digest,
                        "the bytes have another digest; push it again to heal it");
        }
        if (bytes - told < kProgressEvery) continue;
        told = bytes;
        (*progress)("digests: " + std::to_string(seen) + " of " + std::to_string(blobs) +
                    " blobs, " + std::to_string(bytes >> 20) + " MiB");
    }
}

}  // namespace

void check_digests(OfflineStore& store, cas::FsckReport& report,
                   const std::function<void(std::string_view)>& progress) {
    store.run(check_all(&store.store(), &report, &progress));
}

}  // namespace orbitalreg::program
