"""An HTTP/1.1 server for tests that shows every byte it sends, and may stop, lie or break off at any of them.

http.server decides framing by itself and copies bodies; a test of a client needs answers that no correct server gives, and
large bodies at more than the client's own speed: those leave by sendfile.

Life     HttpListener(...).start(), stop(); start() again takes the same port. stop() breaks off what is open.
Threads  one a connection; handler(exchange) runs on it. start and stop from one thread.
Limits   a request's header 64 KiB; its body is read and dropped.
"""

import os
import select
import socket
import struct
import threading
import time
import urllib.parse

HEADER_BYTES_MAX = 1 << 16
PIECE_BYTES = 1 << 20
PACED_PIECE_BYTES = 1 << 17
PACE_CATCH_UP_S = 0.05
GATE_POLL_S = 0.01
BACKLOG = 1024
REASONS = {200: "OK", 206: "Partial Content", 301: "Moved Permanently", 302: "Found", 307: "Temporary Redirect",
           400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           416: "Range Not Satisfiable", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


class PeerLeft(OSError):
    """The peer closed its connection."""


class Cut(Exception):
    """The script ends this connection; `reset` says how."""

    def __init__(self, reset=False):
        super().__init__("cut")
        self.reset = reset


class Pace:
    """Lets so many bytes a second through, of all who share it; a rate of 0 is no limit."""

    def __init__(self, rate_bytes=0):
        self.rate_bytes = rate_bytes
        self.lock = threading.Lock()
        self.next_free = 0.0

    def wait_s(self, count):
        """Takes `count` bytes; how long to wait before they may be sent."""
        with self.lock:
            if not self.rate_bytes:
                return 0.0
            now = time.monotonic()
            begin = max(self.next_free, now - PACE_CATCH_UP_S)
            self.next_free = begin + count / self.rate_bytes
            return max(0.0, begin - now)


class Request:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ", 2)
        parts = urllib.parse.urlsplit(self.target)
        self.path, self.query = urllib.parse.unquote(parts.path), dict(urllib.parse.parse_qsl(parts.query))
        self.parameters = urllib.parse.parse_qsl(parts.query)
        fields = [line.partition(":") for line in lines[1:]]
        self.headers = [(name.strip().lower(), value.strip()) for name, _, value in fields]

    def header(self, name, default=None):
        return next((value for key, value in self.headers if key == name), default)

    def header_all(self, name):
        return [value for key, value in self.headers if key == name]


class Exchange:
    """One request and the sending of its answer. `sent(count)` is told of each piece of the body."""

    def __init__(self, connection, request, paces, stopping):
        self.socket, self.request, self.stopping = connection, request, stopping
        self.paces = paces
        self.sent = lambda count: None

    def head(self, status, headers):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        reason = REASONS.get(status, "Scripted")
        self.socket.sendall(f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1"))

    def wait(self, seconds):
        """Lets time pass; leaves early when the peer or the server ends."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.pass_time(min(left, GATE_POLL_S * 2))

    def wait_for(self, gate):
        while not gate.is_set():
            self.pass_time(GATE_POLL_S)

    def pass_time(self, seconds):
        if self.stopping.wait(seconds):
            raise Cut()
        if self.peer_left():
            raise PeerLeft("the peer left while it was kept waiting")

    def peer_left(self):
        if not select.select([self.socket], [], [], 0)[0]:
            return False
        if hasattr(self.socket, "pending"):
            return False  # of TLS: cannot be told without taking bytes away
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def paced(self, count):
        """How many of `count` bytes to send now, when the time for them has come."""
        limited = [pace for pace in self.paces if pace.rate_bytes]
        piece = min(count, PACED_PIECE_BYTES if limited else PIECE_BYTES)
        for pace in limited:
            piece = min(piece, max(1, pace.rate_bytes // 20))
        for pace in limited:
            # Not wait(): below a millisecond the check for the peer would cost more than the wait.
            delay = pace.wait_s(piece)
            if delay > GATE_POLL_S:
                self.wait(delay)
            elif delay > 0 and self.stopping.wait(delay):
                raise Cut()
        return piece

    def send(self, data):
        view = memoryview(data)
        while view:
            piece = self.paced(len(view))
            self.socket.sendall(view[:piece])
            self.sent(piece)
            view = view[piece:]

    def send_file(self, file, offset, count):
        if hasattr(self.socket, "pending"):
            while count > 0:
                data = os.pread(file, min(count, PIECE_BYTES), offset)
                self.send(data)
                offset, count = offset + len(data), count - len(data)
            return
        while count > 0:
            moved = os.sendfile(self.socket.fileno(), file, offset, self.paced(count))
            if moved == 0:
                raise OSError("a file of the script is shorter than it was")
            self.sent(moved)
            offset, count = offset + moved, count - moved


class HttpListener:
    """`handler(exchange)` answers one request; Cut and OSError from it end the connection."""

    def __init__(self, host, handler, tls=None, pace=None):
        self.host, self.handler, self.tls = host, handler, tls
        self.pace = pace or Pace()
        self.port = 0
        self.listening = None
        self.lock = threading.Lock()
        self.open = set()
        self.accepted = 0
        self.stopping = threading.Event()
        self.mute = False  # accepts, and never says a word

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.address}"

    def start(self):
        self.stopping = threading.Event()
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind((self.host, self.port))
        self.listening.listen(BACKLOG)
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listening, self.stopping), daemon=True).start()
        return self

    def stop(self):
        """Refuses connections from now on, and breaks off those that are open."""
        self.stopping.set()
        try:
            self.listening.shutdown(socket.SHUT_RDWR)  # close alone would leave accept() waiting
        except OSError:
            pass
        self.listening.close()
        self.break_off()

    def break_off(self):
        """Ends every open connection; new ones are taken as before."""
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def accept(self, listening, stopping):
        while not stopping.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self.serve, args=(connection, stopping), daemon=True).start()

    def serve(self, connection, stopping):
        with self.lock:
            self.open.add(connection)
        wrapped = connection
        reset = False
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                wrapped = self.tls.wrap_socket(connection, server_side=True)
                with self.lock:
                    self.open.discard(connection)
                    self.open.add(wrapped)
            self.answer_all(wrapped, stopping)
        except Cut as cut:
            reset = cut.reset
        except OSError:
            pass  # the peer, or stop()
        finally:
            with self.lock:
                self.open.discard(wrapped)
            self.close(wrapped, reset)

    @staticmethod
    def close(connection, reset):
        try:
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        connection.close()

    def answer_all(self, connection, stopping):
        buffer = b""
        while not stopping.is_set():
            while b"\r\n\r\n" not in buffer:
                if len(buffer) > HEADER_BYTES_MAX:
                    return
                piece = connection.recv(HEADER_BYTES_MAX)
                if not piece:
                    return
                buffer += piece
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            request = Request(head)
            buffer = self.drop_body(connection, request, buffer)
            exchange = Exchange(connection, request, [self.pace], stopping)
            if self.mute:
                exchange.wait_for(threading.Event())
            self.handler(exchange)

    @staticmethod
    def drop_body(connection, request, buffer):
        left = int(request.header("content-length", "0"))
        if "chunked" in request.header("transfer-encoding", ""):
            raise Cut()  # nothing that asks an upstream sends a body of unknown length
        while len(buffer) < left:
            left -= len(buffer)
            buffer = connection.recv(min(left, PIECE_BYTES))
            if not buffer:
                raise PeerLeft("in a request's body")
        return buffer[left:]


class DeafAddress:
    """A port whose connections never come to be: its queue is full, and the kernel drops what asks to join."""

    def __init__(self, host="127.0.0.1"):
        self.listening = socket.socket()
        self.listening.bind((host, 0))
        self.listening.listen(0)
        self.address = f"{host}:{self.listening.getsockname()[1]}"
        self.waiting = []
        for _ in range(4):
            peer = socket.socket()
            peer.setblocking(False)
            peer.connect_ex(self.listening.getsockname())
            self.waiting.append(peer)

    def close(self):
        for peer in [self.listening, *self.waiting]:
            peer.close()
