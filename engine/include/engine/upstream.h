#pragma once
// Upstream is another registry as a remote repository sees it: what it has under a name, and bytes. It keeps nothing but
// connections, tokens and what it has learned of the other's budget; caching, freshness, one transfer for all and what a
// client is told are engine/remote's.
//
// The caller's credentials are no part of any call here (DIST-PROXY-24): only those of RemoteSettings are ever sent.
//
// Life     made by an UpstreamFactory, used until the last transfer of it is destroyed.
// Threads  any reactor; an answer resumes where it was asked. A transfer: one strand.
// Limits   manifests 4 MiB, a page of tags 1 MiB, RemoteSettings (SEC-67).
// Errors   UpstreamFailure; nothing throws.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "engine/names.h"
#include "engine/options.h"

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

struct UpstreamFailure {
    enum class Kind : std::uint8_t {
        not_found,  // it says that there is no such thing
        denied,     // 401 or 403 that a fresh token does not cure (DIST-PROXY-16)
        throttled,  // 429: `retry_after_ms` says how long it wants to be left alone
        unavailable,  // no address, no connection, no trust in its certificate, too slow, 5xx, broken off
        untrusted,  // what it does is not allowed: an address, a realm, a redirect, an answer without end or sense
        unsupported,  // it does not offer this: no referrers API
        stopped,      // by us
    };
    Kind kind = Kind::unavailable;
    std::string message;  // one short sentence for people, without secrets
    std::optional<std::int64_t> retry_after_ms{};

    friend bool operator==(const UpstreamFailure&, const UpstreamFailure&) = default;
};

template <class T>
using UpstreamResult =
    boost::outcome_v2::basic_result<T, UpstreamFailure, boost::outcome_v2::policy::terminate>;

inline auto fail_upstream(UpstreamFailure failure) {
    return boost::outcome_v2::failure(std::move(failure));
}

// What it says of a manifest. Hints only: the bytes decide (SEC-66).
struct UpstreamManifestHead {
    std::optional<Digest> digest;  // Docker-Content-Digest, where there is a valid one
    std::string media_type;        // without parameters; may be wrong (DIST-PROXY-22)
    std::optional<std::uint64_t> size_bytes;
};

struct UpstreamManifest {
    std::vector<std::byte> bytes;
    std::string media_type;  // as above
};

// UpstreamTransfer is one blob on its way, from the offset that was asked for.
//
// Life     open_blob() -> read()* until it gives 0. Destroying it ends the transfer.
class UpstreamTransfer {
public:
    virtual ~UpstreamTransfer() = default;

    // Where the first byte stands in the blob: what was asked for, or 0 where the upstream offers no ranges.
    virtual std::uint64_t offset() const noexcept = 0;
    // Of the whole blob, where the upstream says it.
    virtual std::optional<std::uint64_t> size_bytes() const noexcept = 0;
    // Fills the start of `room` with at least one byte; 0: the end, as the upstream sees it. An answer that ends before its
    // length, or is slower than RemoteSettings::min_rate_bytes, is Kind::unavailable. Not reading is back-pressure. `room` outlives
    // the call.
    virtual Awaitable<UpstreamResult<std::size_t>> read(MutableByteView room) = 0;
};

struct UpstreamTags {
    std::vector<std::string> tags;  // as it gave them, those outside the grammar left out
    bool more = false;
};

// What the upstream says is left (ratelimit-limit, ratelimit-remaining), as of `seen_steady_ms`.
struct UpstreamBudget {
    std::optional<std::uint64_t> limit;
    std::optional<std::uint64_t> remaining;
    std::optional<std::uint64_t> window_s;
    std::int64_t seen_steady_ms = 0;
};

class Upstream {
public:
    virtual ~Upstream() = default;

    virtual const RemoteSettings& settings() const noexcept = 0;

    // `name` is the image name at the upstream, `alpine` or `library/alpine`; a prefix that it wants besides is the
    // implementation's (DIST-PROXY-03). Parameters are values: they may outlive the caller's.
    virtual Awaitable<UpstreamResult<UpstreamManifestHead>> head_manifest(ImageName name,
                                                                          Reference reference) = 0;
    virtual Awaitable<UpstreamResult<UpstreamManifest>> get_manifest(ImageName name,
                                                                     Reference reference) = 0;
    // Whether it has the blob under this name, and its size. Nothing of it is transferred (DIST-PROXY-11).
    virtual Awaitable<UpstreamResult<std::optional<std::uint64_t>>> head_blob(ImageName name,
                                                                              Digest digest) = 0;
    // Answers when the upstream's header is there.
    virtual Awaitable<UpstreamResult<std::unique_ptr<UpstreamTransfer>>> open_blob(
        ImageName name, Digest digest, std::uint64_t offset) = 0;
    // In the upstream's own order, after `last` (DIST-PROXY-25).
    virtual Awaitable<UpstreamResult<UpstreamTags>> list_tags(ImageName name, std::string last,
                                                              std::uint32_t count) = 0;
    // The image index that its referrers API gives. Kind::unsupported where it has none.
    virtual Awaitable<UpstreamResult<UpstreamManifest>> get_referrers(ImageName name,
                                                                      Digest subject) = 0;

    virtual UpstreamBudget budget() const = 0;
};

class UpstreamFactory {
public:
    virtual ~UpstreamFactory() = default;
    // Of settings that check_remote() found good.
    virtual std::shared_ptr<Upstream> make(const RemoteSettings& settings) = 0;
};

}  // namespace orbitalreg::engine
