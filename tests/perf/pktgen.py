# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Tests of scripts/pktgen.sh; see run.sh."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "scripts/pktgen"), str(TOP / "tests")]

from run import SKIP_EXIT, bad_json  # noqa: E402
from search import Search, Trial  # noqa: E402

SCRIPT = TOP / "scripts/pktgen.sh"


class Device:
    """Carries `capacity` frames a second, and now and then loses one by bad luck."""

    def __init__(self, capacity, luck=1.0, seed=1):
        self.capacity, self.luck, self.random = capacity, luck, random.Random(seed)
        self.asked = []

    def __call__(self, pps):
        self.asked.append(pps)
        lost = max(0, round(pps - self.capacity))
        if not lost and self.random.random() > self.luck:
            lost = 1
        return Trial(pps, round(pps), lost, 1.0)


def search(device, low=1e3, high=1e7, resolution=0.05, confirm=2, tolerance=0.0):
    return Search(device, low, high, resolution, confirm, tolerance).run()


class TheSearch(unittest.TestCase):
    def test_finds_the_capacity_within_the_resolution(self):
        for capacity in (1001, 54321, 1e6, 9.9e6):
            device = Device(capacity)
            found = search(device)
            self.assertLessEqual(found.best.asked_pps, capacity)
            self.assertGreater(found.best.asked_pps, capacity / 1.05 - 1)
            self.assertGreater(found.first_loss.asked_pps, capacity)
            self.assertLess(found.first_loss.asked_pps, capacity * 1.05 + 1)
            self.assertFalse(found.at_max)
            self.assertEqual(found.runs, len(device.asked))
            self.assertEqual(device.asked[-2:], [found.best.asked_pps] * 2)

    def test_all_is_carried(self):
        found = search(Device(1e9))
        self.assertTrue(found.at_max)
        self.assertEqual(found.best.asked_pps, 1e7)
        self.assertIsNone(found.first_loss)
        self.assertEqual(found.runs, 3)

    def test_nothing_is_carried(self):
        found = search(Device(10))
        self.assertIsNone(found.best)
        self.assertEqual(found.first_loss.asked_pps, 1e3)

    def test_the_lowest_rate_alone_is_carried(self):
        self.assertEqual(search(Device(1e3)).best.asked_pps, 1e3)

    def test_luck_does_not_pass(self):
        """The rate found has passed once, and then the confirming trials in a row."""
        for seed in range(50):
            device = Device(1e6, luck=0.6, seed=seed)
            found = search(device, confirm=3)
            if found.best:
                self.assertEqual(device.asked[-3:], [found.best.asked_pps] * 3)
                self.assertGreaterEqual(device.asked.count(found.best.asked_pps), 4)
                self.assertLessEqual(found.best.asked_pps, 1e6)

    def test_ends_when_nothing_is_sure(self):
        found = search(Device(1e6, luck=0.0))
        self.assertIsNone(found.best)

    def test_tolerance(self):
        self.assertGreater(search(Device(1e6), tolerance=10).best.asked_pps, 1.05e6)

    def test_a_trial_without_frames_is_no_pass(self):
        self.assertFalse(Trial(1, 0, 0, 1.0).passed(100))
        self.assertEqual(Trial(100, 75, 0, 1.0, missed=25).missed_percent, 25)

    def test_limits(self):
        for bad in ({"low": 0}, {"low": 2e7}, {"resolution": 0}, {"confirm": -1}):
            with self.assertRaises(ValueError):
                search(Device(1), **bad)


class CommandLine(unittest.TestCase):
    def test_refusals(self):
        for args, word in ((["--sizes", "63"], "63"), (["--sizes", "1519"], "1519"),
                           (["--direction", "up"], "up"), (["--members", "0"], "0"),
                           (["--min", "5", "--max", "4"], "--min 5"), (["--trial", "-1"], "-1"),
                           (["--attach", "/x"], "--control-socket"), (["--nonsense"], "nonsense")):
            done = subprocess.run([SCRIPT, *args], capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL, timeout=60)
            self.assertEqual(done.returncode, 2, args)
            self.assertEqual(done.stdout, "")
            self.assertIn(word, done.stderr)


def ours(directory):
    """Processes that have something of this directory on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(directory).encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


class AgainstATeam(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="tp-pktgen-test-")
        self.addCleanup(self.directory.cleanup)
        self.env = dict(os.environ, TMPDIR=self.directory.name)

    def assert_clean(self):
        self.assertEqual(ours(self.directory.name), [])
        self.assertEqual(list(Path(self.directory.name).iterdir()), [])

    def lines(self, *args):
        out = Path(self.directory.name) / "out"
        with out.open("w") as stdout:
            done = subprocess.run([SCRIPT, *args], stdout=stdout, stderr=subprocess.PIPE, text=True,
                                  env=self.env, stdin=subprocess.DEVNULL, check=False, timeout=240)
        if done.returncode == SKIP_EXIT:
            self.skipTest(done.stderr.strip().splitlines()[-1])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIsNone(bad_json(out))
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        out.unlink()
        self.assert_clean()
        return lines

    def test_quick(self):
        lines = self.lines("--quick", "--min", "500")
        self.assertEqual([line["case"] for line in lines], ["tx-64-m2", "tx-imix-m2"])
        for line in lines:
            self.assertGreater(line["value"], 0)
            self.assertEqual(line["lost"], 0)
            self.assertEqual(line["reordered"], 0)
            self.assertEqual(line["duplicated"], 0)
            self.assertGreater(min(line["shares"]), 0.3)
            self.assertAlmostEqual(sum(line["shares"]), 1, places=2)
            self.assertEqual(line["shares"], line["shares_by_team"])
            self.assertGreater(line["latency_us"]["p50"], 0)

    def test_towards_the_host(self):
        line, = self.lines("--quick", "--no-peer", "--sizes", "128", "--direction", "rx",
                           "--min", "500", "--team-role", "client", "--members", "3")
        self.assertEqual(line["case"], "rx-128-m3")
        self.assertGreater(line["value"], 0)
        self.assertIsNone(line["peer"])

    def test_a_signal_leaves_nothing(self):
        run = subprocess.Popen([SCRIPT, "--no-peer", "--trial", "5"], env=self.env, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
        with run:
            for line in run.stderr:
                if "skipped" in line:
                    self.skipTest(line.strip())
                if "team tx-64" in line:
                    break
            time.sleep(0.5)
            self.assertGreaterEqual(len(ours(self.directory.name)), 2)
            run.send_signal(signal.SIGTERM)
            self.assertEqual(run.wait(30), 128 + signal.SIGTERM)
        self.assert_clean()


class Result(unittest.TextTestResult):
    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped: {test.id()}: {reason}", flush=True)


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    outcome = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    bad, skipped = len(outcome.failures) + len(outcome.errors), len(outcome.skipped)
    print(f"{outcome.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    sys.exit(1 if bad else 0)
