"""The subcommands of the program that ask a running server, through the whole life of what they manage."""

import json
import os
import pathlib
import pty
import select
import stat
import subprocess
import time

from client_tools import ClientFailed, same, step

from .caller import Api, Caller

PASSWORD = "a password of some length"
# Of "imported-password".
BCRYPT = "$2y$10$abcdefghijklmnopqrstuul/Js4ZsnJ7Pxprbutq.RgW8e8rI7xzu"
HTPASSWD = f"""# taken from an old registry
imported:{BCRYPT}
alice:{BCRYPT}
weak:$2y$05${BCRYPT[7:]}
md5:$apr1$abcdefgh$0123456789012345678901
sha:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=
plain:secret
no colon here

"""
DEADLINE_S = 60


class Program:
    """Runs the program with a home of its own."""

    def __init__(self, server, folder):
        self.server = server
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("ORBITALREG_")}
        self.environment.update(XDG_CONFIG_HOME=str(self.folder / "config"), HOME=str(self.folder))
        self.logins = self.folder / "config/orbitalreg/logins.json"

    def result(self, *words, text="", environment=None):
        return subprocess.run([self.server.binary, *words], input=text, capture_output=True, text=True, timeout=DEADLINE_S,
                              check=False, env=dict(self.environment, **(environment or {})))

    def __call__(self, *words, text="", code=0, environment=None):
        result = self.result(*words, text=text, environment=environment)
        if result.returncode != code:
            raise ClientFailed(f"orbitalreg {' '.join(words)}: expected {code}, ended with {result.returncode}\n"
                               f"{result.stdout}{result.stderr}")
        return result.stdout

    def json(self, *words, **more):
        return json.loads(self(*words, "--json", **more))

    def refused(self, wanted, *words, **more):
        """Must end with 3 and say `wanted` on standard error."""
        result = self.result(*words, **more)
        same((result.returncode, wanted in result.stderr, result.stdout), (3, True, ""),
             f"orbitalreg {' '.join(words)}: {result.stderr!r}")

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def on_terminal(self, *words, answers):
        """Runs it on a terminal of its own, answering prompt by prompt; its exit code and all that the terminal showed."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(self.server.binary, [self.server.binary, *words], self.environment)
        shown = ""
        deadline = time.monotonic() + DEADLINE_S
        try:
            while True:
                ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
                if not ready:
                    raise ClientFailed(f"nothing more on the terminal behind {shown!r}")
                try:
                    piece = os.read(terminal, 4096)
                except OSError:  # EIO: the other side is closed
                    piece = b""
                if not piece:
                    break
                shown += piece.decode()
                if answers and answers[0][0] in shown:
                    os.write(terminal, (answers.pop(0)[1] + "\n").encode())
        finally:
            os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


class ProgramWalk:
    def __init__(self, server, document):
        self.server = server
        self.api = Api(server, document)
        self.run_program = Program(server, server.workspace / "home")
        self.url = server.url

    def run(self):
        for part in (self.first_administrator, self.login, self.users, self.import_of_htpasswd, self.projects, self.members,
                     self.repositories, self.robots, self.explanations, self.tokens, self.keys, self.audit, self.own_password,
                     self.which_server, self.stored_file, self.terminal, self.logout):
            part()
            step(f"program: {part.__name__.replace('_', ' ')}")

    def session(self, user, secret, status=200):
        return self.api.ask(Caller(user, secret), "getSession", status=status)

    def first_administrator(self):
        run = self.run_program
        secret = (pathlib.Path(self.server.data) / "bootstrap-secret").read_text()
        who = ["--server", self.url, "--user", "bootstrap", "--password-file", run.file("bootstrap", secret)]
        run.refused("needs a password", "user", "create", "root", "--admin", *who)
        run("user", "create", "root", "--admin", *who, "--password-stdin", text=PASSWORD + "\n")
        same(self.session("root", PASSWORD)["administrator"], True, "the first administrator")
        run("user", "create", "again", "--admin", *who, "--password-stdin", text=PASSWORD, code=3)

    def login(self):
        run = self.run_program
        run.refused("orbitalreg login", "user", "list", "--server", self.url)
        run.refused("which server?", "user", "list")
        run.refused("must look like", "login", "registry.example.org", "-u", "root", "--password-stdin", text=PASSWORD)
        run.refused("401", "login", self.url, "-u", "root", "--password-stdin", text="wrong")
        same(run.logins.exists(), False, "a login that failed is not kept")
        run.refused("is empty", "login", self.url, "-u", "root", "--password-stdin", text="")
        said = run("login", self.url + "/", "-u", "root", "--password-stdin", "--days", "2", text=PASSWORD + "\n")
        same(self.url in said and PASSWORD not in said, True, f"what login says: {said}")
        (kept,) = json.loads(run.logins.read_text())["logins"]
        same((sorted(kept), kept["url"], kept["user"]), (["ca", "token", "url", "user"], self.url, "root"), "what is kept")
        same(PASSWORD in run.logins.read_text(), False, "the password is not kept")
        same([stat.S_IMODE(path.stat().st_mode) for path in (run.logins, run.logins.parent)], [0o600, 0o700], "who may read it")
        (token,) = run.json("token", "list")["items"]
        same((token["description"].startswith("orbitalreg login on "), round((token["expires"] - token["created"]) / 86400)), (True, 2), "its token")
        first = kept["token"]
        run("login", self.url, "-u", "root", "--password-stdin", text=PASSWORD)
        self.session("root", first, status=401)
        same(len(run.json("token", "list")["items"]), 1, "a new login gives the old token back")
        # What a running server does to its store is asked in the same way.
        same("live" in run("stats", "--server", self.url), True, "stats with the stored login")
        run("gc", "status", "--server", self.url)

    def users(self):
        run = self.run_program
        run("user", "create", "alice", "--password-stdin", "--description", "a developer", text=PASSWORD)
        run("user", "create", "bob", "--new-password-file", run.file("bob", PASSWORD + "\n"))
        run("user", "create", "carol")
        run.refused("409", "user", "create", "alice")
        run.refused("400", "user", "create", "Alice")
        same([user["name"] for user in run.json("user", "list")["items"]], ["alice", "bob", "carol", "root"], "all users")
        table = run("user", "list").splitlines()
        same((table[0].split()[:2], [line.split()[0] for line in table[1:]]), (["NAME", "ADMINISTRATOR"], ["alice", "bob", "carol", "root"]), "a table")
        same(len({line.index(" 20") for line in table[1:]}), 1, f"its columns are aligned: {table}")
        same(run.json("user", "show", "carol")["has_password"], False, "without a password")
        run.refused("404", "user", "show", "nobody")
        self.session("bob", PASSWORD)
        run("user", "disable", "bob")
        self.session("bob", PASSWORD, status=401)
        run("user", "enable", "bob")
        run("user", "passwd", "bob", "--password-stdin", text=PASSWORD + " of bob")
        self.session("bob", PASSWORD + " of bob")
        run.refused("400", "user", "passwd", "bob", "--password-stdin", text="short")
        run("user", "admin", "bob", "on")
        same(self.session("bob", PASSWORD + " of bob")["administrator"], True, "an administrator")
        run("user", "admin", "bob", "off")
        run("user", "admin", "bob", "perhaps", code=3)
        run.refused("409", "user", "disable", "root")
        run("user", "remove", "carol")
        run.refused("404", "user", "remove", "carol")

    def import_of_htpasswd(self):
        run = self.run_program
        path = run.file("htpasswd", HTPASSWD)
        result = run.result("user", "import-htpasswd", path, "--json")
        same((result.returncode, json.loads(result.stdout)), (2, {"created": 1, "existing": 1, "refused": 5}), result.stderr)
        same([line.split(":")[1] for line in result.stderr.splitlines()], ["4", "5", "6", "7", "8"], "lines that are refused")
        same("secret" in result.stderr, False, "no password is shown")
        self.session("imported", "imported-password")
        self.session("alice", PASSWORD)
        same(run("user", "import-htpasswd", run.file("one", f"second:{BCRYPT}\n")), "1 user created\n", "a file that is taken over whole")
        run("user", "import-htpasswd", path + ".none", code=3)

    def projects(self):
        run = self.run_program
        run("project", "create", "acme", "--description", "ours")
        run("project", "create", "open", "--public", "--auto-create")
        run.refused("409", "project", "create", "acme")
        same([project["name"] for project in run.json("project", "list")["items"]], ["acme", "declared", "open"], "all projects")
        same(run("project", "list").splitlines()[3].split()[:3], ["open", "yes", "yes"], "a table")
        run("project", "set", "acme", "--public", "on", "--auto-create", "on", "--description", "all of ours")
        same({key: run.json("project", "show", "acme")[key] for key in ("public", "auto_create", "description")},
             {"public": True, "auto_create": True, "description": "all of ours"}, "what was set")
        run("project", "set", "acme", "--public", "off", "--auto-create", "off")
        run.refused("set what?", "project", "set", "acme")
        run.refused("409", "project", "set", "declared", "--public", "on")
        run("project", "remove", "open")
        run.refused("404", "project", "show", "open")

    def members(self):
        run = self.run_program
        run("project", "member", "set", "acme", "user:alice", "developer", "--repositories", "acme/app", "acme/web/**")
        run("project", "member", "add", "acme", "alice", "guest")
        run("project", "member", "add", "acme", "user:alice", "guest")
        (member,) = run.json("project", "member", "list", "acme")["items"]
        same([(grant["role"], grant.get("repositories")) for grant in member["grants"]],
             [("developer", ["acme/app", "acme/web/**"]), ("guest", None)], "two grants, none of them twice")
        run("project", "member", "set", "acme", "group:developers", "maintainer")
        same("maintainer of acme" in run("project", "member", "list", "acme"), True, "a table")
        run("project", "member", "remove", "acme", "group:developers")
        run.refused("404", "project", "member", "remove", "acme", "group:developers")
        run.refused("400", "project", "member", "set", "acme", "user:nobody", "guest")
        run.refused("400", "project", "member", "set", "acme", "user:alice", "king")

    def repositories(self):
        run = self.run_program
        run("repo", "create", "acme/app", "--public", "inherit", "--sparse-index", "allow")
        run("repo", "create", "acme/web", "--public", "on")
        same([repository["public"] for repository in run.json("repo", "list", "acme")["items"]], [None, True], "open to all")
        same("as the project" in run("repo", "show", "acme/app"), True, "a table")
        run("repo", "set", "acme/web", "--public", "off", "--sparse-index", "allow", "--description", "pages")
        web = run.json("repo", "show", "acme/web")
        same((web["public"], web["sparse_index"], web["description"]), (False, "allow", "pages"), "what was set")
        run("repo", "set", "acme/web", "--public", "inherit")
        same(run.json("repo", "show", "acme/web")["public"], None, "as the project again")
        run("repo", "remove", "acme/web")
        run.refused("404", "repo", "show", "acme/web")
        for name in ("acme", "acme/", "/app", "acme/app/more"):
            run.refused("a repository is acme/app", "repo", "show", name)

    def robots(self):
        run = self.run_program
        first = run("robot", "create", "acme+ci", "--grant", "developer:acme/app,acme/web/**", "--description", "builds").strip()
        same(self.session("robot$acme+ci", first)["principal"], "robot:acme+ci", "standard output is the secret alone")
        run.refused("a grant looks like", "robot", "create", "acme+x", "--grant", "king")
        run.refused("is no robot of", "robot", "show", "acme+ci", "--project", "full")
        run("robot", "grant", "ci", "--project", "acme", "--grant", "guest", "--grant", "acme:developer:acme/app")
        (robot,) = run.json("robot", "list", "--project", "acme")["items"]
        same([(grant["role"], grant.get("repositories")) for grant in robot["grants"]], [("guest", None), ("developer", ["acme/app"])], "grants")
        second = run("robot", "rotate", "robot$acme+ci").strip()
        for secret in (first, second):
            self.session("robot$acme+ci", secret)
        third = run("robot", "rotate", "acme+ci", "--replace").strip()
        for secret in (first, second):
            self.session("robot$acme+ci", secret, status=401)
        run("robot", "disable", "acme+ci")
        self.session("robot$acme+ci", third, status=401)
        run("robot", "enable", "acme+ci")
        self.session("robot$acme+ci", third)
        same("acme+ci" in run("robot", "show", "acme+ci"), True, "a table")
        run("robot", "create", "mirror", "--grant", "acme:limited:acme/**")
        same(run.json("robot", "list")["items"][0]["grants"][0]["project"], "acme", "a robot of the system")
        run.refused("a grant looks like", "robot", "grant", "mirror", "--grant", "limited")
        run("robot", "remove", "mirror")
        same(run("robot", "list"), "there are no robots\n", "none is left")

    def explanations(self):
        run = self.run_program
        said = run("access", "explain", "alice", "push", "acme/app")
        same(said.startswith("alice may push acme/app"), True, said)
        said = run("access", "explain", "alice", "delete", "acme/app", code=2)
        same(said.startswith("alice may not delete acme/app"), True, said)
        run("access", "explain", "robot$acme+ci", "push", "acme/app")
        run("access", "explain", "anonymous", "pull", "acme/app", code=2)
        same(run.json("access", "explain", "alice", "delete", "acme/app", code=2)["allowed"], False, "as the server says it")
        run.refused("404", "access", "explain", "nobody", "pull", "acme/app")
        run.refused("400", "access", "explain", "alice", "fly", "acme/app")

    def tokens(self):
        run = self.run_program
        secret = run("token", "create", "--description", "for a script", "--days", "3", "--repositories", "acme/app", "acme/web/**",
                     "--actions", "pull,list").strip()
        session = self.session("root", secret)
        token = next(token for token in run.json("token", "list")["items"] if token["description"] == "for a script")
        same((session["credential"], token["repositories"], token["actions"]), (f"token:{token['id']}", ["acme/app", "acme/web/**"], ["pull", "list"]),
             "a restricted token")
        who = ["--server", self.url, "--user", "root", "--password-file", run.file("narrow", secret)]
        run("token", "create", "--description", "more", *who, code=3)
        same("for a script" in run("token", "list"), True, "a table")
        run("token", "remove", token["id"])
        self.session("root", secret, status=401)
        run.refused("404", "token", "remove", token["id"])
        made = self.api.ask(Caller("alice", PASSWORD), "createToken", "alice", body={"description": "of alice"}, status=201)
        same(run.json("token", "list", "--of", "alice")["items"][0]["description"], "of alice", "of somebody else")
        run("token", "remove", made["token"]["id"], "--of", "alice")

    def keys(self):
        run = self.run_program
        before = run.json("keys", "list")["items"]
        waiting = run.json("keys", "rotate")["kid"]
        same(waiting in [key["kid"] for key in before], False, "another key")
        now = run.json("keys", "rotate", "--now")["kid"]
        same([key["kid"] for key in run.json("keys", "list")["items"] if key["state"] == "active"], [now], "the one that signs")
        same(run("keys", "list").splitlines()[0].split(), ["KEY", "STATE", "SINCE"], "a table")

    def audit(self):
        run = self.run_program
        filters = ["--action", "user.create", "--oldest-first", "--limit", "3", "--json"]
        of_server = run("audit", "list", *filters)
        of_files = run("audit", "list", str(self.server.data / "audit"), *filters)
        same((of_server, len(of_server.splitlines())), (of_files, 3), "lines of a server and of its files, byte for byte")
        line = json.loads(of_server.splitlines()[1])
        same(run("audit", "list", *filters, "--after", str(line["seq"])).splitlines()[0], of_server.splitlines()[2], "behind a line")
        same(" action=user.create " in run("audit", "list", "--action", "user.create", "--granted"), True, "in words")
        same(run("audit", "list", "--since", "2100-01-01"), "", "nothing of the future")
        run.refused("--oldest-first", "audit", "list", "--after", "5")
        run("audit", "list", str(self.server.data / "audit"), "--server", self.url, code=3)
        run("audit", "verify", str(self.server.data / "audit"))

    def own_password(self):
        run = self.run_program
        new = run.file("new", PASSWORD + " anew")
        who = ["--server", self.url, "--user", "alice", "--password-file", run.file("old", PASSWORD)]
        run("user", "passwd", "alice", *who, "--new-password-file", new)
        self.session("alice", PASSWORD + " anew")
        run.refused("401", "user", "passwd", "alice", *who, "--new-password-file", new)
        run.refused("holds one password", "user", "passwd", "alice", "--user", "alice", "--password-file", "-", "--password-stdin")
        run.refused("go together", "user", "list", "--user", "alice")
        run.refused("which password?", "user", "passwd", "alice")

    def which_server(self):
        run = self.run_program
        port = self.server.http_addr.rpartition(":")[2]
        other = f"http://localhost:{port}"
        run.refused("orbitalreg login", "user", "list", environment={"ORBITALREG_SERVER": other})
        run("login", other, "-u", "alice", "--password-stdin", text=PASSWORD + " anew")
        run.refused(other, "project", "list")
        run("project", "list", environment={"ORBITALREG_SERVER": other})
        run.refused("403", "user", "list", "--server", other)
        run("user", "list", "--server", self.url, environment={"ORBITALREG_SERVER": other})
        run("logout", other)
        run("user", "list")
        closed = "http://127.0.0.1:1"
        run.refused("Is the server running there?", "project", "list", "--server", closed)

    def stored_file(self):
        run = self.run_program
        run.logins.chmod(0o640)
        run.refused("others may read it", "user", "list")
        run.refused("others may read it", "login", self.url, "-u", "root", "--password-stdin", text=PASSWORD)
        run.logins.chmod(0o600)
        whole = run.logins.read_text()
        run.logins.write_text(whole[:-5])
        run.refused("is not what", "user", "list")
        run.logins.write_text(whole)
        run("user", "list")

    def terminal(self):
        run = self.run_program
        answers = [("User: ", "alice"), ("Password of alice: ", PASSWORD + " anew")]
        code, shown = run.on_terminal("login", self.url, answers=answers)
        same((code, answers, PASSWORD in shown), (0, [], False), f"a login on a terminal, which does not show the password: {shown!r}")
        same(json.loads(run.logins.read_text())["logins"][0]["user"], "alice", "who is logged in")
        own = [("until now: ", PASSWORD + " anew"), ("New password of alice: ", "the last of them"), ("once more: ", "the last of them")]
        code, shown = run.on_terminal("user", "passwd", "alice", answers=own)
        same((code, own, "the last" in shown), (0, [], False), f"a password on a terminal: {shown!r}")
        self.session("alice", "the last of them")
        different = [("until now: ", "the last of them"), ("New password of alice: ", "one of the two"), ("once more: ", "the other one")]
        code, shown = run.on_terminal("user", "passwd", "alice", answers=different)
        same((code, "not the same" in shown), (3, True), f"two that differ: {shown!r}")

    def logout(self):
        run = self.run_program
        token = json.loads(run.logins.read_text())["logins"][0]["token"]
        self.session("alice", token)
        run("logout", self.url)
        same(json.loads(run.logins.read_text())["logins"], [], "nothing is kept")
        self.session("alice", token, status=401)
        run.refused("no stored login", "logout", self.url)
        run("login", self.url, "-u", "alice", "--password-stdin", text="the last of them")
        self.server.stop()
        said = run.result("logout", self.url)
        same((said.returncode, "could not be removed" in said.stderr), (2, True), said.stderr)
        same(json.loads(run.logins.read_text())["logins"], [], "forgotten all the same")
        self.server.start()


def walk(server, document):
    ProgramWalk(server, document).run()


def walk_tls(server, authority, url):
    """A server whose certificate comes from a private authority."""
    run = Program(server, server.workspace / "home")
    secret = run.file("bootstrap", (pathlib.Path(server.data) / "bootstrap-secret").read_text())
    ca = str(authority.certificate)
    who = ["--server", url, "--user", "bootstrap", "--password-file", secret, "--password-stdin"]
    run("user", "create", "root", "--admin", *who, text=PASSWORD, code=3)
    run("user", "create", "root", "--admin", *who, "--ca", ca, text=PASSWORD)
    run("login", url, "-u", "root", "--password-stdin", text=PASSWORD, code=3)
    run("login", url, "-u", "root", "--password-stdin", "--ca", os.path.relpath(ca), text=PASSWORD)
    same(json.loads(run.logins.read_text())["logins"][0]["ca"], ca, "the authority is kept, by its whole path")
    run("user", "list")
    run("logout", url)
    run("login", url, "-u", "root", "--password-stdin", text=PASSWORD, environment={"ORBITALREG_CA": ca})
    run("user", "list")
    run.refused("cannot be read", "user", "list", "--ca", ca + ".none")
    step("program: over TLS, by a private authority")
