#include "base/metrics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

namespace orbitalreg {
namespace {

std::string label_text(const Metrics::Labels& labels, std::string_view extra = {}) {
    std::string text;
    for (const auto& [key, value] : labels) {
        if (!text.empty()) text += ',';
        text += key + "=\"" + value + '"';
    }
    if (!extra.empty()) {
        if (!text.empty()) text += ',';
        text += extra;
    }
    return text.empty() ? text : '{' + text + '}';
}

std::string number(double value) {
    std::array<char, 32>
        text;  // the shortest form that reads back to the same number has at most 24 characters
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return {text.data(), end};
}

}  // namespace

void DurationHistogram::observe_ns(std::int64_t ns) noexcept {
    const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)) / 1000;
    const int bucket =
        std::clamp(static_cast<int>(std::bit_width(us > 0 ? us - 1 : 0)) - 4, 0, kBuckets);
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_ns_.fetch_add(static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)),
                      std::memory_order_relaxed);
}

double DurationHistogram::bound_seconds(int bucket) noexcept {
    return static_cast<double>(std::uint64_t{16} << bucket) / 1e6;
}

Metrics::Series& Metrics::find(std::string_view name, std::string_view help, const char* type,
                               Labels&& labels) {
    auto it = families_.find(name);
    if (it == families_.end())
        it = families_.emplace(std::string{name}, Family{std::string{help}, type, {}}).first;
    for (auto& series : it->second.series) {
        if (series->labels == labels) return *series;
    }
    it->second.series.push_back(std::make_unique<Series>());
    it->second.series.back()->labels = std::move(labels);
    return *it->second.series.back();
}

Counter& Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
    const std::lock_guard lock{mutex_};
    Series& series = find(name, help, "counter", std::move(labels));
    if (!series.counter) series.counter = std::make_unique<Counter>();
    return *series.counter;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
    const std::lock_guard lock{mutex_};
    Series& series = find(name, help, "gauge", std::move(labels));
    if (!series.gauge) series.gauge = std::make_unique<Gauge>();
    return *series.gauge;
}

DurationHistogram& Metrics::histogram(std::string_view name, std::string_view help, Labels labels) {
    const std::lock_guard lock{mutex_};
    Series& series = find(name, help, "histogram", std::move(labels));
    if (!series.histogram) series.histogram = std::make_unique<DurationHistogram>();
    return *series.histogram;
}

void Metrics::gauge_function(std::string_view name, std::string_view help, Labels labels,
                             std::function<double()> read) {
    const std::lock_guard lock{mutex_};
    find(name, help, "gauge", std::move(labels)).function = std::move(read);
}

std::string Metrics::render() const {
    const std::lock_guard lock{mutex_};
    std::string out;
    for (const auto& [base_name, family] : families_) {
        const std::string name = "orbitalreg_" + base_name;
        out += "# HELP " + name + ' ' + family.help + "\n# TYPE " + name + ' ' + family.type + '\n';
        for (const auto& series : family.series) {
            if (series->function) {
                out += name + label_text(series->labels) + ' ' + number(series->function()) + '\n';
            } else if (series->counter) {
                out += name + label_text(series->labels) + ' ' +
                       std::to_string(series->counter->value()) + '\n';
            } else if (series->gauge) {
                out += name + label_text(series->labels) + ' ' +
                       std::to_string(series->gauge->value()) + '\n';
            } else if (series->histogram) {
                std::uint64_t count = 0;
                for (int i = 0; i <= DurationHistogram::kBuckets; ++i) {
                    count += series->histogram->bucket(i);
                    const std::string bound = i < DurationHistogram::kBuckets
                                                  ? number(DurationHistogram::bound_seconds(i))
                                                  : "+Inf";
                    out += name + "_bucket" + label_text(series->labels, "le=\"" + bound + '"') +
                           ' ' + std::to_string(count) + '\n';
                }
                out += name + "_sum" + label_text(series->labels) + ' ' +
                       number(static_cast<double>(series->histogram->sum_ns()) / 1e9) + '\n';
                out += name + "_count" + label_text(series->labels) + ' ' + std::to_string(count) +
                       '\n';
            }
        }
    }
    return out;
}

}  // namespace orbitalreg
