# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Processes that this benchmark starts, and only those, and that end with it."""

import ctypes
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time

START_S = 30  # a sanitizer's build on a loaded machine is slow
PR_SET_PDEATHSIG = 1
CONTROL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[^\n\x20-\x7e]")
LIBC = ctypes.CDLL(None)


class Failure(Exception):
    """The benchmark cannot go on, for the reason given."""


class Unavailable(Failure):
    """This machine lacks what the benchmark needs."""


def say(text):
    print(f"pktgen: {text}", file=sys.stderr, flush=True)


def die_with_parent():
    """In the child: not even a killed benchmark leaves a polling process behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program with its output in a log. With `talk` we write its stdin, with `hear` what it
    prints on stdout comes to hear() instead. `terminal` takes the place of all three."""

    all = []

    def __init__(self, directory, name, command, talk=False, hear=False, terminal=None,
                 env=None):
        self.name = name
        self.log = directory / f"{name}.log"
        # A session of its own only where a terminal needs it: Linux may schedule each session as a
        # group, and the generator is to compete with the team lcore by lcore.
        session = terminal is not None
        with self.log.open("ab") as out:
            self.proc = subprocess.Popen(
                [str(word) for word in command], stderr=terminal or out, text=True, env=env,
                stdin=terminal or (subprocess.PIPE if talk else subprocess.DEVNULL),
                stdout=terminal or (subprocess.PIPE if hear else out),
                start_new_session=session, process_group=None if session else 0,
                preexec_fn=die_with_parent)
        Process.all.append(self)
        self.lines = queue.Queue()
        if hear:
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.proc.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def keep_log(self, terminal):
        """What appears on our end of its terminal, without the screen's control codes."""
        with self.log.open("a") as out:
            try:
                while text := os.read(terminal, 4096):
                    out.write(CONTROL_CODES.sub("", text.decode(errors="replace")))
                    out.flush()
            except OSError:
                os.close(terminal)

    def tell(self, line):
        try:
            self.proc.stdin.write(line + "\n")
            self.proc.stdin.flush()
        except BrokenPipeError:
            self.fail("ended")

    def hear(self, seconds):
        """The next line of its stdout."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            self.fail(f"does not answer within {seconds:.0f} s")
        if line is None:
            self.fail("ended")
        return line

    def said(self, text):
        return text in self.log.read_text(errors="replace")

    def fail(self, what):
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
        raise Failure(f"{self.name} {what}; it said:\n{tail}")

    def check(self):
        if self.proc.poll() is not None:
            self.fail(f"ended with exit code {self.proc.returncode}")

    def last_line(self):
        return (self.log.read_text(errors="replace").splitlines() or [""])[-1]

    def wait(self, seconds):
        """The exit code of a program that ends by itself."""
        try:
            return self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"does not end within {seconds:.0f} s")

    def stop(self, seconds=10):
        """SIGTERM, then SIGKILL; the exit code."""
        if self in Process.all:
            Process.all.remove(self)
        for sig in (signal.SIGTERM, signal.SIGKILL):
            if self.proc.poll() is None:
                self.proc.send_signal(sig)
                try:
                    self.proc.wait(seconds)
                except subprocess.TimeoutExpired:
                    continue
        return self.proc.wait()


def stop_all():
    for process in reversed(list(Process.all)):
        process.stop(3)


def leave_on_signal():
    """SIGTERM and SIGINT take the way of any other end: through the finally of main()."""
    def leave(number, _frame):
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)


def wait_for(what, condition, seconds=START_S):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.05)


# ---- CPUs ------------------------------------------------------------------------


class Cpus:
    """The generator gets a CPU for itself where there is more than one; what is tested gets the
    rest, one for each lcore where they suffice."""

    def __init__(self, nb_lcores):
        cpus = sorted(os.sched_getaffinity(0))
        self.nb = len(cpus)
        self.generator = cpus[-1]
        rest = cpus[:-1] or cpus
        self.lcores = [rest[i % len(rest)] for i in range(nb_lcores)]
        self.shared = len(set(self.lcores + [self.generator])) < nb_lcores + 1

    def of_generator(self):
        return f"0@{self.generator}"

    def of_team(self, nb=None):
        return ",".join(f"{i}@{cpu}" for i, cpu in enumerate(self.lcores[:nb]))


# ---- EAL and memif -----------------------------------------------------------------


def eal(prefix, lcores, memory=512):
    return ["--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "--single-file-segments",
            "-m", memory, "--log-level", "lib.eal:warning", "--file-prefix", prefix,
            "--lcores", lcores]


def memif(number, interface, socket, role, ring=10, zero_copy=False):
    """Arguments for a memif port."""
    text = (f"net_memif{number},role={role},id={interface},socket={socket},socket-abstract=no,"
            f"rsize={ring}")
    return ["--vdev", text + (",zero-copy=yes" if zero_copy and role == "client" else "")]
