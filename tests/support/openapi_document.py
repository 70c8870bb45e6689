"""Holds a server's answers against an OpenAPI 3.1 document: status, content type, body, required header fields.

A checker of our own for the part of JSON Schema that the document uses; a keyword it does not know is an error, so that
nothing in the document is silently without meaning. Remembers what was seen, to tell what never was.
"""

import json
import re
import urllib.parse

METHODS = ("get", "put", "post", "patch", "delete")
ANNOTATIONS = {"description", "default", "example", "format"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


class Differs(AssertionError):
    """What was sent or answered is not as the document says."""


class SchemaChecker:
    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        while "$ref" in node:
            found = self.document
            for word in node["$ref"].removeprefix("#/").split("/"):
                found = found[word]
            node = found
        return node

    def check(self, value, schema, where="body"):
        schema = self.resolve(schema)
        for keyword, wanted in schema.items():
            if keyword in ANNOTATIONS or keyword == "$ref":
                continue
            check = getattr(self, f"check_{keyword}", None)
            if check is None:
                raise Differs(f"{where}: the checker does not know `{keyword}`")
            check(value, wanted, where, schema)

    @staticmethod
    def has_type(value, name):
        if name == "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        if name == "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return isinstance(value, TYPES[name])

    def check_type(self, value, wanted, where, _):
        names = wanted if isinstance(wanted, list) else [wanted]
        if not any(self.has_type(value, name) for name in names):
            raise Differs(f"{where}: {value!r:.100} is not of type {' or '.join(names)}")

    def check_required(self, value, wanted, where, _):
        missing = [name for name in wanted if isinstance(value, dict) and name not in value]
        if missing:
            raise Differs(f"{where}: without {', '.join(missing)}: {value!r:.200}")

    def check_properties(self, value, wanted, where, _):
        if isinstance(value, dict):
            for name in value.keys() & wanted.keys():
                self.check(value[name], wanted[name], f"{where}.{name}")

    def check_additionalProperties(self, value, wanted, where, schema):  # pylint: disable=invalid-name
        if not isinstance(value, dict):
            return
        for name in value.keys() - schema.get("properties", {}).keys():
            if wanted is False:
                raise Differs(f"{where}: `{name}` is not described: {value!r:.200}")
            self.check(value[name], wanted, f"{where}.{name}")

    def check_items(self, value, wanted, where, _):
        if isinstance(value, list):
            for number, item in enumerate(value):
                self.check(item, wanted, f"{where}[{number}]")

    def check_oneOf(self, value, wanted, where, _):  # pylint: disable=invalid-name
        fits = 0
        for schema in wanted:
            try:
                self.check(value, schema, where)
                fits += 1
            except Differs:
                pass
        if fits != 1:
            raise Differs(f"{where}: {value!r:.100} fits {fits} of {len(wanted)} schemas")

    @staticmethod
    def check_enum(value, wanted, where, _):
        if value not in wanted:
            raise Differs(f"{where}: {value!r:.100} is none of {wanted}")

    @staticmethod
    def check_pattern(value, wanted, where, _):
        if isinstance(value, str) and not re.search(wanted, value):
            raise Differs(f"{where}: {value!r:.100} does not match {wanted}")

    @staticmethod
    def bound(fits, value, wanted, where, what):
        if not fits:
            raise Differs(f"{where}: {value!r:.100} is not within {what} {wanted}")

    def check_minimum(self, value, wanted, where, _):
        self.bound(not self.has_type(value, "number") or value >= wanted, value, wanted, where, "minimum")

    def check_maximum(self, value, wanted, where, _):
        self.bound(not self.has_type(value, "number") or value <= wanted, value, wanted, where, "maximum")

    def check_minLength(self, value, wanted, where, _):  # pylint: disable=invalid-name
        self.bound(not isinstance(value, str) or len(value) >= wanted, value, wanted, where, "minLength")

    def check_maxLength(self, value, wanted, where, _):  # pylint: disable=invalid-name
        self.bound(not isinstance(value, str) or len(value) <= wanted, value, wanted, where, "maxLength")

    def check_minItems(self, value, wanted, where, _):  # pylint: disable=invalid-name
        self.bound(not isinstance(value, list) or len(value) >= wanted, value, wanted, where, "minItems")

    def check_maxItems(self, value, wanted, where, _):  # pylint: disable=invalid-name
        self.bound(not isinstance(value, list) or len(value) <= wanted, value, wanted, where, "maxItems")


class Operation:
    def __init__(self, method, template, item, described):
        self.method = method.upper()
        self.template = template
        self.described = described
        self.name = described["operationId"]
        self.parameters = item.get("parameters", []) + described.get("parameters", [])
        self.pattern = re.compile("^" + re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(template)) + "$")
        self.seen = set()

    def path(self, *words):
        """The path with `words` in its places, percent-encoded."""
        left = list(words)
        path = re.sub(r"\{[a-z_]+\}", lambda _: urllib.parse.quote(left.pop(0), safe=""), self.template)
        assert not left, f"too many words for {self.template}"
        return path


class OpenApiDocument:
    def __init__(self, path):
        self.document = json.loads(path.read_text())
        self.base = self.document["servers"][0]["url"]
        self.checker = SchemaChecker(self.document)
        self.operations = {}
        for template, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = Operation(method, template, item, item[method])
                    if operation.name in self.operations:
                        raise Differs(f"two operations are called {operation.name}")
                    self.operations[operation.name] = operation

    def check_itself(self):
        """What the document says of itself: references lead somewhere, placeholders are described, objects are closed."""
        self.check_references(self.document)
        for operation in self.operations.values():
            described = {parameter["name"] for parameter in map(self.checker.resolve, operation.parameters)
                         if parameter["in"] == "path"}
            if described != set(re.findall(r"\{([a-z_]+)\}", operation.template)):
                raise Differs(f"{operation.name}: placeholders {described} are not those of {operation.template}")
        for name, schema in self.document["components"]["schemas"].items():
            if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
                raise Differs(f"{name} is open to members that are not described")
            unknown = set(schema.get("required", [])) - set(schema.get("properties", {}))
            if unknown:
                raise Differs(f"{name} requires what it does not describe: {unknown}")

    def check_references(self, node):
        if isinstance(node, dict):
            if "$ref" in node:
                self.checker.resolve(node)
            for child in node.values():
                self.check_references(child)
        elif isinstance(node, list):
            for child in node:
                self.check_references(child)

    def find(self, method, path):
        """A path without a placeholder goes before one with."""
        found = [operation for operation in self.operations.values()
                 if operation.method == method and operation.pattern.match(path)]
        return min(found, key=lambda operation: operation.template.count("{"), default=None)

    def check_exchange(self, method, target, body, answer):
        """One request and its answer, which must be as the document describes them."""
        path, _, query = target.removeprefix(self.base).partition("?")
        operation = self.find(method, path)
        where = f"{method} {target} answered {answer.status}"
        if operation is None:
            raise Differs(f"{where}: the document has no such operation")
        operation.seen.add(answer.status)
        described = operation.described["responses"].get(str(answer.status))
        if described is None:
            raise Differs(f"{where}, which is not described: {answer.body!r:.300}")
        if 200 <= answer.status < 300:
            self.check_request(operation, query, body, where)
        described = self.checker.resolve(described)
        content = described.get("content")
        if content is None:
            if answer.body:
                raise Differs(f"{where} with a body: {answer.body!r:.100}")
        else:
            media_type = (answer.header("content-type") or "").split(";")[0].strip()
            if media_type not in content:
                raise Differs(f"{where} with the content type {media_type!r}")
            self.checker.check(json.loads(answer.body), content[media_type]["schema"], where)
        for name, header in described.get("headers", {}).items():
            value = answer.header(name)
            if value is not None:
                self.checker.check(value, header["schema"], f"{where}, {name}")
        return operation

    def check_request(self, operation, query, body, where):
        """What was accepted must be described, too."""
        known = {parameter["name"]: parameter for parameter in map(self.checker.resolve, operation.parameters)
                 if parameter["in"] == "query"}
        given = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        for name, parameter in known.items():
            if parameter.get("required") and name not in given:
                raise Differs(f"{where} without the parameter {name}")
        if set(given) - set(known):
            raise Differs(f"{where} with parameters that are not described: {set(given) - set(known)}")
        described = operation.described.get("requestBody")
        if body is None:
            if described and described["required"]:
                raise Differs(f"{where} without a body")
            return
        if described is None:
            raise Differs(f"{where} to a body that is not described")
        self.checker.check(body, described["content"]["application/json"]["schema"], f"{where}, request")

    def never_seen(self):
        """Operations, with the statuses of success that none of them was answered with."""
        left = []
        for operation in self.operations.values():
            for status in operation.described["responses"]:
                if status.startswith("2") and int(status) not in operation.seen:
                    left.append(f"{operation.name} {status}")
        return left

    def seen_count(self):
        return sum(len(operation.seen) for operation in self.operations.values())


def check_the_checker():
    """That mistakes are found."""
    checker = SchemaChecker({"components": {"schemas": {"Name": {"type": "string", "pattern": "^[a-z]+$"}}}})
    name = {"$ref": "#/components/schemas/Name"}
    closed = {"type": "object", "required": ["name"], "additionalProperties": False,
              "properties": {"name": name, "list": {"type": "array", "minItems": 1, "items": name}, "open": {"type": ["boolean", "null"]}}}
    checker.check({"name": "a", "list": ["b"], "open": None}, closed)
    checker.check("x", {"oneOf": [name, {"type": "integer"}]})
    wrong = [({}, closed), ({"name": 1}, closed), ({"name": "A"}, closed), ({"name": "a", "more": 1}, closed),
             ({"name": "a", "list": []}, closed), ({"name": "a", "list": ["B"]}, closed), ({"name": "a", "open": 0}, closed),
             ([], closed), (True, {"type": "integer"}), ("c", {"enum": ["a", "b"]}), (2, {"maximum": 1}), ("x", {"unheard": 1}),
             ("a", {"oneOf": [name, {"type": "string"}]})]
    for value, schema in wrong:
        try:
            checker.check(value, schema)
        except Differs:
            continue
        raise AssertionError(f"{value!r} passed as {schema}")
