#include "http_connection.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>
#include <sys/uio.h>

namespace orbitalreg::load {
namespace {

constexpr std::size_t kRecordBytes = 16_KiB;

bool is_same_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return std::tolower(static_cast<unsigned char>(x)) ==
                      std::tolower(static_cast<unsigned char>(y));
           });
}

std::string_view header(std::string_view head, std::string_view name) {
    while (!head.empty()) {
        const auto line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(head.size(), line.size() + 2));
        const auto colon = line.find(':');
        if (colon != std::string_view::npos && is_same_ignoring_case(line.substr(0, colon), name)) {
            auto value = line.substr(colon + 1);
            value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
            return value;
        }
    }
    return {};
}

template <class Number>
std::optional<Number> parse(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string path_of(std::string_view location) {
    const auto scheme = location.find("://");
    if (scheme == std::string_view::npos) return std::string{location};
    const auto path = location.find('/', scheme + 3);
    return std::string{path == std::string_view::npos ? "/" : location.substr(path)};
}

}  // namespace

HttpConnection::HttpConnection(Endpoint endpoint, std::string fixed_headers)
    : endpoint_{std::move(endpoint)},
      fixed_headers_{std::move(fixed_headers)},
      buffer_(kReceiveBytes) {}

Answer HttpConnection::ask(const Request& request, const Source& source, const Sink& sink) {
    if (!open() || !send_request(request, source)) {
        close();
        return {};
    }
    Answer answer = receive(request.method != "HEAD", sink);
    if (answer.status == 0) close();
    return answer;
}

bool HttpConnection::open() {
    if (socket_) return true;
    begin_ = end_ = 0;
    UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint_.port);
    if (::inet_pton(AF_INET, endpoint_.host.c_str(), &address.sin_addr) != 1) return false;
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return false;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (endpoint_.tls) {
        tls_ = TlsSession::connect(fd.get());
        if (!tls_) return false;
    }
    socket_ = std::move(fd);
    return true;
}

void HttpConnection::close() {
    tls_.reset();
    socket_.reset();
}

bool HttpConnection::send_request(const Request& request, const Source& source) {
    std::string head;
    head.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\nHost: ");
    head.append(endpoint_.text()).append("\r\n").append(fixed_headers_);
    head.append(request.extra_headers);
    if (request.chunked) {
        head.append("Transfer-Encoding: chunked\r\n\r\n");
    } else if (request.method != "GET" && request.method != "HEAD") {
        head.append("Content-Length: " + std::to_string(request.body_size_bytes) + "\r\n\r\n");
    } else {
        head.append("\r\n");
    }
    std::uint64_t sent = 0;
    while (sent < request.body_size_bytes) {
        ByteView piece = source(sent);
        piece = piece.first(std::min<std::uint64_t>(piece.size(), request.body_size_bytes - sent));
        sent += piece.size();
        if (request.chunked) {
            std::array<char, 24> size;
            const int length = std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
            head.append(size.data(), static_cast<std::size_t>(length));
        }
        if (!send_pair(as_bytes(head), piece)) return false;
        head = request.chunked ? "\r\n" : "";
    }
    if (request.chunked) head.append("0\r\n\r\n");
    return head.empty() || send_all(as_bytes(head));
}

bool HttpConnection::send_all(ByteView bytes) {
    if (tls_) return tls_->send(bytes);
    while (!bytes.empty()) {
        const auto count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

bool HttpConnection::send_pair(ByteView first, ByteView second) {
    if (tls_) {
        if (second.size() > kRecordBytes) return tls_->send(first) && tls_->send(second);
        // What fits into one record of TLS goes as one.
        std::vector<std::byte> both{first.begin(), first.end()};
        both.insert(both.end(), second.begin(), second.end());
        return tls_->send(both);
    }
    std::array<iovec, 2> parts{iovec{const_cast<std::byte*>(first.data()), first.size()},
                               iovec{const_cast<std::byte*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const auto count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (count <= 0) return false;
    const auto sent = static_cast<std::size_t>(count);
    if (sent < first.size()) return send_all(first.subspan(sent)) && send_all(second);
    return send_all(second.subspan(sent - first.size()));
}

bool HttpConnection::receive_some() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ == buffer_.size()) return false;
    const MutableByteView room = MutableByteView{buffer_}.subspan(end_);
    const auto count = tls_ ? static_cast<ssize_t>(tls_->receive(room))
                            : ::recv(socket_.get(), room.data(), room.size(), 0);
    if (count <= 0) return false;
    end_ += static_cast<std::size_t>(count);
    return true;
}

Answer HttpConnection::receive(bool has_body, const Sink& sink) {
    std::string_view received;
    std::size_t head_size = std::string_view::npos;
    while (head_size == std::string_view::npos) {
        if (received.size() > kHeaderBytesMax || !receive_some()) return {};
        received = as_text({buffer_.data() + begin_, end_ - begin_});
        head_size = received.find("\r\n\r\n");
    }
    const std::string head{received.substr(0, head_size + 2)};
    begin_ += head_size + 4;

    Answer answer;
    const auto status =
        head.size() > 12 ? parse<int>(std::string_view{head}.substr(9, 3)) : std::nullopt;
    if (!status) return {};
    if (*status == 100) return receive(has_body, sink);
    answer.location = path_of(header(head, "Location"));
    const auto length = parse<std::uint64_t>(header(head, "Content-Length"));
    if (has_body && is_same_ignoring_case(header(head, "Transfer-Encoding"), "chunked")) {
        const auto size = receive_chunks(sink);
        if (!size) return {};
        answer.body_size_bytes = *size;
    } else if (has_body && *status != 204 && *status != 304) {
        if (!length || !receive_body(*length, sink)) return {};
        answer.body_size_bytes = *length;
    }
    if (is_same_ignoring_case(header(head, "Connection"), "close")) close();
    answer.status = *status;
    return answer;
}

// A line without its end.
std::optional<std::string> HttpConnection::receive_line() {
    std::string line;
    while (!line.ends_with("\r\n")) {
        if (line.size() > kHeaderBytesMax || (begin_ == end_ && !receive_some()))
            return std::nullopt;
        line += static_cast<char>(buffer_[begin_++]);
    }
    line.resize(line.size() - 2);
    return line;
}

std::optional<std::uint64_t> HttpConnection::receive_chunks(const Sink& sink) {
    for (std::uint64_t sum = 0;;) {
        const auto line = receive_line();
        std::uint64_t size = 0;
        if (!line ||
            std::from_chars(line->data(), line->data() + line->size(), size, 16).ec != std::errc{})
            return std::nullopt;
        if (size > 0 && !receive_body(size, sink)) return std::nullopt;
        if (!receive_line()) return std::nullopt;  // behind the chunk, or the empty trailer
        if (size == 0) return sum;
        sum += size;
    }
}

bool HttpConnection::receive_body(std::uint64_t size_bytes, const Sink& sink) {
    while (size_bytes > 0) {
        if (begin_ == end_ && !receive_some()) return false;
        const auto count = std::min<std::uint64_t>(size_bytes, end_ - begin_);
        if (sink) sink({buffer_.data() + begin_, count});
        begin_ += count;
        size_bytes -= count;
    }
    return true;
}

}  // namespace orbitalreg::load
