"""A registry client that shows every byte: one HTTP/1.1 connection over a plain socket.

http.client hides framing, folds headers and copies bodies; tests of a server need to send what a correct client
never would, and a load needs to be cheap. One Connection is one keep-alive connection, reopened when it is gone.

Threads  one Connection belongs to one thread.
"""

import hashlib
import json
import socket
import urllib.parse

RECEIVE_BYTES = 1 << 20
HEADER_BYTES_MAX = 1 << 16
OCTETS = "application/octet-stream"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
EMPTY_JSON = b"{}"


class ConnectionEnded(OSError):
    """The peer closed or reset the connection before the answer was complete."""


def digest_of(content, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


class Response:
    def __init__(self, status, headers, body=b""):
        self.status = status
        self.headers = headers  # [(lower-case name, value)]
        self.body = body

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:200]!r}>"

    def header(self, name, default=None):
        return next((value for key, value in self.headers if key == name.lower()), default)

    def header_all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def json(self):
        return json.loads(self.body)

    def error_codes(self):
        """The codes of an OCI error body; [] when it is none."""
        try:
            return [error["code"] for error in self.json()["errors"]]
        except (ValueError, KeyError, TypeError):
            return []

    def upload_offset(self):
        """Bytes acknowledged, as `Range: 0-<last>` tells them (0-0 may be nought or one)."""
        return int(self.header("range").split("-")[1]) + 1


class Connection:
    def __init__(self, address, timeout_s=120, tls=None):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.host_header = address
        self.timeout_s = timeout_s
        self.tls = tls  # an ssl.SSLContext: HTTPS
        self.socket = None
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None
        self.buffer = b""

    def open(self):
        if self.socket is None:
            self.socket = socket.create_connection(self.address, self.timeout_s)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                self.socket = self.tls.wrap_socket(self.socket, server_hostname=self.address[0])
        return self.socket

    def request(self, method, target, headers=None, body=None, sink=None):
        """One exchange. `body`: bytes, or an iterable of bytes (sent chunked unless Content-Length is given).
        `sink(piece)`, where given, takes the body of a 2xx answer piece by piece."""
        try:
            self.send(method, target, headers, body)
            return self.receive(method, sink)
        except OSError:
            self.close()
            raise

    def send(self, method, target, headers=None, body=None):
        fields = dict(headers or {})
        if "Host" not in fields:
            fields["Host"] = self.host_header
        streamed = body is not None and not isinstance(body, (bytes, bytearray, memoryview))
        if streamed and "Content-Length" not in fields:
            fields["Transfer-Encoding"] = "chunked"
        elif body is not None or method in ("POST", "PUT", "PATCH"):
            fields.setdefault("Content-Length", str(len(body or b"")) if not streamed else "0")
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{key}: {text}\r\n" for key, text in fields.items())
        self.send_raw(head.encode("latin-1") + b"\r\n", body, "Transfer-Encoding" in fields)

    def send_raw(self, head, body=None, chunked=False):
        try:
            self.send_all(head, body, chunked)
        except (BrokenPipeError, ConnectionResetError):
            pass  # an answer that came before the body was sent is still to be read (SEC-86)

    def send_all(self, head, body, chunked):
        peer = self.open()
        if body is None:
            peer.sendall(head)
        elif isinstance(body, (bytes, bytearray, memoryview)):
            if len(body) < 16384:
                peer.sendall(head + bytes(body))
            else:
                peer.sendall(head)
                peer.sendall(body)
        else:
            peer.sendall(head)
            for piece in body:
                peer.sendall(b"%x\r\n" % len(piece)) if chunked else None
                peer.sendall(piece)
                peer.sendall(b"\r\n") if chunked else None
            peer.sendall(b"0\r\n\r\n") if chunked else None

    def receive(self, method="GET", sink=None):
        while True:
            status, headers = self.receive_head()
            if status != 100:
                break
        response = Response(status, headers)
        if method != "HEAD" and status not in (204, 304):
            take = sink if sink and 200 <= status < 300 else None
            response.body = self.receive_body(response, take)
        if (response.header("connection") or "").lower() == "close":
            self.close()
        return response

    def receive_head(self):
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > HEADER_BYTES_MAX:
                raise ConnectionEnded("header of an answer too long")
            self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = [line.partition(":") for line in lines[1:]]
        return int(lines[0].split()[1]), [(key.lower(), text.strip()) for key, _, text in fields]

    def fill(self):
        piece = self.open().recv(RECEIVE_BYTES)
        if not piece:
            raise ConnectionEnded("connection closed by the server")
        self.buffer += piece

    def receive_body(self, response, sink):
        if "chunked" in (response.header("transfer-encoding") or ""):
            return self.receive_chunks(sink)
        length = response.header("content-length")
        if length is None:
            return self.receive_until_close(sink)
        return self.receive_exactly(int(length), sink)

    def receive_exactly(self, count, sink=None):
        pieces = []
        while count > 0:
            if not self.buffer:
                self.fill()
            piece, self.buffer = self.buffer[:count], self.buffer[count:]
            count -= len(piece)
            sink(piece) if sink else pieces.append(piece)
        return b"".join(pieces)

    def receive_chunks(self, sink):
        pieces = []
        while True:
            while b"\r\n" not in self.buffer:
                self.fill()
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            pieces.append(self.receive_exactly(size, sink))
            self.receive_exactly(2)
            if size == 0:
                return b"".join(pieces)

    def receive_until_close(self, sink):
        pieces = []
        try:
            while True:
                if self.buffer:
                    sink(self.buffer) if sink else pieces.append(self.buffer)
                    self.buffer = b""
                self.fill()
        except ConnectionEnded:
            self.close()
            return b"".join(pieces)

    # What a registry client does, in one call each; answers are returned as they come.

    def start_upload(self, name, query=""):
        return self.request("POST", f"/v2/{name}/blobs/uploads/{query}")

    def put_blob(self, name, content, digest=None):
        """POST and one PUT; the answer of the PUT."""
        opened = self.start_upload(name)
        if opened.status != 202:
            return opened
        target = with_query(location_path(opened), digest=digest or digest_of(content))
        return self.request("PUT", target, {"Content-Type": OCTETS}, content)

    def get_blob(self, name, digest, headers=None, sink=None):
        return self.request("GET", f"/v2/{name}/blobs/{digest}", headers, sink=sink)

    def put_manifest(self, name, reference, content, media_type=OCI_MANIFEST):
        return self.request("PUT", f"/v2/{name}/manifests/{reference}", {"Content-Type": media_type}, content)

    def get_manifest(self, name, reference):
        return self.request("GET", f"/v2/{name}/manifests/{reference}", {"Accept": ", ".join(MANIFEST_TYPES)})


def location_path(response):
    """Path and query of Location, whether it came absolute or not."""
    parts = urllib.parse.urlsplit(response.header("location"))
    return parts.path + (f"?{parts.query}" if parts.query else "")


def with_query(target, **parameters):
    return target + ("&" if "?" in target else "?") + urllib.parse.urlencode(parameters, safe=":")


def descriptor(content, media_type=OCTETS, **more):
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content), **more}


def image_manifest(config, layers, **more):
    """The bytes of an OCI image manifest over descriptors; `more` adds subject, artifactType, annotations."""
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers, **more}
    return json.dumps(body, separators=(",", ":")).encode()


def image_index(manifests, **more):
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests, **more}
    return json.dumps(body, separators=(",", ":")).encode()
