// Answers that are read as they come: back-pressure, time, the end in all its forms, redirects and proxies: DIST-PROXY-10,
// SEC-62, SEC-64, SEC-67.

#include "outbound/http_stream.h"

#include "outbound_world.h"

#include <condition_variable>
#include <set>
#include <thread>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kEndlessHead = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

HttpPolicy open_policy() {
    HttpPolicy policy;
    policy.http_allowed = true;
    policy.allow_networks = {"127.0.0.0/8"};
    policy.total_timeout = std::chrono::milliseconds{0};
    policy.redirects_max = kHttpRedirectsMax;
    policy.idle_timeout = std::chrono::seconds{30};
    policy.min_rate_bytes = 1_KiB;
    return policy;
}

// A place where threads wait for one another.
class Gate {
public:
    void pass() {
        const std::lock_guard lock{mutex_};
        ++passes_;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return passes_ > 0; });
        --passes_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int passes_ = 0;
};

struct Scene {
    TestClock clock;
    std::shared_ptr<TransferLoop> loop = std::make_shared<TransferLoop>(clock);
    HttpPolicy policy = open_policy();
    SlotWish slot{};

    Awaitable<OpenedStream> opening(std::string url, std::vector<HttpHeader> headers = {}) {
        HttpRequest request;
        request.url = std::move(url);
        request.headers = std::move(headers);
        return open_stream(loop, std::move(request), policy, slot);
    }
    OpenedStream open(std::string url, std::vector<HttpHeader> headers = {}) {
        return run(opening(std::move(url), std::move(headers)));
    }
    ~Scene() { loop->stop(); }
};

struct Whole {
    std::string bytes;
    HttpTrouble trouble;
};

Awaitable<Whole> rest_of(HttpStream* stream, std::size_t room_size) {
    Whole whole;
    std::vector<std::byte> room(room_size);
    for (;;) {
        auto reading = stream->read(room);
        auto piece = co_await std::move(reading);
        whole.bytes.append(as_text(ByteView{room}.first(piece.bytes)));
        if (piece.bytes == 0) {
            whole.trouble = std::move(piece.trouble);
            co_return std::move(whole);
        }
    }
}

Whole rest(const OpenedStream& opened, std::size_t room_size = 64_KiB) {
    return run(rest_of(opened.stream.get(), room_size));
}

std::string some_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint32_t state = 1;
    for (char& c : bytes) {
        state = state * 1'664'525 + 1'013'904'223;
        c = static_cast<char>(state >> 24);
    }
    return bytes;
}

// Until the loop has taken as much as it may. Ends with the test's time limit where it never does.
void wait_until_paused(const HttpStream& stream) {
    while (!stream.paused()) std::this_thread::yield();
}

ScriptedServer::Script redirect_to(std::string location, unsigned status = 302) {
    return [location = std::move(location), status](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(status, "moved", "Location: " + location + "\r\n");
    };
}

ScriptedServer::Script always(std::string body) {
    return [body = std::move(body)](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(200, body);
    };
}

TEST(HttpStream, BringsTheBytesInAnyRoom) {
    const auto bytes = some_bytes(5'000'000);
    ScriptedServer server{always(bytes)};
    Scene scene;
    for (const std::size_t room : {1'000, 4'096, 65'536, 1'000'003, 8'000'000}) {
        const auto opened = scene.open(server.url("/blob"));
        ASSERT_TRUE(opened.stream) << opened.trouble.text;
        EXPECT_EQ(opened.stream->status(), 200U);
        EXPECT_EQ(opened.stream->header("content-length"), "5000000");
        const auto whole = rest(opened, room);
        EXPECT_EQ(whole.trouble.failure, HttpFailure::none) << whole.trouble.text;
        EXPECT_TRUE(whole.bytes == bytes) << room;
    }
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpStream, HoldsABoundedPartOfWhatNobodyReads) {
    std::atomic<std::uint64_t> sent = 0;
    ScriptedServer server{[&sent](const SeenRequest&, ScriptedPeer& peer) {
        const std::string block(64_KiB, 'x');
        peer.send(kEndlessHead);
        while (peer.send(block)) sent = peer.sent_bytes();
        peer.close();
    }};
    Scene scene;
    auto opened = scene.open(server.url());
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    wait_until_paused(*opened.stream);
    EXPECT_LE(opened.stream->buffered_bytes(), kTransferBufferSize);
    EXPECT_GT(opened.stream->buffered_bytes(), kTransferBufferSize / 2);
    // It goes on where it stopped, and stops again: twenty times the buffer passes through.
    std::vector<std::byte> room(64_KiB);
    for (std::uint64_t read = 0; read < 20 * kTransferBufferSize;) {
        const auto piece = run(opened.stream->read(room));
        ASSERT_GT(piece.bytes, 0U) << piece.trouble.text;
        read += piece.bytes;
        EXPECT_LE(opened.stream->buffered_bytes(), kTransferBufferSize);
    }
    wait_until_paused(*opened.stream);
    EXPECT_GT(sent, 20 * kTransferBufferSize);
}

TEST(HttpStream, EndsWhenItIsDestroyed) {
    Gate closed;
    ScriptedServer server{[&closed](const SeenRequest&, ScriptedPeer& peer) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin");
        peer.wait_for_close();
        closed.pass();
    }};
    Scene scene;
    auto opened = scene.open(server.url());
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    opened.stream.reset();
    closed.wait();
}

TEST(HttpStream, GivesWhatCameBeforeAnEndThatIsNone) {
    ScriptedServer server{[](const SeenRequest&, ScriptedPeer& peer) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        peer.close();
    }};
    Scene scene;
    const auto opened = scene.open(server.url("/b?sig=secret"));
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    const auto whole = rest(opened);
    EXPECT_EQ(whole.bytes, "half");
    EXPECT_EQ(whole.trouble.failure, HttpFailure::broken_off);
    EXPECT_TRUE(whole.trouble.text.starts_with("GET " + server.url("/b") + ": "))
        << whole.trouble.text;
}

TEST(HttpStream, NonsenseIsNoAnswer) {
    for (const auto* nonsense :
         {"\x16\x03\x01", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\n"}) {
        ScriptedServer server{[nonsense](const SeenRequest&, ScriptedPeer& peer) {
            peer.send(nonsense);
            peer.close();
        }};
        Scene scene;
        const auto opened = scene.open(server.url());
        EXPECT_FALSE(opened.stream);
        EXPECT_EQ(opened.trouble.failure, HttpFailure::broken_off) << opened.trouble.text;
    }
}

TEST(HttpStream, NothingIsDecompressed) {
    for (const auto* fields :
         {"Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: gzip\r\n",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: deflate\r\n"}) {
        ScriptedServer server{[fields](const SeenRequest&, ScriptedPeer& peer) {
            peer.send(std::string{"HTTP/1.1 200 OK\r\n"} + fields + "\r\n0\r\n\r\n");
            peer.close();
        }};
        Scene scene;
        const auto opened = scene.open(server.url());
        EXPECT_EQ(opened.trouble.failure, HttpFailure::broken_off) << opened.trouble.text;
    }
    ScriptedServer server{[](const SeenRequest& request, ScriptedPeer& peer) {
        EXPECT_EQ(request.fields.count("accept-encoding"), 0U);
        peer.answer(200, "as it came", "Content-Encoding: gzip\r\n");
    }};
    Scene scene;
    EXPECT_EQ(rest(scene.open(server.url())).bytes, "as it came");
}

TEST(HttpStream, BoundsTheHead) {
    ScriptedServer server{[](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(200, "", "X: " + std::string(70'000, 'x') + "\r\n");
    }};
    Scene scene;
    EXPECT_EQ(scene.open(server.url()).trouble.failure, HttpFailure::too_large);
}

TEST(HttpStream, TrailersDecideNothing) {
    ScriptedServer server{[](const SeenRequest&, ScriptedPeer& peer) {
        peer.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: head\r\n\r\n"
            "3\r\nabc\r\n0\r\nX: trailer\r\nLocation: /elsewhere\r\n\r\n");
    }};
    Scene scene;
    const auto opened = scene.open(server.url());
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    EXPECT_EQ(rest(opened).bytes, "abc");
    EXPECT_EQ(opened.stream->header("x"), "head");
    EXPECT_FALSE(opened.stream->header("location"));
}

TEST(HttpStream, AHeadThatDoesNotComeIsTooSlow) {
    Scene scene;
    ScriptedServer server{[&scene](const SeenRequest&, ScriptedPeer& peer) {
        scene.clock.leap_s(31);
        peer.wait_for_close();
    }};
    const auto opened = scene.open(server.url());
    EXPECT_EQ(opened.trouble.failure, HttpFailure::too_slow);
    EXPECT_NE(opened.trouble.text.find("nothing came"), std::string::npos) << opened.trouble.text;
}

TEST(HttpStream, ABodyThatStopsIsTooSlow) {
    Scene scene;
    ScriptedServer server{[](const SeenRequest&, ScriptedPeer& peer) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin");
        peer.wait_for_close();
    }};
    const auto opened = scene.open(server.url());
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    std::vector<std::byte> room(100);
    EXPECT_EQ(run(opened.stream->read(room)).bytes, 5U);
    scene.clock.leap_s(31);
    const auto whole = rest(opened);
    EXPECT_EQ(whole.trouble.failure, HttpFailure::too_slow) << whole.trouble.text;
}

TEST(HttpStream, ABodyInDropsIsTooSlow) {
    Scene scene;
    Gate next;
    ScriptedServer server{[&next](const SeenRequest&, ScriptedPeer& peer) {
        peer.send(kEndlessHead);
        for (bool open = true; open; next.wait()) open = peer.send("0123456789");
        peer.close();
    }};
    const auto opened = scene.open(server.url());
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    std::vector<std::byte> room(100);
    int drops = 0;
    for (;; ++drops) {
        const auto piece = run(opened.stream->read(room));
        if (piece.bytes == 0) {
            EXPECT_EQ(piece.trouble.failure, HttpFailure::too_slow);
            EXPECT_NE(piece.trouble.text.find("too slow"), std::string::npos);
            break;
        }
        ASSERT_LT(drops, 100);
        scene.clock.leap_s(10);
        next.pass();
    }
    EXPECT_GE(drops, 2) << "bytes came, so it was not silent";
    for (int i = 0; i < 3; ++i) next.pass();
}

TEST(HttpStream, AReaderMayTakeItsTime) {
    const auto bytes = some_bytes(32 * kTransferBufferSize);
    ScriptedServer server{always(bytes)};
    Scene scene;
    const auto opened = scene.open(server.url());
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    wait_until_paused(*opened.stream);
    scene.clock.leap_s(3'600);
    const auto whole = rest(opened);
    EXPECT_EQ(whole.trouble.failure, HttpFailure::none) << whole.trouble.text;
    EXPECT_TRUE(whole.bytes == bytes);
}

Awaitable<void> open_into(Scene* scene, std::string url, OpenedStream* opened) {
    auto opening = scene->opening(std::move(url));
    *opened = co_await std::move(opening);
}
Awaitable<void> read_into(HttpStream* stream, HttpTrouble* trouble) {
    auto reading = rest_of(stream, 1'000);
    auto whole = co_await std::move(reading);
    *trouble = std::move(whole.trouble);
}

TEST(HttpStream, StopEndsWhatIsUnderWayAndTakesNoMore) {
    Gate asked;
    ScriptedServer server{[&asked](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target == "/body")
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin");
        asked.pass();
        peer.wait_for_close();
    }};
    Scene scene;
    const auto body = scene.open(server.url("/body"));
    ASSERT_TRUE(body.stream) << body.trouble.text;
    asked.wait();
    asio::io_context context;
    std::array<OpenedStream, 3> heads;
    HttpTrouble trouble;
    for (auto& head : heads)
        asio::co_spawn(context, open_into(&scene, server.url("/head"), &head), asio::detached);
    asio::co_spawn(context, read_into(body.stream.get(), &trouble), asio::detached);
    std::thread stopper{[&] {
        for (std::size_t i = 0; i < heads.size(); ++i) asked.wait();
        scene.loop->stop();
    }};
    context.run();
    stopper.join();
    for (const auto& head : heads) {
        EXPECT_FALSE(head.stream);
        EXPECT_EQ(head.trouble.failure, HttpFailure::stopped) << head.trouble.text;
    }
    EXPECT_EQ(trouble.failure, HttpFailure::stopped) << trouble.text;
    EXPECT_EQ(scene.open(server.url()).trouble.failure, HttpFailure::stopped);
}

// The coroutine goes with its context, before the loop is stopped.
TEST(HttpStream, OutlivesWhoWaitedForIt) {
    Gate asked;
    Gate closed;
    ScriptedServer server{[&](const SeenRequest&, ScriptedPeer& peer) {
        asked.pass();
        peer.wait_for_close();
        closed.pass();
    }};
    Scene scene;
    OpenedStream opened;
    {
        asio::io_context context;
        asio::co_spawn(context, open_into(&scene, server.url(), &opened), asio::detached);
        context.poll();
        asked.wait();
        scene.loop->stop();  // hands it back to a context that runs no more
    }
    closed.wait();
    EXPECT_FALSE(opened.stream);
}

TEST(HttpStream, WaitsForASlot) {
    std::mutex mutex;
    int now = 0;
    int most = 0;
    Gate entered;
    Gate leave;
    ScriptedServer server{[&](const SeenRequest&, ScriptedPeer& peer) {
        {
            const std::lock_guard lock{mutex};
            most = std::max(most, ++now);
        }
        entered.pass();
        leave.wait();
        {
            const std::lock_guard lock{mutex};
            --now;
        }
        peer.answer(200, "done");
    }};
    Scene scene;
    Gauge running;
    scene.slot.slots = std::make_shared<ConnectionSlots>(2, running);
    asio::io_context context;
    std::array<OpenedStream, 6> all;
    for (auto& opened : all)
        asio::co_spawn(context, open_into(&scene, server.url(), &opened), asio::detached);
    std::thread doorkeeper{[&] {
        entered.wait();
        entered.wait();
        EXPECT_EQ(running.value(), 2);
        for (std::size_t i = 0; i < all.size(); ++i) leave.pass();
    }};
    context.run();
    doorkeeper.join();
    for (const auto& opened : all) {
        ASSERT_TRUE(opened.stream) << opened.trouble.text;
        EXPECT_EQ(rest(opened).bytes, "done");
    }
    EXPECT_EQ(most, 2);
    EXPECT_EQ(running.value(), 0);
}

TEST(HttpStream, WhoWaitsTooLongForASlotGoes) {
    Scene scene;
    Gauge running;
    scene.slot.slots = std::make_shared<ConnectionSlots>(1, running);
    ScriptedServer server{[](const SeenRequest&, ScriptedPeer& peer) {
        const std::string block(64_KiB, 'x');
        peer.send(kEndlessHead);
        while (peer.send(block)) {
        }
        peer.close();
    }};
    const auto first = scene.open(server.url());
    ASSERT_TRUE(first.stream) << first.trouble.text;
    wait_until_paused(*first.stream);
    asio::io_context context;
    OpenedStream second;
    asio::co_spawn(context, open_into(&scene, server.url(), &second), asio::detached);
    context.poll();
    // The loop takes commands in their order: with this one it has taken the one before.
    EXPECT_EQ(scene.open("http://127.0.0.1:1/\x7f").trouble.failure, HttpFailure::request_invalid);
    scene.clock.leap_s(31);
    context.run();
    EXPECT_EQ(second.trouble.failure, HttpFailure::too_slow) << second.trouble.text;
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpStream, BlobsLeaveASlotForQuestions) {
    Scene scene;
    Gauge running;
    scene.slot.slots = std::make_shared<ConnectionSlots>(2, running);
    ScriptedServer server{[](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target == "/manifest") return peer.answer(200, "manifest");
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
        peer.wait_for_close();
    }};
    scene.slot.bulk = true;
    auto first = scene.open(server.url("/first"));
    ASSERT_TRUE(first.stream) << first.trouble.text;
    asio::io_context context;
    OpenedStream second;
    asio::co_spawn(context, open_into(&scene, server.url("/second"), &second), asio::detached);
    context.poll();
    scene.slot.bulk = false;
    EXPECT_EQ(rest(scene.open(server.url("/manifest"))).bytes, "manifest");
    EXPECT_EQ(server.seen().size(), 2U);
    first.stream.reset();
    context.run();
    EXPECT_TRUE(second.stream) << second.trouble.text;
}

TEST(HttpStream, RedirectsLeaveCredentialsBehindAndKeepTheRange) {
    ScriptedServer third{always("blob")};
    ScriptedServer back{redirect_to(third.url("/c"))};
    ScriptedServer second{redirect_to(back.url("/b?X-Amz-Signature=s#f"), 307)};
    ScriptedServer first{[&second](const SeenRequest& request, ScriptedPeer& peer) {
        const auto target = request.target == "/here" ? second.url("/a") : std::string{"/here"};
        peer.answer(303, "", "Location: " + target + "\r\n");
    }};
    Scene scene;
    const auto opened =
        scene.open(first.url("/start"),
                   {{"Authorization", "Bearer secret"}, {"Cookie", "c"}, {"Range", "bytes=5-"}});
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    EXPECT_EQ(rest(opened).bytes, "blob");
    EXPECT_EQ(opened.stream->request().url, third.url("/c"));
    ASSERT_EQ(first.seen().size(), 2U);
    EXPECT_EQ(first.seen()[1].field("authorization"), "Bearer secret") << "the same origin";
    for (const auto* server : {&second, &back, &third}) {
        const auto seen = server->seen();
        ASSERT_EQ(seen.size(), 1U);
        EXPECT_EQ(seen[0].fields.count("authorization"), 0U);
        EXPECT_EQ(seen[0].fields.count("cookie"), 0U);
        EXPECT_EQ(seen[0].field("range"), "bytes=5-");
    }
    EXPECT_EQ(back.seen()[0].target, "/b?X-Amz-Signature=s");
}

// What was left behind once does not come back with the way back.
TEST(HttpStream, CredentialsDoNotComeBackOverAnotherHost) {
    std::string first_url;
    ScriptedServer second{[&first_url](const SeenRequest&, ScriptedPeer& peer) {
        peer.answer(302, "", "Location: " + first_url + "/end\r\n");
    }};
    ScriptedServer first{[&second](const SeenRequest& request, ScriptedPeer& peer) {
        if (request.target == "/end") return peer.answer(200, "end");
        peer.answer(302, "", "Location: " + second.url("/") + "\r\n");
    }};
    first_url = first.url();
    Scene scene;
    const auto opened = scene.open(first.url("/start"), {{"Authorization", "Bearer secret"}});
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    EXPECT_EQ(first.seen()[1].fields.count("authorization"), 0U);
}

TEST(HttpStream, RedirectsEnd) {
    ScriptedServer server{redirect_to("/again")};
    Scene scene;
    const auto opened = scene.open(server.url());
    EXPECT_FALSE(opened.stream);
    EXPECT_EQ(opened.trouble.failure, HttpFailure::redirect_refused) << opened.trouble.text;
    EXPECT_EQ(server.seen().size(), kHttpRedirectsMax + 1U);
    scene.policy.redirects_max = 0;
    const auto answer = scene.open(server.url());
    ASSERT_TRUE(answer.stream);
    EXPECT_EQ(answer.stream->status(), 302U);
}

TEST(HttpStream, RedirectsToForbiddenAddressesAreRefused) {
    Scene scene;
    scene.policy.allow_networks = {"127.0.0.1"};
    for (const auto* location :
         {"http://169.254.169.254/latest/meta-data/", "http://127.0.0.2/", "http://0x7f.0.0.2/",
          "http://[::ffff:127.0.0.2]/", "http://10.0.0.1/", "//169.254.169.254/"}) {
        ScriptedServer server{redirect_to(location)};
        const auto opened = scene.open(server.url());
        EXPECT_EQ(opened.trouble.failure, HttpFailure::address_refused)
            << location << ' ' << opened.trouble.text;
    }
    for (const auto* location :
         {"ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "file:///etc/passwd"}) {
        ScriptedServer server{redirect_to(location)};
        EXPECT_EQ(scene.open(server.url()).trouble.failure, HttpFailure::redirect_refused)
            << location;
    }
}

// Connections are shared; the rules of who made one are not those of who finds it.
TEST(HttpStream, AKeptConnectionIsCheckedAgain) {
    ScriptedServer server{always("inside")};
    Scene scene;
    EXPECT_EQ(rest(scene.open(server.url())).bytes, "inside");
    scene.policy.allow_networks = {};
    const auto opened = scene.open(server.url());
    EXPECT_EQ(opened.trouble.failure, HttpFailure::address_refused) << opened.trouble.text;
    EXPECT_EQ(server.seen().size(), 1U);
}

TEST(HttpStream, GoesThroughAProxy) {
    ScriptedServer proxy{always("from the proxy")};
    ScriptedServer server{always("direct")};
    Scene scene;
    // It is the operator's word where the proxy is.
    scene.policy.allow_networks = {};
    scene.policy.proxies.for_http = "http://who:pass@127.0.0.1:" + proxy.port();
    const auto opened =
        scene.open("http://registry.example/v2/", {{"Authorization", "Bearer secret"}});
    ASSERT_TRUE(opened.stream) << opened.trouble.text;
    EXPECT_EQ(rest(opened).bytes, "from the proxy");
    const auto seen = proxy.seen();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].target, "http://registry.example/v2/");
    EXPECT_EQ(seen[0].field("proxy-authorization"), "Basic d2hvOnBhc3M=");

    scene.policy.allow_networks = {"127.0.0.0/8"};
    scene.policy.proxies.excepted = "other.example, 127.0.0.0/8";
    EXPECT_EQ(rest(scene.open(server.url())).bytes, "direct");
    EXPECT_EQ(proxy.seen().size(), 1U);
}

TEST(HttpStream, WhatIsWrittenAsAnAddressIsRefusedBehindAProxyToo) {
    ScriptedServer proxy{redirect_to("http://169.254.169.254/")};
    Scene scene;
    scene.policy.allow_networks = {};
    scene.policy.proxies.for_http = proxy.url();
    for (const auto* url : {"http://127.0.0.1/", "http://localhost/", "http://[::1]/",
                            "http://2130706433/", "http://a.localhost/"}) {
        const auto opened = scene.open(url);
        EXPECT_EQ(opened.trouble.failure, HttpFailure::address_refused)
            << url << ' ' << opened.trouble.text;
    }
    EXPECT_EQ(proxy.seen().size(), 0U);
    EXPECT_EQ(scene.open("http://registry.example/").trouble.failure, HttpFailure::address_refused);
    EXPECT_EQ(proxy.seen().size(), 1U);
}

TEST(HttpStream, AProxyThatIsNotThereIsNoAnswer) {
    Scene scene;
    std::string url;
    {
        const ScriptedServer gone{always("")};
        url = gone.url();
    }
    scene.policy.proxies.for_http = "http://who:pass@" + url.substr(7);
    const auto opened = scene.open("http://registry.example/");
    EXPECT_EQ(opened.trouble.failure, HttpFailure::not_connected) << opened.trouble.text;
    EXPECT_EQ(opened.trouble.text.find("pass"), std::string::npos) << opened.trouble.text;
}

TEST(HttpStream, ManyAtOnce) {
    const auto bytes = some_bytes(700'000);
    ScriptedServer server{always(bytes)};
    Scene scene;
    asio::io_context context;
    std::array<std::optional<Whole>, 24> wholes;
    struct Each {
        static Awaitable<void> bring(Scene* scene, std::string url, std::optional<Whole>* whole) {
            auto opening = scene->opening(std::move(url));
            const auto opened = co_await std::move(opening);
            auto reading = rest_of(opened.stream.get(), 10'000);
            whole->emplace(co_await std::move(reading));
        }
    };
    for (auto& whole : wholes)
        asio::co_spawn(context, Each::bring(&scene, server.url(), &whole), asio::detached);
    std::thread other{[&context] { context.run(); }};
    context.run();
    other.join();
    for (const auto& whole : wholes) EXPECT_TRUE(whole && whole->bytes == bytes);
}

}  // namespace
}  // namespace orbitalreg::frontend
