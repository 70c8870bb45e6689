#pragma once
// Metrics holds the product's counters, gauges and histograms and renders them as Prometheus text (version 0.0.4).
//
// Life     a metric is made once, by name and labels, and lives as long as its Metrics; the same name and labels
//          give the same object. Label values come from fixed sets, never from a client (SEC-107).
// Threads  any; changing a metric is one relaxed atomic operation.
// Units    names end in their base unit: _seconds, _bytes, _total.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbitalreg {

class Counter {
public:
    void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
public:
    void set(std::int64_t v) noexcept { value_.store(v, std::memory_order_relaxed); }
    void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
    std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> value_{0};
};

// Buckets are powers of two of microseconds, from 16 us to 64 s.
class DurationHistogram {
public:
    static constexpr int kBuckets = 23;
    void observe_ns(std::int64_t ns) noexcept;
    static double bound_seconds(int bucket) noexcept;
    std::uint64_t bucket(int i) const noexcept {
        return counts_[i].load(std::memory_order_relaxed);
    }
    std::uint64_t sum_ns() const noexcept { return sum_ns_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> counts_[kBuckets + 1]{};
    std::atomic<std::uint64_t> sum_ns_{0};
};

class Metrics {
public:
    using Labels = std::vector<std::pair<std::string, std::string>>;

    Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
    DurationHistogram& histogram(std::string_view name, std::string_view help, Labels labels = {});
    // A gauge whose value is asked for when the text is rendered; `read` must outlive its use and not block.
    void gauge_function(std::string_view name, std::string_view help, Labels labels,
                        std::function<double()> read);

    // The prefix `orbitalreg_` is put before each name here.
    std::string render() const;

private:
    struct Series {
        Labels labels;
        std::unique_ptr<Counter> counter;
        std::unique_ptr<Gauge> gauge;
        std::unique_ptr<DurationHistogram> histogram;
        std::function<double()> function;
    };
    struct Family {
        std::string help;
        const char* type = "";
        std::vector<std::unique_ptr<Series>> series;
    };
    Series& find(std::string_view name, std::string_view help, const char* type, Labels&& labels);

    mutable std::mutex mutex_;
    std::map<std::string, Family, std::less<>> families_;
};

}  // namespace orbitalreg
