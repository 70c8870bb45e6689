#include "workload.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/hasher.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace orbitalreg::load {
namespace {

constexpr std::size_t kBlockBytes = 1_MiB;
constexpr std::uint64_t kChunkBytes = 16_MiB;  // of Form::chunks
constexpr std::string_view kOctets = "Content-Type: application/octet-stream\r\n";
constexpr std::string_view kManifestType = "application/vnd.oci.image.manifest.v1+json";

// One random block repeated, each repetition begun with seed and number: cheap, and no two blobs
// alike.
class Content {
public:
    Content(std::uint64_t seed, std::uint64_t size_bytes) : seed_{seed}, size_bytes_{size_bytes} {
        block_.resize(
            std::min<std::uint64_t>(kBlockBytes, std::max<std::uint64_t>(size_bytes, 16)));
        for (std::size_t i = 0; i < block_.size(); ++i) {
            block_[i] = static_cast<std::byte>(mix64(i, 0x5eed));
        }
    }

    std::uint64_t size_bytes() const { return size_bytes_; }

    // The bytes from `offset` to the end of its block.
    ByteView piece(std::uint64_t offset) {
        const std::uint64_t number = offset / kBlockBytes;
        store_le(block_.data(), mix64(seed_, number));
        store_le(block_.data() + 8, number);
        const auto end = std::min<std::uint64_t>(size_bytes_ - number * kBlockBytes, block_.size());
        return ByteView{block_}.first(end).subspan(offset % kBlockBytes);
    }

    std::string digest() {
        Hasher hasher{DigestAlgorithm::sha256};
        for (std::uint64_t at = 0; at < size_bytes_; at += kBlockBytes) {
            hasher.update(piece(at));
        }
        return hasher.digest().to_string();
    }

private:
    std::uint64_t seed_;
    std::uint64_t size_bytes_;
    std::vector<std::byte> block_;
};

// One client. An operation returns what went wrong, or nothing.
class Client {
public:
    Client(const Options& options, unsigned number)
        : options_{options},
          number_{number},
          connection_{options.server},
          uploads_{"/v2/" + options.name + "/blobs/uploads/"} {}

    std::string push(Content& content, const std::string& digest) {
        const Answer opened = connection_.ask({.method = "POST", .target = uploads_});
        if (opened.status != 202) return "POST: " + std::to_string(opened.status);
        std::string location = opened.location;
        std::uint64_t sent = 0;
        if (options_.kind == Kind::push_large && options_.form != Form::put) {
            const bool stream = options_.form == Form::stream;
            while (sent < content.size_bytes()) {
                const auto size = stream ? content.size_bytes()
                                         : std::min(kChunkBytes, content.size_bytes() - sent);
                const Answer patched = patch(location, content, sent, size, stream);
                if (patched.status != 202) return "PATCH: " + std::to_string(patched.status);
                location = patched.location;
                sent += size;
            }
        }
        location += (location.find('?') == std::string::npos ? "?digest=" : "&digest=") + digest;
        const Request put{.method = "PUT",
                          .target = location,
                          .extra_headers = kOctets,
                          .body_size_bytes = content.size_bytes() - sent};
        const Answer done =
            connection_.ask(put, [&](std::uint64_t offset) { return content.piece(offset); });
        return done.status == 201 ? "" : "PUT: " + std::to_string(done.status);
    }

    std::string get(const std::string& target, const std::string& digest) {
        Hasher hasher{DigestAlgorithm::sha256};
        HttpConnection::Sink sink;
        if (options_.verify) sink = [&](ByteView piece) { hasher.update(piece); };
        const std::string accept = "Accept: " + std::string{kManifestType} + "\r\n";
        const Answer got =
            connection_.ask({.method = "GET", .target = target, .extra_headers = accept}, {}, sink);
        if (got.status != 200) return "GET: " + std::to_string(got.status);
        if (options_.verify && hasher.digest().to_string() != digest) return "GET: wrong bytes";
        return "";
    }

    std::string put_manifest(const std::string& tag, std::string_view body) {
        const std::string target = "/v2/" + options_.name + "/manifests/" + tag;
        const std::string type = "Content-Type: " + std::string{kManifestType} + "\r\n";
        const Request put{.method = "PUT",
                          .target = target,
                          .extra_headers = type,
                          .body_size_bytes = body.size()};
        const Answer done = connection_.ask(
            put, [&](std::uint64_t offset) { return as_bytes(body).subspan(offset); });
        return done.status == 201 ? "" : "PUT manifest: " + std::to_string(done.status);
    }

    unsigned number() const { return number_; }

private:
    Answer patch(const std::string& location, Content& content, std::uint64_t begin,
                 std::uint64_t size, bool stream) {
        std::string headers{kOctets};
        if (!stream) {
            headers += "Content-Range: " + std::to_string(begin) + "-" +
                       std::to_string(begin + size - 1) + "\r\n";
        }
        const Request request{.method = "PATCH",
                              .target = location,
                              .extra_headers = headers,
                              .body_size_bytes = size,
                              .chunked = stream};
        return connection_.ask(request,
                               [&](std::uint64_t offset) { return content.piece(begin + offset); });
    }

    const Options& options_;
    unsigned number_;
    HttpConnection connection_;
    std::string uploads_;
};

// What one operation works on; prepared before the clock starts.
struct Prepared {
    std::string target;
    std::string digest;
    std::string failure;
};

Prepared prepare(const Options& options) {
    if (options.kind == Kind::push_small || options.kind == Kind::push_large) return {};
    Client client{options, 0};
    const bool is_manifest = options.kind == Kind::get_manifest;
    Content content{options.seed, is_manifest ? 1000 : options.size_bytes};
    Prepared prepared{.target = {}, .digest = content.digest(), .failure = {}};
    prepared.failure = client.push(content, prepared.digest);
    prepared.target = "/v2/" + options.name + "/blobs/" + prepared.digest;
    if (!prepared.failure.empty() || !is_manifest) return prepared;

    const std::string descriptor = R"({"mediaType":"application/octet-stream","digest":")" +
                                   prepared.digest + R"(","size":1000})";
    std::string layers = descriptor;
    for (int i = 1; i < 8; ++i) layers += "," + descriptor;
    const std::string body = R"({"schemaVersion":2,"mediaType":")" + std::string{kManifestType} +
                             R"(","config":)" + descriptor + R"(,"layers":[)" + layers + "]}";
    prepared.failure = client.put_manifest("latest", body);
    prepared.target = "/v2/" + options.name + "/manifests/latest";
    prepared.digest = Digest::of(DigestAlgorithm::sha256, as_bytes(body)).to_string();
    return prepared;
}

std::uint64_t now_us() { return static_cast<std::uint64_t>(system_clock().steady_ns() / 1000); }

// The operations of one client, taken from a common counter.
class Runner {
public:
    Runner(const Options& options, const Prepared& prepared)
        : options_{options}, prepared_{prepared} {}

    Outcome run() {
        std::vector<std::thread> threads;
        for (unsigned number = 0; number < options_.clients; ++number) {
            threads.emplace_back(&Runner::work, this, number);
        }
        for (auto& thread : threads) thread.join();
        std::sort(outcome_.latencies_us.begin(), outcome_.latencies_us.end());
        if (last_us_ > first_us_)
            outcome_.seconds = static_cast<double>(last_us_ - first_us_) / 1e6;
        return std::move(outcome_);
    }

private:
    void work(unsigned number) {
        Client client{options_, number};
        std::vector<std::uint64_t> latencies;
        std::string failure;
        std::uint64_t failures = 0;
        std::uint64_t first = ~std::uint64_t{0};
        std::uint64_t last = 0;
        for (std::uint64_t i = next_++; i < options_.operations; i = next_++) {
            Content content{mix64(options_.seed, i + 1), options_.size_bytes};
            const bool pushes =
                options_.kind == Kind::push_small || options_.kind == Kind::push_large;
            const std::string digest = pushes ? content.digest() : prepared_.digest;
            const std::uint64_t begin = now_us();
            const std::string error =
                pushes ? client.push(content, digest) : client.get(prepared_.target, digest);
            const std::uint64_t end = now_us();
            latencies.push_back(end - begin);
            first = std::min(first, begin);
            last = std::max(last, end);
            if (!error.empty()) {
                ++failures;
                failure = error;
            }
        }
        const std::lock_guard lock{mutex_};
        outcome_.operations += latencies.size();
        outcome_.bytes += latencies.size() * options_.size_bytes;
        outcome_.failures += failures;
        if (outcome_.first_failure.empty()) outcome_.first_failure = failure;
        outcome_.latencies_us.insert(outcome_.latencies_us.end(), latencies.begin(),
                                     latencies.end());
        first_us_ = std::min(first_us_, first);
        last_us_ = std::max(last_us_, last);
    }

    const Options& options_;
    const Prepared& prepared_;
    std::atomic<std::uint64_t> next_{0};
    std::mutex mutex_;
    Outcome outcome_;
    std::uint64_t first_us_ = ~std::uint64_t{0};
    std::uint64_t last_us_ = 0;
};

}  // namespace

Outcome run(const Options& options) {
    const Prepared prepared = prepare(options);
    if (!prepared.failure.empty()) {
        Outcome outcome;
        outcome.failures = 1;
        outcome.first_failure = "preparing: " + prepared.failure;
        return outcome;
    }
    return Runner{options, prepared}.run();
}

}  // namespace orbitalreg::load
