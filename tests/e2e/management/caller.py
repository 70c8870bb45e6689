"""Who asks the management API, and the asking: every answer is held against the description of the API."""

import base64
import json

from client_tools import ClientFailed
from registry_client import Connection, descriptor, image_manifest, location_path, with_query, digest_of, OCI_MANIFEST


class Caller:
    def __init__(self, user, secret):
        self.user = user
        self.secret = secret

    def headers(self):
        return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()}


NOBODY = None


class Api:
    """api.ask(who, "getProject", "acme", status=404); the answer's object, or None where it has no body."""

    def __init__(self, server, document):
        self.connection = Connection(server.http_addr)
        self.document = document

    def close(self):
        self.connection.close()

    def raw(self, who, method, target, content=None, media_type="application/json"):
        headers = who.headers() if who else {}
        if content is not None:
            headers["Content-Type"] = media_type
        return self.connection.request(method, target, headers, content)

    def exchange(self, who, name, *words, body=None, query="", status=200):
        operation = self.document.operations[name]
        target = self.document.base + operation.path(*words) + query
        content = None if body is None else json.dumps(body).encode()
        answer = self.raw(who, operation.method, target, content)
        found = self.document.check_exchange(operation.method, target, body, answer)
        wanted = status if isinstance(status, tuple) else (status,)
        if found.name != name or answer.status not in wanted:
            raise ClientFailed(f"{name} of {words} as {who.user if who else 'nobody'}: expected {wanted}, got {answer}")
        return answer

    def ask(self, who, name, *words, **more):
        answer = self.exchange(who, name, *words, **more)
        return json.loads(answer.body) if answer.body else None

    def pages(self, who, name, *words, size):
        """All items, read in pages of `size` along the links."""
        query = f"?page_size={size}"
        items = []
        while query:
            answer = self.exchange(who, name, *words, query=query)
            items += answer.json()["items"]
            link = answer.header("link")
            query = "?" + link.partition("?")[2].partition(">")[0] if link else None
            if link and not link.endswith('>; rel="next"'):
                raise ClientFailed(f"{name}: a link that is none: {link}")
        return items

    def push_image(self, who, image, tag):
        """A small image; what its manifest was answered with."""
        config = b"{}"
        opened = self.raw(who, "POST", f"/v2/{image}/blobs/uploads/")
        if opened.status == 202:
            target = with_query(location_path(opened), digest=digest_of(config))
            opened = self.raw(who, "PUT", target, config, "application/octet-stream")
        if opened.status != 201:
            return opened
        manifest = image_manifest(descriptor(config, "application/vnd.oci.image.config.v1+json"), [])
        return self.raw(who, "PUT", f"/v2/{image}/manifests/{tag}", manifest, OCI_MANIFEST)
