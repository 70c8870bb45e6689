#include "listening_rules.h"

#include "frontend/server.h"

#include <tuple>

namespace orbitalreg::program {

std::string refuse_listening(const frontend::Config& config) {
    if (config.insecure) return {};
    const auto& server = config.server;
    const bool encrypted = server.tls.enabled() && server.tls.address.empty();
    for (const auto& [key, address, plain] :
         {std::tuple{"http.addr", server.address, !encrypted},
          std::tuple{"http.tls.addr", server.tls.address, false},
          std::tuple{"admin.addr", server.admin_address, true}}) {
        if (address.empty()) continue;
        // Encrypted, and whoever comes must say who they are.
        if (!plain && server.auth.on) continue;
        const auto loopback = frontend::is_loopback(address);
        if (loopback && loopback.value()) continue;
        return std::string{key} + ": " + address +
               " is reachable from other machines, and this server " +
               (plain && !server.auth.on ? "speaks plain HTTP and " : "") +
               (server.auth.on ? "speaks plain HTTP, over which passwords and tokens can be read"
                               : "asks nobody who they are") +
               ". Listen on 127.0.0.1, or set `http.insecure: true` "
               "(ORBITALREG_HTTP_INSECURE=true) if that "
               "is what you want.";
    }
    return {};
}

}  // namespace orbitalreg::program
