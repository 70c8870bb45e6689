#include "outbound/registry_upstream.h"

#include "auth/strict_json.h"
#include "engine/manifest.h"
#include "http/ascii.h"
#include "outbound/answer_fields.h"
#include "outbound/blob_transfer.h"
#include "outbound/http_url.h"
#include "outbound/whole_body.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

using engine::fail_upstream;
using engine::ImageName;
using engine::Reference;
using engine::UpstreamManifest;
using engine::UpstreamManifestHead;
using Kind = UpstreamFailure::Kind;

constexpr unsigned kOk = 200;
constexpr unsigned kPartialContent = 206;
constexpr unsigned kUnauthorized = 401;
constexpr unsigned kForbidden = 403;
constexpr unsigned kMethodNotAllowed = 405;
constexpr unsigned kRangeNotSatisfiable = 416;
constexpr unsigned kNotImplemented = 501;
constexpr std::size_t kManifestDepthMax = 64;
constexpr std::int64_t kNsPerMs = 1'000'000;

// All of them, or Docker Hub may convert, or say that there is none (DIST-PROXY-17).
constexpr std::string_view kManifestTypes =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view kSchema1Type = "application/vnd.docker.distribution.manifest.v1";

HttpHeader accept(std::string_view types) { return {"Accept", std::string{types}}; }
// What is stored must be what has the digest.
HttpHeader as_it_is() { return {"Accept-Encoding", "identity"}; }

std::string manifest_tail(const Reference& reference) {
    return "/manifests/" + to_string(reference);
}
std::string blob_tail(const Digest& digest) { return "/blobs/" + digest.to_string(); }

std::string media_type_of(const HttpStream& stream) {
    return media_type_of_field(stream.header("content-type").value_or(""));
}

std::optional<std::uint64_t> length_of(const HttpStream& stream) {
    const auto length = stream.header("content-length");
    return length ? parse_decimal(*length) : std::nullopt;
}

bool is_success(unsigned status) noexcept { return status >= 200 && status < 300; }

// A manifest of before 2016 cannot be kept: its digest is not that of its bytes (DIST-PROXY-21).
bool is_schema1(std::string_view media_type, ByteView bytes) {
    if (media_type.starts_with(kSchema1Type)) return true;
    if (engine::manifest_kind_of(media_type)) return false;
    const auto document = parse_strict_json(as_text(bytes), kManifestDepthMax);
    if (!document || !document->is_object()) return false;
    const auto* version = document->as_object().if_contains("schemaVersion");
    return version != nullptr && version->is_int64() && version->as_int64() == 1;
}

UpstreamFailure schema1_failure() {
    return {Kind::not_found,
            "the upstream has it as a manifest of schema 1 only, which is not kept",
            {}};
}

}  // namespace

UpstreamMetrics::UpstreamMetrics(Metrics& metrics, const std::string& remote)
    : bytes{metrics.counter("proxy_upstream_bytes_total",
                            "bytes of blobs that came from an upstream", {{"remote", remote}})},
      budget_remaining{metrics.gauge("proxy_upstream_budget_remaining",
                                     "what the upstream says is left; -1: nothing was said",
                                     {{"remote", remote}})},
      transfers{metrics.gauge("proxy_upstream_transfers", "requests to an upstream under way",
                              {{"remote", remote}})} {
    for (std::size_t i = 0; i < kResults; ++i) {
        const auto result = i == 0 ? std::string_view{"ok"} : to_string(static_cast<Kind>(i - 1));
        requests[i] = &metrics.counter("proxy_upstream_requests_total",
                                       "what came of questions to an upstream",
                                       {{"remote", remote}, {"result", std::string{result}}});
    }
    budget_remaining.set(-1);
}

void UpstreamMetrics::count(const UpstreamFailure* failure) {
    const auto at = failure == nullptr ? 0 : static_cast<std::size_t>(failure->kind) + 1;
    requests[std::min(at, kResults - 1)]->add();
}

RegistryUpstream::RegistryUpstream(engine::RemoteSettings settings, const UpstreamParts& parts)
    : settings_{std::move(settings)},
      place_{std::make_shared<const UpstreamPlace>(settings_, parts.environment)},
      clock_{parts.clock},
      loop_{parts.loop},
      metrics_{std::make_shared<UpstreamMetrics>(parts.metrics, place_->remote())},
      slots_{std::make_shared<ConnectionSlots>(settings_.connections_max, metrics_->transfers)},
      tokens_{std::make_shared<TokenSource>(place_, settings_.username, settings_.password, clock_,
                                            loop_, slots_)} {}

bool RegistryUpstream::is_foreign(const HttpStream& stream) const {
    const auto url = parse_http_url(stream.request().url);
    return !url || !is_same_origin(*url, place_->origin());
}

UpstreamFailure RegistryUpstream::status_failure(const HttpStream& stream) const {
    return frontend::failure_of(stream, is_foreign(stream), clock_.wall_ns());
}

void RegistryUpstream::note_budget(const HttpStream& stream) {
    const auto limit_field = stream.header("ratelimit-limit");
    const auto remaining_field = stream.header("ratelimit-remaining");
    if (!limit_field && !remaining_field) return;
    const auto limit = limit_field ? parse_rate_field(*limit_field) : std::nullopt;
    const auto remaining = remaining_field ? parse_rate_field(*remaining_field) : std::nullopt;
    const std::lock_guard lock{mutex_};
    if (limit) {
        budget_.limit = limit->count;
        budget_.window_s = limit->window_s;
    }
    if (remaining) {
        budget_.remaining = remaining->count;
        if (remaining->window_s) budget_.window_s = remaining->window_s;
        constexpr std::uint64_t kGaugeMax = std::numeric_limits<std::int64_t>::max();
        metrics_->budget_remaining.set(
            static_cast<std::int64_t>(std::min(remaining->count, kGaugeMax)));
    }
    budget_.seen_steady_ms = clock_.steady_ns() / kNsPerMs;
}

engine::UpstreamBudget RegistryUpstream::budget() const {
    const std::lock_guard lock{mutex_};
    return budget_;
}

template <class T>
UpstreamResult<T> RegistryUpstream::counted(UpstreamResult<T> result) {
    metrics_->count(result ? nullptr : &result.error());
    return result;
}

Awaitable<RegistryUpstream::Opened> RegistryUpstream::ask(ImageName name, Question question) {
    const auto scope = "repository:" + place_->image_of(name) + ":pull";
    for (bool again = false;; again = true) {
        auto authorizing = tokens_->authorization(scope);
        auto authorization = co_await std::move(authorizing);
        if (!authorization) co_return fail_upstream(std::move(authorization).error());
        const auto used = std::move(authorization).value();
        HttpRequest request{question.method, question.url, question.headers, {}};
        if (!used.empty()) request.headers.push_back({"Authorization", used});
        auto opening = open_stream(loop_, std::move(request), place_->policy(),
                                   SlotWish{slots_, question.bulk});
        auto opened = co_await std::move(opening);
        if (!opened.stream)
            co_return fail_upstream(frontend::failure_of(std::move(opened.trouble)));
        auto& stream = *opened.stream;
        if (is_foreign(stream)) co_return std::move(opened.stream);
        note_budget(stream);
        if (stream.status() != kUnauthorized || again) co_return std::move(opened.stream);
        auto learned = tokens_->learn(stream, scope, used);
        if (!learned) co_return fail_upstream(std::move(learned).error());
        auto draining = stream.drain();
        co_await std::move(draining);
    }
}

Awaitable<RegistryUpstream::Opened> RegistryUpstream::ask_for_success(ImageName name,
                                                                      Question question) {
    auto asking = ask(std::move(name), std::move(question));
    auto answer = co_await std::move(asking);
    if (!answer) co_return std::move(answer);
    auto& stream = *answer.value();
    if (is_success(stream.status())) co_return std::move(answer);
    auto failure = status_failure(stream);
    auto draining = stream.drain();
    co_await std::move(draining);
    co_return fail_upstream(std::move(failure));
}

Awaitable<UpstreamResult<UpstreamManifestHead>> RegistryUpstream::look_at_manifest(
    ImageName name, Reference reference) {
    Question question{"HEAD",
                      place_->url_of(name, manifest_tail(reference)),
                      {accept(kManifestTypes), as_it_is()}};
    auto asking = ask(name, std::move(question));
    auto answer = co_await std::move(asking);
    if (!answer) co_return fail_upstream(std::move(answer).error());
    auto& stream = *answer.value();
    // Those that do not know HEAD here are asked by GET (DIST-PROXY-13).
    if (stream.status() == kMethodNotAllowed || stream.status() == kNotImplemented)
        co_return UpstreamManifestHead{};
    if (!is_success(stream.status())) co_return fail_upstream(status_failure(stream));
    UpstreamManifestHead head;
    head.media_type = media_type_of(stream);
    if (head.media_type.starts_with(kSchema1Type)) co_return fail_upstream(schema1_failure());
    head.size_bytes = length_of(stream);
    if (const auto said = stream.header("docker-content-digest")) {
        const auto digest = Digest::parse(*said);
        if (digest) head.digest = digest.value();
    }
    co_return std::move(head);
}

Awaitable<UpstreamResult<UpstreamManifest>> RegistryUpstream::fetch_manifest(ImageName name,
                                                                             Reference reference) {
    Question question{"GET",
                      place_->url_of(name, manifest_tail(reference)),
                      {accept(kManifestTypes), as_it_is()}};
    auto asking = ask_for_success(name, std::move(question));
    auto answer = co_await std::move(asking);
    if (!answer) co_return fail_upstream(std::move(answer).error());
    auto& stream = *answer.value();
    if (stream.status() != kOk) co_return fail_upstream(status_failure(stream));
    auto reading = read_whole(&stream, kUpstreamManifestMax);
    auto body = co_await std::move(reading);
    if (!body) co_return fail_upstream(std::move(body).error());
    UpstreamManifest manifest{std::move(body).value(), media_type_of(stream)};
    if (is_schema1(manifest.media_type, manifest.bytes)) co_return fail_upstream(schema1_failure());
    co_return std::move(manifest);
}

// A signed URL may be for GET alone (DIST-PROXY-11).
Awaitable<UpstreamResult<std::optional<std::uint64_t>>> RegistryUpstream::look_at_first_byte(
    ImageName name, Digest digest) {
    using Size = std::optional<std::uint64_t>;
    Question question{
        "GET", place_->url_of(name, blob_tail(digest)), {as_it_is(), {"Range", "bytes=0-0"}}};
    auto asking = ask(name, std::move(question));
    auto answer = co_await std::move(asking);
    if (!answer) co_return fail_upstream(std::move(answer).error());
    const auto& stream = *answer.value();
    const auto range_field = stream.header("content-range").value_or("");
    if (stream.status() == kPartialContent) {
        const auto range = parse_content_range(range_field);
        if (!range || range->first != 0)
            co_return fail_upstream(untrusted(stream.request(), "answered another range"));
        co_return Size{range->total};
    }
    if (stream.status() == kOk) co_return Size{length_of(stream)};
    // An empty blob has no first byte.
    if (stream.status() == kRangeNotSatisfiable && parse_unsatisfied_range(range_field) == 0)
        co_return Size{0};
    co_return fail_upstream(status_failure(stream));
}

Awaitable<UpstreamResult<std::optional<std::uint64_t>>> RegistryUpstream::look_at_blob(
    ImageName name, Digest digest) {
    using Size = std::optional<std::uint64_t>;
    Question question{"HEAD", place_->url_of(name, blob_tail(digest)), {as_it_is()}};
    auto asking = ask(name, std::move(question));
    auto answer = co_await std::move(asking);
    if (!answer) co_return fail_upstream(std::move(answer).error());
    const auto& stream = *answer.value();
    if (is_success(stream.status())) co_return Size{length_of(stream)};
    const bool not_by_head = stream.status() == kMethodNotAllowed ||
                             stream.status() == kNotImplemented ||
                             (stream.status() == kForbidden && is_foreign(stream));
    if (!not_by_head) co_return fail_upstream(status_failure(stream));
    auto looking = look_at_first_byte(std::move(name), digest);
    co_return co_await std::move(looking);
}

Awaitable<UpstreamResult<std::unique_ptr<engine::UpstreamTransfer>>> RegistryUpstream::begin_blob(
    ImageName name, Digest digest, std::uint64_t offset) {
    Question question{"GET", place_->url_of(name, blob_tail(digest)), {as_it_is()}, true};
    if (offset > 0) question.headers.push_back({"Range", "bytes=" + std::to_string(offset) + '-'});
    auto asking = ask(std::move(name), std::move(question));
    auto answer = co_await std::move(asking);
    if (!answer) co_return fail_upstream(std::move(answer).error());
    auto& stream = *answer.value();
    const auto span = span_of_answer(stream, offset);
    if (!span) {
        if (is_success(stream.status()) || stream.status() == kRangeNotSatisfiable)
            co_return fail_upstream(untrusted(stream.request(), "answered another range"));
        co_return fail_upstream(status_failure(stream));
    }
    std::unique_ptr<engine::UpstreamTransfer> transfer =
        std::make_unique<BlobTransfer>(std::move(answer).value(), *span, metrics_);
    co_return std::move(transfer);
}

Awaitable<UpstreamResult<UpstreamManifestHead>> RegistryUpstream::head_manifest(
    ImageName name, Reference reference) {
    auto looking = look_at_manifest(std::move(name), std::move(reference));
    auto head = co_await std::move(looking);
    co_return counted(std::move(head));
}

Awaitable<UpstreamResult<UpstreamManifest>> RegistryUpstream::get_manifest(ImageName name,
                                                                           Reference reference) {
    auto fetching = fetch_manifest(std::move(name), std::move(reference));
    auto manifest = co_await std::move(fetching);
    co_return counted(std::move(manifest));
}

Awaitable<UpstreamResult<std::optional<std::uint64_t>>> RegistryUpstream::head_blob(ImageName name,
                                                                                    Digest digest) {
    auto looking = look_at_blob(std::move(name), digest);
    auto size = co_await std::move(looking);
    co_return counted(std::move(size));
}

Awaitable<UpstreamResult<std::unique_ptr<engine::UpstreamTransfer>>> RegistryUpstream::open_blob(
    ImageName name, Digest digest, std::uint64_t offset) {
    auto beginning = begin_blob(std::move(name), digest, offset);
    auto transfer = co_await std::move(beginning);
    co_return counted(std::move(transfer));
}

Awaitable<UpstreamResult<engine::UpstreamTags>> RegistryUpstream::list_tags(ImageName name,
                                                                            std::string last,
                                                                            std::uint32_t count) {
    auto fetching = fetch_tags(std::move(name), std::move(last), count);
    auto tags = co_await std::move(fetching);
    co_return counted(std::move(tags));
}

Awaitable<UpstreamResult<UpstreamManifest>> RegistryUpstream::get_referrers(ImageName name,
                                                                            Digest subject) {
    auto fetching = fetch_referrers(std::move(name), subject);
    auto index = co_await std::move(fetching);
    co_return counted(std::move(index));
}

}  // namespace orbitalreg::frontend
