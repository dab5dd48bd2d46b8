#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Run the rows: each starts the daemon on virtual ports and compares what comes out.

A row is a function that takes a directory for its files. Its module lists it in
ROWS as (name, function). Rows run side by side: nothing in them has a fixed name.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness
import rows_bonding
import rows_config
import rows_lcores
import rows_limits
import rows_matrix
import rows_offload
import rows_ports
import sides

MODULES = [rows_ports, rows_matrix, rows_bonding, rows_config, rows_offload, rows_limits,
           rows_lcores]
JOBS = int(os.environ.get("TP_VDEV_JOBS", "3"))


class Started:
    """Every program that a row starts is ended with it, however it ends."""

    def __init__(self):
        self.programs = {}
        start = harness.Program.__init__

        def note(program, tmp, *args, **kwargs):
            start(program, tmp, *args, **kwargs)
            self.programs.setdefault(tmp, []).append(program)

        harness.Program.__init__ = note

    def end(self, tmp):
        for program in self.programs.pop(tmp, []):
            program.kill()

    def end_all(self):
        for tmp in list(self.programs):
            self.end(tmp)
        sides.Namespace.remove_all()


def run_row(started, top, name, row):
    """(name, word, text, seconds)"""
    tmp = Path(tempfile.mkdtemp(dir=top))
    begin = time.monotonic()
    word, text = "ok", ""
    try:
        row(tmp)
    except harness.Skip as why:
        word, text = "skip", str(why)
    except Exception as why:  # pylint: disable=broad-except
        word, text = "FAILED", f"{type(why).__name__}: {why}\n{traceback.format_exc()}"
        for log in sorted(tmp.glob("*.log")):
            text += f"--- {log.name}\n" + log.read_text(errors="replace")[-3000:]
    finally:
        started.end(tmp)
    shutil.rmtree(tmp, ignore_errors=True)
    return name, word, text, time.monotonic() - begin


def report(name, word, text, seconds):
    print(f"{word:6} {name:44} {seconds:5.1f} s", flush=True)
    if word == "skip":
        print(f"    skipped: {name}: {text}", flush=True)
    for line in text.splitlines() if word == "FAILED" else []:
        print(f"    {line}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="tests/vdev/run.sh")
    parser.add_argument("-l", action="store_true", help="list the rows")
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows with this in their name")
    options = parser.parse_args()
    rows = [(name, row) for module in MODULES for name, row in module.ROWS
            if not options.names or any(part in name for part in options.names)]
    if options.l:
        print("\n".join(name for name, _ in rows))
        return 0
    words = []
    started = Started()
    signal.signal(signal.SIGTERM, lambda *_: (started.end_all(), os._exit(143)))
    with tempfile.TemporaryDirectory(prefix="tp-vdev-", ignore_cleanup_errors=True) as top:
        harness.keep_runtime_in(top)
        with ThreadPoolExecutor(JOBS) as pool:
            for done in pool.map(lambda row: run_row(started, top, *row), rows):
                report(*done)
                words.append(done[1])
    started.end_all()
    failed = words.count("FAILED")
    print(f"{words.count('ok')} passed, {failed} failed, {words.count('skip')} skipped")
    return 1 if failed or not words else 0


if __name__ == "__main__":
    sys.exit(main())
