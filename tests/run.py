#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Build in every way and run every suite; scripts/test.sh is the way in.

A suite is one of: meson tests with that suite name; an executable
tests/<suite>/run.sh; fuzz_* or bench_* programs. What a program counted is read
from its output: a line 'N passed, N failed[, N skipped]', cmocka's summary, or
TAP. One that prints none of these counts as one test by its exit code, 77
meaning skipped for the reason on its last line.

Scripts and tests see TP_BUILD (the build directory), TP_TEST_QUICK=1 or
TP_TEST_LONG=1 with --quick or --long, and nothing on standard input.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
JOBS = len(os.sched_getaffinity(0))
SUITES = ["format", "build", "house", "unit", "sim", "vdev", "model", "system", "tsan", "fuzz", "perf"]
QUICK = ["format", "build", "house", "unit", "sim", "vdev"]  # what --quick runs unless asked
SKIP_EXIT = 77

SANITIZE = ["-Db_sanitize=address,undefined", "-Db_lundef=false"]
# name: (what it is, compiler, meson options, ninja targets)
BUILDS = {
    "debug": ("gcc, ASan and UBSan", "gcc",
              ["-Ddebug=true", "-Doptimization=1", "-Db_ndebug=false", *SANITIZE], []),
    "release": ("gcc", "gcc", ["--buildtype=release"], []),
    "clang": ("clang", "clang", ["--buildtype=release"], []),
    "fuzz": ("clang, libFuzzer, ASan and UBSan", "clang",
             ["-Ddebug=true", "-Doptimization=1", "-Db_ndebug=false", "-Dfuzz=enabled", *SANITIZE],
             ["fuzz"]),
}
# Where a suite's programs come from; the sanitizers see what release hides, and
# release has the timing and the optimiser's view.
SUITE_BUILDS = {
    "house": ["debug"],
    "unit": ["debug", "release"],
    "sim": ["debug", "release"],
    "vdev": ["debug"],
    "model": [],
    "system": ["release"],
    "tsan": [],
    "fuzz": ["fuzz"],
    "perf": ["release"],
}

PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
CMOCKA = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) *\] (\d+) test\(s\)", re.M)
TAP = re.compile(r"^(not ok|ok)\b([^\n]*)$", re.M)
SKIP_REASON = re.compile(r"^(?:skip|skipped)\b[: ].*$", re.M | re.I)
# Cases that failed, by name, in what a program printed; a seed of the simulators is one too.
FAILED_CASE = re.compile(r"^(?:not ok\b(?: \d+(?= -))?[ -]*(?P<tap>.+)"
                         r"|\[  FAILED  \] (?P<cmocka>(?!.*test\(s\)).+)"
                         r"|FAILED(?::| ) *(?P<plain>\S.*))$")
CMOCKA_RUN = re.compile(r"^\[ RUN      \] ")
# How much of the failures the end repeats: rows of a case where they are few, and of one of many.
CASE_ROWS, MANY_CASE_ROWS, FEW_CASES, CASES_TOLD, ROW_CHARS = 16, 5, 4, 12, 300
AGAIN = re.compile(r"^ok\b.*# passed at the second run[^\n]*", re.M)
BENCH_FIELDS = {"bench", "case", "value", "unit", "peer", "peer_value", "ratio", "runs"}


def count(text, code):
    """(passed, failed, skipped) of one program's output and exit code."""
    plain, cmocka, tap = PLAIN.findall(text), CMOCKA.findall(text), TAP.findall(text)
    passed = failed = skipped = 0
    if plain:
        passed, failed, skipped = (int(n or 0) for n in plain[-1])
    elif cmocka:
        by_word = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
        for word, n in cmocka:
            by_word[word] += int(n)
        passed, failed, skipped = by_word["PASSED"], by_word["FAILED"], by_word["SKIPPED"]
    elif tap:
        failed = sum(word == "not ok" for word, _ in tap)
        skipped = sum(word == "ok" and "# skip" in rest.lower() for word, rest in tap)
        passed = len(tap) - failed - skipped
    elif code == SKIP_EXIT:
        skipped = 1
    elif code == 0:
        passed = 1
    if code not in (0, SKIP_EXIT) and failed == 0:
        failed = 1
    if passed + failed + skipped == 0:
        failed = 1  # it says that it ran nothing
    return passed, failed, skipped


def failed_cases(text):
    """[(name, first rows of its diagnostics)] of what failed in a program's output."""
    rows, cases, run_at = text.splitlines(), [], 0
    for i, row in enumerate(rows):
        if CMOCKA_RUN.match(row):
            run_at = i + 1
        found = FAILED_CASE.match(row)
        if not found:
            continue
        if found["cmocka"]:  # it told why before
            rest = [r for r in rows[run_at:i] if r.strip()]
        else:
            rest = rows[i + 1:i + 1 + CASE_ROWS]
            rest = rest[:next((n for n, r in enumerate(rest) if not r.startswith((" ", "#"))),
                              len(rest))]
        name = (found["tap"] or found["cmocka"] or found["plain"]).strip()
        if name not in (n for n, _ in cases):
            cases.append((name, [r.strip("# ") for r in rest[:CASE_ROWS]]))
    return cases or [("", [r.strip() for r in rows if r.strip()][-CASE_ROWS:])]


def stop_group(process):
    """End what a program started with it; scripts get the time to clean up."""
    for sig, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        try:
            os.killpg(process.pid, sig)
            process.wait(patience)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def execute(command, log, env=None, timeout=900):
    """Run a program with its output in the file log; its exit code, or 124 on time-out."""
    with open(log, "wb") as out:
        process = subprocess.Popen([str(c) for c in command], cwd=TOP, env=env, stdout=out,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            stop_group(process)
            out.write(f"\nstopped: no end after {timeout} s\n".encode())
            return 124
        except BaseException:
            stop_group(process)
            raise


class Runner:
    def __init__(self, options):
        self.options = options
        self.passed = self.failed = self.skipped = 0
        self.again = 0  # of the passed ones, at the second run only
        self.failures = []  # (suite and program, case, rows)
        self.built = {}

    # -- reporting

    def line(self, suite, name, seconds, counts, text="", log=None):
        passed, failed, skipped = counts
        self.passed, self.failed, self.skipped = (
            self.passed + passed, self.failed + failed, self.skipped + skipped)
        again = len(AGAIN.findall(text))
        self.again += again
        words = [f"{n} {word}" for n, word in
                 ((passed, "passed"), (failed, "FAILED"), (skipped, "skipped"),
                  (again, "of them at the SECOND RUN")) if n]
        print(f"{suite:7} {name:44} {seconds:6.1f} s  {', '.join(words)}", flush=True)
        if failed:
            self.failures += [(f"{suite} {name}", *case) for case in failed_cases(text)]
            for row in text.rstrip().splitlines()[-40:]:
                print(f"    | {row}")
            if log:
                print(f"    full log: {log}", flush=True)
            return
        for row in AGAIN.finditer(text):
            print(f"        {row.group(0).strip()}", flush=True)
        if skipped:
            for row in self.skip_reasons(text):
                print(f"        {row}", flush=True)

    def end(self, seconds):
        """What failed once more, at the very end: of a long output often only that is kept."""
        nb_rows = CASE_ROWS if len(self.failures) <= FEW_CASES else MANY_CASE_ROWS
        for where, case, rows in self.failures[:CASES_TOLD]:
            print(f"FAILED: {where}{': ' if case else ''}{case}"[:ROW_CHARS])
            for row in rows[:nb_rows]:
                print(f"    | {row[:ROW_CHARS]}")
        if len(self.failures) > CASES_TOLD:
            print(f"FAILED: {len(self.failures) - CASES_TOLD} more")
        if self.again:
            print(f"{self.again} of those that passed did so at the second run only")
        print(f"{seconds:.0f} s in all; logs in build-*/test-logs/")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)

    @staticmethod
    def skip_reasons(text):
        reasons = [m.group(0).strip() for m in SKIP_REASON.finditer(text)]
        reasons += [rest.strip() for word, rest in TAP.findall(text) if "# skip" in rest.lower()]
        if not reasons:
            reasons = text.strip().splitlines()[-1:]
        return sorted(set(reasons))[:10]

    def program(self, suite, name, command, log, env=None, timeout=900, check=None):
        start = time.monotonic()
        code = execute(command, log, env, timeout)
        text = log.read_text(errors="replace")
        counts = count(text, code)
        if check and code == 0:
            problem = check(text)
            if problem:
                counts, text = (0, 1, 0), problem
        self.line(suite, name, time.monotonic() - start, counts, text, log)
        return counts[1] == 0

    # -- builds

    def directory(self, build):
        return TOP / f"build-{build}"

    def logs(self, build):
        path = self.directory(build) / "test-logs"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def env(self, build=None):
        env = dict(os.environ)
        if build:
            env["TP_BUILD"] = str(self.directory(build))
        for word in ("quick", "long"):
            if getattr(self.options, word):
                env[f"TP_TEST_{word.upper()}"] = "1"
        return env

    def configure(self, build):
        """Set the build directory up, afresh when it was made with other options."""
        _, compiler, options, _ = BUILDS[build]
        directory = self.directory(build)
        command = ["meson", "setup", directory, "-Dwerror=true", "-Dtests=enabled", *options]
        stamp = directory / ".tests-run"
        wanted = f"{compiler} {' '.join(str(c) for c in command)}\n"
        if (directory / "build.ninja").exists() and stamp.exists() and stamp.read_text() == wanted:
            return 0, None
        if (directory / "meson-private").exists():
            command.append("--wipe")
        log = Path(tempfile.mkstemp(prefix="teampmd-setup-")[1])
        code = execute(command, log, dict(os.environ, CC=compiler))
        if code == 0:
            stamp.write_text(wanted)
        kept = self.logs(build) / "setup.log"
        shutil.move(log, kept)
        return code, kept

    def build(self, build):
        if build in self.built:
            return self.built[build]
        start = time.monotonic()
        what, _, _, targets = BUILDS[build]
        code, log = self.configure(build)
        if code == 0:
            log = self.logs(build) / "build.log"
            code = execute(["ninja", "-C", self.directory(build), f"-j{JOBS}", *targets], log)
        text = log.read_text(errors="replace") if code else ""
        text = "\n".join(r for r in text.splitlines() if len(r) < 500)
        self.line("build", f"{build} ({what})", time.monotonic() - start,
                  (int(code == 0), int(code != 0), 0), text, log)
        self.built[build] = code == 0
        return self.built[build]

    # -- suites

    def exists(self, suite):
        """Is there anything of it in the tree?"""
        sources = {"fuzz": "fuzz_*.c", "perf": "bench_*.c"}
        directory = TOP / "tests" / suite
        return suite in ("format", "build") or any(directory.glob(sources.get(suite, "*")))

    def run(self, suite):
        method = getattr(self, f"suite_{suite}", None)
        if method:
            method()
            return
        for build in self.builds_of(suite):
            if self.build(build):
                self.meson_tests(suite, build)
        self.script(suite)

    def builds_of(self, suite):
        builds = SUITE_BUILDS[suite]
        return builds[:1] if self.options.quick else builds

    def suite_format(self):
        files = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=TOP, capture_output=True,
                               text=True, check=False).stdout.split()
        if not files:
            files = [str(p.relative_to(TOP)) for d in ("app", "drivers", "lib", "tests")
                     for p in (TOP / d).rglob("*.[ch]")]
        log = self.logs("debug") / "format.log"
        self.program("format", f"clang-format on {len(files)} files",
                     ["clang-format", "--dry-run", "-Werror", *files], log)

    def suite_build(self):
        for build in ("debug",) if self.options.quick else ("debug", "release", "clang"):
            self.build(build)

    def meson_tests(self, suite, build):
        directory = self.directory(build)
        tests = json.loads(subprocess.run(["meson", "introspect", "--tests", directory],
                                          capture_output=True, check=True).stdout)
        if not any(suite == s.split(":")[-1] for t in tests for s in t["suite"]):
            return
        results = directory / "meson-logs" / f"{suite}.json"
        results.unlink(missing_ok=True)
        multiplier = 40 if self.options.long else 4 if build == "debug" else 2
        log = self.logs(build) / f"{suite}-meson.log"
        code = execute(["meson", "test", "-C", directory, "--no-rebuild", "--suite", suite,
                        "--num-processes", JOBS, "--timeout-multiplier", multiplier,
                        "--logbase", suite], log, self.env(build), timeout=6 * 3600)
        if not results.exists():
            self.line(suite, f"{build}: meson test", 0, (0, 1, 0), log.read_text(), log)
            return
        failed_before = self.failed
        for row in results.read_text().splitlines():
            self.meson_result(suite, build, json.loads(row))
        if code and self.failed == failed_before:
            self.line(suite, f"{build}: meson test", 0, (0, 1, 0), log.read_text(), log)

    def meson_result(self, suite, build, result):
        name = result["name"].split(" / ")[-1]
        text = "\n".join(result.get(s) or "" for s in ("stdout", "stderr"))
        code = result["returncode"]
        if result["result"] == "TIMEOUT":
            code, text = 124, text + "\nstopped: time-out"
        elif result["result"] in ("FAIL", "ERROR") and code == 0:
            code = 1
        log = self.logs(build) / f"{name}.log"
        log.write_text(text)
        self.line(suite, f"{build}: {name}", result["duration"], count(text, code), text, log)

    def script(self, suite):
        script = TOP / "tests" / suite / "run.sh"
        if not script.exists():
            return
        builds = self.builds_of(suite)[:1]
        if builds and not self.build(builds[0]):
            return
        log = self.logs(builds[0] if builds else "debug") / f"{suite}.log"
        self.program(suite, f"tests/{suite}/run.sh", ["bash", script], log,
                     self.env(builds[0] if builds else None),
                     timeout=4 * 3600 if self.options.long else 1200)

    def suite_fuzz(self):
        if not self.build("fuzz"):
            return
        fuzzers = sorted(p for p in (self.directory("fuzz") / "tests/fuzz").glob("fuzz_*")
                         if p.is_file() and os.access(p, os.X_OK))
        with ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(self.fuzz_one, fuzzers))

    def fuzz_one(self, fuzzer):
        seconds = 600 if self.options.long else 20
        logs = self.logs("fuzz")
        found = logs / f"{fuzzer.name}-corpus"
        found.mkdir(exist_ok=True)
        seeds = TOP / "tests/fuzz/corpus" / fuzzer.name.removeprefix("fuzz_")
        corpora = [found, seeds] if seeds.is_dir() else [found]
        lsan = f"print_suppressions=0:suppressions={TOP}/tests/lsan.supp"
        env = dict(self.env("fuzz"), LSAN_OPTIONS=lsan, UBSAN_OPTIONS="print_stacktrace=1")
        self.program("fuzz", f"{fuzzer.name}, {seconds} s",
                     [fuzzer, f"-max_total_time={seconds}", "-rss_limit_mb=4096", "-timeout=10",
                      f"-artifact_prefix={logs}/{fuzzer.name}-", *corpora],
                     logs / f"{fuzzer.name}.log", env, timeout=seconds + 120)

    def suite_perf(self):
        if not self.build("release"):
            return
        for bench in sorted((self.directory("release") / "tests/perf").glob("bench_*")):
            if bench.is_file() and os.access(bench, os.X_OK):
                self.bench_one(bench)
        self.script("perf")

    def bench_one(self, bench):
        """Does it run, and is each line on its stdout what scripts/bench.sh promises?"""
        log = self.logs("release") / f"{bench.name}.log"
        lines = log.with_suffix(".json")
        self.program("perf", f"{bench.name} --quick",
                     ["sh", "-c", '"$1" --quick >"$2"', "sh", bench, lines], log,
                     self.env("release"), timeout=300, check=lambda _: bad_json(lines))


def bad_json(path):
    """What is wrong with a bench's output, or None."""
    rows = path.read_text().splitlines()
    for row in rows:
        try:
            missing = BENCH_FIELDS - json.loads(row).keys()
        except (ValueError, AttributeError):
            return f"not a JSON object: {row[:200]}"
        if missing:
            return f"no {', '.join(sorted(missing))} in: {row[:200]}"
    return None if rows else "it printed no result"


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/test.sh", description="Build and test teampmd.")
    parser.add_argument("--quick", action="store_true",
                        help=f"one build (sanitizers); only {', '.join(QUICK)} unless named")
    parser.add_argument("--long", action="store_true", help="add soaks, long fuzzing, more seeds")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of: {' '.join(SUITES)}")
    options = parser.parse_args()
    for suite in options.suites:
        if suite not in SUITES:
            parser.error(f"no suite '{suite}'; there are: {' '.join(SUITES)}")
    return options


def main():
    options = parse_arguments()
    runner = Runner(options)
    start = time.monotonic()
    for suite in options.suites or (QUICK if options.quick else SUITES):
        if runner.exists(suite):
            runner.run(suite)
    runner.end(time.monotonic() - start)
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
