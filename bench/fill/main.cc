// orbitalreg-fill makes a store of many blobs, and measures how it opens.
//
//   orbitalreg-fill make DIR --blobs 1000000     nine small layers, one manifest, one tag each
//   orbitalreg-fill make DIR --blobs 200000 --layers 1 --manifests-per-image 1 --images-per-repository 1
//                                                100,000 repositories of one image each
//   orbitalreg-fill open DIR                     one line of JSON: time, memory
//
// Formats  what is written is written by the product: repositories, blobs, links and manifests as a push makes them, in
//          groups of the same journal, each manifest with its blobs at once. Content is small, so that five million blobs
//          are a few GB; an index does not know the difference.
// Names    of the manifest N: fill/repository<N / manifests per image / images per repository>/image<N / manifests per
//          image>, tag v<N % manifests per image>.

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "cas/io.h"
#include "cas/store.h"
#include "catalog/catalog_records.h"
#include "engine/embedded_store.h"
#include "engine/registry_store.h"

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

namespace orbitalreg {
namespace {

constexpr int kWriters = 64;
constexpr std::uint64_t kManifestsPerReport = 50'000;

struct Arguments {
    std::string directory;
    std::uint64_t blobs = 1'000'000;
    std::uint64_t layers = 9;  // of a manifest; the configuration is one of them
    std::uint64_t layer_bytes = 64;
    std::uint64_t manifests_per_image = 50;
    std::uint64_t images_per_repository = 20;
    std::uint64_t memory_limit_mib = 4096;
};

std::vector<std::byte> bytes_of(std::string_view text) {
    const ByteView view = as_bytes(text);
    return {view.begin(), view.end()};
}

engine::ImageName image_of(const Arguments& arguments, std::uint64_t number) {
    const auto image = number / arguments.manifests_per_image;
    return engine::ImageName::parse("fill/repository" +
                                    std::to_string(image / arguments.images_per_repository) +
                                    "/image" + std::to_string(image))
        .value();
}

// One push: the repository if it is its first, the layers, the links to them, the manifest, a tag.
class Push {
public:
    Push(const Arguments& arguments, std::uint64_t number) : image_{image_of(arguments, number)} {
        if (number % (arguments.manifests_per_image * arguments.images_per_repository) == 0) {
            change_.records.push_back(engine::encode(engine::RepositoryPutRecord{
                {{std::string{image_.component(0)}, std::string{image_.component(1)}}}, {}}));
        }
        manifest_ =
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json")";
        for (std::uint64_t i = 0; i < arguments.layers; ++i)
            add_layer(number, i, arguments.layer_bytes);
        manifest_ += arguments.layers > 1 ? "]}" : R"(,"layers":[]})";
        add_manifest("v" + std::to_string(number % arguments.manifests_per_image));
    }

    cas::Change take() { return std::move(change_); }

private:
    void add_layer(std::uint64_t number, std::uint64_t layer, std::uint64_t layer_bytes) {
        std::string content = "layer " + std::to_string(number) + "." + std::to_string(layer);
        content.resize(std::max<std::size_t>(content.size(), layer_bytes), '.');
        const auto digest = Digest::of(DigestAlgorithm::sha256, as_bytes(content));
        const std::string descriptor = std::string{R"({"mediaType":"application/vnd.oci.image.)"} +
                                       (layer == 0 ? "config.v1+json" : "layer.v1.tar") +
                                       R"(","digest":")" + digest.to_string() + R"(","size":)" +
                                       std::to_string(content.size()) + "}";
        manifest_ += layer == 0 ? R"(,"config":)" : layer == 1 ? R"(,"layers":[)" : ",";
        manifest_ += descriptor;
        edges_.push_back({digest, false});
        change_.records.push_back(engine::encode(engine::LinkAddRecord{image_, digest, {}}));
        change_.blobs.push_back({digest, bytes_of(content)});
        change_.keys.exclusive.push_back(cas::digest_key(digest));
    }
    void add_manifest(const std::string& tag) {
        const auto digest = Digest::of(DigestAlgorithm::sha256, as_bytes(manifest_));
        change_.records.push_back(
            engine::encode(engine::ManifestPutRecord{image_,
                                                     digest,
                                                     engine::ManifestKind::oci_image,
                                                     manifest_.size(),
                                                     edges_,
                                                     {},
                                                     {},
                                                     {},
                                                     {engine::Tag::parse(tag).value()},
                                                     {}}));
        change_.blobs.push_back({digest, bytes_of(manifest_)});
        change_.keys.exclusive.push_back(cas::digest_key(digest));
    }

    engine::ImageName image_;
    std::string manifest_;
    std::vector<engine::RecordEdge> edges_;
    cas::Change change_;
};

struct Filling {
    cas::Store& store;
    Arguments arguments;
    std::uint64_t next = 0;
    std::uint64_t end = 0;
    int writers = kWriters;
    ErrorCode error{};
};

Awaitable<void> write_pushes(Filling& filling) {
    while (filling.next < filling.end && !filling.error) {
        const std::uint64_t number = filling.next++;
        if (number % kManifestsPerReport == 0) {
            std::cerr << number * (filling.arguments.layers + 1) << " of "
                      << filling.arguments.blobs << " blobs\n";
        }
        Push push{filling.arguments, number};
        const auto committed = co_await filling.store.submit(push.take());
        if (!committed) filling.error = committed.error();
    }
    --filling.writers;
}

Awaitable<void> stop_store(cas::Store& store, bool& stopped) {
    co_await store.stop();
    stopped = true;
}

struct Process {
    double peak_mib = 0;
    double resident_mib = 0;
};

Process process_memory() {
    Process process;
    std::ifstream status{"/proc/self/status"};
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) process.peak_mib = std::stod(line.substr(6)) / 1024;
        if (line.starts_with("VmRSS:")) process.resident_mib = std::stod(line.substr(6)) / 1024;
    }
    return process;
}

class OpenStore {
public:
    Result<void> open(const Arguments& arguments, bool read_only) {
        log_ = make_stderr_log(LogLevel::warn, LogFormat::text);
        ORB_TRY(io_, cas::make_io(arguments.directory, {.choice = cas::IoChoice::threads}, *log_,
                                  metrics_));
        cas::StoreEnvironment environment{
            *io_,     system_clock(),           system_random(),        *log_,
            metrics_, {context.get_executor()}, context.get_executor(), false};
        cas::StoreOptions options;
        options.read_only = read_only;
        options.memory_limit_bytes = arguments.memory_limit_mib << 20;
        ORB_TRY(embedded_,
                engine::open_embedded(std::move(environment), options, engine::RegistryLimits{}));
        return ok();
    }
    engine::EmbeddedStore& embedded() noexcept { return *embedded_; }
    cas::Store& store() noexcept { return embedded_->store(); }
    void stop() {
        bool stopped = false;
        asio::co_spawn(context, stop_store(store(), stopped), asio::detached);
        context.restart();
        while (!stopped && context.run_one() > 0) {
        }
    }

    asio::io_context context{1};

private:
    std::unique_ptr<Log> log_;
    Metrics metrics_;
    std::unique_ptr<cas::Io> io_;
    std::unique_ptr<engine::EmbeddedStore> embedded_;
};

int refuse(const ErrorCode& error) {
    std::cerr << "error: " << error.message() << '\n';
    return 3;
}

int make(const Arguments& arguments) {
    std::error_code not_made;  // said again by the open
    std::filesystem::create_directories(arguments.directory, not_made);
    OpenStore opened;
    if (const auto result = opened.open(arguments, false); !result) return refuse(result.error());
    Filling filling{opened.store(), arguments};
    filling.end = arguments.blobs / (arguments.layers + 1);
    for (int i = 0; i < kWriters; ++i) {
        asio::co_spawn(opened.context, write_pushes(filling), asio::detached);
    }
    const auto start = std::chrono::steady_clock::now();
    while (filling.writers > 0 && opened.context.run_one() > 0) {
    }
    const std::chrono::duration<double> filled = std::chrono::steady_clock::now() - start;
    opened.stop();
    const std::chrono::duration<double> all = std::chrono::steady_clock::now() - start;
    if (filling.error) return refuse(filling.error);
    std::printf("{\"blobs\":%llu,\"filled_s\":%.1f,\"stopped_s\":%.1f}\n",
                static_cast<unsigned long long>(opened.store().stats().blobs), filled.count(),
                all.count() - filled.count());
    return 0;
}

int open(const Arguments& arguments, bool read_only) {
    const Process before = process_memory();
    OpenStore opened;
    const auto start = std::chrono::steady_clock::now();
    if (const auto result = opened.open(arguments, read_only); !result)
        return refuse(result.error());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const Process after = process_memory();
    const auto store = opened.store().stats();
    const auto registry = opened.embedded().registry_store().stats();
    const double blobs = static_cast<double>(store.blobs);
    std::printf(
        "{\"blobs\":%llu,\"manifests\":%llu,\"tags\":%llu,\"open_s\":%.3f,\"recovery_ms\":%lld,"
        "\"frames_replayed\":%llu,\"log_bytes\":%llu,\"rss_mib\":%.0f,\"peak_rss_mib\":%.0f,"
        "\"bytes_per_blob\":%.0f,\"s_per_million_blobs\":%.3f}\n",
        static_cast<unsigned long long>(store.blobs),
        static_cast<unsigned long long>(registry.manifests),
        static_cast<unsigned long long>(registry.tags), took.count(),
        static_cast<long long>(store.recovery_ms),
        static_cast<unsigned long long>(store.frames_replayed),
        static_cast<unsigned long long>(store.log_bytes), after.resident_mib, after.peak_mib,
        (after.resident_mib - before.resident_mib) * (1 << 20) / blobs, took.count() * 1e6 / blobs);
    if (!read_only) opened.stop();
    return 0;
}

}  // namespace
}  // namespace orbitalreg

int main(int argc, char** argv) {
    using namespace orbitalreg;
    CLI::App app{"Makes a store of many blobs, and measures how it opens."};
    app.require_subcommand(1);
    Arguments arguments;
    bool read_only = false;
    auto* make_command =
        app.add_subcommand("make", "Fill a store; it is made where there is none.");
    make_command->add_option("directory", arguments.directory)->required();
    make_command->add_option("--blobs", arguments.blobs, "Blobs, manifests among them.");
    make_command->add_option("--layers", arguments.layers, "Of a manifest, its configuration too.")
        ->check(CLI::Range(1, 1000));
    make_command
        ->add_option("--manifests-per-image", arguments.manifests_per_image, "One tag each.")
        ->check(CLI::PositiveNumber);
    make_command->add_option("--images-per-repository", arguments.images_per_repository)
        ->check(CLI::PositiveNumber);
    make_command->add_option("--layer-bytes", arguments.layer_bytes, "At least, of each layer.");
    auto* open_command = app.add_subcommand("open", "Open a store and say what it took.");
    open_command->add_option("directory", arguments.directory)->required();
    open_command->add_flag("--read-only", read_only, "Write nothing.");
    for (auto* command : {make_command, open_command}) {
        command->add_option("--memory-limit-mib", arguments.memory_limit_mib);
    }
    CLI11_PARSE(app, argc, argv);
    return make_command->parsed() ? make(arguments) : open(arguments, read_only);
}
