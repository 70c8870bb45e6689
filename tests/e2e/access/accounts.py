"""Accounts and management (SEC-31, SEC-46, SEC-96 to SEC-101, SEC-105, SEC-106)."""

import os
import pathlib
import stat
import subprocess

from accounts import ADMINISTRATOR, basic, password_of
from api.checks import check, expect, refused, same
from registry_client import Connection


def audit(context, **filters):
    query = "&".join(f"{key}={value}" for key, value in filters.items())
    return context.people.api("GET", f"audit?{query}")["items"]


@check("SEC-99")
def the_bootstrap_secret_is_good_once(context):
    folder = pathlib.Path(context.server.data)
    assert not (folder / "bootstrap-secret").exists(), "it went when it was used"
    for name, secret in (("bootstrap", "orb_" + "a" * 63), ("bootstrap", ""), ("admin", "admin"), ("admin", "Harbor12345"),
                         ("orbitalreg", "orbitalreg")):
        expect(context.people.ask("GET", "session", credentials=(name, secret)), 401)


@check("SEC-98", "SEC-97")
def secrets_lie_in_files_that_others_cannot_read(context):
    folder = pathlib.Path(context.server.data)
    for path in [folder / "keys", *sorted((folder / "keys").iterdir()), *sorted((folder / "audit").iterdir())]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, f"{path}: {mode:o}"
    # A key that others may read stops the start.
    import registry_process
    from accounts import ENVIRONMENT
    with registry_process.RegistryProcess(binary=context.server.binary, environment=ENVIRONMENT) as server:
        server.stop()
        key = next(path for path in (pathlib.Path(server.data) / "keys").iterdir() if path.suffix == ".pem")
        os.chmod(key, 0o644)
        ended = subprocess.run(server.command(), env=dict(os.environ, ORBITALREG_STORAGE_PATH=str(server.data),
                                                          ORBITALREG_HTTP_ADDR=server.http_addr,
                                                          ORBITALREG_ADMIN_ADDR=server.admin_addr, **ENVIRONMENT),
                               capture_output=True, text=True, timeout=60, check=False)
        same(ended.returncode, 3)
        assert "chmod 600" in ended.stderr, ended.stderr


@check("SEC-96")
def passwords_are_kept_as_argon2id_and_bcrypt_is_renewed(context):
    people = context.people
    bcrypt = "$2y$10$XkWOjCQpEFkNJCgKJdXLWe7g0VpFJxDfOBI.hiQ6tmjlk8UgXQ2Vi"
    for hash_text in ("plain", "$1$abc$def", "{SHA}abc", "$6$abc$" + "a" * 86, "$2y$04$" + "a" * 53):
        answer = people.ask("POST", "users", {"name": "weak-hash", "password_hash": hash_text},
                            people.credentials(ADMINISTRATOR))
        refused(answer, 400, "INVALID")
    for password in ("short", "password", "weak-user", "x" * 2000):
        answer = people.ask("POST", "users", {"name": "weak-user", "password": password}, people.credentials(ADMINISTRATOR))
        refused(answer, 400, "INVALID")
    people.api("POST", "users", {"name": "imported", "password_hash": bcrypt}, wanted=201)
    expect(people.token_answer([], "imported", "wrong password"), 401)
    expect(people.token_answer([], "imported", "x" * 100), 401)


@check("SEC-46", "SEC-47")
def what_is_withdrawn_is_withdrawn_at_once(context):
    people, project = context.people, context.project()
    people.user("leaver", project, "maintainer")
    name, secret = people.credentials("leaver")
    scope = f"repository:{project}/a:pull,push,delete"
    token = people.token([scope], "leaver")
    refresh = people.post_token(grant_type="password", username=name, password=secret, access_type="offline").json()["refresh_token"]
    personal, _ = people.personal_token("leaver")
    by_personal = people.token([scope], "leaver", personal)
    digest = "sha256:" + "0" * 64
    with people.bearer(token) as client:
        expect(client.request("DELETE", f"/v2/{project}/a/blobs/{digest}"), 404)
        # Without the right the token's own word is not enough.
        people.api("PUT", f"projects/{project}/members/user%3Aleaver", {"grants": [{"role": "developer"}]})
        refused(client.request("DELETE", f"/v2/{project}/a/blobs/{digest}"), 403, "DENIED")
        expect(client.start_upload(f"{project}/a"), 202)
        # Switched off: neither token nor password nor refresh token, from the next request on.
        people.api("PATCH", "users/leaver", {"disabled": True})
        expect(client.start_upload(f"{project}/a"), 401)
    for bearer in (token, by_personal):
        with people.bearer(bearer) as client:
            expect(client.request("GET", "/v2/"), 401)
    with people.connect("leaver") as client:
        expect(client.request("GET", "/v2/"), 401)
    expect(people.token_answer([], "leaver"), 401)
    expect(people.post_token(grant_type="refresh_token", refresh_token=refresh), 401)
    # Switched on again: what was issued before stays dead.
    people.api("PATCH", "users/leaver", {"disabled": False})
    with people.bearer(token) as client:
        expect(client.request("GET", "/v2/"), 401)
    expect(people.token_answer([], "leaver"), 200)


@check("SEC-46", "SEC-97")
def a_deleted_token_ends_what_was_made_from_it(context):
    people = context.people
    people.user("holder")
    personal, identifier = people.personal_token("holder")
    token = people.token([], "holder", personal)
    with people.bearer(token) as client:
        expect(client.request("GET", "/v2/"), 200)
        people.api("DELETE", f"users/holder/tokens/{identifier}", wanted=204)
        expect(client.request("GET", "/v2/"), 401)
    expect(people.token_answer([], "holder", personal), 401)


@check("SEC-46")
def a_name_that_is_given_again_inherits_nothing(context):
    people, project = context.people, context.project()
    people.user("reborn", project, "maintainer")
    personal, _ = people.personal_token("reborn")
    token = people.token([f"repository:{project}/a:pull"], "reborn")
    people.api("DELETE", "users/reborn", wanted=204)
    del people.secrets["reborn"]
    people.user("reborn")
    expect(people.token_answer([], "reborn", personal), 401)
    with people.bearer(token) as client:
        expect(client.request("GET", "/v2/"), 401)
    with people.connect("reborn") as client:
        refused(client.request("GET", f"/v2/{project}/a/tags/list"), 403, "DENIED")


@check("SEC-97")
def robots_have_two_secrets_that_overlap(context):
    people, project = context.people, context.project()
    robot = people.robot(project, "twin", [{"role": "developer"}])
    first = people.secrets[robot]
    second = people.api("POST", f"projects/{project}/robots/twin/secrets", {}, wanted=201)["secret"]
    for secret in (first, second):
        expect(people.token_answer([], robot, secret), 200)
    third = people.api("POST", f"projects/{project}/robots/twin/secrets", {}, wanted=201)["secret"]
    expect(people.token_answer([], robot, first), 401)
    for secret in (second, third):
        expect(people.token_answer([], robot, secret), 200)
    fourth = people.api("POST", f"projects/{project}/robots/twin/secrets", {"replace": True}, wanted=201)["secret"]
    same([people.token_answer([], robot, secret).status for secret in (second, third, fourth)], [401, 401, 200])
    people.api("PATCH", f"projects/{project}/robots/twin", {"disabled": True})
    expect(people.token_answer([], robot, fourth), 401)


@check("SEC-26", "SEC-97")
def a_personal_token_is_narrower_than_its_owner(context):
    people, project = context.people, context.project()
    people.user("owner-of-token", project, "maintainer")
    narrow, _ = people.personal_token("owner-of-token", repositories=[f"{project}/web/**"], actions=["pull", "push"])
    with people.connect("owner-of-token", narrow) as client:
        expect(client.start_upload(f"{project}/web/a"), 202)
        refused(client.start_upload(f"{project}/api/a"), 403, "DENIED")
        refused(client.request("DELETE", f"/v2/{project}/web/a/manifests/x"), 403, "DENIED")
        refused(client.request("GET", f"/v2/{project}/web/a/tags/list"), 403, "DENIED")
    answer = people.ask("POST", "users/owner-of-token/tokens", {}, ("owner-of-token", narrow))
    assert answer.status in (403, 404), answer  # nor may it make a wider one
    admin_token, _ = people.personal_token(ADMINISTRATOR, actions=["pull"])
    expect(people.ask("GET", "users", credentials=(ADMINISTRATOR, admin_token)), 403)


@check("SEC-101")
def objects_of_others_are_as_absent_as_none(context):
    people, project = context.people, context.project()
    people.user("outsider")
    people.user("insider", project, "admin")
    people.robot(project, "hidden", [{"role": "guest"}])
    outsider, insider = people.credentials("outsider"), people.credentials("insider")
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/members"), ("GET", "/robots"),
                         ("GET", "/robots/hidden"), ("POST", "/robots"), ("GET", "/repositories"), ("PUT", "/members/user%3Aoutsider")):
        there = people.ask(method, f"projects/{project}{path}", {} if method in ("PATCH", "POST", "PUT") else None, outsider)
        away = people.ask(method, f"projects/nothing-there{path}", {} if method in ("PATCH", "POST", "PUT") else None, outsider)
        same((there.status, there.body), (404, away.body), f"{method} {path}")
    for path in ("users/insider", "users/nobody-there", "users/insider/tokens"):
        expect(people.ask("GET", path, credentials=outsider), 404)
    expect(people.ask("GET", f"projects/{project}/robots/hidden", credentials=insider), 200)
    # Members that cannot be set are refused, not passed over.
    for body in ({"declared": True}, {"name": "other"}, {"created": 1}, {"public": "yes"}, {"id": "x"}):
        refused(people.ask("PATCH", f"projects/{project}", body, insider), 400, "INVALID")
    for body in ({"administrator": True}, {"disabled": False}):
        expect(people.ask("PATCH", "users/outsider", body, outsider), 403)
    for body in (b"[]", b"{", b'{"a":1,"a":2}', b"\xff", b"null", b'{"public":true}{}'):
        refused(people.ask("PATCH", f"projects/{project}", body, insider), 400, "INVALID")
    expect(people.ask("PATCH", f"projects/{project}", b'{"description":"' + b"x" * 70_000 + b'"}', insider), 413)
    # A robot's grants stay in its project.
    grants = [{"role": "admin", "project": "other"}]
    refused(people.ask("POST", f"projects/{project}/robots", {"name": "far", "grants": grants}, insider), 400, "INVALID")
    expect(people.ask("POST", "robots", {"name": "far", "grants": grants}, insider), 403)


@check("SEC-102")
def a_page_of_another_origin_cannot_write(context):
    people = context.people
    people.user("browser")
    answer = people.ask("PUT", "users/browser/password", b"password=another+password", people.credentials("browser"),
                        {"Content-Type": "application/x-www-form-urlencoded"})
    refused(answer, 400, "INVALID")
    expect(people.token_answer([], "browser"), 200)


@check("SEC-101")
def the_last_administrator_stays(context):
    people = context.people
    refused(people.ask("DELETE", f"users/{ADMINISTRATOR}", None, people.credentials(ADMINISTRATOR)), 409, "CONFLICT")
    for body in ({"disabled": True}, {"administrator": False}):
        refused(people.ask("PATCH", f"users/{ADMINISTRATOR}", body, people.credentials(ADMINISTRATOR)), 409, "CONFLICT")


@check("SEC-106", "SEC-105")
def what_was_done_is_recorded_without_secrets(context):
    people, project = context.people, context.project()
    people.user("recorded", project, "maintainer")
    expect(people.token_answer([], "recorded", "a wrong secret phrase"), 401)
    from access.rights import push_image
    with people.connect("recorded") as client:
        _, first = push_image(client, f"{project}/a", "v1")
        _, second = push_image(client, f"{project}/a", "other", (b"more",))
        manifest = client.get_manifest(f"{project}/a", "other").body
        expect(client.put_manifest(f"{project}/a", "v1", manifest), 201)
        expect(client.request("DELETE", f"/v2/{project}/a/manifests/v1"), 202)
        refused(client.start_upload("nothing/here"), 403, "DENIED")
    lines = audit(context, object=f"{project}/a", order="oldest")
    told = [(line["action"], line.get("reference"), line.get("digest"), line.get("old_digest")) for line in lines]
    assert ("push", "v1", first, None) in told, told
    assert ("push", "v1", second, first) in told, told
    assert told[-1][:2] == ("delete", "v1"), told
    for line in lines:
        same((line["principal"], line["granted"]), ("user:recorded", True))
        assert line["rule"].startswith("maintainer of"), line
    same(audit(context, action="login.fail", object="user%20recorded")[0]["granted"], False)
    same(audit(context, action="push.refused", principal="user:recorded")[0]["status"], 403)
    member = audit(context, action="member.change", object=f"/api/v1/projects/{project}/members/user%253Arecorded")
    same(member[0]["principal"], f"user:{ADMINISTRATOR}")
    # No secret, in neither log.
    text = "".join(path.read_text() for path in (pathlib.Path(context.server.data) / "audit").glob("*.jsonl"))
    text += context.server.log_path.read_text()
    for secret in (password_of("recorded"), "a wrong secret phrase", basic("recorded", password_of("recorded")), "eyJhbGci",
                   *people.secrets.values()):
        assert secret not in text, "a secret is in a log"
    # One's own project may be looked at, and no other.
    people.user("project-admin", project, "admin")
    credentials = people.credentials("project-admin")
    expect(people.ask("GET", f"audit?object={project}/", credentials=credentials), 200)
    own = people.ask("GET", f"audit?object=/api/v1/projects/{project}/&action=member.change", credentials=credentials)
    assert expect(own, 200).json()["items"], "what was done to the project itself"
    expect(people.ask("GET", "audit?object=/api/v1/projects/other/", credentials=credentials), 404)
    expect(people.ask("GET", "audit?object=/api/v1/users/", credentials=credentials), 404)
    expect(people.ask("GET", "audit", credentials=credentials), 403)
    expect(people.ask("GET", "audit?object=other/", credentials=credentials), 404)
    verified = subprocess.run([context.server.binary, "audit", "verify", str(pathlib.Path(context.server.data) / "audit")],
                              capture_output=True, text=True, timeout=60, check=False)
    same(verified.returncode, 0, verified.stdout + verified.stderr)


@check("SEC-101")
def what_the_configuration_declares_is_read_only(context):
    """A server of its own, with a project that its file declares."""
    import registry_process
    from accounts import ENVIRONMENT, Accounts
    with registry_process.RegistryProcess(binary=context.server.binary, environment=ENVIRONMENT) as server:
        config = server.workspace / "declared.yml"
        config.write_text("projects:\n  - name: fixed\n    public: true\n    auto_create: true\n"
                          "    members: [ { user: anna, role: developer }, { group: ops, role: admin } ]\n"
                          "    repositories: [ { name: shut, public: false } ]\n")
        server.stop()
        server.command = lambda: [server.binary, "serve", "-c", str(config)]
        server.start()
        people = Accounts(server)
        people.user("anna")
        same(people.api("GET", "projects/fixed")["declared"], True)
        for method, path, body in (("PATCH", "projects/fixed", {"public": False}), ("DELETE", "projects/fixed", None),
                                   ("DELETE", "projects/fixed/members/user%3Aanna", None),
                                   ("PUT", "projects/fixed/members/user%3Aanna", {"grants": [{"role": "guest"}]}),
                                   ("PATCH", "projects/fixed/repositories/shut", {"public": True})):
            refused(people.ask(method, path, body, people.credentials(ADMINISTRATOR)), 409, "CONFLICT")
        with people.connect("anna") as client:
            expect(client.start_upload("fixed/a"), 202)
        with people.connect() as nobody:
            expect(nobody.get_manifest("fixed/a", "v1"), 404)
            expect(nobody.get_manifest("fixed/shut/a", "v1"), 401)
        same([member["member"] for member in people.api("GET", "projects/fixed/members")["items"]], ["group:ops", "user:anna"])


@check("SEC-100")
def tokens_over_plain_http_stay_on_this_machine(context):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ORBITALREG_")}
    ended = subprocess.run([context.server.binary, "serve"], capture_output=True, text=True, timeout=60, check=False,
                           env=dict(environment, ORBITALREG_HTTP_ADDR="0.0.0.0:0", ORBITALREG_ADMIN_ADDR="127.0.0.1:0",
                                    ORBITALREG_AUTH_MODE="token", ORBITALREG_STORAGE_PATH="/nonexistent"))
    same(ended.returncode, 3)
    assert "http.insecure" in ended.stderr, ended.stderr
    with Connection(context.address) as client:
        for method, target in (("GET", "/api/v1/system/stats"), ("POST", "/api/v1/system/gc"), ("GET", "/api/v1/system/scrub")):
            expect(client.request(method, target), 401)
    context.people.user("no-operator")
    with context.people.connect("no-operator") as client:
        refused(client.request("POST", "/api/v1/system/gc"), 403, "DENIED")
    with context.people.connect(ADMINISTRATOR) as client:
        expect(client.request("GET", "/api/v1/system/stats"), 200)


@check("SEC-99", "SEC-106")
def a_lost_administrator_comes_back_at_the_machine(context):
    """A server of its own. Nobody knows the administrator's password any more."""
    import registry_process
    from accounts import ENVIRONMENT, Accounts
    with registry_process.RegistryProcess(binary=context.server.binary, environment=ENVIRONMENT) as server:
        people = Accounts(server)
        people.user("other")

        def rescue(name, password="a password that is known again"):
            return subprocess.run([server.binary, "user", "rescue", name, str(server.data), "--password-stdin"], input=password,
                                  capture_output=True, text=True, timeout=60, check=False)
        running = rescue("chief")
        same(running.returncode, 3, "a server has it open")
        server.stop()
        same(rescue("chief", "short").returncode, 3)
        for name in ("chief", "other", ADMINISTRATOR):
            done = rescue(name)
            same(done.returncode, 0, done.stdout + done.stderr)
        server.start()
        for name in ("chief", "other", ADMINISTRATOR):
            credentials = (name, "a password that is known again")
            expect(people.ask("GET", "users", credentials=credentials), 200)
        expect(people.ask("GET", "users", credentials=(ADMINISTRATOR, password_of(ADMINISTRATOR))), 401)
        lines = people.api("GET", "audit?action=user.rescue", credentials=credentials)["items"]
        same(len(lines), 3)
