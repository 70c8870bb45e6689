#!/usr/bin/env python3
"""An image that is hidden and one that is not there are answered alike: status, header, body, and how long it takes (SEC-32).

For each who may not see it: requests for a repository that is there, for one that is not, and for one of a project that is not, in
turns and each round in another order. The short form compares the answers alone; with --count it takes times as well, and tells
whether they can be told apart by them. What differs is asked again before it counts."""

import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import registry_process  # noqa: E402
from access.rights import push_image  # noqa: E402
from accounts import ENVIRONMENT, Accounts, basic  # noqa: E402
from registry_client import Connection  # noqa: E402
from two_samples import mann_whitney, quartiles  # noqa: E402

# Of one length, so that the bytes sent are as many.
NAMES = {"there": "secret/images", "not there": "secret/nought", "no project": "nobody/nought"}
VARYING = ("date", "x-request-id")
BY_CHANCE_MAX = 0.001
WARM_UP = 200


def principals(people):
    """{who: headers}, with new tokens."""
    scopes = [f"repository:{name}:pull,push,delete" for name in NAMES.values()]
    basic_field = {"Authorization": basic(*people.credentials("stranger"))}
    tokens = {"token without scope": people.token([], "stranger"), "token asked, not granted": people.token(scopes, "stranger"),
              "nobody's token, asked": people.token(scopes)}
    return {"nobody": {}, "Basic without rights": basic_field, **{who: {"Authorization": f"Bearer {text}"} for who, text in tokens.items()}}


def requests(people):
    """(what, who, headers, method and target of a name)."""
    for who, headers in principals(people).items():
        for what, ask in (("pull", lambda name: ("GET", f"/v2/{name}/manifests/v1")), ("push", lambda name: ("POST", f"/v2/{name}/blobs/uploads/")),
                          ("tags", lambda name: ("GET", f"/v2/{name}/tags/list")), ("delete", lambda name: ("DELETE", f"/v2/{name}/manifests/v1"))):
            yield what, who, headers, ask
    for who, headers in list(principals(people).items())[:2]:
        for action in ("pull", "pull,push"):
            target = f"/token?service=orbitalreg&scope=repository:%s:{action}"
            yield f"/token {action}", who, headers, lambda name, target=target: ("GET", target % name)


def shape(answer, name):
    """What a client can see of an answer, without the name it asked for and without what differs each time."""
    headers = sorted((key, value.replace(name, "<name>")) for key, value in answer.headers if key not in VARYING)
    body = answer.body.decode()
    if '"token":' in body:
        told = answer.json()
        body = (len(told.pop("token")), len(told.pop("access_token")), told.pop("issued_at") and sorted(told.items()))
        headers = [(key, value) for key, value in headers if key != "content-length"]
    else:
        body = body.replace(name, "<name>")
    return answer.status, headers, body


def compare(client, what, who, headers, ask):
    shapes = {kind: shape(client.request(*ask(name), headers), name) for kind, name in NAMES.items()}
    for kind, found in shapes.items():
        assert found == shapes["there"], f"{what} by {who}, {kind}: {found}, not {shapes['there']}"
    return shapes["there"][0]


def take_times(client, headers, ask, count, order):
    times = {kind: [] for kind in NAMES}
    targets = {kind: ask(name) for kind, name in NAMES.items()}
    turns = list(NAMES)
    for number in range(count + WARM_UP):
        order.shuffle(turns)
        for kind in turns:
            method, target = targets[kind]
            began = time.perf_counter_ns()
            client.request(method, target, headers)
            ended = time.perf_counter_ns()
            if number >= WARM_UP:
                times[kind].append((ended - began) / 1000)
    return times


def told_apart(times, label):
    """Prints the figures; which kinds can be told from what is there, and to which side."""
    found = {}
    for kind, values in times.items():
        low, middle, high = quartiles(values)
        line = f"  {label:42} {kind:10} median {middle:8.2f} us, quartiles {low:8.2f} to {high:8.2f}"
        if kind != "there":
            share, chance = mann_whitney(times["there"], values)
            line += f"; slower when there: {share:.4f}, by chance {chance:.3g}"
            if chance < BY_CHANCE_MAX:
                found[kind] = share > 0.5
        print(line, flush=True)
    return found


def measure(people, options):
    """With renewed tokens for each case: some would end before the last one."""
    different = []
    order = random.Random(options.seed)
    for number, _ in enumerate(list(requests(people))):
        what, who, headers, ask = list(requests(people))[number]
        label = f"{what} by {who}"
        if options.timed and not label.startswith(tuple(options.timed)):
            continue
        with Connection(people.address) as client:
            first = told_apart(take_times(client, headers, ask, options.count, order), label)
            if first:
                again = told_apart(take_times(client, headers, ask, options.count, order), label + ", again")
                different += [f"{label}: {kind}" for kind in first if again.get(kind) == first[kind]]
    return different


def main():
    def extra(parser):
        parser.add_argument("timed", nargs="*", help="beginnings of what is timed, as `pull by nobody`; default: all")
        parser.add_argument("--count", type=int, default=0, help="requests of each kind; 0: compare answers only")
        parser.add_argument("--seed", type=int, default=1)
    options = registry_process.script_options(__doc__, extra)
    with registry_process.from_arguments(options, environment=ENVIRONMENT) as server:
        people = Accounts(server)
        people.project("secret")
        people.user("owner", "secret", "maintainer")
        people.user("stranger")
        with people.connect("owner") as client:
            push_image(client, NAMES["there"], "v1")
        with Connection(people.address) as client:
            for what, who, headers, ask in requests(people):
                status = compare(client, what, who, headers, ask)
                print(f"ok  {what} by {who}: {status}, alike", flush=True)
        different = measure(people, options) if options.count else []
    for each in different:
        print(f"FAILED: told apart twice by time: {each}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
