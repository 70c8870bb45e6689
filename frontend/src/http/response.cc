#include "http/response.h"

#include "http/json_text.h"

namespace orbitalreg::frontend {
namespace {

struct BodySize {
    std::uint64_t operator()(std::monostate) const noexcept { return 0; }
    std::uint64_t operator()(const std::string& text) const noexcept { return text.size(); }
    std::uint64_t operator()(const SharedBytes& shared) const noexcept {
        return shared.bytes.size();
    }
    std::uint64_t operator()(const StreamBody& stream) const noexcept {
        return stream.size_bytes();
    }
};

}  // namespace

std::uint64_t StreamBody::size_bytes() const noexcept {
    std::uint64_t size = after.size();
    for (const BodyPart& part : parts) size += part.before.size() + part.size;
    return size;
}

std::uint64_t Response::held_bytes() const noexcept {
    if (const auto* stream = std::get_if<StreamBody>(&body)) {
        std::uint64_t size = stream->after.size() + stream->parts.size() * sizeof(BodyPart);
        for (const BodyPart& part : stream->parts) size += part.before.size();
        return size;
    }
    return size_bytes();
}

std::uint64_t Response::size_bytes() const noexcept { return std::visit(BodySize{}, body); }

Response json_response(unsigned status, std::string body) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

Response error_response(unsigned status, const std::vector<ErrorEntry>& entries) {
    std::string body = R"({"errors":[)";
    for (const ErrorEntry& entry : entries) {
        if (&entry != &entries.front()) body += ',';
        body +=
            R"({"code":)" + json_string(entry.code) + R"(,"message":)" + json_string(entry.message);
        if (!entry.detail.empty()) body += R"(,"detail":)" + entry.detail;
        body += '}';
    }
    body += "]}";
    return json_response(status, std::move(body));
}

Response error_response(unsigned status, std::string_view code, std::string_view message) {
    return error_response(status, {ErrorEntry{std::string{code}, std::string{message}, {}}});
}

std::string_view reason_phrase(unsigned status) noexcept {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 206:
            return "Partial Content";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 416:
            return "Range Not Satisfiable";
        case 417:
            return "Expectation Failed";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 505:
            return "HTTP Version Not Supported";
        case 507:
            return "Insufficient Storage";
        default:
            return "Status";
    }
}

}  // namespace orbitalreg::frontend
