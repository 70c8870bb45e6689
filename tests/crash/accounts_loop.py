#!/usr/bin/env python3
"""Kills the real server again and again while accounts, tokens, members and robots are being changed, and proves that each change
that was acknowledged is there after the restart, and none that was undone (REL-01 of admin changes, SEC-46).

Each worker owns its names, so that it knows what it was told. A change that was not answered may turn out either way, once:
the restart decides it, and from then on it is known. fsck runs on what some kills left. A failure prints the seed.
"""

import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from accounts import ENVIRONMENT, Accounts  # noqa: E402

KILL_DELAY_S = (0.05, 1.2)  # after a start passwords are proved anew, which takes the first tenths of a second
PROJECT = "changing"
FSCK_EVERY = 5
ROLES = ("guest", "developer", "maintainer")


class Violation(Exception):
    """What was acknowledged is not there, or what was not asked for is."""


class Owner:
    """One worker: a user with tokens and a part in the project, and a robot; what is known of each, and what is in doubt.

    A fact is a name and a value; `doubt` holds the value that a change without an answer may have made."""

    def __init__(self, number):
        self.user = f"user-{number}"
        self.robot = f"robot-{number}"
        self.facts = {"password": None, "disabled": None, "role": None, "robot": None}
        self.tokens = {}  # secret -> True: good, False: removed
        self.refresh = {}
        self.doubt = None
        self.count = 0
        self.acknowledged = 0

    def step(self, people, choose):
        """One change, acknowledged when it returns. An OSError leaves it in doubt."""
        self.count += 1
        change = choose.choice([self.set_password, self.switch, self.set_role, self.new_token, self.drop_token, self.new_robot_secret,
                                self.new_refresh])
        if self.facts["password"] is None:
            change = self.create
        elif self.facts["disabled"] and change in (self.set_password, self.new_token, self.new_refresh):
            change = self.switch  # with what is disabled nobody logs in, and so nobody can see how a doubt turned out
        self.doubt = None
        change(people, choose)
        self.doubt = None
        self.acknowledged += 1

    def set_fact(self, name, value, call):
        self.doubt = (name, value)
        call()
        self.facts[name] = value

    def create(self, people, choose):
        password = f"password number {self.count} of {self.user}"
        self.set_fact("password", password, lambda: people.api(
            "POST", "users", {"name": self.user, "password": password}, wanted=201))
        self.facts["disabled"] = False

    def set_password(self, people, choose):
        password = f"password number {self.count} of {self.user}"

        def call():
            people.api("PUT", f"users/{self.user}/password", {"password": password}, wanted=204)
        before = dict(self.refresh)
        self.doubt = ("password", password)
        call()
        self.facts["password"] = password
        # What was made with the old one is worth nothing.
        self.refresh = {secret: False for secret in before}

    def switch(self, people, choose):
        disabled = not self.facts["disabled"]
        self.set_fact("disabled", disabled, lambda: people.api("PATCH", f"users/{self.user}", {"disabled": disabled}))
        self.refresh = {secret: False for secret in self.refresh}

    def set_role(self, people, choose):
        role = choose.choice([role for role in (*ROLES, None) if role != self.facts["role"]])
        path = f"projects/{PROJECT}/members/user%3A{self.user}"

        def call():
            if role is None:
                people.api("DELETE", path, wanted=204)
            else:
                people.api("PUT", path, {"grants": [{"role": role}]})
        self.set_fact("role", role, call)

    def new_token(self, people, choose):
        if len(self.tokens) > 40:
            return self.drop_token(people, choose)
        made = people.api("POST", f"users/{self.user}/tokens", {}, credentials=(self.user, self.facts["password"]), wanted=201)
        self.tokens[made["secret"]] = True
        return None

    def drop_token(self, people, choose):
        good = [secret for secret, kept in self.tokens.items() if kept]
        if not good:
            return
        secret = choose.choice(good)
        self.doubt = ("token", secret)
        people.api("DELETE", f"users/{self.user}/tokens/{secret.split('_')[1]}", wanted=204)
        self.tokens[secret] = False

    def new_robot_secret(self, people, choose):
        """The newest secret is known to be good; with `replace` the one before is known not to be."""
        if self.facts["robot"] is None:
            self.doubt = ("robot", "unknown")
            answer = people.ask("POST", f"projects/{PROJECT}/robots", {"name": self.robot, "grants": [{"role": "guest"}]},
                                people.credentials("root-admin"))
            if answer.status == 409:  # made by a request that was not answered
                answer = people.ask("POST", f"projects/{PROJECT}/robots/{self.robot}/secrets", {"replace": True},
                                    people.credentials("root-admin"))
            if answer.status != 201:
                raise Violation(f"a robot: {answer!r}")
            made = answer.json()
        else:
            self.doubt = ("robot", "unknown")
            made = people.api("POST", f"projects/{PROJECT}/robots/{self.robot}/secrets", {"replace": True}, wanted=201)
        self.facts["robot"] = made["secret"]

    def new_refresh(self, people, choose):
        if len(self.refresh) > 60:
            return
        answer = people.post_token(grant_type="password", username=self.user, password=self.facts["password"], access_type="offline")
        if answer.status != 200:
            raise Violation(f"a refresh token: {answer!r}")
        self.refresh[answer.json()["refresh_token"]] = True

    # --- after a restart ---

    def settle(self, people):
        """What was in doubt is seen now, and known from then on."""
        if self.doubt is None:
            return
        name, value = self.doubt
        self.doubt = None
        if name == "password":
            if people.token_answer([], self.user, value).status == 200:
                if self.facts["password"] is None:
                    self.facts["disabled"] = False
                self.facts["password"] = value
                self.refresh = {secret: False for secret in self.refresh}
        elif name == "disabled":
            told = people.api("GET", f"users/{self.user}")["disabled"]
            if told == value:
                self.refresh = {secret: False for secret in self.refresh}
            self.facts["disabled"] = told
        elif name == "role":
            self.facts["role"] = self.role(people)
        elif name == "token":
            self.tokens[value] = people.token_answer([], self.user, value).status == 200 if not self.facts["disabled"] else None
        elif name == "robot":
            self.facts["robot"] = None

    def role(self, people):
        answer = people.ask("GET", f"projects/{PROJECT}/members/user%3A{self.user}", credentials=people.credentials("root-admin"))
        return answer.json()["grants"][0]["role"] if answer.status == 200 else None

    def verify(self, people):
        if self.facts["password"] is None:
            return 0
        wanted = 401 if self.facts["disabled"] else 200
        checks = [("password", people.token_answer([], self.user, self.facts["password"]).status, wanted),
                  ("disabled", people.api("GET", f"users/{self.user}")["disabled"], self.facts["disabled"]),
                  ("role", self.role(people), self.facts["role"])]
        if self.facts["robot"]:
            robot = f"robot${PROJECT}+{self.robot}"
            checks.append(("robot", people.token_answer([], robot, self.facts["robot"]).status, 200))
        for secret, good in self.tokens.items():
            if good is not None:
                checks.append((f"token {good}", people.token_answer([], self.user, secret).status, wanted if good else 401))
        for secret, good in self.refresh.items():
            status = people.post_token(grant_type="refresh_token", refresh_token=secret).status
            checks.append((f"refresh {good}", status, wanted if good else 401))
        for what, found, expected in checks:
            if found != expected:
                raise Violation(f"{self.user}: {what}: expected {expected}, found {found} ({self.facts})")
        return len(checks)


def work(owner, people, choose, over, stories):
    while not over.is_set():
        try:
            owner.step(people, choose)
        except OSError:
            return  # the server is gone
        except Exception as error:  # noqa: BLE001 the loop reports it
            stories.append(f"{owner.user}: {error}")
            return


def run(options):
    server = registry_process.from_arguments(options, environment=dict(ENVIRONMENT, ORBITALREG_AUTH_LOGIN_FAILURES="1000"))
    choose = random.Random(options.seed)
    owners = [Owner(number) for number in range(options.workers)]
    verified = fscks = 0
    with server:
        people = Accounts(server)
        people.project(PROJECT)
        for owner in owners[1:]:  # the first is created between kills
            owner.create(people, choose)
        for cycle in range(options.cycles):
            over, stories = threading.Event(), []
            threads = [threading.Thread(target=work, args=(owner, people, random.Random(choose.random()), over, stories))
                       for owner in owners]
            for thread in threads:
                thread.start()
            over.wait(choose.uniform(*KILL_DELAY_S))
            server.kill()
            over.set()
            for thread in threads:
                thread.join(60)
            if stories:
                raise Violation(f"cycle {cycle}: {stories[0]}")
            if cycle % FSCK_EVERY == 0:
                fscks += 1
                checked = server.fsck("--level", "normal")
                if checked.returncode != 0:
                    raise Violation(f"fsck in cycle {cycle}: {checked.stdout}{checked.stderr}")
            server.start()
            for owner in owners:
                owner.settle(people)
                verified += owner.verify(people)
        server.restart()
        verified += sum(owner.verify(people) for owner in owners)
    done = sum(owner.acknowledged for owner in owners)
    print(f"{options.cycles} kills, {done} changes acknowledged, {verified} verifications, {fscks} runs of fsck, none failed")
    return done


def main():
    def extra(parser):
        parser.add_argument("--cycles", type=int, default=20)
        parser.add_argument("--workers", type=int, default=4)
        parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    options = registry_process.script_options(__doc__, extra)
    print(f"seed {options.seed}", flush=True)
    try:
        done = run(options)
    except (Violation, registry_process.RegistryError) as error:
        print(f"FAILED (seed {options.seed}): {error}")
        return 1
    if done < options.cycles:
        print("FAILED: hardly anything was acknowledged between the kills")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
