// What proxies and clients say in fields that this server splits itself: the forwarded family, entity tags. Whatever they
// say, the client is an address or the peer, and the base is nothing that ends a header line (DIST-HTTP-20, SEC-85).

#include "base/assert.h"
#include "http/ascii.h"
#include "http/conditions.h"
#include "http/forwarded.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace {

using namespace orbitalreg;
using namespace orbitalreg::frontend;

// Lines of `Name: value`, as many as there are.
RequestHead head_of(std::string_view text) {
    RequestHead head;
    while (!text.empty()) {
        const auto end = std::min(text.find("\r\n"), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), end + 2));
        const auto colon = line.find(": ");
        if (colon == std::string_view::npos) continue;
        head.fields.push_back({line.substr(0, colon), line.substr(colon + 2)});
    }
    return head;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const ForwardedRules rules{{"10.0.0.0/8"}};
    static const Digest digest = Digest::of(DigestAlgorithm::sha256, {});
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto head = head_of(text);
    const auto client = rules.client_of(head, "10.0.0.1");
    ORB_ASSERT(parse_network(client).has_value());
    ORB_ASSERT(rules.client_of(head, "192.0.2.1") == "192.0.2.1");
    const auto base = rules.base_of(head, "10.0.0.1", true);
    ORB_ASSERT(base.size() <= 255);
    ORB_ASSERT(std::all_of(base.begin(), base.end(), [](char c) { return is_visible_ascii(c); }));
    ORB_ASSERT(rules.base_of(head, "192.0.2.1", true).empty());
    (void)check_conditions(head, digest);
    (void)range_applies(head, digest);
    (void)parse_network(text);
    return 0;
}
