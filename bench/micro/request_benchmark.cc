// What a request's head costs before anything is looked up: its end found, its framing judged, its fields parsed; its target
// split, decoded and matched with a route.

#include "base/assert.h"
#include "http/route_table.h"
#include "net/request_head.h"

#include <benchmark/benchmark.h>

#include <string_view>

namespace orbitalreg::frontend {
namespace {

// As docker and containerd ask for a manifest.
constexpr std::string_view kHead =
    "GET /v2/project/repository/image/manifests/v1.2.3 HTTP/1.1\r\n"
    "Host: registry.example.com:5000\r\n"
    "User-Agent: containerd/1.7.24\r\n"
    "Accept: application/vnd.docker.distribution.manifest.v2+json\r\n"
    "Accept: application/vnd.docker.distribution.manifest.list.v2+json\r\n"
    "Accept: application/vnd.oci.image.manifest.v1+json\r\n"
    "Accept: application/vnd.oci.image.index.v1+json, */*\r\n"
    "Accept-Encoding: gzip\r\n"
    "\r\n";

void BM_HeadScan(benchmark::State& state) {
    const HttpLimits limits;
    for (auto _ : state) {
        HeaderScanner scanner{limits};
        benchmark::DoNotOptimize(scanner.scan(kHead));
        ORB_ASSERT(scanner.size() == kHead.size());
    }
}
BENCHMARK(BM_HeadScan);

void BM_HeadParse(benchmark::State& state) {
    const HttpLimits limits;
    for (auto _ : state) {
        const auto parsed = parse_scanned_head(kHead, limits);
        ORB_ASSERT(!parsed.fault);
        benchmark::DoNotOptimize(parsed.head.fields.data());
    }
}
BENCHMARK(BM_HeadParse);

void BM_Route(benchmark::State& state, std::string_view text, Route route) {
    for (auto _ : state) {
        const Target target = parse_target(text);
        const RouteMatch match = match_registry(target);
        ORB_ASSERT(match.route == route);
        benchmark::DoNotOptimize(match.name.data());
    }
}
BENCHMARK_CAPTURE(BM_Route, manifest, "/v2/project/repository/image/manifests/v1.2.3",
                  Route::manifest);
BENCHMARK_CAPTURE(BM_Route, blob,
                  "/v2/project/repository/image/blobs/"
                  "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                  Route::blob);
BENCHMARK_CAPTURE(BM_Route, uploads, "/v2/project/repository/image/blobs/uploads/", Route::uploads);
BENCHMARK_CAPTURE(BM_Route, escaped, "/v2/project/repository/im%61ge/tags/list?n=100&last=v1.2",
                  Route::tags);
BENCHMARK_CAPTURE(BM_Route, catalog, "/v2/_catalog?n=100", Route::catalog);

}  // namespace
}  // namespace orbitalreg::frontend
