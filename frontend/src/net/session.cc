#include "net/session.h"

#include "frontend/errors.h"
#include "http/ascii.h"

#include <array>
#include <ctime>
#include <exception>
#include <utility>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kRequestIdSizeMax = 64;
constexpr std::size_t kStatusLineMax = 64;

// A client's id when it is harmless (SEC-105), else one of ours.
std::string choose_request_id(const RequestHead& head, Random& random) {
    if (const auto given = head.field("X-Request-Id");
        given && !given->empty() && given->size() <= kRequestIdSizeMax) {
        const bool harmless = std::all_of(given->begin(), given->end(), [](char c) {
            return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
        });
        if (harmless) return std::string{*given};
    }
    std::array<std::byte, 12> bytes;
    random.fill(bytes);
    return to_hex(bytes);
}

// Made once a second by each thread.
const std::string& http_date(std::int64_t wall_ns) {
    thread_local std::time_t made_for = -1;
    thread_local std::string text;
    const auto seconds = static_cast<std::time_t>(wall_ns / 1'000'000'000);
    if (seconds == made_for) return text;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 40> room{};
    // The C locale: the program never sets another.
    const auto size = std::strftime(room.data(), room.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    text.assign(room.data(), size);
    made_for = seconds;
    return text;
}

bool status_has_no_body(unsigned status) noexcept {
    return status == 204 || status == 304 || status < 200;
}

}  // namespace

// One request and all that its answer needs. Lives in the frame of serve_one().
struct Session::Turn {
    RequestHead head;
    Target target;
    Query query;
    std::string request_id;
    std::string client_address;  // the peer's, or what a trusted proxy says
    BodyIn body;
    Exchange exchange;
    std::int64_t begun_ns;
    bool refused = false;  // for its framing: who knows what else is on its way

    Turn(Session& session, RequestHead parsed, const ServerOptions& options)
        : head{std::move(parsed)},
          target{parse_target(head.target)},
          query{Query::parse(target.query, options.limits.query_parameters)},
          request_id{choose_request_id(head, session.environment_.random)},
          client_address{session.environment_.forwarded.client_of(head, session.peer_address())},
          body{session.connection_, head.framing, options.limits},
          exchange{head, target, query, {}, body, request_id, {}, client_address, {}},
          begun_ns{session.connection_.now_ns()} {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
};

Session::Session(asio::ip::tcp::socket socket, std::string peer_address,
                 SessionEnvironment& environment, TlsCredentials* tls)
    : environment_{environment},
      tls_{tls},
      connection_{std::move(socket), std::move(peer_address), environment.site.options().times,
                  environment.clock, tls != nullptr ? tls->context() : nullptr} {}

void Session::check_deadline(std::int64_t now_ns) noexcept {
    if (!connection_.open()) return;
    if (stopping_ && waits_for_request() && now_ns - idle_since_ns() >= idle_while_stopping_ns()) {
        connection_.close();
        return;
    }
    if (!connection_.watch().expired(now_ns)) return;
    // An idle connection ends politely; a peer that stalls in the middle of something is reset (SEC-80).
    if (idle()) {
        connection_.close();
    } else {
        connection_.cut();
    }
}

std::int64_t Session::idle_while_stopping_ns() const noexcept {
    return std::chrono::nanoseconds{environment_.site.options().times.idle_while_stopping}.count();
}

// Connected and silent is idle too. Its request may be on its way: to close at once would answer it with a reset.
bool Session::waits_for_request() const noexcept {
    return idle() ||
           (connection_.watch().phase() == PeerWatch::Phase::header && connection_.input().empty());
}

void Session::begin_stop(std::int64_t now_ns) noexcept {
    stopping_ = true;
    // Who is still shaking hands has asked for nothing, and finds the next server when it tries again.
    if (connection_.watch().phase() == PeerWatch::Phase::handshake) connection_.cut();
    check_deadline(now_ns);
}

Awaitable<void> Session::run() {
    try {
        bool more = co_await shake_hands();
        while (more && connection_.open()) more = co_await serve_one();
    } catch (const std::exception& error) {
        environment_.log.error("a request ended with an exception; its connection was cut",
                               {{"remote_ip", peer_address()}, {"error", error.what()}});
        connection_.cut();
    }
    connection_.close();
}

Awaitable<bool> Session::shake_hands() {
    if (!connection_.encrypted()) co_return true;
    auto shaken = co_await connection_.shake_hands();
    tls_->count_handshake(shaken.has_value());
    if (shaken) co_return true;
    environment_.log.debug("a TLS handshake failed", {{"remote_ip", peer_address()},
                                                      {"error", shaken.error().message()},
                                                      {"reason", connection_.handshake_trouble()}});
    if (shaken.error() != Errc::tls_expected) co_return false;
    const FramingFault fault{400, "this port speaks HTTPS: use https:// in the address"};
    const RequestHead unknown;
    co_return co_await refuse(fault, unknown);
}

// Nothing: the peer has gone. A fault of status 0: the block is complete.
Awaitable<std::optional<FramingFault>> Session::receive_header(HeaderScanner& scanner) {
    auto& input = connection_.input();
    input.shrink();
    if (first_request_) {
        // Its time runs from accept: who connects has something to say (SEC-80).
        connection_.watch().enter(PeerWatch::Phase::header, connection_.now_ns());
    } else {
        connection_.watch().enter(PeerWatch::Phase::idle, connection_.now_ns());
    }
    for (;;) {
        // One empty line between requests is forgiven (RFC 9112, 2.2).
        if (scanner.size() == 0 && !first_request_ && input.text().starts_with("\r\n"))
            input.consume(2);
        if (!input.empty()) {
            if (idle()) connection_.watch().enter(PeerWatch::Phase::header, connection_.now_ns());
            const auto state = scanner.scan(input.text());
            if (state == HeaderScanner::State::refused) co_return scanner.fault();
            if (state == HeaderScanner::State::complete) co_return FramingFault{};
        }
        auto received = co_await connection_.fill();
        if (!received || received.value() == 0) co_return std::nullopt;
    }
}

Awaitable<bool> Session::serve_one() {
    const ServerOptions& options = environment_.site.options();
    HeaderScanner scanner{options.limits};
    const auto fault = co_await receive_header(scanner);
    if (!fault) co_return false;
    connection_.watch().begin_request();
    connection_.watch().enter(PeerWatch::Phase::working, connection_.now_ns());
    first_request_ = false;
    if (*fault) {
        const RequestHead unknown;
        co_return co_await refuse(*fault, unknown);
    }
    auto parsed =
        parse_scanned_head(connection_.input().text().substr(0, scanner.size()), options.limits);
    connection_.input().consume(scanner.size());
    if (parsed.fault) co_return co_await refuse(parsed.fault, parsed.head);
    Turn turn{*this, std::move(parsed.head), options};
    co_return co_await answer(turn);
}

Awaitable<bool> Session::answer(Turn& turn) {
    turn.exchange.match = environment_.site.match(turn.target);
    turn.exchange.seen_base =
        environment_.forwarded.base_of(turn.head, peer_address(), connection_.encrypted());
    turn.exchange.encrypted = connection_.encrypted();
    Response response;
    try {
        response = co_await environment_.site.answer(turn.exchange);
    } catch (const std::exception& error) {
        environment_.log.error("a handler ended with an exception",
                               {{"request_id", turn.request_id}, {"error", error.what()}});
        response = error_response(500, "UNKNOWN", "internal error");
        response.close = true;
    }
    co_return co_await send(turn, std::move(response));
}

// The bytes cannot be read in one way only: nothing after them can be trusted to be a request.
Awaitable<bool> Session::refuse(const FramingFault& fault, const RequestHead& head) {
    const ServerOptions& options = environment_.site.options();
    RequestHead bare = head;
    bare.framing = Framing{};
    bare.target = "/v2/";
    Turn turn{*this, std::move(bare), options};
    turn.refused = true;
    Response response = error_response(fault.status, "UNSUPPORTED", fault.reason);
    response.close = true;
    co_return co_await send(turn, std::move(response));
}

bool Session::keeps_alive(const Turn& turn, const Response& response) const noexcept {
    if (stopping_ || response.close || !turn.head.framing.keep_alive) return false;
    if (turn.body.unanswered_expectation()) return false;
    if (turn.body.finished()) return true;
    // What is left of the body is read and dropped when that is known to be little (DIST-UPL-41).
    const auto size = turn.body.declared_size();
    return size && *size - turn.body.received() <= environment_.site.options().limits.drain_bytes;
}

std::string Session::render_head(const Turn& turn, const Response& response,
                                 bool keep_alive) const {
    Headers common;
    common.add("Date", http_date(environment_.clock.wall_ns()));
    common.add("X-Request-Id", turn.request_id);
    environment_.site.decorate(turn.exchange, common);
    // A refusal of today is none of tomorrow (DIST-CACHE-03).
    if (response.status >= 400 && !response.headers.has("Cache-Control")) {
        common.add("Cache-Control", "no-cache");
    }
    if (response.length_of_unsent_body) {
        common.add("Content-Length", *response.length_of_unsent_body);
    } else if (!status_has_no_body(response.status)) {
        common.add("Content-Length", response.size_bytes());
    }
    if (!keep_alive) {
        common.add("Connection", "close");
    } else if (turn.head.framing.minor_version == 0) {
        common.add("Connection", "keep-alive");
    }
    std::string head;
    head.reserve(kStatusLineMax + response.headers.text().size() + common.text().size());
    head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
    head.append(reason_phrase(response.status)).append("\r\n");
    head.append(response.headers.text()).append(common.text()).append("\r\n");
    return head;
}

void Session::record(const Turn& turn, unsigned status, const SendOutcome& outcome) {
    const auto now = connection_.now_ns();
    AccessEntry entry;
    entry.request_id = turn.request_id;
    entry.peer_address = turn.client_address;
    entry.user = turn.exchange.principal.name;
    entry.method = turn.head.method;
    entry.target = turn.head.target;
    entry.route = turn.exchange.match.route;
    entry.name = turn.exchange.match.name;
    entry.reference = turn.exchange.notes.reference;
    entry.digest = turn.exchange.notes.digest;
    entry.member = turn.exchange.notes.member;
    entry.cache = turn.exchange.notes.cache;
    entry.status = status;
    entry.duration_ns = now - turn.begun_ns;
    entry.first_byte_ns = outcome.header_sent ? outcome.first_byte_ns - turn.begun_ns : 0;
    entry.bytes_in = turn.body.received();
    entry.bytes_out = outcome.body_bytes;
    std::string error;
    if (outcome.source_error) error = outcome.source_error.message();
    if (outcome.peer_error) error = outcome.peer_error.message();
    entry.error = error;
    environment_.access_log.record(entry);
}

// Whether the connection lives on.
Awaitable<bool> Session::send(Turn& turn, Response response) {
    if (environment_.site.options().external_url.empty())
        response.headers.put_before_paths(turn.exchange.seen_base);
    if (response.headers.unsafe()) response = error_response(500, "UNKNOWN", "internal error");
    const bool keep_alive = keeps_alive(turn, response);
    const bool with_body = turn.head.method != Method::head && !status_has_no_body(response.status);
    auto head = render_head(turn, response, keep_alive);
    auto outcome = co_await send_response(connection_, response, head, with_body);
    if (outcome.source_error && !outcome.header_sent) {
        const auto cause = outcome.source_error;
        response = error_response(500, "UNKNOWN", "the stored bytes could not be read");
        head = render_head(turn, response, keep_alive);
        outcome = co_await send_response(connection_, response, head, with_body);
        environment_.log.error("a blob could not be read",
                               {{"request_id", turn.request_id}, {"error", cause.message()}});
    }
    record(turn, response.status, outcome);
    if (!outcome.complete()) {
        connection_.cut();
        co_return false;
    }
    if (!keep_alive) {
        co_await end_with_drain(turn.refused || !turn.body.finished());
        co_return false;
    }
    if (turn.body.finished()) co_return true;
    auto drained = co_await turn.body.discard(environment_.site.options().limits.drain_bytes + 1);
    const bool at_end = drained && drained.value();
    co_return at_end;
}

// SEC-86: a peer in the middle of sending shall be able to read the answer before the connection goes.
Awaitable<void> Session::end_with_drain(bool peer_is_sending) {
    const ServerOptions& options = environment_.site.options();
    connection_.end_sending();
    if (!peer_is_sending && connection_.input().empty()) co_return;
    connection_.watch().enter(PeerWatch::Phase::drain, connection_.now_ns());
    std::uint64_t drained = connection_.input().size();
    connection_.input().consume(connection_.input().size());
    while (drained < options.limits.drain_bytes) {
        auto size = co_await connection_.fill();
        if (!size || size.value() == 0) co_return;
        drained += size.value();
        connection_.input().consume(size.value());
    }
}

}  // namespace orbitalreg::frontend
