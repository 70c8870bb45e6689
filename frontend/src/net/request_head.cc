#include "net/request_head.h"

#include "http/ascii.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/verb.hpp>

#include <algorithm>
#include <utility>

namespace orbitalreg::frontend {
namespace {

namespace http = boost::beast::http;

Method method_of(http::verb verb) noexcept {
    switch (verb) {
        case http::verb::get:
            return Method::get;
        case http::verb::head:
            return Method::head;
        case http::verb::post:
            return Method::post;
        case http::verb::put:
            return Method::put;
        case http::verb::patch:
            return Method::patch;
        case http::verb::delete_:
            return Method::delete_;
        case http::verb::options:
            return Method::options;
        default:
            return Method::other;
    }
}

// Fills a RequestHead from Beast's events and keeps nothing else: no container of fields, no body.
class HeadParser final : public http::basic_parser<true> {
public:
    explicit HeadParser(RequestHead& head) : head_{head} {}

private:
    using string_view = boost::beast::string_view;
    using error_code = boost::beast::error_code;

    void on_request_impl(http::verb method, string_view method_text, string_view target,
                         int /*version*/, error_code& ec) override {
        head_.method = method_of(method);
        head_.method_text = {method_text.data(), method_text.size()};
        head_.target = {target.data(), target.size()};
        ec = {};
    }
    void on_response_impl(int, string_view, int, error_code& ec) override {
        ec = http::error::bad_version;
    }
    void on_field_impl(http::field, string_view name, string_view value, error_code& ec) override {
        head_.fields.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
        ec = {};
    }
    void on_header_impl(error_code& ec) override { ec = {}; }
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code& ec) override {
        ec = {};
    }
    std::size_t on_body_impl(string_view, error_code& ec) override {
        ec = http::error::unexpected_body;
        return 0;
    }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code& ec) override {
        ec = http::error::unexpected_body;
    }
    std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code& ec) override {
        ec = http::error::unexpected_body;
        return 0;
    }
    void on_finish_impl(error_code& ec) override { ec = {}; }

    RequestHead& head_;
};

// Both have read the same bytes: they must have found the same message.
bool agree(const HeadParser& parser, const Framing& framing) {
    const auto length = parser.content_length();
    if (parser.chunked() != framing.chunked) return false;
    if (length.has_value() != framing.content_length.has_value()) return false;
    return !length || *length == *framing.content_length;
}

}  // namespace

std::string_view to_string(Method method) noexcept {
    switch (method) {
        case Method::get:
            return "GET";
        case Method::head:
            return "HEAD";
        case Method::post:
            return "POST";
        case Method::put:
            return "PUT";
        case Method::patch:
            return "PATCH";
        case Method::delete_:
            return "DELETE";
        case Method::options:
            return "OPTIONS";
        case Method::other:
            break;
    }
    return "other";
}

std::optional<std::string_view> RequestHead::field(std::string_view name) const noexcept {
    for (const Field& each : fields) {
        if (equals_ignoring_case(each.name, name)) return each.value;
    }
    return std::nullopt;
}

namespace {

ParsedHead parse_framed(std::string_view block, Framing framing, const HttpLimits& limits) {
    ParsedHead parsed;
    parsed.head.framing = framing;
    parsed.fault = parsed.head.framing.fault;
    if (parsed.fault) return parsed;
    auto kept = std::make_shared_for_overwrite<char[]>(block.size());
    std::copy(block.begin(), block.end(), kept.get());
    block = {kept.get(), block.size()};
    parsed.head.block = std::move(kept);
    // Its views are of the block: a value that it would have to put together elsewhere, one on several lines, was refused.
    HeadParser parser{parsed.head};
    parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    // The length is judged by the handler that knows what it is a length of.
    parser.body_limit(boost::none);
    boost::beast::error_code ec;
    parser.put(boost::asio::const_buffer{block.data(), block.size()}, ec);
    if (ec || !parser.is_header_done()) {
        parsed.fault = {400, "the header is malformed"};
    } else if (!agree(parser, parsed.head.framing)) {
        parsed.fault = {400, "the framing is ambiguous"};
    }
    return parsed;
}

}  // namespace

ParsedHead parse_head(std::string_view block, const HttpLimits& limits) {
    return parse_framed(block, check_framing(block, limits), limits);
}

ParsedHead parse_scanned_head(std::string_view block, const HttpLimits& limits) {
    return parse_framed(block, read_framing(block), limits);
}

}  // namespace orbitalreg::frontend
