# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Tests of tests/run.py and scripts/*.sh; see run.sh."""

import contextlib
import io
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests"))
sys.dont_write_bytecode = True

import run  # noqa: E402


def script(name, *args):
    return subprocess.run([TOP / "scripts" / name, *args], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False, timeout=120)


class Count(unittest.TestCase):
    def test_plain_line(self):
        self.assertEqual(run.count("x\n3 passed, 0 failed, 2 skipped\n", 0), (3, 0, 2))
        self.assertEqual(run.count("3 passed, 1 failed\n", 1), (3, 1, 0))

    def test_the_last_plain_line_counts(self):
        text = "1 passed, 0 failed, 0 skipped\n9 passed, 0 failed, 1 skipped\n"
        self.assertEqual(run.count(text, 0), (9, 0, 1))

    def test_cmocka_groups_add_up(self):
        text = ("[==========] Running 3 test(s).\n[       OK ] a\n[  FAILED  ] b\n"
                "[  PASSED  ] 2 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n"
                "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] b\n\n 1 FAILED TEST(S)\n"
                "[  PASSED  ] 4 test(s).\n")
        self.assertEqual(run.count(text, 1), (6, 1, 1))

    def test_tap(self):
        text = "1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no root\n"
        self.assertEqual(run.count(text, 1), (1, 1, 1))

    def test_silent_programs_count_by_exit_code(self):
        self.assertEqual(run.count("", 0), (1, 0, 0))
        self.assertEqual(run.count("no spin\n", 77), (0, 0, 1))
        self.assertEqual(run.count("", 124), (0, 1, 0))

    def test_a_bad_exit_is_never_a_pass(self):
        self.assertEqual(run.count("[  PASSED  ] 5 test(s).\nASan: leak\n", 1), (5, 1, 0))
        self.assertEqual(run.count("5 passed, 0 failed, 0 skipped\n", 139), (5, 1, 0))

    def test_running_nothing_is_a_failure(self):
        self.assertEqual(run.count("0 passed, 0 failed, 0 skipped\n", 0), (0, 1, 0))


class Failures(unittest.TestCase):
    def test_tap(self):
        text = "ok - a\nnot ok - b: c\n    # # why\n    # where\nok - d\nnot ok 4 - e\n"
        self.assertEqual(run.failed_cases(text), [("b: c", ["why", "where"]), ("e", [])])

    def test_cmocka(self):
        text = ("[ RUN      ] a\nnoise\n[       OK ] a\n[ RUN      ] b\n"
                "[  ERROR   ] --- 0x1 != 0x2\n[   LINE   ] --- x.c:3: error: Failure!\n"
                "[  FAILED  ] b\n[  FAILED  ] tests: 1 test(s), listed below:\n"
                "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] b\n")
        rows = ["[  ERROR   ] --- 0x1 != 0x2", "[   LINE   ] --- x.c:3: error: Failure!"]
        self.assertEqual(run.failed_cases(text), [("b", rows)])

    def test_a_seed(self):
        text = "FAILED: sim_x --seed 3  # why\n7 segments\n"
        self.assertEqual(run.failed_cases(text), [("sim_x --seed 3  # why", [])])

    def test_what_names_none_tells_its_last_rows(self):
        text = "".join(f"row {i}\n" for i in range(50)) + "Segmentation fault\n"
        (name, rows), = run.failed_cases(text)
        self.assertEqual((name, rows[-1], len(rows)), ("", "Segmentation fault", run.CASE_ROWS))

    def report(self, *lines):
        runner = run.Runner(None)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            for line in lines:
                runner.line(*line)
            runner.end(1)
        return out.getvalue().splitlines()

    def test_the_end_repeats_them(self):
        noise = "".join(f"ok - {i}\n" for i in range(100))
        text = "not ok - first\n    # " + "x" * 5000 + "\n" + noise
        rows = self.report(("system", "run.sh", 1, (100, 1, 0), text))
        self.assertEqual(rows[-4], "FAILED: system run.sh: first")
        self.assertLess(max(len(row) for row in rows[-4:]), 2 * run.ROW_CHARS)
        self.assertEqual(rows[-1], "100 passed, 1 failed, 0 skipped")

    def test_few_failures_tell_more_rows(self):
        text = "not ok - one\n" + "    # why\n" * 50
        for names, told in (["a"], run.CASE_ROWS), ("abcdef", run.MANY_CASE_ROWS):
            rows = self.report(*((("system", name, 1, (0, 1, 0), text)) for name in names))
            end = next(i for i, row in enumerate(rows) if row.startswith("FAILED: "))
            self.assertEqual(sum(row == "    | why" for row in rows[end:]), told * len(names))

    def test_the_end_is_bounded(self):
        text = "".join(f"not ok - case {i}\n" + "    # why\n" * 50 for i in range(200))
        rows = self.report(("unit", "x", 1, (0, 200, 0), text))
        end = next(i for i, row in enumerate(rows) if row.startswith("FAILED: "))
        self.assertLess(len(rows) - end, 80)
        self.assertIn("188 more", rows[-3])

    def test_a_second_run_is_told_and_counted(self):
        rows = self.report(("system", "run.sh", 1, (2, 0, 0),
                            "ok - a\nok - b # passed at the second run; first: why\n"))
        self.assertIn("1 of them at the SECOND RUN", rows[0])
        self.assertIn("first: why", rows[1])
        self.assertEqual(rows[2], "1 of those that passed did so at the second run only")


class Execute(unittest.TestCase):
    def test_time_out_ends_the_whole_group(self):
        with tempfile.TemporaryDirectory() as directory:
            log, witness = Path(directory) / "log", Path(directory) / "witness"
            code = run.execute(
                ["sh", "-c", f"trap 'echo cleaned >{witness}; exit 1' TERM; sleep 60 & wait"],
                log, timeout=0.5)
            self.assertEqual(code, 124)
            self.assertEqual(witness.read_text(), "cleaned\n")
            self.assertIn("stopped", log.read_text())

    def test_exit_code_and_output(self):
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "log"
            self.assertEqual(run.execute(["sh", "-c", "echo a; echo b >&2; exit 3"], log), 3)
            self.assertEqual(log.read_text(), "a\nb\n")


class BenchOutput(unittest.TestCase):
    GOOD = {"bench": "b", "case": "c", "value": 1, "unit": "us", "peer": None,
            "peer_value": None, "ratio": None, "runs": 3}

    def check(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            f.write(text)
            f.flush()
            return run.bad_json(Path(f.name))

    def test_good(self):
        self.assertIsNone(self.check(json.dumps(self.GOOD) + "\n"))

    def test_bad(self):
        short = {k: v for k, v in self.GOOD.items() if k != "unit"}
        self.assertIn("unit", self.check(json.dumps(self.GOOD) + "\n" + json.dumps(short) + "\n"))
        self.assertIn("not a JSON object", self.check("hello\n"))
        self.assertIn("not a JSON object", self.check("[1]\n"))
        self.assertIn("no result", self.check(""))


class Scripts(unittest.TestCase):
    def refused(self, name, argument, word):
        done = script(name, argument)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn(argument.removeprefix("bench_"), done.stderr)
        self.assertIn(word, done.stderr)

    def test_setup_is_silent_when_all_is_there(self):
        done = script("setup.sh", "--quiet")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_all_tell_their_usage(self):
        for name, word in (("setup.sh", "--list"), ("bench.sh", "spread"), ("test.sh", "--long"),
                           ("quickstart.sh", "--serve"), ("pktgen.sh", "--sizes")):
            done = script(name, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            self.assertRegex(done.stdout, "(?i)usage: scripts/" + name)
            self.assertIn(word, done.stdout, name)

    def test_unknown_arguments(self):
        self.refused("setup.sh", "--nonsense", "--list")
        self.refused("bench.sh", "nonsense", "there are:")
        self.refused("bench.sh", "--nonsense", "usage")
        self.refused("test.sh", "nonsense", "unit")


@unittest.skipUnless("TP_BUILD" in os.environ, "no build directory given in TP_BUILD")
class Service(unittest.TestCase):
    """What systemd would see: scripts/test.sh gives the build directory."""

    def test_install_has_all_that_the_unit_names(self):
        with tempfile.TemporaryDirectory() as directory:
            env = dict(os.environ, DESTDIR=directory)
            subprocess.run(["meson", "install", "-C", os.environ["TP_BUILD"], "--no-rebuild"],
                           env=env, capture_output=True, check=True, timeout=120)
            root = Path(directory)
            found = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
            unit = (root / "usr/local/lib/systemd/system/teampmd.service").read_text()
        program = re.search(r"^ExecStart=/(\S+)", unit, re.M).group(1)
        self.assertIn(program, found)
        self.assertLessEqual({"usr/local/bin/teamctl", "usr/local/share/man/man8/teampmd.8",
                              "usr/local/share/man/man8/teamctl.8",
                              "usr/local/share/teampmd/teampmd.conf"}, found)

    def test_daemon_notifies_feeds_and_stops(self):
        name = f"tp-house-{os.getpid()}"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind("\0" + name)
        manager.settimeout(10)
        env = dict(os.environ, NOTIFY_SOCKET="@" + name, WATCHDOG_USEC="400000")
        with tempfile.TemporaryDirectory() as directory, manager:
            daemon = subprocess.Popen(
                [Path(os.environ["TP_BUILD"]) / "app/teampmd", "--no-huge", "-m", "256",
                 "--no-pci", "--no-telemetry", "--file-prefix", name, "--vdev", "net_null0",
                 "--vdev", "net_null1", "--vdev", "net_ring0", "--", "--host", "net_ring0",
                 "--control-socket", f"{directory}/control"],
                env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            try:
                self.assertEqual(manager.recv(100), b"READY=1")
                for _ in range(3):
                    self.assertEqual(manager.recv(100), b"WATCHDOG=1")
                daemon.send_signal(signal.SIGTERM)
                last = b"WATCHDOG=1"
                while last == b"WATCHDOG=1":
                    last = manager.recv(100)
                self.assertEqual(last, b"STOPPING=1")
                self.assertEqual(daemon.wait(15), 0)
            finally:
                daemon.kill()
                daemon.wait()


@unittest.skipUnless("TP_BUILD" in os.environ, "no build directory given in TP_BUILD")
@unittest.skipUnless(platform.machine() == "x86_64", "not an x86-64 machine")
class Baseline(unittest.TestCase):
    """The program starts on any CPU that DPDK itself needs: SSE4.2, and no more. What is wider
    stands in objects of its own, which are chosen at run time."""
    WIDE_OBJECTS = re.compile(r"_avx\w+\.a\.p/")
    # VEX and EVEX (all begin with v, like verr and verw), masks, BMI.
    WIDE = re.compile(r"^\s+[0-9a-f]+:\s+(v(?!er[rw]\b)[a-z0-9]+|k(?:mov|and|or|not|xor|xnor|test"
                      r"|shift|unpck|add)\w*|andn|bextr|bls\w+|bzhi|mulx|pdep|pext|rorx|sarx|shlx"
                      r"|shrx|lzcnt|gf2p8\w+)\s", re.M)

    def wide(self, path):
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True,
                              text=True, check=True, timeout=120).stdout
        return sorted(set(self.WIDE.findall(text)))

    def test_only_chosen_objects_are_wide(self):
        build = Path(os.environ["TP_BUILD"])
        objects = [p for d in ("lib", "drivers", "app") for p in (build / d).rglob("*.o")]
        wide = {str(p.relative_to(build)): found for p in objects if (found := self.wide(p))}
        chosen = [p for p in wide if self.WIDE_OBJECTS.search(p)]
        self.assertGreater(len(objects), 100)
        self.assertGreaterEqual(len(chosen), 4, "the check finds no wide instruction where they are")
        self.assertEqual({p: f for p, f in wide.items() if p not in chosen}, {})


class Docs(unittest.TestCase):
    CLAIMS = [*(f"A{n}" for n in range(1, 11)), "A23", *(f"B{n}" for n in range(1, 10)), "B11"]

    def claims(self):
        """The rows of docs/claims.md: id, what, claims, function, test."""
        rows = [[c.strip() for c in line.split("|")[1:-1]]
                for line in (TOP / "docs/claims.md").read_text().splitlines()]
        return [row for row in rows if row and re.fullmatch(r"[AB]\d+", row[0])]

    @staticmethod
    def sources(*directories):
        return {str(path.relative_to(TOP)): path.read_text(errors="replace")
                for directory in directories for path in (TOP / directory).rglob("*")
                if path.is_file() and path.suffix in (".c", ".h", ".py", ".sh", ".pml")}

    def test_claims_are_all_there(self):
        self.assertEqual([row[0] for row in self.claims()], self.CLAIMS)
        for row in self.claims():
            self.assertEqual(len(row), 5, row)
            self.assertTrue(all(row), row)

    def test_claims_name_functions(self):
        """Each `function` is defined in the product, each `CONSTANT` is in it."""
        product = "\n".join(self.sources("lib", "drivers", "app").values())
        for row in self.claims():
            names = re.findall(r"`([^`]+)`", row[3])
            self.assertTrue(names, row)
            for name in names:
                word = rf"\b{name}\b" if name.isupper() else rf"^{name}\("
                if not re.search(word, product, re.M):  # the message must not quote the tree
                    self.fail(f"{row[0]}: no function is called {name}")

    def test_claims_name_tests(self):
        """Each test's file or directory exists; what stands in backquotes behind it is in it."""
        tree = self.sources("tests")
        for row in self.claims():
            files = re.findall(r"`(tests/[^`]+)`((?:[^`;]*`(?!tests/)[^`]+`)*)", row[4])
            self.assertTrue(files, row)
            for path, behind in files:
                self.assertTrue((TOP / path).exists(), f"{row[0]}: no {path}")
                for name in re.findall(r"`([^`]+)`", behind):
                    if not re.search(rf"\b{re.escape(name)}\b", tree.get(path, "")):
                        self.fail(f"{row[0]}: {path} has no {name}")

    # What lib/tcp is to do; 3042 is limited transmit.
    RFCS = (2018, 2883, 3042, 3168, 4821, 4987, 5482, 5927, 5961, 6056, 6191, 6298, 6528, 6582,
            6675, 6928, 6937, 7323, 8985, 9293, 9438)

    def test_each_rfc_of_tcp_has_its_own_test_file(self):
        """The first comment of a test file begins with the RFC that it is about."""
        heads = [re.match(r"/\*.*?\*/\n\n/\* RFC (\d+)\b", path.read_text(), re.S)
                 for path in sorted((TOP / "tests/unit").glob("test_tcp_*.c"))]
        missing = set(self.RFCS) - {int(head.group(1)) for head in heads if head}
        self.assertEqual(missing, set())

    @staticmethod
    def musts(text):
        """Numbers that are named: MUST-3, MUST-54..56, but not (MUST-3, 68): too loose to find."""
        return {n for first, last in re.findall(r"\bMUST-(\d+)(?:\.\.(\d+))?", text)
                for n in range(int(first), int(last or first) + 1)}

    def test_each_must_of_rfc_9293_has_a_test(self):
        """By its number in appendix B, or docs/tcp.md says in the same row that it is not done."""
        tests = "\n".join(path.read_text() for path in (TOP / "tests/unit").glob("*.c"))
        undone = self.musts("\n".join(
            line for line in (TOP / "docs/tcp.md").read_text().splitlines() if "not done" in line))
        self.assertEqual(set(range(1, 70)) - self.musts(tests) - undone, set())
        self.assertEqual(self.musts(tests) & undone, set(), "done, but the page says no")
        self.assertLessEqual(len(undone), 5)

    def test_map_of_tests_names_what_exists(self):
        """tests/README.md: each `suite/file` exists, each name behind it is in that file."""
        tree, rows = self.sources("tests"), 0
        for line in (TOP / "tests/README.md").read_text().splitlines():
            for path, behind in re.findall(r"`((?:unit|vdev|system)/[^`]+)`((?:[^`;]*`\w+`)*)", line):
                rows += 1
                self.assertTrue(f"tests/{path}" in tree, f"no tests/{path}")
                for name in re.findall(r"`(\w+)`", behind):
                    if not re.search(rf"\b{name}\b", tree[f"tests/{path}"]):
                        self.fail(f"{path} has no {name}")
        self.assertGreater(rows, 30)

    def test_man_page_of_teamctl_has_the_options(self):
        source = (TOP / "app/teamctl/teamctl.c").read_text()
        page = (TOP / "docs/man/teamctl.8.scd").read_text()
        options = set(re.findall(r'\{ "([a-z-]+)", \w+_argument', source))
        self.assertGreater(len(options), 2)
        self.assertEqual(options, set(re.findall(r"\*--([a-z-]+)\*", page)))

    def test_man_page_has_the_options(self):
        source = (TOP / "app/teampmd/args.c").read_text()
        table = re.search(r"long_options\[\] = \{(.*?)\n\};", source, re.S).group(1)
        usage = re.search(r"usage_text\[\] =(.*?);\n", source, re.S).group(1)
        page = (TOP / "docs/man/teampmd.8.scd").read_text()
        options = set(re.findall(r'\{ "([a-z-]+)"', table))
        self.assertGreater(len(options), 10)
        own = page[page.index("Then:"):page.index("# COMMANDS")]
        self.assertEqual(options, set(re.findall(r"\*--([a-z-]+)\*", own)))
        self.assertEqual(options, set(re.findall(r"[ \"]--([a-z-]+)\b", usage))
                         - {"vdev", "lcores", "file-prefix"})

    def test_local_links_lead_somewhere(self):
        for page in [*TOP.glob("*.md"), *TOP.glob("docs/*.md"), TOP / "tests/README.md"]:
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
                if "://" not in target:
                    self.assertTrue((page.parent / target).exists(), f"{page}: {target}")


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    bad = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    sys.stderr.flush()
    print(f"{result.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    sys.exit(1 if bad else 0)
