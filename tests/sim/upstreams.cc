#include "sim/upstreams.h"

#include "base/assert.h"

#include <algorithm>

namespace orbitalreg::sim {
namespace {

using engine::UpstreamFailure;
using engine::UpstreamResult;
using FailureKind = UpstreamFailure::Kind;

constexpr std::string_view kImageType = "application/vnd.oci.image.manifest.v1+json";
constexpr std::size_t kLastShared = 4;  // manifests from here on only the first image has
constexpr std::uint64_t kSessionKeepMs = 20 * 3'600'000;  // sessions expire within a day

SimBlob make_blob(SimRandom& random, std::uint64_t size) {
    SimBlob blob;
    blob.bytes.resize(size);
    random.fill(blob.bytes);
    blob.digest = Digest::of(DigestAlgorithm::sha256, blob.bytes);
    return blob;
}

std::string descriptor(std::string_view media_type, const SimBlob& blob) {
    return "{\"mediaType\":\"" + std::string{media_type} + "\",\"digest\":\"" +
           blob.digest.to_string() + "\",\"size\":" + std::to_string(blob.bytes.size()) + "}";
}

engine::RemoteSettings draw_settings(SimRandom& random) {
    static constexpr std::int64_t kRevalidations[]{0, 200, 2000, 20'000};
    engine::RemoteSettings settings;
    settings.url = "https://hub.example";
    settings.revalidate_after_ms = kRevalidations[random.below(std::size(kRevalidations))];
    settings.stale_if_error = random.coin();
    settings.negative_ttl_ms = static_cast<std::int64_t>(random.below(3)) * 1000;
    settings.prefetch = random.one_in(4);
    return settings;
}

}  // namespace

// --- what it has ---

SimHub::SimHub(SimRandom& random, const Universe& universe) {
    const std::array<std::uint64_t, kBlobs - 2> sizes{
        random.between(1, 1000),          random.between(1025, 60'000),
        random.between(65'537, 120'000),  random.between(150'000, 300'000),
        random.between(300'000, 600'000), random.between(100'000, 200'000)};
    for (const std::uint64_t size : sizes) blobs.push_back(make_blob(random, size));
    // What clients push here themselves, too.
    blobs.push_back(universe.blobs[Universe::kBlobs - 1]);
    blobs.push_back(universe.blobs[1]);
    add_image({0, 1}, 0);
    add_image({0, 2, 3}, 1);
    add_image({1, 6}, 2);
    add_image({0, 4, 7}, 3);
    add_image({0, 5}, kLastShared);
    add_image({1, 5, 2}, kLastShared + 1);
    for (const char* name : {"one", "more/two"}) {
        names.push_back(engine::ImageName::parse(name).value());
        images.push_back(engine::ImageName::parse("p/hub/" + std::string{name}).value());
    }
    for (const char* name : {"latest", "v1"}) tags.push_back(engine::Tag::parse(name).value());
    repository = {{"p", "hub"}, engine::RepositoryType::remote, false};
    settings = std::make_shared<engine::RemoteSettings>(draw_settings(random));
    limits = {std::uint64_t{8_KiB} << random.below(4), std::uint64_t{64_KiB} << random.below(3)};
    lies = random.coin();
    faults = random.one_in(4) ? 0 : std::uint64_t{4} << random.below(4);
    pauses = random.between(2, 20);
    pause_ns_max = std::int64_t{1'000'000} << random.below(7);
    for (auto& image : stood_) {
        for (auto& tag : image) tag.push_back({0, static_cast<int>(random.below(kLastShared))});
    }
}

void SimHub::add_image(const std::vector<std::size_t>& used, std::size_t number) {
    std::string text = R"({"schemaVersion":2,"mediaType":")" + std::string{kImageType} +
                       R"(","config":)" +
                       descriptor("application/vnd.oci.image.config.v1+json", blobs[used.front()]);
    text += ",\"layers\":[";
    HubManifest manifest;
    for (std::size_t i = 0; i < used.size(); ++i) {
        manifest.blobs |= 1U << used[i];
        if (i == 0) continue;
        if (i > 1) text += ',';
        text += descriptor("application/vnd.oci.image.layer.v1.tar", blobs[used[i]]);
    }
    text += "],\"annotations\":{\"hub\":\"" + std::to_string(number) +
            std::string(number % 2 == 0 ? 1500 : 3, 'h') + "\"}}";
    const ByteView bytes = as_bytes(text);
    manifest.bytes.assign(bytes.begin(), bytes.end());
    manifest.digest = Digest::of(DigestAlgorithm::sha256, bytes);
    manifest.media_type = kImageType;
    manifests.push_back(std::move(manifest));
}

engine::RemotePlace SimHub::place(std::size_t image) const {
    return {repository, settings, images[image], names[image]};
}

bool SimHub::has_manifest(std::size_t image, std::size_t manifest) const noexcept {
    return image == 0 || manifest < kLastShared;
}

bool SimHub::has_blob(std::size_t image, std::size_t blob) const noexcept {
    for (std::size_t i = 0; i < kManifests; ++i) {
        if (has_manifest(image, i) && (manifests[i].blobs >> blob & 1) != 0) return true;
    }
    return false;
}

int SimHub::blob_of(const Digest& digest) const noexcept {
    const auto found = std::ranges::find(blobs, digest, &SimBlob::digest);
    return found == blobs.end() ? kNone : static_cast<int>(found - blobs.begin());
}

int SimHub::manifest_of(const Digest& digest) const noexcept {
    const auto found = std::ranges::find(manifests, digest, &HubManifest::digest);
    return found == manifests.end() ? kNone : static_cast<int>(found - manifests.begin());
}

int SimHub::image_of(const engine::ImageName& upstream_name) const noexcept {
    const auto found = std::ranges::find(names, upstream_name);
    return found == names.end() ? kNone : static_cast<int>(found - names.begin());
}

std::optional<std::pair<std::size_t, std::size_t>> SimHub::unfinished() const {
    for (const auto& [which, state] : progress) {
        if (state.marked > 0 && !state.doubtful) return which;
    }
    return std::nullopt;
}

int SimHub::tag(std::size_t image, std::size_t tag) const noexcept {
    return stood_[image][tag].back().manifest;
}

void SimHub::move_tag(SimRandom& random, std::int64_t now_ns) {
    const std::size_t image = random.below(kImages);
    const std::size_t there = image == 0 ? kManifests : kLastShared;
    const int manifest = random.one_in(8) ? kNone : static_cast<int>(random.below(there));
    stood_[image][random.below(kTags)].push_back({now_ns, manifest});
}

bool SimHub::stood_at(std::size_t image, std::size_t tag, int manifest,
                      std::int64_t since_ns) const {
    const auto& moments = stood_[image][tag];
    for (std::size_t i = 0; i < moments.size(); ++i) {
        const bool over = i + 1 < moments.size() && moments[i + 1].from_ns < since_ns;
        if (!over && moments[i].manifest == manifest) return true;
    }
    return false;
}

namespace {

// --- transfers ---

// How one transfer goes.
struct Course {
    bool ranges = true;
    bool says_size = true;
    std::uint64_t says_more = 0;          // than it is
    std::uint64_t ends_at = 0;            // as if that were the end
    std::optional<std::uint64_t> cut_at;  // and the connection breaks
    std::optional<std::uint64_t> wrong_at;
};

Course draw_course(SimHub& hub, SimRandom& random, std::uint64_t asked, std::uint64_t size) {
    Course course;
    course.ends_at = size;
    course.says_size = !random.one_in(8);
    course.ranges = !random.one_in(5);
    if (random.one_in(hub.faults)) {
        course.cut_at = random.between(asked, size);
        return course;
    }
    if (!hub.lies || !random.one_in(3)) return course;
    switch (random.below(6)) {
        case 0:
            course.ends_at = random.between(asked, size);
            break;
        case 1:
            course.ends_at = size + random.between(1, 3000);
            break;
        case 2:
            course.says_more = 1;
            break;
        default:
            course.wrong_at = random.between(asked, std::max(asked, size - 1));
            break;
    }
    return course;
}

class SimTransfer final : public engine::UpstreamTransfer {
public:
    SimTransfer(SimUpstreams& owner, std::size_t image, std::size_t blob, std::uint64_t asked,
                const Course& course)
        : owner_{owner},
          content_{owner.hub.blobs[blob].bytes},
          blob_{blob},
          asked_{asked},
          course_{course},
          progress_{owner.hub.progress[{image, blob}]},
          position_{offset()} {
        ++owner_.hub.transfers;
        if (course_.says_more > 0) lie();
    }
    ~SimTransfer() override { --owner_.active[blob_]; }

    std::uint64_t offset() const noexcept override { return course_.ranges ? asked_ : 0; }
    std::optional<std::uint64_t> size_bytes() const noexcept override {
        if (!course_.says_size && course_.says_more == 0) return std::nullopt;
        return content_.size() + course_.says_more;
    }
    Awaitable<UpstreamResult<std::size_t>> read(MutableByteView room) override;

private:
    void lie() noexcept {
        progress_.doubtful = true;
        owner_.hub.lied[blob_] = true;
    }
    // Whoever asks for more has marked all but the last mark_every_bytes of what this transfer gave.
    void note_marked();
    void fill(MutableByteView room);

    SimUpstreams& owner_;
    const std::vector<std::byte>& content_;
    const std::size_t blob_;
    const std::uint64_t asked_;
    const Course course_;
    HubProgress& progress_;
    std::uint64_t position_;
};

void SimTransfer::note_marked() {
    const std::uint64_t every = owner_.hub.limits.mark_every_bytes;
    if (position_ < asked_ + every) return;
    const std::uint64_t marked = position_ - every + 1;
    if (marked <= progress_.marked) return;
    progress_.marked = marked;
    progress_.marked_store_time_ms = owner_.store.store_time_ms();
}

void SimTransfer::fill(MutableByteView room) {
    const ByteView rest = ByteView{content_}.subspan(std::min(position_, content_.size()));
    const auto there = rest.first(std::min(rest.size(), room.size()));
    std::ranges::copy(there, room.begin());
    std::ranges::fill(room.subspan(there.size()), std::byte{'x'});
    const std::uint64_t end = position_ + room.size();
    if (course_.wrong_at && *course_.wrong_at >= position_ && *course_.wrong_at < end) {
        room[*course_.wrong_at - position_] ^= std::byte{1};
        lie();
    }
    if (end > content_.size()) lie();
}

Awaitable<UpstreamResult<std::size_t>> SimTransfer::read(MutableByteView room) {
    note_marked();
    SimRandom& random = owner_.world.random;
    if (random.one_in(owner_.hub.pauses)) {
        const auto pause = random.below(static_cast<std::uint64_t>(owner_.hub.pause_ns_max));
        co_await owner_.clock.sleep_until(owner_.clock.steady_ns() +
                                          static_cast<std::int64_t>(pause));
    }
    if (owner_.stopped) co_return engine::fail_upstream({FailureKind::stopped, "stopping", {}});
    std::uint64_t end = course_.ends_at;
    if (course_.cut_at) end = std::max(position_, *course_.cut_at);
    if (position_ >= end && course_.cut_at)
        co_return engine::fail_upstream({FailureKind::unavailable, "the connection broke", {}});
    if (position_ >= end) {
        if (end < content_.size()) lie();
        progress_.doubtful = true;
        co_return std::size_t{0};
    }
    auto size = std::min<std::uint64_t>(room.size(), end - position_);
    if (random.one_in(3)) size = random.between(1, size);
    fill(room.first(size));
    position_ += size;
    owner_.hub.transferred_bytes += size;
    progress_.received_max = std::max(progress_.received_max, position_);
    co_return static_cast<std::size_t>(size);
}

// --- answers ---

class SimUpstream final : public engine::Upstream {
public:
    SimUpstream(SimUpstreams& owner, engine::RemoteSettings settings)
        : owner_{owner}, settings_{std::move(settings)} {}

    const engine::RemoteSettings& settings() const noexcept override { return settings_; }
    Awaitable<UpstreamResult<engine::UpstreamManifestHead>> head_manifest(
        engine::ImageName name, engine::Reference reference) override;
    Awaitable<UpstreamResult<engine::UpstreamManifest>> get_manifest(
        engine::ImageName name, engine::Reference reference) override;
    Awaitable<UpstreamResult<std::optional<std::uint64_t>>> head_blob(engine::ImageName name,
                                                                      Digest digest) override;
    Awaitable<UpstreamResult<std::unique_ptr<engine::UpstreamTransfer>>> open_blob(
        engine::ImageName name, Digest digest, std::uint64_t offset) override;
    Awaitable<UpstreamResult<engine::UpstreamTags>> list_tags(engine::ImageName name,
                                                              std::string last,
                                                              std::uint32_t count) override;
    Awaitable<UpstreamResult<engine::UpstreamManifest>> get_referrers(engine::ImageName name,
                                                                      Digest subject) override;
    engine::UpstreamBudget budget() const override { return {}; }

private:
    // The way there, and whether it answers at all.
    Awaitable<std::optional<UpstreamFailure>> knock();
    // Which manifest it has under that reference, if any.
    int find(const engine::ImageName& name, const engine::Reference& reference) const;
    void check_resumption(std::size_t image, std::size_t blob, std::uint64_t asked);

    SimUpstreams& owner_;
    const engine::RemoteSettings settings_;
};

UpstreamFailure not_found() { return {FailureKind::not_found, "no such thing there", {}}; }

Awaitable<std::optional<UpstreamFailure>> SimUpstream::knock() {
    SimRandom& random = owner_.world.random;
    SimHub& hub = owner_.hub;
    if (random.one_in(hub.pauses)) {
        const auto pause = random.below(static_cast<std::uint64_t>(hub.pause_ns_max));
        co_await owner_.clock.sleep_until(owner_.clock.steady_ns() +
                                          static_cast<std::int64_t>(pause));
    }
    if (owner_.stopped) co_return UpstreamFailure{FailureKind::stopped, "stopping", {}};
    const std::int64_t now_ns = owner_.clock.steady_ns();
    if (now_ns < hub.down_until_ns)
        co_return UpstreamFailure{FailureKind::unavailable, "it does not answer", {}};
    if (!random.one_in(hub.faults)) co_return std::nullopt;
    switch (random.below(6)) {
        case 0:
            hub.down_until_ns = now_ns + static_cast<std::int64_t>(random.below(4'000'000'000));
            break;
        case 1:
            co_return UpstreamFailure{FailureKind::throttled, "too many",
                                      static_cast<std::int64_t>(random.below(4000))};
        case 2:
            co_return UpstreamFailure{FailureKind::denied, "not for you", {}};
        case 3:
            co_return not_found();
        default:
            break;
    }
    co_return UpstreamFailure{FailureKind::unavailable, "it does not answer", {}};
}

int SimUpstream::find(const engine::ImageName& name, const engine::Reference& reference) const {
    const SimHub& hub = owner_.hub;
    const int image = hub.image_of(name);
    if (image < 0) return SimHub::kNone;
    const auto which = static_cast<std::size_t>(image);
    if (const auto* digest = std::get_if<Digest>(&reference)) {
        const int manifest = hub.manifest_of(*digest);
        const bool there =
            manifest >= 0 && hub.has_manifest(which, static_cast<std::size_t>(manifest));
        return there ? manifest : SimHub::kNone;
    }
    const auto tag = std::ranges::find(hub.tags, std::get<engine::Tag>(reference));
    if (tag == hub.tags.end()) return SimHub::kNone;
    return hub.tag(which, static_cast<std::size_t>(tag - hub.tags.begin()));
}

Awaitable<UpstreamResult<engine::UpstreamManifestHead>> SimUpstream::head_manifest(
    engine::ImageName name, engine::Reference reference) {
    auto refused = co_await knock();
    if (refused) co_return engine::fail_upstream(std::move(*refused));
    const int found = find(name, reference);
    if (found < 0) co_return engine::fail_upstream(not_found());
    const HubManifest& manifest = owner_.hub.manifests[static_cast<std::size_t>(found)];
    engine::UpstreamManifestHead head;
    head.media_type = manifest.media_type;
    if (!owner_.world.random.one_in(6)) head.digest = manifest.digest;
    if (!owner_.world.random.one_in(6)) head.size_bytes = manifest.bytes.size();
    co_return head;
}

Awaitable<UpstreamResult<engine::UpstreamManifest>> SimUpstream::get_manifest(
    engine::ImageName name, engine::Reference reference) {
    auto refused = co_await knock();
    if (refused) co_return engine::fail_upstream(std::move(*refused));
    SimHub& hub = owner_.hub;
    const int found = find(name, reference);
    if (found < 0) co_return engine::fail_upstream(not_found());
    const HubManifest* manifest = &hub.manifests[static_cast<std::size_t>(found)];
    engine::UpstreamManifest answer{manifest->bytes, manifest->media_type};
    if (hub.lies && owner_.world.random.one_in(hub.faults)) {
        hub.lied_of_manifests = true;
        const bool by_digest = std::holds_alternative<Digest>(reference);
        // By a tag any manifest would be the right one.
        if (by_digest && owner_.world.random.coin()) {
            answer.bytes = hub.manifests[owner_.world.random.below(SimHub::kManifests)].bytes;
        } else {
            answer.bytes.resize(answer.bytes.size() / 2);
        }
    }
    co_return answer;
}

Awaitable<UpstreamResult<std::optional<std::uint64_t>>> SimUpstream::head_blob(
    engine::ImageName name, Digest digest) {
    auto refused = co_await knock();
    if (refused) co_return engine::fail_upstream(std::move(*refused));
    const int image = owner_.hub.image_of(name);
    const int blob = owner_.hub.blob_of(digest);
    const bool there =
        image >= 0 && blob >= 0 &&
        owner_.hub.has_blob(static_cast<std::size_t>(image), static_cast<std::size_t>(blob));
    if (!there) co_return engine::fail_upstream(not_found());
    std::optional<std::uint64_t> size;
    if (!owner_.world.random.one_in(6))
        size = owner_.hub.blobs[static_cast<std::size_t>(blob)].bytes.size();
    co_return size;
}

void SimUpstream::check_resumption(std::size_t image, std::size_t blob, std::uint64_t asked) {
    HubProgress& progress = owner_.hub.progress[{image, blob}];
    const bool expired =
        owner_.store.store_time_ms() > progress.marked_store_time_ms + kSessionKeepMs;
    const bool known = !progress.doubtful && !owner_.world.errors_seen && !expired;
    const std::string what = "the transfer of blob " + std::to_string(blob) + " of upstream";
    if (known && asked < progress.marked) {
        owner_.world.fail(what + " goes on at " + std::to_string(asked) + ", marked up to " +
                          std::to_string(progress.marked));
    }
    if (asked > progress.received_max)
        owner_.world.fail(what + " goes on at " + std::to_string(asked) + ", received up to " +
                          std::to_string(progress.received_max));
    if (asked == 0) progress = {};
}

Awaitable<UpstreamResult<std::unique_ptr<engine::UpstreamTransfer>>> SimUpstream::open_blob(
    engine::ImageName name, Digest digest, std::uint64_t offset) {
    SimHub& hub = owner_.hub;
    const int found_image = hub.image_of(name);
    const int found_blob = hub.blob_of(digest);
    ORB_ASSERT(found_image >= 0 && found_blob >= 0);
    const auto image = static_cast<std::size_t>(found_image);
    const auto blob = static_cast<std::size_t>(found_blob);
    check_resumption(image, blob, offset);
    auto refused = co_await knock();
    if (refused) co_return engine::fail_upstream(std::move(*refused));
    if (!hub.has_blob(image, blob)) co_return engine::fail_upstream(not_found());
    if (++owner_.active[blob] > 1)
        owner_.world.fail("two transfers of blob " + std::to_string(blob) +
                          " of upstream at one time");
    const Course course =
        draw_course(hub, owner_.world.random, offset, hub.blobs[blob].bytes.size());
    if (owner_.world.verbose)
        owner_.world.say("upstream: blob " + std::to_string(blob) + " from " +
                         std::to_string(offset));
    co_return std::make_unique<SimTransfer>(owner_, image, blob, offset, course);
}

Awaitable<UpstreamResult<engine::UpstreamTags>> SimUpstream::list_tags(engine::ImageName name,
                                                                       std::string last,
                                                                       std::uint32_t count) {
    auto refused = co_await knock();
    if (refused) co_return engine::fail_upstream(std::move(*refused));
    const int image = owner_.hub.image_of(name);
    if (image < 0) co_return engine::fail_upstream(not_found());
    engine::UpstreamTags answer;
    for (std::size_t i = 0; i < SimHub::kTags; ++i) {
        const std::string text = owner_.hub.tags[i].text();
        const bool wanted = owner_.hub.tag(static_cast<std::size_t>(image), i) >= 0 &&
                            (last.empty() || text > last);
        if (!wanted) continue;
        answer.more = answer.tags.size() >= count;
        if (!answer.more) answer.tags.push_back(text);
    }
    co_return answer;
}

Awaitable<UpstreamResult<engine::UpstreamManifest>> SimUpstream::get_referrers(
    engine::ImageName name, Digest subject) {
    static_cast<void>(name);
    static_cast<void>(subject);
    auto refused = co_await knock();
    if (refused) co_return engine::fail_upstream(std::move(*refused));
    co_return engine::fail_upstream({FailureKind::unsupported, "no referrers here", {}});
}

}  // namespace

std::shared_ptr<engine::Upstream> SimUpstreams::make(const engine::RemoteSettings& settings) {
    return std::make_shared<SimUpstream>(*this, settings);
}

std::uint64_t SimUpstreams::under_way() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : active) sum += count;
    return sum;
}

}  // namespace orbitalreg::sim
