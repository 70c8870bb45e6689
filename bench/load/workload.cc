#include "workload.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/hasher.h"
#include "content.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

namespace orbitalreg::load {
namespace {

constexpr std::uint64_t kChunkBytes = 16_MiB;  // of Form::chunks
constexpr std::string_view kOctets = "Content-Type: application/octet-stream\r\n";
constexpr std::uint64_t kRangeBytes = 64_KiB;
constexpr std::string_view kManifestType = "application/vnd.oci.image.manifest.v1+json";

// One client. An operation returns what went wrong, or nothing.
class Client {
public:
    Client(const Options& options, unsigned number)
        : options_{options},
          number_{number},
          connection_{options.server, options.authorization.empty()
                                          ? std::string{}
                                          : "Authorization: " + options.authorization + "\r\n"},
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
        if (done.status != 201) return "PUT: " + std::to_string(done.status);
        payload_bytes_ += content.size_bytes();
        return "";
    }

    // What a HEAD of the manifest says is there.
    std::string head(const std::string& target) {
        const std::string accept = "Accept: " + std::string{kManifestType} + "\r\n";
        const Answer got =
            connection_.ask({.method = "HEAD", .target = target, .extra_headers = accept});
        return got.status == 200 ? "" : "HEAD: " + std::to_string(got.status);
    }

    std::string get_range(const std::string& target, Content& content, std::uint64_t offset) {
        const auto size = std::min(kRangeBytes, content.size_bytes() - offset);
        const std::string range = "Range: bytes=" + std::to_string(offset) + "-" +
                                  std::to_string(offset + size - 1) + "\r\n";
        std::uint64_t at = offset;
        bool equal = true;
        HttpConnection::Sink sink;
        if (options_.verify) {
            sink = [&](ByteView piece) {
                while (!piece.empty() && at < offset + size) {
                    auto wanted = content.piece(at);
                    wanted = wanted.first(std::min(wanted.size(), piece.size()));
                    equal = equal && std::equal(wanted.begin(), wanted.end(), piece.begin());
                    piece = piece.subspan(wanted.size());
                    at += wanted.size();
                }
                equal = equal && piece.empty();
            };
        }
        const Answer got =
            connection_.ask({.method = "GET", .target = target, .extra_headers = range}, {}, sink);
        payload_bytes_ += got.body_size_bytes;
        if (got.status != 206) return "GET range: " + std::to_string(got.status);
        if (options_.verify && (!equal || at != offset + size)) return "GET range: wrong bytes";
        return "";
    }

    // Counts the names in the list: each stands between quotes, as do the list's two keys and the image's name.
    std::string list_tags(std::uint64_t tags, std::uint64_t number) {
        std::uint64_t quotes = 0;
        const auto sink = [&](ByteView piece) {
            quotes += static_cast<std::uint64_t>(
                std::count(piece.begin(), piece.end(), static_cast<std::byte>('"')));
        };
        std::string target = "/v2/" + options_.name + "/tags/list";
        if (options_.page > 0)
            target += "?n=" + std::to_string(options_.page) + "&last=t" +
                      std::to_string(mix64(options_.seed, number) % tags);
        const Answer got = connection_.ask({.method = "GET", .target = target}, {}, sink);
        payload_bytes_ += got.body_size_bytes;
        if (got.status != 200) return "GET tags: " + std::to_string(got.status);
        if (options_.verify && options_.page == 0 && quotes != 2 * (tags + 3))
            return "GET tags: not all of them";
        return "";
    }

    static std::string repository(std::uint64_t number) {
        const auto digits = std::to_string(number);
        return "catalog/r" + std::string(8 - std::min<std::size_t>(digits.size(), 8), '0') + digits;
    }

    // An index of nothing in each repository, unless a run before this one has left them there.
    std::string fill_catalog(std::uint64_t repositories) {
        constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";
        const auto body = R"({"schemaVersion":2,"mediaType":")" + std::string{kIndexType} +
                          R"(","manifests":[]})";
        const auto target_of = [](std::uint64_t number) {
            return "/v2/" + repository(number) + "/manifests/latest";
        };
        const std::string accept = "Accept: " + std::string{kIndexType} + "\r\n";
        const auto last_target = target_of(repositories - 1);
        const Answer last =
            connection_.ask({.method = "HEAD", .target = last_target, .extra_headers = accept});
        for (std::uint64_t i = 0; i < repositories && last.status != 200; ++i) {
            auto error = put(target_of(i), kIndexType, body);
            if (!error.empty()) return error;
        }
        return "";
    }

    std::string list_catalog(std::uint64_t repositories, std::uint64_t number) {
        const auto page = std::max<std::uint64_t>(options_.page, 1);
        const auto last = repository(mix64(options_.seed, number) %
                                     (repositories - std::min(page, repositories - 1)));
        const Answer got =
            connection_.ask({.method = "GET",
                             .target = "/v2/_catalog?n=" + std::to_string(page) + "&last=" + last});
        payload_bytes_ += got.body_size_bytes;
        return got.status == 200 ? "" : "GET catalog: " + std::to_string(got.status);
    }

    // Layers, config and manifest under a tag of its own.
    std::string push_image(std::uint64_t number) {
        std::string layers;
        std::string config;
        for (unsigned i = 0; i <= options_.layers; ++i) {
            const bool is_config = i == options_.layers;
            Content content{mix64(options_.seed, number * 1024 + i + 1),
                            is_config ? 1000 : options_.size_bytes};
            const auto digest = content.digest();
            if (auto error = push(content, digest); !error.empty()) return error;
            const auto descriptor = R"({"mediaType":"application/octet-stream","digest":")" +
                                    digest + R"(","size":)" + std::to_string(content.size_bytes()) +
                                    "}";
            if (is_config) {
                config = descriptor;
            } else {
                layers += (layers.empty() ? "" : ",") + descriptor;
            }
        }
        return put_manifest("image-" + std::to_string(number), manifest_of(config, layers));
    }

    static std::string manifest_of(const std::string& config, const std::string& layers) {
        return R"({"schemaVersion":2,"mediaType":")" + std::string{kManifestType} +
               R"(","config":)" + config + R"(,"layers":[)" + layers + "]}";
    }

    std::string get(const std::string& target, const std::string& digest) {
        Hasher hasher{DigestAlgorithm::sha256};
        HttpConnection::Sink sink;
        if (options_.verify) sink = [&](ByteView piece) { hasher.update(piece); };
        const std::string accept = "Accept: " + std::string{kManifestType} + "\r\n";
        const Answer got =
            connection_.ask({.method = "GET", .target = target, .extra_headers = accept}, {}, sink);
        payload_bytes_ += got.body_size_bytes;
        if (got.status != 200) return "GET: " + std::to_string(got.status);
        if (options_.verify && hasher.digest().to_string() != digest) return "GET: wrong bytes";
        return "";
    }

    std::string put_manifest(const std::string& tag, std::string_view body) {
        return put("/v2/" + options_.name + "/manifests/" + tag, kManifestType, body);
    }

    std::string put(const std::string& target, std::string_view media_type, std::string_view body) {
        const std::string type = "Content-Type: " + std::string{media_type} + "\r\n";
        const Request request{.method = "PUT",
                              .target = target,
                              .extra_headers = type,
                              .body_size_bytes = body.size()};
        const Answer done = connection_.ask(
            request, [&](std::uint64_t offset) { return as_bytes(body).subspan(offset); });
        return done.status == 201 ? "" : "PUT manifest: " + std::to_string(done.status);
    }

    unsigned number() const { return number_; }
    // Of blobs pushed and of bodies read.
    std::uint64_t payload_bytes() const { return payload_bytes_; }

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
    std::uint64_t payload_bytes_ = 0;
};

// What one operation works on; prepared before the clock starts.
struct Target {
    std::string path;
    std::string digest;
};
struct Prepared {
    Target manifest;
    Target blob;
    std::string failure;
};

Prepared prepare_manifest(const Options& options, Client& client) {
    Content content{options.seed, 1000};
    const auto digest = content.digest();
    Prepared prepared;
    prepared.failure = client.push(content, digest);
    if (!prepared.failure.empty()) return prepared;
    const std::string descriptor =
        R"({"mediaType":"application/octet-stream","digest":")" + digest + R"(","size":1000})";
    std::string layers = descriptor;
    for (int i = 1; i < 8; ++i) layers += "," + descriptor;
    const auto body = Client::manifest_of(descriptor, layers);
    prepared.failure = client.put_manifest("latest", body);
    for (std::uint64_t tag = 1; tag < options.tags && options.kind == Kind::list_tags; ++tag) {
        if (!prepared.failure.empty()) break;
        prepared.failure = client.put_manifest("t" + std::to_string(tag), body);
    }
    prepared.manifest = {"/v2/" + options.name + "/manifests/latest",
                         Digest::of(DigestAlgorithm::sha256, as_bytes(body)).to_string()};
    return prepared;
}

bool reads_blob(Kind kind) {
    return kind == Kind::get_blob || kind == Kind::head_blob || kind == Kind::ranges ||
           kind == Kind::mixed;
}

bool reads_manifest(Kind kind) {
    return kind == Kind::get_manifest || kind == Kind::head || kind == Kind::list_tags ||
           kind == Kind::mixed;
}

Prepared prepare(const Options& options) {
    Client client{options, 0};
    Prepared prepared;
    if (options.kind == Kind::catalog) prepared.failure = client.fill_catalog(options.repositories);
    if (reads_manifest(options.kind)) prepared = prepare_manifest(options, client);
    if (!prepared.failure.empty() || !reads_blob(options.kind)) return prepared;
    Content content{mix64(options.seed, 0), options.size_bytes};
    const auto digest = content.digest();
    prepared.failure = client.push(content, digest);
    prepared.blob = {"/v2/" + options.name + "/blobs/" + digest, digest};
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
        std::sort(outcome_.pull_latencies_us.begin(), outcome_.pull_latencies_us.end());
        if (last_us_ > first_us_)
            outcome_.seconds = static_cast<double>(last_us_ - first_us_) / 1e6;
        return std::move(outcome_);
    }

private:
    // Of a mix: which one the i-th operation is.
    Kind kind_of(std::uint64_t i) const {
        if (options_.kind != Kind::mixed) return options_.kind;
        switch (i % 10) {
            case 3:
                return Kind::head;
            case 5:
            case 8:
                return Kind::get_blob;
            case 9:
                return Kind::push_small;
            default:
                return Kind::get_manifest;
        }
    }

    std::uint64_t place_of(std::uint64_t i, const Content& content) const {
        const auto anywhere = mix64(options_.seed, i) % content.size_bytes();
        return options_.aligned ? anywhere / kRangeBytes * kRangeBytes : anywhere;
    }

    std::string operate(Client& client, Kind kind, std::uint64_t i, Content& content,
                        const std::string& digest) const {
        switch (kind) {
            case Kind::push_image:
                return client.push_image(i);
            case Kind::get_manifest:
                return client.get(prepared_.manifest.path, prepared_.manifest.digest);
            case Kind::head:
                return client.head(prepared_.manifest.path);
            case Kind::head_blob:
                return client.head(prepared_.blob.path);
            case Kind::get_blob:
                return client.get(prepared_.blob.path, prepared_.blob.digest);
            case Kind::ranges:
                return client.get_range(prepared_.blob.path, content, place_of(i, content));
            case Kind::list_tags:
                return client.list_tags(options_.tags, i);
            case Kind::catalog:
                return client.list_catalog(options_.repositories, i);
            case Kind::get:
                return client.get(
                    options_.targets[mix64(options_.seed, i) % options_.targets.size()], {});
            default:
                return client.push(content, digest);
        }
    }

    void work(unsigned number) {
        Client client{options_, number};
        std::vector<std::uint64_t> latencies;
        std::vector<std::uint64_t> pull_latencies;
        std::string failure;
        std::uint64_t failures = 0;
        std::uint64_t first = ~std::uint64_t{0};
        std::uint64_t last = 0;
        // What every reader of ranges compares with; made once, since it fills up to a block.
        Content read{mix64(options_.seed, 0),
                     options_.kind == Kind::ranges ? options_.size_bytes : 0};
        for (std::uint64_t i = next_++; i < options_.operations; i = next_++) {
            const Kind kind = kind_of(i);
            const bool pushes = kind == Kind::push_small || kind == Kind::push_large;
            // Content and digest of a push are the client's own work, before the clock starts.
            Content pushed{mix64(options_.seed, i + 1), pushes ? options_.size_bytes : 0};
            const std::string digest = pushes ? pushed.digest() : std::string{};
            const std::uint64_t begin = now_us();
            const std::string error = operate(client, kind, i, pushes ? pushed : read, digest);
            const std::uint64_t end = now_us();
            latencies.push_back(end - begin);
            if (options_.kind == Kind::mixed && !pushes) pull_latencies.push_back(end - begin);
            first = std::min(first, begin);
            last = std::max(last, end);
            if (!error.empty()) {
                ++failures;
                failure = error;
            }
        }
        const std::lock_guard lock{mutex_};
        outcome_.operations += latencies.size();
        outcome_.bytes += client.payload_bytes();
        outcome_.failures += failures;
        if (outcome_.first_failure.empty()) outcome_.first_failure = failure;
        outcome_.latencies_us.insert(outcome_.latencies_us.end(), latencies.begin(),
                                     latencies.end());
        outcome_.pull_latencies_us.insert(outcome_.pull_latencies_us.end(), pull_latencies.begin(),
                                          pull_latencies.end());
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
    if (options.announce) {
        std::puts("");
        std::fflush(stdout);
    }
    return Runner{options, prepared}.run();
}

}  // namespace orbitalreg::load
