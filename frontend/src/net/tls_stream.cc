#include "net/tls_stream.h"

#include "base/errors.h"
#include "frontend/errors.h"

#include <boost/asio/error.hpp>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace orbitalreg::frontend {
namespace {

constexpr auto kResume = asio::as_tuple(asio::use_awaitable);
// What one record takes; an answer's head and the begin of its body share one.
constexpr std::size_t kRecordBytes = 16_KiB;

}  // namespace

TlsStream::TlsStream(const SslContext& context, asio::ip::tcp::socket& socket)
    : socket_{socket}, ssl_{SSL_new(context.get()), SSL_free} {
    ErrorCode ec;
    socket_.native_non_blocking(true, ec);
    usable_ = !ec && ssl_ && SSL_set_fd(ssl_.get(), socket_.native_handle()) == 1;
    if (usable_) SSL_set_accept_state(ssl_.get());
}

// What OpenSSL's answer means. It must be asked at once, on the thread of the call.
TlsStream::Step TlsStream::judge(int returned) {
    const int system_error = errno;
    switch (SSL_get_error(ssl_.get(), returned)) {
        case SSL_ERROR_NONE:
            return Step::done;
        case SSL_ERROR_WANT_READ:
            return Step::wants_read;
        case SSL_ERROR_WANT_WRITE:
            return Step::wants_write;
        case SSL_ERROR_ZERO_RETURN:
            return Step::ended;
        case SSL_ERROR_SYSCALL:
            error_ =
                system_error != 0 ? errno_code(system_error) : make_error_code(Errc::peer_closed);
            why_ = error_.message();
            break;
        default: {
            const auto code = ERR_peek_error();
            const char* reason = ERR_reason_error_string(code);
            why_ = reason != nullptr ? reason : "a protocol error";
            error_ =
                ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST ? Errc::tls_expected : Errc::tls_failed;
        }
    }
    usable_ = false;
    return Step::failed;
}

Awaitable<Result<void>> TlsStream::wait_for(Step step) {
    const auto what = step == Step::wants_write ? asio::ip::tcp::socket::wait_write
                                                : asio::ip::tcp::socket::wait_read;
    auto [ec] = co_await socket_.async_wait(what, kResume);
    if (ec) co_return fail(ec);
    // Closed while this was on its way: the descriptor may be somebody else's by now.
    if (!socket_.is_open()) co_return fail(asio::error::operation_aborted);
    co_return ok();
}

Awaitable<Result<void>> TlsStream::handshake() {
    while (usable_ && socket_.is_open()) {
        ERR_clear_error();
        errno = 0;
        const auto step = judge(SSL_do_handshake(ssl_.get()));
        if (step == Step::done) co_return ok();
        if (step == Step::failed) co_return fail(error_);
        if (step == Step::ended) break;
        ORB_CO_TRY(co_await wait_for(step));
    }
    co_return fail(Errc::peer_closed);
}

// As much as is there: a record at a time costs its caller a turn each.
TlsStream::Step TlsStream::try_read(MutableByteView to, std::size_t& size) {
    auto step = Step::done;
    while (size < to.size() && step == Step::done) {
        std::size_t read = 0;
        ERR_clear_error();
        errno = 0;
        step = judge(SSL_read_ex(ssl_.get(), to.data() + size, to.size() - size, &read));
        size += read;
    }
    // What ends the stream is said to the next call.
    return size > 0 ? Step::done : step;
}

Awaitable<Result<std::size_t>> TlsStream::read_some(MutableByteView to) {
    std::size_t size = 0;
    while (usable_ && socket_.is_open()) {
        const auto step = try_read(to, size);
        if (step == Step::done) co_return size;
        if (step == Step::ended) co_return std::size_t{0};
        if (step == Step::failed) break;
        ORB_CO_TRY(co_await wait_for(step));
    }
    co_return fail(error_ ? error_ : make_error_code(Errc::peer_closed));
}

TlsStream::Step TlsStream::try_write(ByteView first, ByteView second, std::size_t& size) {
    std::array<std::byte, kRecordBytes> record;
    const std::size_t size_all = first.size() + second.size();
    auto step = Step::done;
    while (size < size_all && step == Step::done) {
        ByteView next;
        if (size >= first.size()) {
            next = second.subspan(size - first.size());
        } else if (const auto head = first.subspan(size); head.size() >= record.size()) {
            next = head;
        } else {
            const auto with_head = std::min(second.size(), record.size() - head.size());
            std::memcpy(record.data(), head.data(), head.size());
            if (with_head > 0) std::memcpy(record.data() + head.size(), second.data(), with_head);
            next = ByteView{record}.first(head.size() + with_head);
        }
        std::size_t written = 0;
        ERR_clear_error();
        errno = 0;
        step = judge(SSL_write_ex(ssl_.get(), next.data(), next.size(), &written));
        size += written;
    }
    return size > 0 ? Step::done : step;
}

Awaitable<Result<std::size_t>> TlsStream::write_some(ByteView first, ByteView second) {
    std::size_t size = 0;
    while (usable_ && socket_.is_open()) {
        const auto step = try_write(first, second, size);
        if (step == Step::done) co_return size;
        if (step == Step::ended || step == Step::failed) break;
        ORB_CO_TRY(co_await wait_for(step));
    }
    co_return fail(error_ ? error_ : make_error_code(Errc::peer_closed));
}

void TlsStream::end_sending() noexcept {
    if (!usable_ || !socket_.is_open() || SSL_in_init(ssl_.get()) != 0) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
}

}  // namespace orbitalreg::frontend
