#pragma once
// UpstreamPlace is where an upstream is, and what is known of its kind: which URL an image has there, who may be asked for its
// tokens, under which policy it is reached.
//
// Life     immutable.

#include "engine/names.h"
#include "engine/options.h"
#include "frontend/http_client.h"

#include <optional>
#include <string>
#include <string_view>

namespace orbitalreg::frontend {

class UpstreamPlace {
public:
    // Of settings that check_remote() found good.
    UpstreamPlace(const engine::RemoteSettings& settings, const HttpProxies& environment);

    // For people and metrics: the host, with its port where that is not the scheme's own.
    const std::string& remote() const noexcept { return remote_; }
    const HttpUrl& origin() const noexcept { return origin_; }
    bool is_docker_hub() const noexcept { return docker_hub_; }
    // The name there: with `library/` before it where the upstream wants that (DIST-PROXY-03).
    std::string image_of(const engine::ImageName& name) const;
    // `https://host/v2/<image><tail>`
    std::string url_of(const engine::ImageName& name, std::string_view tail) const;
    // Whether a token service at `realm` may be asked, and be sent the credentials (SEC-63).
    bool may_ask_for_token(const HttpUrl& realm) const;
    const HttpPolicy& policy() const noexcept { return policy_; }

private:
    std::string base_;  // up to and with `/v2/`
    HttpUrl origin_;
    std::string remote_;
    bool docker_hub_ = false;
    bool library_prefix_ = false;
    std::vector<std::string> auth_hosts_;
    HttpPolicy policy_;
};

// The URL as it is used: without a slash or `/v2` at its end, and Docker Hub by the name of its API.
std::string upstream_url(std::string_view url);

}  // namespace orbitalreg::frontend
