# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Pktgen-DPDK as generator and sink, through trials.lua."""

import json
import os
import pty
import select
import threading
import time
from pathlib import Path

from loadgen import OTHER_ROLE, details_of, wait_up
from procs import Failure, Process, eal, memif
from search import Trial

HERE = Path(__file__).resolve().parent
START_S = 90  # it fills gigabytes of packets first
MB_PER_PORT = 2048
SETTLE_MS = 1500  # its counters are brought up to date once a second
TRIAL_MS = 2000  # at each start it writes all its packets anew before it sends one
ATTEMPTS = 3  # on a busy machine that may take the whole trial


class Pktgen:
    name = "Pktgen-DPDK"
    directions = ("tx",)

    def __init__(self, options, directory, prefix, cpus, target):
        self.options, self.target = options, target
        nb_ports = target.nb_members + 1
        self.paths = directory / f"pktgen-{target.nb_members}.in", directory / "pktgen.out"
        for path in self.paths:
            path.unlink(missing_ok=True)
            os.mkfifo(path)
        cpu = cpus.generator
        command = [options.pktgen, *eal(f"{prefix}-gen", f"0@{cpu},1@{cpu}",
                                        MB_PER_PORT * nb_ports)]
        # It has more memory than a zero-copy client can name in 32 bits: it copies.
        for i in range(nb_ports):
            command += memif(i, i, target.socket, OTHER_ROLE[target.role], options.ring)
        command += ["--", "-m", f"1.[0-{nb_ports - 1}]", "-f", HERE / "trials.lua"]
        env = dict(os.environ, TP_PKTGEN_DIR=str(HERE), TP_PKTGEN_PORTS=str(nb_ports),
                   TP_PKTGEN_IN=str(self.paths[0]), TP_PKTGEN_OUT=str(self.paths[1]), TERM="xterm")
        # It wants a terminal, and leaves its screen there.
        master, slave = pty.openpty()
        self.process = Process(directory, "pktgen", command, env=env, terminal=slave)
        os.close(slave)
        threading.Thread(target=self.process.keep_log, args=(master,), daemon=True).start()
        self.out = os.open(self.paths[1], os.O_RDONLY | os.O_NONBLOCK)
        self.into = self.open_commands()
        self.rest = b""

    def open_commands(self):
        """Its script opens the other end when it has started."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            self.process.check()
            try:
                return os.open(self.paths[0], os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                time.sleep(0.1)
        return self.process.fail(f"does not run its script within {START_S} s")

    def ask(self, line, seconds=START_S):
        os.write(self.into, line.encode() + b"\n")
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            self.process.check()
            if time.monotonic() > end:
                self.process.fail(f"does not answer within {seconds:.0f} s")
            if select.select([self.out], [], [], 0.2)[0]:
                self.rest += os.read(self.out, 4096)
        text, _, self.rest = self.rest.partition(b"\n")
        answer = json.loads(text)
        if "error" in answer:
            raise Failure(f"Pktgen: {line}: {answer['error']}")
        return answer

    def links(self):
        return self.ask("link")["up"]

    def connect(self):
        wait_up(self)

    def trial(self, direction, size, pps):
        trial_ms = max(TRIAL_MS, self.options.trial_ms)
        settle_ms = max(SETTLE_MS, self.options.settle_ms)
        for _ in range(ATTEMPTS):
            before = self.target.stats()
            got = self.ask(f"trial {direction} {size} {pps:.0f} {trial_ms} {settle_ms}",
                           START_S + (trial_ms + 3 * settle_ms) / 1000)
            self.target.check()
            if got["offered"] > 0:
                break
        details = details_of(got, before, self.target.stats())
        missed = max(0, round(pps * got["seconds"]) - got["offered"])
        return Trial(pps, got["offered"], max(0, got["offered"] - got["received"]),
                     got["seconds"], missed, details)

    def stop(self):
        os.write(self.into, b"quit\n")
        os.close(self.into)
        os.close(self.out)
        self.process.stop()
