#pragma once
// Response is what a handler answers: a status, headers and a body that is text, bytes that somebody keeps, or a stream
// of verified pieces. The session adds what every response carries and sends it.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/result.h"
#include "http/headers.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace orbitalreg::frontend {

struct SharedBytes {
    ByteView bytes;
    std::shared_ptr<const void> owner;
};

// BodySource hands out the bytes of a body piece by piece, each sound before it is handed out.
class BodySource {
public:
    virtual ~BodySource() = default;
    // At least one byte from `offset`, at most `length_max`.
    virtual Awaitable<Result<SharedBytes>> read(std::uint64_t offset, std::uint64_t length_max) = 0;
};

// Part of a source, with the text that goes before it (the head of a part of multipart/byteranges).
struct BodyPart {
    std::string before;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

struct StreamBody {
    std::unique_ptr<BodySource> source;
    std::vector<BodyPart> parts;
    std::string after;

    std::uint64_t size_bytes() const noexcept;
};

struct Response {
    unsigned status = 200;
    Headers headers;
    std::variant<std::monostate, std::string, SharedBytes, StreamBody> body;
    // Of a HEAD or 304: what Content-Length says although nothing is sent.
    std::optional<std::uint64_t> length_of_unsent_body;
    bool close = false;  // the connection, afterwards

    std::uint64_t size_bytes() const noexcept;
    // Memory that is its own, until it is sent.
    std::uint64_t held_bytes() const noexcept;
};

// One entry of an OCI error body. `detail` is JSON, or empty.
struct ErrorEntry {
    std::string code;
    std::string message;
    std::string detail;
};
Response error_response(unsigned status, const std::vector<ErrorEntry>& entries);
Response error_response(unsigned status, std::string_view code, std::string_view message);
Response json_response(unsigned status, std::string body);

// The phrase of a status line.
std::string_view reason_phrase(unsigned status) noexcept;

}  // namespace orbitalreg::frontend
