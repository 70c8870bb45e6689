#include "listening_rules.h"

#include "frontend/server.h"

namespace orbitalreg::program {

std::string refuse_listening(const frontend::Config& config) {
    if (config.insecure) return {};
    for (const auto& [key, address] : {std::pair{"http.addr", config.server.address},
                                       std::pair{"admin.addr", config.server.admin_address}}) {
        if (address.empty()) continue;
        const auto loopback = frontend::is_loopback(address);
        if (loopback && loopback.value()) continue;
        return std::string{key} + ": " + address +
               " is reachable from other machines, and this server speaks plain HTTP and asks "
               "nobody who they are. Listen "
               "on 127.0.0.1, or set `http.insecure: true` (ORBITALREG_HTTP_INSECURE=true) if that "
               "is what you want.";
    }
    return {};
}

}  // namespace orbitalreg::program
