#pragma once
// RegistryUpstream asks another registry over the distribution protocol, with the rights of the repository's settings and over
// the one outbound client.
//
// Life     made by the factory of Outbound, by shared_ptr; a transfer keeps what it needs of it.
// Threads  any.
// Limits   engine/upstream.h.

#include "engine/upstream.h"
#include "outbound/token_source.h"

#include <array>
#include <map>
#include <memory>
#include <mutex>

namespace orbitalreg {
class Log;
}

namespace orbitalreg::frontend {

inline constexpr std::size_t kUpstreamManifestMax = 4_MiB;
inline constexpr std::size_t kUpstreamTagsMax = 1_MiB;
inline constexpr std::uint32_t kUpstreamTagsPageMax = 10'000;
inline constexpr std::uint32_t kUpstreamReferrersPagesMax = 100;

// What is counted of one upstream.
struct UpstreamMetrics {
    UpstreamMetrics(Metrics& metrics, const std::string& remote);
    void count(const UpstreamFailure* failure);

    static constexpr std::size_t kResults = 8;  // ok, and each kind of failure
    std::array<Counter*, kResults> requests{};
    Counter& bytes;
    Gauge& budget_remaining;  // -1: the upstream says nothing
    Gauge& transfers;
};

struct UpstreamParts {
    std::shared_ptr<TransferLoop> loop;
    Clock& clock;
    Log& log;
    Metrics& metrics;
    HttpProxies environment;
};

class RegistryUpstream final : public engine::Upstream {
public:
    RegistryUpstream(engine::RemoteSettings settings, const UpstreamParts& parts);

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
    engine::UpstreamBudget budget() const override;

private:
    // What is asked, without who asks.
    struct Question {
        std::string method = "GET";
        std::string url;
        std::vector<HttpHeader> headers{};
        bool bulk = false;
    };
    using Opened = UpstreamResult<std::unique_ptr<HttpStream>>;

    // The answer, whatever its status, once what a 401 wants was done.
    Awaitable<Opened> ask(engine::ImageName name, Question question);
    // The answer where it is a success.
    Awaitable<Opened> ask_for_success(engine::ImageName name, Question question);
    Awaitable<UpstreamResult<engine::UpstreamManifest>> fetch_manifest(engine::ImageName name,
                                                                       engine::Reference reference);
    Awaitable<UpstreamResult<engine::UpstreamManifestHead>> look_at_manifest(
        engine::ImageName name, engine::Reference reference);
    Awaitable<UpstreamResult<std::optional<std::uint64_t>>> look_at_blob(engine::ImageName name,
                                                                         Digest digest);
    Awaitable<UpstreamResult<std::optional<std::uint64_t>>> look_at_first_byte(
        engine::ImageName name, Digest digest);
    Awaitable<UpstreamResult<std::unique_ptr<engine::UpstreamTransfer>>> begin_blob(
        engine::ImageName name, Digest digest, std::uint64_t offset);
    Awaitable<UpstreamResult<engine::UpstreamTags>> fetch_tags(engine::ImageName name,
                                                               std::string last,
                                                               std::uint32_t count);
    Awaitable<UpstreamResult<engine::UpstreamManifest>> fetch_referrers(engine::ImageName name,
                                                                        Digest subject);
    struct ReferrersPage {
        std::vector<std::byte> bytes;
        std::string next_url;  // empty: it is the last
    };
    Awaitable<UpstreamResult<ReferrersPage>> fetch_referrers_page(engine::ImageName name,
                                                                  std::string url);
    // Where a Link field leads, which must be at the same place (SEC-67); empty: there is none.
    UpstreamResult<std::string> next_url_of(const HttpStream& stream) const;

    bool is_foreign(const HttpStream& stream) const;
    UpstreamFailure status_failure(const HttpStream& stream) const;
    void note_budget(const HttpStream& stream);
    // Counts what came of a question; who asked tells it.
    template <class T>
    UpstreamResult<T> counted(UpstreamResult<T> result);
    std::string tags_url(const engine::ImageName& name, const std::string& last,
                         std::uint32_t count);
    void keep_next_page(const engine::ImageName& name, const std::string& last, std::string url);

    const engine::RemoteSettings settings_;
    const std::shared_ptr<const UpstreamPlace> place_;
    Clock& clock_;
    const std::shared_ptr<TransferLoop> loop_;
    const std::shared_ptr<UpstreamMetrics> metrics_;
    const std::shared_ptr<ConnectionSlots> slots_;
    const std::shared_ptr<TokenSource> tokens_;

    mutable std::mutex mutex_;
    engine::UpstreamBudget budget_;
    // Where the page after a tag is, for upstreams whose pages do not go by `last` alone.
    std::map<std::pair<std::string, std::string>, std::string> next_pages_;
};

}  // namespace orbitalreg::frontend
