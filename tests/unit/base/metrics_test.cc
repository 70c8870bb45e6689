#include "base/metrics.h"

#include <gtest/gtest.h>

namespace orbitalreg {
namespace {

TEST(Metrics, SameNameAndLabelsGiveTheSameObject) {
    Metrics metrics;
    Counter& get = metrics.counter("http_requests_total", "requests", {{"method", "GET"}});
    Counter& put = metrics.counter("http_requests_total", "requests", {{"method", "PUT"}});
    EXPECT_NE(&get, &put);
    EXPECT_EQ(&get, &metrics.counter("http_requests_total", "requests", {{"method", "GET"}}));
}

TEST(Metrics, RendersPrometheusText) {
    Metrics metrics;
    metrics.counter("requests_total", "requests", {{"code", "200"}}).add(3);
    metrics.gauge("depth", "queue").set(-2);
    metrics.gauge_function("bytes", "used", {{"kind", "live"}}, [] { return 12345678901.0; });
    EXPECT_EQ(
        metrics.render(),
        "# HELP orbitalreg_bytes used\n# TYPE orbitalreg_bytes "
        "gauge\norbitalreg_bytes{kind=\"live\"} 12345678901\n"
        "# HELP orbitalreg_depth queue\n# TYPE orbitalreg_depth gauge\norbitalreg_depth -2\n"
        "# HELP orbitalreg_requests_total requests\n# TYPE orbitalreg_requests_total counter\n"
        "orbitalreg_requests_total{code=\"200\"} 3\n");
}

TEST(Metrics, HistogramBucketsAreUpperBoundsAndCumulative) {
    Metrics metrics;
    DurationHistogram& seconds = metrics.histogram("commit_seconds", "time");
    seconds.observe_ns(16'000);             // on the first bound
    seconds.observe_ns(17'000);             // just past it
    seconds.observe_ns(1'000'000'000'000);  // past all
    seconds.observe_ns(-5);                 // a clock that fell counts as nothing
    EXPECT_EQ(seconds.bucket(0), 2U);
    EXPECT_EQ(seconds.bucket(1), 1U);
    EXPECT_EQ(seconds.bucket(DurationHistogram::kBuckets), 1U);
    const std::string text = metrics.render();
    EXPECT_NE(text.find("orbitalreg_commit_seconds_bucket{le=\"1.6e-05\"} 2\n"), std::string::npos)
        << text;
    EXPECT_NE(text.find("orbitalreg_commit_seconds_bucket{le=\"3.2e-05\"} 3\n"), std::string::npos)
        << text;
    EXPECT_NE(text.find("orbitalreg_commit_seconds_bucket{le=\"+Inf\"} 4\n"), std::string::npos)
        << text;
    EXPECT_NE(text.find("orbitalreg_commit_seconds_count 4\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace orbitalreg
