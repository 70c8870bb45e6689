#pragma once
// ScriptedServer is an HTTP server on the loopback interface that does with each request what the test says, the wrong things
// included. A thread for each connection; connections are kept.
//
// Life     made, listening -> destroyed, which cuts what is open.
// Threads  the script runs on the connections' threads; what it keeps, it guards. seen() and the counts: any.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace orbitalreg {

struct SeenRequest {
    std::string method;
    std::string target;
    std::map<std::string, std::string> fields;  // names in small letters

    std::string field(const std::string& name) const {
        const auto found = fields.find(name);
        return found == fields.end() ? std::string{} : found->second;
    }
};

// The connection that a request came on.
class ScriptedPeer {
public:
    explicit ScriptedPeer(boost::asio::ip::tcp::socket& socket) : socket_{socket} {}

    // False when the client is gone.
    bool send(std::string_view text) {
        boost::system::error_code ec;
        boost::asio::write(socket_, boost::asio::buffer(text), ec);
        sent_bytes_ += ec ? 0 : text.size();
        return !ec;
    }
    void answer(unsigned status, std::string_view body = {}, std::string_view fields = {}) {
        std::string text = "HTTP/1.1 " + std::to_string(status) +
                           " Scripted\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
        send(text.append(fields).append("\r\n").append(body));
    }
    // Until the client closes, or the server ends.
    void wait_for_close() {
        std::array<char, 256> rest{};
        boost::system::error_code ec;
        while (!ec) socket_.read_some(boost::asio::buffer(rest), ec);
        closed_ = true;
    }
    void close() {
        boost::system::error_code ec;
        socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_both, ec);
        closed_ = true;
    }
    // Passes on whatever comes, both ways, until one side ends: a proxy's CONNECT.
    void tunnel_to(std::uint16_t port) {
        boost::asio::ip::tcp::socket other{socket_.get_executor()};
        boost::system::error_code ec;
        other.connect({boost::asio::ip::address_v4::loopback(), port}, ec);
        std::thread back{[this, &other] { pump(other, socket_); }};
        pump(socket_, other);
        back.join();
        closed_ = true;
    }
    bool closed() const { return closed_; }
    std::uint64_t sent_bytes() const { return sent_bytes_; }

private:
    static void pump(boost::asio::ip::tcp::socket& from, boost::asio::ip::tcp::socket& to) {
        std::array<char, 4096> room{};
        for (boost::system::error_code ec; !ec;) {
            const auto bytes = from.read_some(boost::asio::buffer(room), ec);
            if (!ec) boost::asio::write(to, boost::asio::buffer(room.data(), bytes), ec);
        }
        boost::system::error_code ignored;
        from.shutdown(boost::asio::ip::tcp::socket::shutdown_both, ignored);
        to.shutdown(boost::asio::ip::tcp::socket::shutdown_both, ignored);
    }

    boost::asio::ip::tcp::socket& socket_;
    bool closed_ = false;
    std::uint64_t sent_bytes_ = 0;
};

class ScriptedServer {
public:
    using Script = std::function<void(const SeenRequest&, ScriptedPeer&)>;

    explicit ScriptedServer(Script script) : script_{std::move(script)} {
        acceptor_.listen();
        thread_ = std::thread{[this] { accept_all(); }};
    }
    ~ScriptedServer() {
        stopping_ = true;
        boost::system::error_code ec;
        boost::asio::ip::tcp::socket last{context_};
        last.connect(acceptor_.local_endpoint(), ec);  // wakes accept()
        thread_.join();
        {
            const std::lock_guard lock{mutex_};
            for (auto& socket : sockets_)
                socket.shutdown(boost::asio::ip::tcp::socket::shutdown_both, ec);
        }
        for (auto& thread : threads_) thread.join();
    }
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }
    std::string url(std::string_view path = "", std::string_view host = "127.0.0.1") const {
        return "http://" + std::string{host} + ':' + port() + std::string{path};
    }
    std::vector<SeenRequest> seen() const {
        const std::lock_guard lock{mutex_};
        return seen_;
    }
    int connections() const { return connections_; }

private:
    void accept_all() {
        for (;;) {
            boost::asio::ip::tcp::socket socket{context_};
            boost::system::error_code ec;
            acceptor_.accept(socket, ec);
            if (stopping_ || ec) return;
            ++connections_;
            const std::lock_guard lock{mutex_};
            auto& kept = sockets_.emplace_back(std::move(socket));
            threads_.emplace_back([this, &kept] { converse(kept); });
        }
    }
    void converse(boost::asio::ip::tcp::socket& socket) {
        std::string text;
        ScriptedPeer peer{socket};
        while (!stopping_ && !peer.closed()) {
            boost::system::error_code ec;
            const auto head =
                boost::asio::read_until(socket, boost::asio::dynamic_buffer(text), "\r\n\r\n", ec);
            if (ec) return;
            const auto request = parse(text.substr(0, head));
            text.erase(0, head);
            {
                const std::lock_guard lock{mutex_};
                seen_.push_back(request);
            }
            script_(request, peer);
        }
        peer.close();
    }
    static SeenRequest parse(std::string_view head) {
        SeenRequest request;
        const auto line_end = head.find("\r\n");
        const auto line = head.substr(0, line_end);
        const auto first = line.find(' ');
        request.method = line.substr(0, first);
        request.target = line.substr(first + 1, line.rfind(' ') - first - 1);
        head.remove_prefix(line_end + 2);
        while (head.size() > 2) {
            const auto end = head.find("\r\n");
            const auto field = head.substr(0, end);
            head.remove_prefix(end + 2);
            const auto colon = field.find(':');
            std::string name{field.substr(0, colon)};
            std::transform(name.begin(), name.end(), name.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            });
            auto value = field.substr(colon + 1);
            while (value.starts_with(' ')) value.remove_prefix(1);
            request.fields[name] = value;
        }
        return request;
    }

    const Script script_;
    boost::asio::io_context context_;
    boost::asio::ip::tcp::acceptor acceptor_{context_,
                                             {boost::asio::ip::address_v4::loopback(), 0}};
    std::atomic<bool> stopping_ = false;
    std::atomic<int> connections_ = 0;
    mutable std::mutex mutex_;
    std::vector<SeenRequest> seen_;
    std::list<boost::asio::ip::tcp::socket> sockets_;
    std::list<std::thread> threads_;
    std::thread thread_;
};

}  // namespace orbitalreg
