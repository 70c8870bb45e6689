#include "net/framing_guard.h"

#include "base/bytes.h"
#include "http/ascii.h"

#include <algorithm>
#include <array>
#include <limits>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

// Fields that decide something and may therefore stand only once (SEC-72, SEC-74).
enum SingleField : std::size_t {
    host,
    content_length,
    transfer_encoding,
    authorization,
    content_type,
    content_range,
    range,
    expect,
    kSingleFields
};
constexpr std::array<std::string_view, kSingleFields> kSingleFieldNames{
    "host",          "content-length", "transfer-encoding",
    "authorization", "content-type",   "content-range",
    "range",         "expect"};

struct Seen {
    std::array<std::optional<std::string_view>, kSingleFields> single;
    bool connection_close = false;
    bool connection_keep_alive = false;
};

FramingFault bad(std::string_view reason) noexcept { return {400, reason}; }

std::string_view take_line(std::string_view& block) noexcept {
    const auto end = block.find(kLineEnd);
    const auto line = block.substr(0, end);
    block.remove_prefix(end == std::string_view::npos ? block.size() : end + kLineEnd.size());
    return line;
}

// method SP target SP HTTP/1.x, exactly two spaces.
FramingFault check_request_line(std::string_view line, Framing& framing) noexcept {
    const auto first = line.find(' ');
    if (first == std::string_view::npos || first == 0)
        return bad("the request line has no method and target");
    const auto second = line.find(' ', first + 1);
    if (second == std::string_view::npos || second == first + 1)
        return bad("the request line has no target");
    const auto method = line.substr(0, first);
    const auto target = line.substr(first + 1, second - first - 1);
    const auto version = line.substr(second + 1);
    if (!std::all_of(method.begin(), method.end(), is_token_character))
        return bad("the method is not a token");
    if (!std::all_of(target.begin(), target.end(), is_visible_ascii))
        return bad("the target is not visible ASCII");
    if (version == "HTTP/1.1") {
        framing.minor_version = 1;
    } else if (version == "HTTP/1.0") {
        framing.minor_version = 0;
    } else if (version == "HTTP/2.0" && method == "PRI") {
        return bad("HTTP/2 is not spoken here");
    } else if (version.starts_with("HTTP/") && version.size() == 8) {
        return {505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
    } else {
        return bad("the request line does not end in a version");
    }
    return {};
}

void note_connection(std::string_view value, Seen& seen) noexcept {
    while (!value.empty()) {
        const auto comma = value.find(',');
        const auto option = trim_blanks(value.substr(0, comma));
        if (equals_ignoring_case(option, "close")) seen.connection_close = true;
        if (equals_ignoring_case(option, "keep-alive")) seen.connection_keep_alive = true;
        value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
    }
}

FramingFault check_field(std::string_view line, Seen& seen) noexcept {
    if (line.front() == ' ' || line.front() == '\t') return bad("a header line is folded");
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return bad("a header line has no colon");
    const auto name = line.substr(0, colon);
    if (name.empty()) return bad("a header field has no name");
    if (!std::all_of(name.begin(), name.end(), is_token_character)) {
        return bad("the name of a header field is not a token");
    }
    const auto value = trim_blanks(line.substr(colon + 1));
    if (equals_ignoring_case(name, "connection")) note_connection(value, seen);
    for (std::size_t i = 0; i < kSingleFields; ++i) {
        if (!equals_ignoring_case(name, kSingleFieldNames[i])) continue;
        if (seen.single[i]) return bad("a header field that decides something is repeated");
        seen.single[i] = value;
    }
    return {};
}

// reg-name, IPv4 or [IPv6], with an optional port: no user information, no path, nothing that could end up in a URL.
bool is_host(std::string_view value) noexcept {
    if (value.size() > 255) return false;
    std::string_view port;
    if (value.starts_with('[')) {
        const auto end = value.find(']');
        if (end == std::string_view::npos || end == 1) return false;
        const auto address = value.substr(1, end - 1);
        if (!std::all_of(address.begin(), address.end(),
                         [](char c) { return is_hex_digit(c) || c == ':' || c == '.'; })) {
            return false;
        }
        port = value.substr(end + 1);
    } else {
        const auto colon = value.find(':');
        const auto name = value.substr(0, colon);
        if (name.empty()) return false;
        if (!std::all_of(name.begin(), name.end(), [](char c) {
                return is_alphanumeric(c) || c == '.' || c == '-' || c == '_' || c == '~';
            })) {
            return false;
        }
        port = colon == std::string_view::npos ? std::string_view{} : value.substr(colon);
    }
    if (port.empty()) return true;
    if (port.front() != ':' || port.size() > 6) return false;
    port.remove_prefix(1);
    return std::all_of(port.begin(), port.end(), is_digit);
}

FramingFault check_length(const Seen& seen, Framing& framing) noexcept {
    const auto& length = seen.single[content_length];
    const auto& coding = seen.single[transfer_encoding];
    if (length && coding) return bad("both Content-Length and Transfer-Encoding are given");
    if (coding) {
        if (framing.minor_version == 0) return bad("HTTP/1.0 knows no Transfer-Encoding");
        if (!equals_ignoring_case(*coding, "chunked"))
            return {501, "the only transfer coding here is chunked"};
        framing.chunked = true;
    }
    if (length) {
        const auto value = parse_decimal(*length);
        constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        if (!value || *value > kMax) return bad("Content-Length is not a number of bytes");
        framing.content_length = *value;
    }
    return {};
}

FramingFault check_meaning(const Seen& seen, Framing& framing) noexcept {
    if (framing.minor_version == 1 && !seen.single[host]) return bad("HTTP/1.1 needs a Host");
    // An empty Host is what RFC 9112 prescribes for a target without authority; ours always have one.
    if (seen.single[host] && !is_host(*seen.single[host])) return bad("Host is not a host");
    if (const auto fault = check_length(seen, framing)) return fault;
    if (const auto& expected = seen.single[expect]) {
        if (!equals_ignoring_case(*expected, "100-continue"))
            return {417, "the only expectation known is 100-continue"};
        // RFC 9110, 10.1.1: a server ignores the expectation of an HTTP/1.0 client.
        framing.expect_continue = framing.minor_version == 1;
    }
    framing.keep_alive =
        !seen.connection_close && (framing.minor_version == 1 || seen.connection_keep_alive);
    return {};
}

}  // namespace

HeaderScanner::State HeaderScanner::refuse(unsigned status, std::string_view reason) noexcept {
    fault_ = {status, reason};
    return State::refused;
}

FramingFault HeaderScanner::limit_fault(char byte) const noexcept {
    if (lines_ == 0 && seen_ - line_start_ > limits_->request_line_bytes) {
        return {414, "the request line is too long"};
    }
    if (seen_ > limits_->header_bytes) return {431, "the header is too large"};
    const bool control = (static_cast<unsigned char>(byte) < 0x20 && byte != '\t') || byte == 0x7f;
    if (control) return bad("a control byte in the header");
    // Obsolete text is legal in values and means nothing to us: nobody who speaks to a registry sends it.
    if (static_cast<unsigned char>(byte) >= 0x80) return bad("a byte outside ASCII in the header");
    return {};
}

// Called at the LF of a line whose CR was just seen.
HeaderScanner::State HeaderScanner::end_line() noexcept {
    const bool empty = seen_ - line_start_ == 2;
    line_start_ = seen_;
    // A client that ended its last body with one CRLF too many is forgiven (RFC 9112, 2.2) by the session, which skips
    // it before it scans: here an empty first line is a fault.
    if (empty && lines_ == 0) return refuse(400, "the request line is empty");
    if (empty) return State::complete;
    ++lines_;
    if (lines_ > limits_->header_fields + 1) return refuse(431, "the header has too many fields");
    return State::incomplete;
}

// As limit_fault(), of many bytes at once: where the next one is that ends a line, may not be there, or is one too many.
std::size_t HeaderScanner::skip_plain(std::string_view block) const noexcept {
    const std::size_t line_end =
        lines_ == 0 ? line_start_ + limits_->request_line_bytes : block.size();
    const std::size_t end = std::min({block.size(), line_end, std::size_t{limits_->header_bytes}});
    if (end <= seen_) return seen_;
    return seen_ + printable_prefix(block.substr(seen_, end - seen_));
}

HeaderScanner::State HeaderScanner::scan(std::string_view block) noexcept {
    while (seen_ < block.size()) {
        if (!after_cr_) seen_ = skip_plain(block);
        if (seen_ == block.size()) break;
        const char byte = block[seen_++];
        if (after_cr_) {
            after_cr_ = false;
            if (byte != '\n') return refuse(400, "a CR without LF in the header");
            if (const State state = end_line(); state != State::incomplete) return state;
        } else if (byte == '\r') {
            after_cr_ = true;
        } else if (byte == '\n') {
            return refuse(400, "an LF without CR in the header");
        } else if (const auto fault = limit_fault(byte)) {
            return refuse(fault.status, fault.reason);
        }
    }
    return State::incomplete;
}

Framing check_framing(std::string_view block, const HttpLimits& limits) noexcept {
    Framing framing;
    HeaderScanner scanner{limits};
    if (scanner.scan(block) != HeaderScanner::State::complete || scanner.size() != block.size()) {
        framing.fault = scanner.fault() ? scanner.fault() : bad("the header is not complete");
        return framing;
    }
    return read_framing(block);
}

Framing read_framing(std::string_view block) noexcept {
    Framing framing;
    framing.fault = check_request_line(take_line(block), framing);
    Seen seen;
    while (!framing.fault) {
        const auto line = take_line(block);
        if (line.empty()) break;
        framing.fault = check_field(line, seen);
    }
    if (!framing.fault) framing.fault = check_meaning(seen, framing);
    return framing;
}

}  // namespace orbitalreg::frontend
