#pragma once
// FakeUpstream is another registry that holds what a test puts into it, fails as it is told, and counts what it was asked;
// FakeClock stands still until it is moved.
//
// Threads  one.

#include "base/clock.h"
#include "base/event.h"
#include "engine/upstream.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

class FakeClock final : public Clock {
public:
    std::int64_t steady_ns() const noexcept override { return now_ns_; }
    std::int64_t boottime_ms() const noexcept override { return now_ns_ / 1'000'000; }
    std::int64_t wall_ns() const noexcept override { return now_ns_; }
    Awaitable<void> sleep_until(std::int64_t deadline_steady_ns) override {
        while (now_ns_ < deadline_steady_ns) {
            // A wait between two tries is no wait in a test.
            if (sleeps_pass) {
                now_ns_ = deadline_steady_ns;
                co_return;
            }
            const auto moved = moved_;
            co_await moved->wait();
        }
    }
    void advance_ms(std::int64_t by) {
        now_ns_ += by * 1'000'000;
        std::exchange(moved_, std::make_shared<Event>())->set();
    }

    bool sleeps_pass = false;

private:
    std::int64_t now_ns_ = 1'000'000'000;
    std::shared_ptr<Event> moved_ = std::make_shared<Event>();
};

struct FakeContent {
    std::map<std::string, std::string> tags;       // name:tag -> manifest
    std::map<std::string, std::string> manifests;  // name@digest -> manifest
    std::map<std::string, std::string> blobs;      // name@digest -> bytes
    std::optional<UpstreamFailure> failure;        // of all that is asked
    std::optional<std::uint64_t>
        cut_after;                 // the next transfer ends there, and the ones after it do not
    bool fails_after_cut = false;  // and all that is asked then, until `failure` is reset
    std::string wrong_bytes;       // these instead, whatever is asked
    bool ranges = true;
    bool says_digests = true;
    std::shared_ptr<Event> gate;  // transfers wait for it before each byte but the first 100,000

    int heads = 0;
    int gets = 0;
    int blob_heads = 0;
    int transfers = 0;
    std::uint64_t bytes = 0;
    std::vector<std::uint64_t> offsets;

    void put(const std::string& name, const std::string& tag, const std::string& manifest) {
        const auto digest = Digest::of(DigestAlgorithm::sha256, as_bytes(manifest)).to_string();
        if (!tag.empty()) tags[name + ':' + tag] = manifest;
        manifests[name + '@' + digest] = manifest;
    }
    void put_blob(const std::string& name, const std::string& content) {
        blobs[name + '@' + Digest::of(DigestAlgorithm::sha256, as_bytes(content)).to_string()] =
            content;
    }
};

class FakeTransfer final : public UpstreamTransfer {
public:
    FakeTransfer(FakeContent& content, std::string bytes, std::uint64_t offset)
        : content_{content}, bytes_{std::move(bytes)}, offset_{offset}, at_{offset} {
        cut_ = std::exchange(content_.cut_after, std::nullopt);
    }
    std::uint64_t offset() const noexcept override { return offset_; }
    std::optional<std::uint64_t> size_bytes() const noexcept override { return bytes_.size(); }
    Awaitable<UpstreamResult<std::size_t>> read(MutableByteView room) override {
        constexpr std::size_t kFree = 100'000;
        if (content_.gate && at_ >= kFree) co_await content_.gate->wait();
        if (content_.failure) co_return fail_upstream(*content_.failure);
        if (cut_ && at_ >= *cut_) {
            UpstreamFailure cut{UpstreamFailure::Kind::unavailable, "cut"};
            if (content_.fails_after_cut) content_.failure = cut;
            co_return fail_upstream(std::move(cut));
        }
        auto size =
            std::min<std::size_t>(room.size(), bytes_.size() - static_cast<std::size_t>(at_));
        size = std::min<std::size_t>(size, 10'000);
        if (cut_) size = std::min<std::size_t>(size, static_cast<std::size_t>(*cut_ - at_));
        std::memcpy(room.data(), bytes_.data() + at_, size);
        at_ += size;
        content_.bytes += size;
        co_return size;
    }

private:
    FakeContent& content_;
    const std::string bytes_;
    const std::uint64_t offset_;
    std::uint64_t at_;
    std::optional<std::uint64_t> cut_;
};

class FakeUpstream final : public Upstream {
public:
    FakeUpstream(FakeContent& content, RemoteSettings settings)
        : content_{content}, settings_{std::move(settings)} {}

    const RemoteSettings& settings() const noexcept override { return settings_; }
    Awaitable<UpstreamResult<UpstreamManifestHead>> head_manifest(ImageName name,
                                                                  Reference reference) override {
        ++content_.heads;
        const auto* found = find(name, reference);
        if (content_.failure) co_return fail_upstream(*content_.failure);
        if (found == nullptr) co_return fail_upstream(absent());
        UpstreamManifestHead head;
        head.media_type = media_type_of(ManifestKind::oci_image);
        head.size_bytes = found->size();
        if (content_.says_digests)
            head.digest = Digest::of(DigestAlgorithm::sha256, as_bytes(*found));
        co_return head;
    }
    Awaitable<UpstreamResult<UpstreamManifest>> get_manifest(ImageName name,
                                                             Reference reference) override {
        ++content_.gets;
        const auto* found = find(name, reference);
        if (content_.failure) co_return fail_upstream(*content_.failure);
        if (found == nullptr) co_return fail_upstream(absent());
        const auto bytes = as_bytes(content_.wrong_bytes.empty() ? *found : content_.wrong_bytes);
        UpstreamManifest manifest{{bytes.begin(), bytes.end()}, "text/plain"};
        co_return manifest;
    }
    Awaitable<UpstreamResult<std::optional<std::uint64_t>>> head_blob(ImageName name,
                                                                      Digest digest) override {
        ++content_.blob_heads;
        const auto found = content_.blobs.find(name.text() + '@' + digest.to_string());
        if (content_.failure) co_return fail_upstream(*content_.failure);
        if (found == content_.blobs.end()) co_return fail_upstream(absent());
        co_return std::optional<std::uint64_t>{found->second.size()};
    }
    Awaitable<UpstreamResult<std::unique_ptr<UpstreamTransfer>>> open_blob(
        ImageName name, Digest digest, std::uint64_t offset) override {
        ++content_.transfers;
        const auto found = content_.blobs.find(name.text() + '@' + digest.to_string());
        if (content_.failure) co_return fail_upstream(*content_.failure);
        if (found == content_.blobs.end()) co_return fail_upstream(absent());
        content_.offsets.push_back(offset);
        auto bytes = content_.wrong_bytes.empty() ? found->second : content_.wrong_bytes;
        const auto from = content_.ranges ? offset : 0;
        std::unique_ptr<UpstreamTransfer> transfer =
            std::make_unique<FakeTransfer>(content_, std::move(bytes), from);
        co_return std::move(transfer);
    }
    Awaitable<UpstreamResult<UpstreamTags>> list_tags(ImageName name, std::string last,
                                                      std::uint32_t count) override {
        if (content_.failure) co_return fail_upstream(*content_.failure);
        UpstreamTags tags;
        for (const auto& [key, manifest] : content_.tags) {
            const auto prefix = name.text() + ':';
            if (!key.starts_with(prefix) || key.substr(prefix.size()) <= last) continue;
            if (tags.tags.size() == count) {
                tags.more = true;
                break;
            }
            tags.tags.push_back(key.substr(prefix.size()));
        }
        if (tags.tags.empty() && last.empty()) co_return fail_upstream(absent());
        co_return tags;
    }
    Awaitable<UpstreamResult<UpstreamManifest>> get_referrers(ImageName, Digest) override {
        UpstreamFailure none{UpstreamFailure::Kind::unsupported, "no referrers API"};
        co_return fail_upstream(std::move(none));
    }
    UpstreamBudget budget() const override { return {}; }

private:
    static UpstreamFailure absent() {
        return {UpstreamFailure::Kind::not_found, "no such thing there"};
    }
    const std::string* find(const ImageName& name, const Reference& reference) const {
        const bool by_tag = std::holds_alternative<Tag>(reference);
        const auto& all = by_tag ? content_.tags : content_.manifests;
        const auto found = all.find(name.text() + (by_tag ? ':' : '@') + to_string(reference));
        return found == all.end() ? nullptr : &found->second;
    }

    FakeContent& content_;
    const RemoteSettings settings_;
};

class FakeUpstreams final : public UpstreamFactory {
public:
    // By RemoteSettings::url.
    std::map<std::string, FakeContent> contents;

    std::shared_ptr<Upstream> make(const RemoteSettings& settings) override {
        return std::make_shared<FakeUpstream>(contents[settings.url], settings);
    }
};

}  // namespace orbitalreg::engine
