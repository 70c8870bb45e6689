// orbitalreg-load: puts one workload on a registry and prints one line of JSON. bench/compare.py
// drives it.

#include "base/clock.h"
#include "soak.h"
#include "workload.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>

namespace orbitalreg::load {
namespace {

const std::map<std::string, Kind> kKinds = {{"push-large", Kind::push_large},
                                            {"push-small", Kind::push_small},
                                            {"push-image", Kind::push_image},
                                            {"get-manifest", Kind::get_manifest},
                                            {"head", Kind::head},
                                            {"head-blob", Kind::head_blob},
                                            {"get-blob", Kind::get_blob},
                                            {"ranges", Kind::ranges},
                                            {"list-tags", Kind::list_tags},
                                            {"catalog", Kind::catalog},
                                            {"mixed", Kind::mixed},
                                            {"get", Kind::get},
                                            {"soak", Kind::soak}};
const std::map<std::string, Form> kForms = {
    {"put", Form::put}, {"stream", Form::stream}, {"chunks", Form::chunks}};

std::uint64_t percentile(const std::vector<std::uint64_t>& sorted, double share) {
    if (sorted.empty()) return 0;
    return sorted[static_cast<std::size_t>(static_cast<double>(sorted.size() - 1) * share)];
}

void print(const std::string& workload, const Options& options, const Outcome& outcome) {
    const double seconds = std::max(outcome.seconds, 1e-9);
    const auto& sorted = outcome.latencies_us;
    std::printf(
        "{\"workload\":\"%s\",\"clients\":%u,\"size_bytes\":%llu,\"operations\":%llu,\"failures\":%"
        "llu,"
        "\"first_failure\":\"%s\",\"seconds\":%.6f,\"operations_per_second\":%.2f,"
        "\"mib_per_second\":%.2f,\"latency_us\":{\"p50\":%llu,\"p90\":%llu,\"p99\":%llu,"
        "\"p999\":%llu,\"max\":%llu},\"pull_latency_us\":{\"p50\":%llu,\"p99\":%llu}}\n",
        workload.c_str(), options.clients, static_cast<unsigned long long>(options.size_bytes),
        static_cast<unsigned long long>(outcome.operations),
        static_cast<unsigned long long>(outcome.failures), outcome.first_failure.c_str(), seconds,
        static_cast<double>(outcome.operations) / seconds,
        static_cast<double>(outcome.bytes) / seconds / 1048576.0,
        static_cast<unsigned long long>(percentile(sorted, 0.5)),
        static_cast<unsigned long long>(percentile(sorted, 0.9)),
        static_cast<unsigned long long>(percentile(sorted, 0.99)),
        static_cast<unsigned long long>(percentile(sorted, 0.999)),
        static_cast<unsigned long long>(percentile(sorted, 1.0)),
        static_cast<unsigned long long>(percentile(outcome.pull_latencies_us, 0.5)),
        static_cast<unsigned long long>(percentile(outcome.pull_latencies_us, 0.99)));
}

void print(const char* name, const SoakFigures& figures) {
    std::printf(
        ",\"%s\":{\"in_flight_mean\":%.1f,\"in_flight_min\":%u,\"bytes\":%llu,\"finished\":%llu,"
        "\"verified_bytes\":%llu,\"least_bytes\":%llu,\"median_bytes\":%llu,\"most_bytes\":%llu,"
        "\"stall_seconds_max\":%.3f}",
        name, figures.in_flight_mean, figures.in_flight_min,
        static_cast<unsigned long long>(figures.bytes),
        static_cast<unsigned long long>(figures.finished),
        static_cast<unsigned long long>(figures.verified_bytes),
        static_cast<unsigned long long>(figures.least_bytes),
        static_cast<unsigned long long>(figures.median_bytes),
        static_cast<unsigned long long>(figures.most_bytes), figures.stall_seconds_max);
}

int run_soak(const SoakOptions& options) {
    if (options.server.tls || options.pulls + options.pushes == 0) {
        std::fprintf(stderr, "soak takes pulls or pushes, and no --tls\n");
        return 3;
    }
    const SoakOutcome outcome = soak(options);
    std::printf(
        "{\"workload\":\"soak\",\"seconds\":%.3f,\"ramp_seconds\":%.3f,\"failures\":%llu,"
        "\"refusals\":%llu,\"first_failure\":\"%s\"",
        outcome.seconds, outcome.ramp_seconds, static_cast<unsigned long long>(outcome.failures),
        static_cast<unsigned long long>(outcome.refusals), outcome.first_failure.c_str());
    print("pull", outcome.pull);
    print("push", outcome.push);
    std::puts("}");
    return outcome.failures == 0 ? 0 : 1;
}

void add_soak_options(CLI::App& app, SoakOptions& options) {
    app.add_option("--pulls", options.pulls, "soak: pulls in flight")->check(CLI::Range(0, 50000));
    app.add_option("--pushes", options.pushes, "soak: pushes in flight")
        ->check(CLI::Range(0, 50000));
    app.add_option("--seconds", options.seconds, "soak: how long")->check(CLI::Range(1, 86400));
    app.add_option("--pull-size", options.pull_bytes, "soak: bytes of what is pulled")
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::PositiveNumber);
    app.add_option("--push-size", options.push_bytes, "soak: bytes of what is pushed")
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::PositiveNumber);
    app.add_option("--blobs", options.blobs, "soak: that the pulls share")
        ->check(CLI::Range(1, 1000));
}

void add_read_options(CLI::App& app, Options& options) {
    app.add_option("--target", options.targets, "get: path and query of what is asked for")
        ->allow_extra_args(false);
    app.add_option("--tags", options.tags, "list-tags: tags of the image")
        ->check(CLI::Range(1, 1000000));
    app.add_option("--repositories", options.repositories, "catalog: so many are there")
        ->check(CLI::Range(2, 1000000));
    app.add_option("--page", options.page,
                   "list-tags, catalog: ask for pages of so many, anywhere");
    app.add_flag("--aligned", options.aligned, "ranges: at multiples of 64 KiB");
    app.add_flag("--verify", options.verify, "hash, compare or count what is read");
}

int run_main(int argc, char** argv) {
    CLI::App app{"Puts one workload on a container registry and prints one line of JSON."};
    Options options;
    SoakOptions soaking;
    options.seed = static_cast<std::uint64_t>(system_clock().wall_ns());
    std::string workload;
    std::string form = "put";
    std::string server;
    bool tls = false;
    std::string targets;
    app.add_option(
           "workload", workload,
           "push-large, push-small, push-image, get-manifest, head, head-blob, get-blob, ranges, "
           "list-tags, catalog, mixed, get, soak")
        ->required()
        ->check(CLI::IsMember(kKinds));
    app.add_option("--server", server, "IPv4:port")->required();
    app.add_option("--name", options.name, "image name to work under");
    app.add_option("--targets", targets, "get: a file of them, one a line; asked for in no order")
        ->check(CLI::ExistingFile);
    app.add_option("--authorization", options.authorization,
                   "value of an Authorization header, sent with each request");
    app.add_option("--size", options.size_bytes, "bytes of a blob")
        ->transform(CLI::AsSizeValue(false));
    app.add_option("--count", options.operations, "operations in all");
    app.add_option("--clients", options.clients, "connections, a thread each")
        ->check(CLI::Range(1, 1024));
    app.add_option("--layers", options.layers, "push-image: layers of an image")
        ->check(CLI::Range(1, 1000));
    app.add_option("--form", form, "push-large: put, stream or chunks")
        ->check(CLI::IsMember(kForms));
    app.add_option("--seed", options.seed, "names the contents; default: the time");
    app.add_flag("--announce", options.announce,
                 "print an empty line when what is needed first is there");
    app.add_flag("--tls", tls, "speak TLS, verifying nothing");
    add_read_options(app, options);
    add_soak_options(app, soaking);
    CLI11_PARSE(app, argc, argv);

    const auto colon = server.rfind(':');
    const int port = colon == std::string::npos ? 0 : std::atoi(server.c_str() + colon + 1);
    if (port <= 0 || port > 65535) {
        std::fprintf(stderr, "--server takes IPv4:port\n");
        return 3;
    }
    if (options.size_bytes == 0 && kKinds.at(workload) == Kind::ranges) {
        std::fprintf(stderr, "ranges takes a --size above 0\n");
        return 3;
    }
    std::ifstream lines{targets};
    for (std::string line; std::getline(lines, line);) options.targets.push_back(line);
    if (kKinds.at(workload) == Kind::get && (options.targets.empty() || options.verify)) {
        std::fprintf(stderr, "get takes a --target or --targets, and nothing to verify it with\n");
        return 3;
    }
    options.server = {server.substr(0, colon), static_cast<std::uint16_t>(port), tls};
    if (tls) std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    options.kind = kKinds.at(workload);
    if (options.kind == Kind::soak) {
        soaking.server = options.server;
        soaking.name = options.name;
        soaking.announce = options.announce;
        soaking.seed = options.seed;
        return run_soak(soaking);
    }
    options.form = kForms.at(form);
    const Outcome outcome = run(options);
    print(workload, options, outcome);
    return outcome.failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace orbitalreg::load

int main(int argc, char** argv) { return orbitalreg::load::run_main(argc, argv); }
