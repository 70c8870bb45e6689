#pragma once
// HttpConnection is one keep-alive HTTP/1.1 connection over a blocking socket, with or without TLS:
// as little client as can be, so that what is measured is the server.
//
// Life     connects at the first request, and again after the peer closed.
// Threads  one thread each.
// Limits   an answer's header ends within kHeaderBytesMax; a longer one counts as a lost
// connection.

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "tls_session.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::load {

inline constexpr std::size_t kHeaderBytesMax = 64_KiB;
inline constexpr std::size_t kReceiveBytes = 1_MiB;

struct Endpoint {
    std::string host;  // an IPv4 address
    std::uint16_t port = 0;
    bool tls = false;
    std::string text() const { return host + ":" + std::to_string(port); }
};

// `status` 0: the connection was lost before the whole answer was there.
struct Answer {
    int status = 0;
    std::string location;  // path and query, without scheme and host
    std::uint64_t body_size_bytes = 0;
};

struct Request {
    std::string_view method{};
    std::string_view target{};
    std::string_view extra_headers{};  // complete lines
    std::uint64_t body_size_bytes = 0;
    bool chunked = false;
};

class HttpConnection {
public:
    // Fills the next piece of a request body and returns it; called until body_size_bytes were
    // given.
    using Source = std::function<ByteView(std::uint64_t offset)>;
    using Sink = std::function<void(ByteView piece)>;

    // `fixed_headers`: complete lines, sent with each request.
    explicit HttpConnection(Endpoint endpoint, std::string fixed_headers = {});

    Answer ask(const Request& request, const Source& source = {}, const Sink& sink = {});

private:
    bool open();
    void close();
    bool send_request(const Request& request, const Source& source);
    bool send_all(ByteView bytes);
    bool send_pair(ByteView first, ByteView second);
    Answer receive(bool has_body, const Sink& sink);
    bool receive_some();
    std::optional<std::string> receive_line();
    std::optional<std::uint64_t> receive_chunks(const Sink& sink);
    bool receive_body(std::uint64_t size_bytes, const Sink& sink);

    Endpoint endpoint_;
    std::string fixed_headers_;
    UniqueFd socket_;
    std::unique_ptr<TlsSession> tls_;
    std::vector<std::byte> buffer_;  // bytes [begin_, end_) are received and not yet taken
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace orbitalreg::load
