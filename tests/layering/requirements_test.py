#!/usr/bin/env python3
"""The tables of requirements in docs/protocol.md and docs/security.md say what the tests say.

A row is `| DIST-X-NN | what it asks | status | files |`. Each file exists and cites the identifier; a covered row names
one at least; a row that says why nothing covers it names none; and each identifier that a test cites has its row.
"""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop(1))
IDENTIFIER = re.compile(r"DIST-[A-Z]+-\d+")
ROW = re.compile(r"^\| (DIST-[A-Z]+-\d+) \| (.+) \| ([^|]+) \| ([^|]*) ?\|$")
TESTED = ("covered", "in part")  # "in part" goes on with what is missing
UNTESTED = ("remote", "open", "not done")  # the last two go on with the reason
SUFFIXES = (".cc", ".h", ".py", ".txt")


def rows():
    text = (ROOT / "docs/protocol.md").read_text()
    return [ROW.match(line) or line for line in text.splitlines() if line.startswith("| DIST-")]


def cited_by_file():
    found = {}
    for path in sorted((ROOT / "tests").rglob("*")):
        if path.suffix in SUFFIXES and path.is_file() and path != pathlib.Path(__file__).resolve():
            identifiers = set(IDENTIFIER.findall(path.read_text(errors="replace")))
            if identifiers:
                found[str(path.relative_to(ROOT))] = identifiers
    return found


def files_of(row):
    return [name.strip(" `") for name in row[4].split(",") if name.strip(" `")]


class Requirements(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = rows()
        cls.cited = cited_by_file()

    def test_every_row_can_be_read_and_stands_once(self):
        self.assertGreater(len(self.rows), 0)
        self.assertEqual([row for row in self.rows if isinstance(row, str)], [])
        names = [row[1] for row in self.rows]
        self.assertEqual(sorted({name for name in names if names.count(name) > 1}), [])

    def test_every_status_is_known_and_says_why(self):
        for row in self.rows:
            word, _, reason = row[3].strip().partition(": ")
            with self.subTest(row[1]):
                self.assertIn(word, TESTED + UNTESTED)
                self.assertEqual(bool(reason), word in ("in part", "open", "not done"), "a reason stands where one is due")
                self.assertEqual(bool(files_of(row)), word in TESTED, "files stand where a test is claimed")

    def test_every_named_file_cites_its_requirement(self):
        for row in self.rows:
            for name in files_of(row):
                with self.subTest(row[1]):
                    self.assertIn(row[1], self.cited.get(name, set()), f"{name} does not cite it")

    def test_every_cited_requirement_has_a_row(self):
        known = {row[1] for row in self.rows}
        for name, identifiers in self.cited.items():
            with self.subTest(name):
                self.assertEqual(sorted(identifiers - known), [])


class SecurityRequirements(unittest.TestCase):
    """`| SEC-NN | what it asks | files |`: each file exists and cites it."""

    ROW = re.compile(r"^\| (SEC-\d+) \| (.+) \| ([^|]+) \|$")

    def test_every_named_file_cites_its_requirement(self):
        lines = [line for line in (ROOT / "docs/security.md").read_text().splitlines() if line.startswith("| SEC-")]
        self.assertGreater(len(lines), 40)
        for line in lines:
            row = self.ROW.match(line)
            with self.subTest(line[:12]):
                self.assertIsNotNone(row, "the row can be read")
                for name in row[3].split(","):
                    path = ROOT / name.strip(" `")
                    self.assertTrue(path.is_file(), f"{path} is there")
                    self.assertRegex(path.read_text(errors="replace"), rf"\b{row[1]}\b", f"{name} cites it")

    def test_none_stands_twice(self):
        names = re.findall(r"^\| (SEC-\d+) \|", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
        self.assertEqual(sorted(names), sorted(set(names)))


if __name__ == "__main__":
    unittest.main()
