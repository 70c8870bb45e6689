"""Every operation of the management API, with answers good and bad: what it does, and that it is as docs/api/openapi.json
describes it."""

import pathlib
import re

from client_tools import same, step
from registry_process import ROOT

from .caller import NOBODY, Api, Caller

DOCUMENT = ROOT / "docs/api/openapi.json"
PASSWORD = "a password of some length"
GUESSES_MAX = 20
# Which words stand for the placeholders where it does not matter.
ANY = {"project": "acme", "repository": "app", "member": "user:alice", "robot": "ci", "user": "alice", "token": "aaaaaaaaaaaa",
       "run": "r-1"}


def named(items, key="name"):
    return [item[key] for item in items]


class Walk:
    def __init__(self, server, document):
        self.server = server
        self.document = document
        self.api = Api(server, document)
        self.ask = self.api.ask
        self.root = Caller("root", PASSWORD)
        self.alice = Caller("alice", PASSWORD)
        self.boss = Caller("boss", PASSWORD)
        self.carol = Caller("carol", PASSWORD)

    def run(self):
        for part in (self.nobody, self.bootstrap, self.users, self.passwords, self.tokens, self.projects, self.members,
                     self.repositories, self.remote_and_virtual, self.project_robots, self.system_robots, self.explain, self.retention, self.keys, self.audit,
                     self.what_is_left_in_a_project, self.removals, self.edges, self.guesses):
            part()
            step(f"api: {part.__name__.replace('_', ' ')}")
        same(self.document.never_seen(), [], "operations without an answer of success")
        step(f"api: {len(self.document.operations)} operations, {self.document.seen_count()} kinds of answers, as described")

    def nobody(self):
        answer = self.api.exchange(NOBODY, "getOpenApi")
        same(answer.body == DOCUMENT.read_bytes(), True, "the document is given out as it is")
        for name, operation in self.document.operations.items():
            if name == "getOpenApi":
                continue
            words = [ANY[word] for word in re.findall(r"\{([a-z_]+)\}", operation.template)]
            body = {} if "requestBody" in operation.described else None
            answer = self.api.exchange(NOBODY, name, *words, body=body, status=401)
            same(answer.header("www-authenticate"), 'Basic realm="OrbitalReg"', f"challenge of {name}")
            same(answer.error_codes(), ["UNAUTHORIZED"], f"code of {name}")

    def bootstrap(self):
        secret = pathlib.Path(self.server.data, "bootstrap-secret").read_text().strip()
        bootstrap = Caller("bootstrap", secret)
        same(self.ask(bootstrap, "getSession")["credential"], "bootstrap", "credential")
        self.ask(bootstrap, "listUsers", status=403)
        self.ask(bootstrap, "createProject", body={"name": "acme"}, status=403)
        self.ask(bootstrap, "createUser", body={"name": "alice", "password": PASSWORD}, status=(400, 403))
        self.ask(bootstrap, "createUser", body={"name": "root", "password": "short", "administrator": True}, status=400)
        made = self.ask(bootstrap, "createUser", body={"name": "root", "password": PASSWORD, "administrator": True}, status=201)
        same((made["administrator"], made["has_password"]), (True, True), "the first administrator")
        self.ask(bootstrap, "createUser", body={"name": "again", "password": PASSWORD, "administrator": True}, status=(401, 403))
        same(self.ask(self.root, "getSession"), {"principal": "user:root", "credential": "password", "administrator": True},
             "session of the administrator")

    def users(self):
        ask, root, alice = self.ask, self.root, self.alice
        for name in ("alice", "boss", "carol"):
            answer = self.api.exchange(root, "createUser", body={"name": name, "password": PASSWORD}, status=201)
            same(answer.header("location", "").endswith(f"/api/v1/users/{name}"), True, "where the new user is")
        made = ask(root, "createUser", body={"name": "gone", "description": "not for long"}, status=201)
        same((made["has_password"], made["description"], made["disabled"]), (False, "not for long", False), "a user without a password")
        for body in ({}, {"name": "Big"}, {"name": "token"}, {"name": "x", "unheard": 1}, {"name": 1}, {"name": "x", "password": "short"},
                     {"name": "x", "administrator": "yes"}, {"name": "x", "password_hash": "$1$md5"},
                     {"name": "x", "password": PASSWORD, "password_hash": "$2y$10$" + "a" * 53},
                     {"name": "x", "description": "long" * 65}):
            ask(root, "createUser", body=body, status=400)
        ask(root, "createUser", body={"name": "alice"}, status=409)
        ask(alice, "createUser", body={"name": "x"}, status=403)
        same(named(ask(root, "listUsers")["items"]), ["alice", "boss", "carol", "gone", "root"], "all users")
        same(named(self.api.pages(root, "listUsers", size=2)), ["alice", "boss", "carol", "gone", "root"], "users in pages of two")
        same(named(ask(root, "listUsers", query="?after=carol")["items"]), ["gone", "root"], "users after carol")
        ask(alice, "listUsers", status=403)
        for query in ("?page_size=0", "?page_size=1001", "?page_size=x", "?page_size=1&page_size=2"):
            ask(root, "listUsers", query=query, status=400)
        same(ask(alice, "getUser", "alice"), ask(root, "getUser", "alice"), "a user as seen by two")
        ask(self.carol, "getUser", "alice", status=404)
        ask(root, "getUser", "nobody", status=404)
        same(ask(root, "changeUser", "gone", body={"description": "soon", "administrator": True})["administrator"], True, "a change")
        same(ask(root, "changeUser", "gone", body={"administrator": False, "disabled": True})["disabled"], True, "disabled")
        ask(root, "changeUser", "alice", body={"name": "other"}, status=400)
        ask(root, "changeUser", "alice", body={"disabled": 1}, status=400)
        ask(alice, "changeUser", "alice", body={"administrator": True}, status=403)
        ask(root, "changeUser", "nobody", body={"disabled": True}, status=404)
        for body in ({"administrator": False}, {"disabled": True}):
            ask(root, "changeUser", "root", body=body, status=409)

    def passwords(self):
        ask, root = self.ask, self.root
        ask(root, "setPassword", "carol", body={"password": PASSWORD + " of hers"}, status=204)
        self.carol = Caller("carol", PASSWORD + " of hers")
        same(ask(self.carol, "getSession")["principal"], "user:carol", "with the password an administrator gave")
        ask(self.alice, "setPassword", "alice", body={"password": PASSWORD + " anew"}, status=204)
        ask(self.alice, "getSession", status=401)
        self.alice = Caller("alice", PASSWORD + " anew")
        for body in ({}, {"password": "short"}, {"password": 12345678}, {"password": PASSWORD, "old": PASSWORD}):
            ask(self.alice, "setPassword", "alice", body=body, status=400)
        ask(self.carol, "setPassword", "alice", body={"password": PASSWORD}, status=404)
        ask(root, "setPassword", "nobody", body={"password": PASSWORD}, status=404)

    def tokens(self):
        ask, alice = self.ask, self.alice
        made = ask(alice, "createToken", "alice", status=201)
        whole = Caller("alice", made["secret"])
        same(ask(whole, "getSession")["credential"], f"token:{made['token']['id']}", "a token as credential")
        limits = {"description": "narrow", "expires_in_days": 1, "repositories": ["acme/app"], "actions": ["pull"]}
        narrow = ask(alice, "createToken", "alice", body=limits, status=201)
        token = narrow["token"]
        same((token["description"], token["repositories"], token["actions"]), ("narrow", ["acme/app"], ["pull"]), "a restricted token")
        same(abs(token["expires"] - token["created"] - 86400) <= 5, True, "it is good for a day")
        restricted = Caller("alice", narrow["secret"])
        ask(restricted, "createToken", "alice", status=(403, 404))
        ask(restricted, "getUser", "alice", status=(403, 404))
        # With another token; it does not outlive that.
        third = ask(whole, "createToken", "alice", body={"expires_in_days": 365}, status=201)
        same(third["token"]["expires"] <= made["token"]["expires"], True, "a token made by a token ends with it")
        ask(whole, "setPassword", "alice", body={"password": PASSWORD + " stolen"}, status=403)
        for body in ({"expires_in_days": 366}, {"expires_in_days": 0}, {"expires_in_days": -1}, {"expires_in_days": "1"},
                     {"actions": []}, {"actions": ["fly"]}, {"repositories": [""]}, {"repositories": "acme"}, {"secret": "x"}):
            ask(alice, "createToken", "alice", body=body, status=400)
        ask(self.root, "createToken", "alice", status=403)
        ask(self.carol, "createToken", "alice", status=(403, 404))
        listed = ask(alice, "listTokens", "alice")["items"]
        same(sorted(named(listed, "id")), sorted(each["token"]["id"] for each in (made, narrow, third)), "all tokens")
        same(ask(self.root, "listTokens", "alice")["items"], listed, "as an administrator sees them")
        ask(self.carol, "listTokens", "alice", status=404)
        ask(self.carol, "removeToken", "alice", token["id"], status=404)
        ask(alice, "removeToken", "alice", token["id"], status=204)
        ask(alice, "removeToken", "alice", token["id"], status=404)
        ask(restricted, "getSession", status=401)
        ask(self.root, "removeToken", "alice", third["token"]["id"], status=204)
        ask(whole, "removeToken", "alice", made["token"]["id"], status=204)
        ask(whole, "getSession", status=401)

    def projects(self):
        ask, root = self.ask, self.root
        answer = self.api.exchange(root, "createProject", body={"name": "acme", "description": "ours"}, status=201)
        same(answer.header("location", "").endswith("/api/v1/projects/acme"), True, "where the new project is")
        same(ask(root, "createProject", body={"name": "full", "auto_create": True}, status=201)["auto_create"], True, "auto-create")
        ask(root, "createProject", body={"name": "open", "public": True}, status=201)
        ask(root, "createProject", body={"name": "acme"}, status=409)
        ask(root, "createProject", body={"name": "declared"}, status=409)
        for body in ({}, {"name": "Acme"}, {"name": "a/b"}, {"name": ""}, {"name": "x", "public": 1}, {"name": "x", "owner": "alice"}):
            ask(root, "createProject", body=body, status=400)
        ask(self.alice, "createProject", body={"name": "mine"}, status=403)
        same(named(ask(root, "listProjects")["items"]), ["acme", "declared", "full", "open"], "all projects")
        same(named(self.api.pages(root, "listProjects", size=1)), ["acme", "declared", "full", "open"], "projects one by one")
        same(named(self.api.pages(self.alice, "listProjects", size=1)), ["open"], "projects that anybody may see")
        same(named(self.api.pages(self.carol, "listProjects", size=1)), ["declared", "open"], "and one that the configuration lets in")
        ask(root, "listProjects", query="?page_size=none", status=400)
        same(ask(root, "getProject", "acme")["description"], "ours", "a project")
        same(ask(root, "getProject", "declared")["declared"], True, "one of the configuration")
        same(ask(self.carol, "getProject", "open")["public"], True, "a public one")
        ask(self.carol, "getProject", "acme", status=404)
        ask(root, "getProject", "nowhere", status=404)
        changed = ask(root, "changeProject", "acme", body={"public": True, "auto_create": True, "description": "all of ours"})
        same((changed["public"], changed["auto_create"], changed["description"]), (True, True, "all of ours"), "a change")
        ask(root, "changeProject", "acme", body={"public": False, "auto_create": False})
        ask(root, "changeProject", "acme", body={"public": None}, status=400)
        ask(root, "changeProject", "acme", body={"name": "other"}, status=400)
        ask(self.carol, "changeProject", "acme", body={"public": True}, status=404)
        ask(self.carol, "changeProject", "open", body={"public": False}, status=403)
        ask(root, "changeProject", "nowhere", body={"public": True}, status=404)
        ask(root, "changeProject", "declared", body={"public": True}, status=409)
        ask(root, "removeProject", "declared", status=409)
        ask(root, "removeProject", "nowhere", status=404)

    def members(self):
        ask, root, boss = self.ask, self.root, self.boss
        developer = {"grants": [{"role": "developer", "repositories": ["acme/app", "acme/web/**"]}, {"role": "guest"}]}
        put = ask(root, "putMember", "acme", "user:alice", body=developer)
        same([(grant["project"], grant["role"]) for grant in put["grants"]], [("acme", "developer"), ("acme", "guest")], "grants")
        ask(root, "putMember", "acme", "user:boss", body={"grants": [{"role": "admin"}]})
        ask(boss, "putMember", "acme", "group:all developers", body={"grants": [{"role": "maintainer", "actions": ["pull", "delete"]}]})
        for body in ({}, {"grants": []}, {"grants": [{}]}, {"grants": [{"role": "king"}]}, {"grants": [{"role": "guest", "project": "full"}]},
                     {"grants": [{"role": "guest", "repositories": []}]}, {"grants": [{"role": "guest", "actions": ["fly"]}]},
                     {"grants": [{"role": "guest", "more": 1}]}, {"grants": {"role": "guest"}}, {"role": "guest"}):
            ask(boss, "putMember", "acme", "user:alice", body=body, status=400)
        guest = {"grants": [{"role": "guest"}]}
        ask(boss, "putMember", "acme", "user:nobody", body=guest, status=400)
        ask(boss, "putMember", "acme", "alice", body=guest, status=400)
        ask(self.alice, "putMember", "acme", "user:carol", body=guest, status=403)
        ask(self.carol, "putMember", "acme", "user:carol", body=guest, status=404)
        ask(root, "putMember", "nowhere", "user:carol", body=guest, status=404)
        ask(root, "putMember", "declared", "user:carol", body=guest, status=409)
        same(ask(root, "getMember", "declared", "user:carol")["declared"], True, "a member of the configuration")
        everybody = ["group:all developers", "user:alice", "user:boss"]
        same(named(ask(boss, "listMembers", "acme")["items"], "member"), everybody, "members")
        same(named(self.api.pages(boss, "listMembers", "acme", size=1), "member"), everybody, "members one by one")
        ask(boss, "listMembers", "acme", query="?page_size=-1", status=400)
        ask(self.alice, "listMembers", "acme", status=403)
        ask(self.carol, "listMembers", "acme", status=404)
        same(ask(boss, "getMember", "acme", "user:alice"), put, "one member")
        for who in ("user:carol", "group:none", "alice"):
            ask(boss, "getMember", "acme", who, status=404)
        ask(self.alice, "getMember", "acme", "user:alice", status=403)
        ask(boss, "removeMember", "acme", "group:all developers", status=204)
        ask(boss, "removeMember", "acme", "group:all developers", status=404)
        ask(self.alice, "removeMember", "acme", "user:boss", status=403)
        ask(root, "removeMember", "declared", "user:carol", status=409)
        # What a member may, at once.
        same(named(ask(self.alice, "listProjects")["items"]), ["acme", "open"], "projects of a member")
        ask(self.alice, "changeProject", "acme", body={"public": True}, status=403)
        same(ask(boss, "changeProject", "acme", body={"description": "of the boss"})["description"], "of the boss", "by its admin")
        ask(boss, "removeProject", "acme", status=403)

    def repositories(self):
        ask, boss = self.ask, self.boss
        # A right over some images of a project only is none over the project.
        ask(self.root, "putMember", "acme", "user:alice", body={"grants": [{"role": "developer"}]})
        made = ask(self.alice, "createRepository", "acme", body={"name": "app"}, status=201)
        same(made, {"project": "acme", "name": "app", "type": "local", "public": None, "sparse_index": "refuse", "declared": False, "description": ""},
             "a repository")
        ask(self.alice, "createRepository", "acme", body={"name": "bare", "public": True}, status=403)
        answer = self.api.exchange(boss, "createRepository", "acme", status=201,
                                   body={"name": "web", "public": True, "sparse_index": "allow", "description": "pages"})
        same(answer.header("location", "").endswith("/api/v1/projects/acme/repositories/web"), True, "where it is")
        ask(boss, "createRepository", "acme", body={"name": "web"}, status=409)
        for body in ({}, {"name": "a/b"}, {"name": "x", "sparse_index": "perhaps"}, {"name": "x", "public": "on"}, {"name": "x", "type": "mirror"},
                     {"name": "x", "type": "remote"}, {"name": "x", "remote": {"url": "https://a.test"}}, {"name": "x", "type": "virtual", "virtual": {}},
                     {"name": "x", "type": "virtual", "virtual": {"members": ["app"], "deploy_to": "none"}}):
            ask(boss, "createRepository", "acme", body=body, status=400)
        ask(self.carol, "createRepository", "acme", body={"name": "x"}, status=404)
        ask(self.carol, "createRepository", "open", body={"name": "x"}, status=403)
        ask(self.root, "createRepository", "nowhere", body={"name": "x"}, status=404)
        same(named(ask(self.alice, "listRepositories", "acme")["items"]), ["app", "web"], "repositories")
        same(named(self.api.pages(boss, "listRepositories", "acme", size=1)), ["app", "web"], "repositories one by one")
        ask(boss, "listRepositories", "acme", query="?page_size=0", status=400)
        ask(self.carol, "listRepositories", "acme", status=404)
        same(ask(self.alice, "getRepository", "acme", "web")["description"], "pages", "one repository")
        same(ask(self.root, "getRepository", "declared", "app")["declared"], True, "one of the configuration")
        ask(boss, "getRepository", "acme", "none", status=404)
        changed = ask(boss, "changeRepository", "acme", "web", body={"public": None, "sparse_index": "refuse", "description": ""})
        same((changed["public"], changed["sparse_index"], changed["description"]), (None, "refuse", ""), "a change")
        same(ask(boss, "changeRepository", "acme", "web", body={"public": False})["public"], False, "closed, whatever the project is")
        ask(boss, "changeRepository", "acme", "web", body={"sparse_index": None}, status=400)
        ask(boss, "changeRepository", "acme", "none", body={"public": True}, status=404)
        ask(self.alice, "changeRepository", "acme", "web", body={"public": True}, status=403)
        ask(self.root, "changeRepository", "declared", "app", body={"public": True}, status=409)
        ask(self.root, "removeRepository", "declared", "app", status=409)
        ask(self.alice, "removeRepository", "acme", "web", status=403)
        ask(boss, "removeRepository", "acme", "web", status=204)
        ask(boss, "removeRepository", "acme", "web", status=404)

    def robots(self, owner, kind, place, full_name, grants, wrong_grants, strangers):
        """Project robots and system robots have the same life."""
        ask = self.ask
        name = full_name.rpartition("+")[2]
        answer = self.api.exchange(owner, f"create{kind}Robot", *place, body={"name": name, "grants": grants, "description": "builds"}, status=201)
        same(answer.header("location", "").endswith(f"/robots/{name}"), True, "where the new robot is")
        made = answer.json()
        same((made["robot"]["full_name"], made["user"], len(made["robot"]["secrets"])), (full_name, f"robot${full_name}", 1), "a robot")
        first = Caller(made["user"], made["secret"])
        same(ask(first, "getSession"), {"principal": f"robot:{full_name}", "credential": f"secret:{made['robot']['secrets'][0]['id']}",
                                        "administrator": False}, "session of a robot")
        ask(owner, f"create{kind}Robot", *place, body={"name": name}, status=409)
        for body in ({}, {"name": "A"}, {"name": "x", "grants": wrong_grants}, {"name": "x", "expires": "soon"}, {"name": "x", "secret": "s"}):
            ask(owner, f"create{kind}Robot", *place, body=body, status=400)
        ask(owner, f"create{kind}Robot", *place, body={"name": "a-second"}, status=201)
        same(named(self.api.pages(owner, f"list{kind}Robots", *place, size=1)), ["a-second", name], "robots one by one")
        ask(owner, f"list{kind}Robots", *place, query="?page_size=0", status=400)
        ask(owner, f"remove{kind}Robot", *place, "a-second", status=204)
        same(ask(owner, f"get{kind}Robot", *place, name), made["robot"], "one robot")
        changed = ask(owner, f"change{kind}Robot", *place, name, body={"description": "", "expires": 4102444800, "grants": []})
        same((changed["description"], changed["expires"], changed["grants"]), ("", 4102444800, []), "a change")
        ask(owner, f"change{kind}Robot", *place, name, body={"grants": wrong_grants}, status=400)
        ask(owner, f"change{kind}Robot", *place, name, body={"name": "other"}, status=400)
        ask(owner, f"change{kind}Robot", *place, name, body={"disabled": True})
        ask(first, "getSession", status=401)
        ask(owner, f"change{kind}Robot", *place, name, body={"disabled": False, "grants": grants})
        second = Caller(first.user, ask(owner, f"add{kind}RobotSecret", *place, name, status=201)["secret"])
        for secret in (first, second):
            same(ask(secret, "getSession")["principal"], f"robot:{full_name}", "two secrets are good at once")
        third = ask(owner, f"add{kind}RobotSecret", *place, name, body={"replace": True}, status=201)
        ask(second, "getSession", status=401)
        same(ask(Caller(first.user, third["secret"]), "getSession")["credential"], f"secret:{third['id']}", "the one that replaced them")
        ask(owner, f"add{kind}RobotSecret", *place, name, body={"replace": "yes"}, status=400)
        for who, status in strangers:
            ask(who, f"list{kind}Robots", *place, status=status)
            ask(who, f"create{kind}Robot", *place, body={"name": "x"}, status=status)
            ask(who, f"get{kind}Robot", *place, name, status=status)
            ask(who, f"change{kind}Robot", *place, name, body={"disabled": True}, status=status)
            ask(who, f"add{kind}RobotSecret", *place, name, status=status)
            ask(who, f"remove{kind}Robot", *place, name, status=status)
        for work, more in (("get", {}), ("change", {"body": {"disabled": True}}), ("remove", {})):
            ask(owner, f"{work}{kind}Robot", *place, "none", status=404, **more)
        ask(owner, f"add{kind}RobotSecret", *place, "none", status=404)

    def project_robots(self):
        grants = [{"role": "developer", "repositories": ["acme/app"]}]
        self.robots(self.boss, "Project", ("acme",), "acme+ci", grants, [{"role": "developer", "project": "full"}],
                    [(self.alice, 403), (self.carol, 404)])
        self.ask(self.root, "createProjectRobot", "nowhere", body={"name": "x"}, status=404)

    def system_robots(self):
        grants = [{"project": "acme", "role": "limited"}, {"project": "full", "role": "developer", "repositories": ["full/**"]}]
        self.robots(self.root, "System", (), "mirror", grants, [{"role": "developer"}], [(self.boss, 403)])

    def remote_and_virtual(self):
        """SEC-61: where a remote repository fetches from is for administrators of the system alone."""
        ask, boss, root = self.ask, self.boss, self.root
        remote = {"url": "https://upstream.test", "username": "us", "password": "a secret of the upstream", "revalidate_after": "1h"}
        body = {"name": "mirror", "type": "remote", "remote": remote}
        for who in (boss, self.alice):
            ask(who, "createRepository", "acme", body=body, status=403)
        for wrong in ({"url": "ftp://a.test"}, {"url": "https://a.test", "revalidate_after": "soon"}, {"url": "https://a.test", "more": 1},
                      {"url": "https://us:them@a.test"}, {"url": "https://a.test", "allow_networks": ["nowhere"]}):
            ask(root, "createRepository", "acme", body={"name": "mirror", "type": "remote", "remote": wrong}, status=400)
        made = ask(root, "createRepository", "acme", body=body, status=201)
        same((made["type"], made["remote"]["url"], made["remote"]["password_set"], made["remote"]["revalidate_after"]),
             ("remote", "https://upstream.test", True, "1h"), "a remote repository")
        same("a secret of the upstream" in str(ask(root, "getRepository", "acme", "mirror")), False, "its password is shown")
        ask(boss, "changeRepository", "acme", "mirror", body={"remote": {"url": "https://other.test"}}, status=403)
        changed = ask(root, "changeRepository", "acme", "mirror", body={"remote": {"url": "https://other.test", "offline": True}})
        same((changed["remote"]["url"], changed["remote"]["password_set"], changed["remote"]["offline"]), ("https://other.test", False, True),
             "a password is not taken to another url")
        ask(root, "changeRepository", "acme", "app", body={"remote": {"url": "https://other.test"}}, status=400)

        ask(self.alice, "createRepository", "acme", body={"name": "all", "type": "virtual", "virtual": {"members": ["app"]}}, status=403)
        made = ask(boss, "createRepository", "acme", status=201,
                   body={"name": "all", "type": "virtual", "virtual": {"members": ["mirror", {"name": "app", "exclude": ["x/**"]}], "deploy_to": "app"}})
        same((made["type"], named(made["virtual"]["members"]), made["virtual"]["deploy_to"]), ("virtual", ["mirror", "app"], "app"), "a virtual repository")
        ask(boss, "createRepository", "acme", body={"name": "more", "type": "virtual", "virtual": {"members": ["all"]}}, status=400)
        ask(boss, "changeRepository", "acme", "all", body={"virtual": {"members": ["app", "mirror"]}})

        told = ask(self.alice, "explainPull", query="?image=acme/all/x/app&reference=1")
        same([(step["member"], step["type"], step["outcome"]) for step in told["steps"]],
             [("app", "local", "absent"), ("mirror", "remote", "absent")], "each member, local ones first")
        same((told["digest"], told["member"], told["cache"]), (None, None, None), "nobody has it")
        for query in ("", "?image=acme/all/app", "?image=A&reference=1", "?image=acme/all/app&reference=:"):
            ask(self.alice, "explainPull", query=query, status=400)
        ask(self.carol, "explainPull", query="?image=acme/all/app&reference=1", status=404)
        same([item["repository"] for item in ask(root, "listUpstreams")["items"]], ["acme/mirror"], "upstreams that were asked")
        ask(boss, "listUpstreams", status=403)
        for name in ("all", "mirror"):
            ask(boss, "removeRepository", "acme", name, status=204)

    def decision(self, who, user, action, image):
        query = f"?user={user.replace('$', '%24').replace('+', '%2B')}&action={action}&image={image}"
        return self.ask(who, "explainAccess", query=query)

    def explain(self):
        ask, boss = self.ask, self.boss
        for who in (self.root, boss, self.alice):
            told = self.decision(who, "alice", "push", "acme/app")
            same((told["allowed"], told["project"], named(told["grants"], "role")), (True, "acme", ["developer"]), "why alice may push")
        for user, action, image, allowed in (("alice", "delete", "acme/app", False), ("carol", "pull", "acme/app", False),
                                             ("robot$acme+ci", "push", "acme/app", True), ("robot$acme+ci", "push", "acme/other", False),
                                             ("robot$mirror", "pull", "acme/app", True), ("anonymous", "pull", "acme/app", False),
                                             ("boss", "manage_members", "acme/app", True)):
            told = self.decision(boss, user, action, image)
            same(told["allowed"], allowed, f"{user} {action} {image}: {told['reason']}")
        same(self.decision(self.root, "anonymous", "pull", "open/app")["allowed"], True, "anybody pulls in a public project")
        same(self.decision(self.root, "root", "administer", "acme/app")["allowed"], True, "an administrator may all")
        for query in ("", "?user=alice&action=pull", "?user=alice&action=fly&image=acme/app", "?user=alice&action=pull&image=A",
                      "?user=alice&user=boss&action=pull&image=acme/app"):
            ask(self.root, "explainAccess", query=query, status=400)
        ask(self.root, "explainAccess", query="?user=nobody&action=pull&image=acme/app", status=404)
        ask(self.alice, "explainAccess", query="?user=boss&action=pull&image=acme/app", status=403)
        ask(self.carol, "explainAccess", query="?user=boss&action=pull&image=acme/app", status=404)

    def retention(self):
        ask, root = self.ask, self.root
        same(named(ask(root, "listRetentionPolicies")["items"]), ["default"], "policies of the configuration")
        same(self.api.push_image(root, "acme/app", "v1").status, 201, "push of an image")
        plan = ask(root, "planRetention", body={})
        same((plan["totals"]["deleted"], plan["items"][0]["why"]), (0, "grace_hours"), "nothing is old yet")
        later = ask(root, "planRetention", body={"now": "2200-01-01T00:00:00Z", "repository": "acme/app", "policy": "default"})
        same([item["decision"] for item in later["items"] if item.get("tag") == "v1"], ["delete"], "in a hundred years")
        tried = ask(root, "planRetention", body={"yaml": "name: all\nrules:\n  - keep_tags: { tags: ['*'] }\n", "items_max": 1})
        same((len(tried["items"]), tried["policy"]), (1, "all"), "a policy that is tried")
        ask(root, "planRetention", body={"deletions_only": True, "repository": "open/nothing"})
        for body in ({"yaml": "name: all"}, {"now": "yesterday"}, {"now": "2020-01-01"}, {"items_max": 10001}, {"items_max": "1"},
                     {"repository": "A"}, {"unheard": 1}, {"deletions_only": "yes"}):
            ask(root, "planRetention", body=body, status=400)
        ask(root, "planRetention", body={"policy": "none"}, status=404)
        ask(self.alice, "planRetention", body={}, status=403)
        ask(self.boss, "planRetention", body={"repository": "acme/app"})
        ask(self.carol, "planRetention", body={"repository": "acme/app"}, status=404)
        run = ask(self.boss, "runRetention", body={"repository": "acme/app"})
        same((run["state"], run["principal"], run["totals"]["deleted"]), ("done", "user:boss", 0), "a run by the admin of a project")
        ask(self.boss, "runRetention", body={}, status=403)
        ask(root, "runRetention", body={"policy": "none"}, status=404)
        ask(root, "runRetention", body={"confirm_clock": "yes"}, status=400)
        ask(root, "runRetention", body={"confirm_clock": True, "above_percent": True})
        same(named(self.api.pages(root, "listRetentionRuns", size=1), "run"), ["r-2", "r-1"], "runs one by one")
        ask(root, "listRetentionRuns", query="?page_size=0", status=400)
        ask(root, "listRetentionRuns", query="?after=x", status=400)
        ask(self.boss, "listRetentionRuns", status=403)
        same(ask(self.boss, "getRetentionRun", "r-1")["run"], "r-1", "a run over one's own")
        ask(self.boss, "getRetentionRun", "r-2", status=404)
        ask(root, "getRetentionRun", "r-9", status=404)
        ask(root, "getRetentionRun", "last", status=404)
        told = ask(self.boss, "explainRetention", query="?repo=acme/app&ref=v1")
        same((told["policies"], [rule["rule"] for rule in told["items"][0]["rules"]]), (["default"], ["rules[0].keep_by_age"]), "why it stays")
        ask(root, "explainRetention", query=f"?repo=acme/app&ref={told['digest']}")
        for query in ("", "?repo=acme/app", "?repo=A&ref=v1", "?repo=acme/app&ref=sha256:1", "?repo=acme/app&ref=v1&ref=v2"):
            ask(root, "explainRetention", query=query, status=400)
        ask(root, "explainRetention", query="?repo=acme/app&ref=v9", status=404)
        ask(self.alice, "explainRetention", query="?repo=acme/app&ref=v1", status=403)
        ask(self.carol, "explainRetention", query="?repo=acme/app&ref=v1", status=404)
        back = ask(self.boss, "restoreRetention", body={"run": "r-1", "repository": "acme/app"})
        same((back["restored_tags"], back["restored_manifests"], back["skipped"]), (0, 0, []), "there was nothing to restore")
        ask(root, "restoreRetention", body={"run": "r-9"}, status=404)
        ask(root, "restoreRetention", body={}, status=400)
        ask(self.boss, "restoreRetention", body={"run": "r-1"}, status=403)
        gone = self.api.raw(root, "DELETE", "/v2/acme/app/manifests/" + told["digest"])
        same(gone.status, 202, "the image goes, so that the project can")

    def keys(self):
        def active():
            return [key["kid"] for key in self.ask(self.root, "listKeys")["items"] if key["state"] == "active"]
        before = active()
        same(len(before), 1, "keys that sign")
        waiting = self.ask(self.root, "rotateKeys")["kid"]
        same((active(), waiting in before), (before, False), "a key that was made does not sign yet")
        now = self.ask(self.root, "rotateKeys", body={"now": True})["kid"]
        same(active(), [now], "one that was told to sign at once")
        self.ask(self.root, "rotateKeys", body={"now": False})
        for body in ({"now": "yes"}, {"when": "now"}):
            self.ask(self.root, "rotateKeys", body=body, status=400)
        self.ask(self.boss, "rotateKeys", status=403)
        self.ask(self.boss, "listKeys", status=403)

    def audit(self):
        ask, root = self.ask, self.root
        made = ask(root, "listAuditLines", query="?action=user.create&result=granted&order=oldest")["items"]
        same(all(line["granted"] and line["action"] == "user.create" for line in made) and len(made) >= 5, True, f"users that were made: {made}")
        seen, query = [], "?action=user.create&result=granted&order=oldest&limit=2"
        page = {"next": 0}
        while page["next"] is not None:
            page = ask(root, "listAuditLines", query=f"{query}&after={page['next']}")
            seen += page["items"]
        same(seen, made, "the same in pages of two")
        newest = ask(root, "listAuditLines", query="?limit=1")
        same((len(newest["items"]), newest["next"] is None), (1, False), "one line, and more behind it")
        older = ask(root, "listAuditLines", query=f"?limit=1&after={newest['next']}")
        same(older["items"][0]["seq"] < newest["items"][0]["seq"], True, "the newest first")
        same(ask(root, "listAuditLines", query="?since=2100-01-01")["items"], [], "nothing of the future")
        same(ask(root, "listAuditLines", query="?until=1970-01-02T00:00:00Z")["items"], [], "nothing of the past")
        for query in ("?limit=0", "?limit=1001", "?result=both", "?order=random", "?after=x", "?since=today"):
            ask(root, "listAuditLines", query=query, status=400)
        ask(self.boss, "listAuditLines", query="?object=acme/")
        ask(self.boss, "listAuditLines", status=403)
        ask(self.boss, "listAuditLines", query="?object=full/", status=(403, 404))
        ask(self.alice, "listAuditLines", query="?object=acme/", status=403)

    def what_is_left_in_a_project(self):
        ask, root = self.ask, self.root
        ask(root, "createRepository", "full", body={"name": "app"}, status=201)
        same(self.api.push_image(root, "full/app", "v1").status, 201, "push of an image")
        ask(root, "removeRepository", "full", "app", status=409)
        ask(root, "removeProject", "full", status=409)
        same(ask(root, "getProject", "full")["name"], "full", "it is still there")

    def removals(self):
        ask, root = self.ask, self.root
        ask(self.boss, "removeMember", "acme", "user:alice", status=204)
        ask(self.alice, "getProject", "acme", status=404)
        ask(self.alice, "removeProject", "acme", status=404)
        ask(root, "removeProject", "acme", status=204)
        ask(root, "removeProject", "acme", status=404)
        ask(self.boss, "getProject", "acme", status=404)
        # A project of the name that comes later is another one: what was granted in the first is not.
        ask(root, "createProject", body={"name": "acme"}, status=201)
        ask(self.boss, "getProject", "acme", status=404)
        same(ask(root, "listProjectRobots", "acme")["items"], [], "robots of the new project")
        ask(self.alice, "removeUser", "gone", status=403)
        ask(root, "removeUser", "gone", status=204)
        ask(root, "removeUser", "gone", status=404)
        ask(root, "removeUser", "root", status=409)
        ask(root, "removeSystemRobot", "mirror", status=204)

    def edges(self):
        """Requests that no operation is described for, and bodies that are none."""
        base = self.document.base
        same(self.api.raw(self.root, "GET", base + "/nothing").status, 404, "a path that is none")
        answer = self.api.raw(self.root, "PUT", base + "/projects", b"{}")
        same((answer.status, answer.header("allow")), (405, "GET, POST"), "a method that is not offered")
        for content, media_type in ((b"{", "application/json"), (b"[]", "application/json"), (b'"x"', "application/json"),
                                    (b'{"name":"x","name":"y"}', "application/json"), (b'{"name":"x"} {}', "application/json"),
                                    (b'{"name":"x"}', "text/plain"), (b'{"name":"\xff"}', "application/json"), (b"[" * 1000, "application/json")):
            answer = self.api.raw(self.root, "POST", base + "/projects", content, media_type)
            same((answer.status, answer.error_codes()), (400, ["INVALID"]), f"the body {content!r:.40} as {media_type}")
        large = b'{"name":"' + b"x" * 70_000 + b'"}'
        answer = self.api.raw(self.root, "POST", base + "/projects", large)
        same(answer.status in (400, 413), True, f"a body of 70,000 bytes: {answer}")
        answer = self.api.raw(self.root, "GET", base + "/session")
        same((answer.status, answer.header("cache-control")), (200, "no-store"), "nobody keeps an answer")

    def guesses(self):
        """Who guesses is slowed down."""
        for number in range(GUESSES_MAX):
            answer = self.api.exchange(Caller("carol", f"guess {number}"), "getSession", status=(401, 429))
            if answer.status == 429:
                break
        same((answer.status, int(answer.header("retry-after", "0")) > 0), (429, True), f"after {number + 1} guesses")


def walk(server, document):
    Walk(server, document).run()
