#pragma once
// Which proxy a request goes through. libcurl would read the environment by itself, and then nobody here could tell whose
// address a socket is about to be connected to.

#include "frontend/http_client.h"

namespace orbitalreg::frontend {

// The proxy for `target`; empty: none, since there is none for its scheme, or `excepted` names the host.
//
// `excepted` as in NO_PROXY: names and addresses with commas or blanks between them; a name stands for all below it, with or
// without a leading dot; `host:port` for that port; `10.0.0.0/8` for addresses; `*` for everything.
std::string choose_proxy(const HttpProxies& proxies, const HttpUrl& target);

}  // namespace orbitalreg::frontend
