#!/usr/bin/env python3
"""Each rule of tools/house_rules fires on a file that breaks it, on the right line, and is silent on one that does not."""
import os
import subprocess
import sys
import tempfile
import unittest

HOUSE_RULES = sys.argv.pop(1)
GUARD = "#pragma once\n"
LONG = "void f() {\n" + "    g();\n" * 69 + "}\n"

# path, content, the findings expected as (line, rule)
CASES = [
    ("engine/src/a.cc", "#include <boost/beast/http.hpp>\n", [(1, "fence-beast")]),
    ("cas/src/io/a.cc", "#include <boost/beast.hpp>\n", [(1, "fence-beast")]),
    ("frontend/src/a.cc", "#include <boost/beast/http.hpp>\n", []),
    ("cas/src/log/a.cc", "#include <liburing.h>\n", [(1, "fence-uring")]),
    ("cas/src/io/b.cc", "#include <liburing.h>\n", []),
    ("engine/src/b.cc", "#include <boost/asio/ip/tcp.hpp>\n", [(1, "fence-socket")]),
    ("cas/src/lane/a.cc", "#include <sys/socket.h>\n", [(1, "fence-socket")]),
    ("engine/src/c.cc", "#include <fstream>\n", [(1, "fence-filesystem")]),
    ("cas/src/lane/b.cc", "#include <fcntl.h>\n", [(1, "fence-filesystem")]),
    ("cas/src/io/c.cc", "#include <fcntl.h>\n", []),
    ("cas/base/src/a.cc", '#include "cas/io.h"\n', [(1, "fence-upward")]),
    ("cas/src/a.cc", '#include "base/log.h"\n#include "engine/names.h"\n', [(2, "fence-upward")]),
    ("engine/src/d.cc", '#include "frontend/server.h"\n', [(1, "fence-upward")]),
    ("frontend/src/b.cc", '#include "cas/store.h"\n', [(1, "fence-cas")]),
    ("engine/include/engine/a.h", GUARD + '#include "cas/store.h"\n', [(2, "fence-cas")]),
    ("engine/src/e.cc", '#include "cas/store.h"\n', []),
    ("engine/src/f.cc", "auto t = std::chrono::system_clock::now();\n", [(1, "clock")]),
    ("engine/src/g.cc", "// system_clock::now is banned\nauto t = \"system_clock::now()\";\n", []),
    ("cas/src/b.cc", "std::random_device device;\n", [(1, "random")]),
    ("tests/unit/a.cc", "int x;\n\nstd::this_thread::sleep_for(1s);\n", [(3, "sleep")]),
    ("tests/e2e/a.py", "import time\ntime.sleep(1)\n", [(2, "sleep")]),
    ("cas/src/c.cc", "co_await clock.sleep_until(5);\n", []),
    ("engine/src/h.cc", "asio::co_spawn(executor, [this]() -> Awaitable<void> { co_return; }, asio::detached);\n",
     [(1, "co-spawn")]),
    ("engine/src/i.cc", "asio::co_spawn(\n    executor,\n    [&a](int) { return run(a); },\n    asio::detached);\n",
     [(1, "co-spawn")]),
    ("engine/src/j.cc", "asio::co_spawn(executor, run(a), [&](auto error) { done(error); });\n", []),
    ("engine/src/k.cc", "asio::co_spawn(executor, []() { return run(); }, asio::detached);\n", []),
    ("engine/src/await_a.cc", "co_await list(a.empty() ? a : b);\n", [(1, "co-await")]),
    ("engine/src/await_b.cc", "auto x = found\n    ? co_await get(a)\n    : b;\n", [(2, "co-await")]),
    ("engine/src/await_c.cc", "auto b = c ? d : e;\nco_await get(b);\nif (co_await get(b)) f();\n", []),
    ("engine/src/l.cc", "assert(x);\nstatic_assert(y);\nORB_ASSERT(z);\n", [(1, "assert")]),
    ("engine/src/string_util.cc", "int x;\n", [(1, "name")]),
    ("engine/src/m.cc", "class LaneManager {};\n", [(1, "name")]),
    ("engine/src/n.cc", "// TODO: later\n// TODO(#12): later\n", [(1, "todo")]),
    ("engine/src/a.h", "int x;\n", [(1, "header")]),
    ("engine/src/b.h", GUARD + "using namespace std;\n", [(2, "header")]),
    ("engine/src/o.cc", "// x\n" * 801, [(801, "file-length")]),
    ("engine/src/p.cc", "// Over 800 lines because it is one table.\n" + "// x\n" * 801, []),
    ("engine/src/q.cc", LONG, [(1, "function-length")]),
    ("engine/src/r.cc", LONG.replace("    g();\n", "", 1), []),
    ("engine/src/c.h", GUARD + "class A {\n" + LONG.replace("\n", "\n    ").replace("void", "    void", 1).rstrip(" ") +
     "};\n", [(3, "function-length")]),
    ("engine/src/d.h", GUARD + "class A {\n" + "    int a;\n" * 80 + "};\n", []),
    ("tests/unit/b.cc", LONG, []),
    ("engine/src/not_listed.cc", "int x;\n", [(1, "unlisted")]),
    ("engine/src/s.cc", "int x; \n\tint y;\nint z;", [(1, "whitespace"), (2, "whitespace"), (3, "whitespace")]),
    ("docs/operations/metrics.md", "| `known_total` |\n", []),
    ("engine/src/x.cc", 'auto& a = metrics.counter("known_total", "");\nauto& b = metrics.gauge(\n    "unknown_bytes", "");\n',
     [(2, "metric")]),
    ("docs/operations/configuration.md", "| `log.level` |\n", []),
    ("frontend/src/config/schema.cc", '{"log.level", apply, {}},\n{"log.format", apply, {}},\n#include "config/schema.h"\n',
     [(2, "setting")]),
    ("docs/a.md", "[here](a.md) [web](https://example.org) [there](b.md)\n", [(1, "link")]),
    ("engine/src/t.cc", "usleep(1);  // tidy-allow(sleep): a reason\n", []),
    ("engine/src/u.cc", "// tidy-allow(sleep): a reason\nusleep(1);\n", []),
    ("engine/src/v.cc", "usleep(1);  // tidy-allow(sleep):\n", [(1, "sleep")]),
    ("engine/src/w.cc", "usleep(1);  // tidy-allow(clock): the wrong rule\n", [(1, "sleep")]),
]


class HouseRules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        listed = "\n".join(path for path, _, _ in CASES if "not_listed" not in path) + "\n"
        for path, content in [("CMakeLists.txt", listed)] + [case[:2] for case in CASES]:
            path = os.path.join(folder.name, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        subprocess.run(["git", "init", "-q", folder.name], check=True)
        cls.outcome = subprocess.run([sys.executable, HOUSE_RULES, "--root", folder.name], stdout=subprocess.PIPE, text=True,
                                 check=False)
        cls.found = {}
        for line in cls.outcome.stdout.splitlines():
            path, number, rule = line.split(": ")[0].rsplit(":", 1) + [line.split(": ")[1]]
            cls.found.setdefault(path, []).append((int(number), rule))

    def test_each_case(self):
        for path, _, expected in CASES:
            with self.subTest(path):
                self.assertEqual(sorted(self.found.get(path, [])), expected)

    def test_no_finding_elsewhere(self):
        self.assertEqual(set(self.found) - {path for path, _, _ in CASES}, set())

    def test_exit_code_tells(self):
        self.assertEqual(self.outcome.returncode, 1)

    def test_every_rule_has_a_case(self):
        listing = subprocess.run([sys.executable, HOUSE_RULES, "--rules"], stdout=subprocess.PIPE, text=True, check=True)
        rules = {line.split()[0] for line in listing.stdout.splitlines()}
        self.assertEqual(rules, {rule for _, _, expected in CASES for _, rule in expected})


if __name__ == "__main__":
    unittest.main()
