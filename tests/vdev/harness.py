# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Start the daemon and its peers, ask it, end it, and compare what came out."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
# For a sanitizer's build on a crowded machine. A row never proves anything by how long something
# takes, so only failures are slow.
START_S = WAIT_S = int(os.environ.get("TP_VDEV_WAIT", "120"))
LIFE_S = 900  # nothing that a row starts lives longer
COUNT = itertools.count()


class Skip(Exception):
    """This row cannot run here, for the reason given."""


def find_build():
    named = os.environ.get("TP_BUILD")
    for build in [named] if named else ["build-release", "build-debug", "build"]:
        if (TOP / build / "app/teampmd").exists():
            return TOP / build
    raise SystemExit("vdev: no teampmd was built; set TP_BUILD")


BUILD = find_build()
TEAMPMD = BUILD / "app/teampmd"


def is_root():
    return os.geteuid() == 0


def need_root(what):
    if not is_root():
        raise Skip(f"{what} needs root")


def keep_runtime_in(directory):
    """EAL leaves a directory for each --file-prefix behind; those of this run go with the run."""
    os.environ["RUNTIME_DIRECTORY"] = str(directory)


def prefix():
    return f"tp-vdev-{os.getpid()}-{next(COUNT)}"


def wait_for(what, condition, seconds=WAIT_S):
    """Until condition() is true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def equal(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r} where {wanted!r} is right")


def frames_equal(what, got, wanted):
    """Exactly these frames in this order."""
    if got == wanted:
        return
    for i, (a, b) in enumerate(zip(got, wanted)):
        if a != b:
            raise AssertionError(f"{what}: {len(got)} frames of {len(wanted)}; frame {i} is\n"
                                 f"  {a.hex()}\nwhere right is\n  {b.hex()}")
    raise AssertionError(f"{what}: {len(got)} frames where {len(wanted)} are right")


def same_set(what, got, wanted):
    """These frames in any order."""
    frames_equal(what, sorted(got), sorted(wanted))


class Program:
    """A process with its output in a file; ended, at the latest, with its row."""

    def __init__(self, tmp, name, args, stdin=subprocess.DEVNULL, env=None):
        self.log = tmp / f"{name}.log"
        command = ["timeout", "-s", "KILL", str(LIFE_S), *map(str, args)]
        # Not in sessions of their own: Linux 6.18 schedules each session as a group
        # (kernel.sched_autogroup_enabled), and a group whose threads wake each other often keeps
        # other groups' threads from a CPU for seconds, at worst for half a minute.
        with self.log.open("wb") as out:
            self.proc = subprocess.Popen(command, stdin=stdin, stdout=out,
                                         stderr=subprocess.STDOUT, env=env,
                                         process_group=0)

    def text(self):
        return self.log.read_text(errors="replace")

    def running(self):
        return self.proc.poll() is None

    def kill(self):
        if self.running():
            os.killpg(self.proc.pid, signal.SIGKILL)
        self.proc.wait()

    def wait(self, seconds=WAIT_S):
        try:
            return self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.log.name}: does not end; it says\n{self.text()}") from None


def sanitizer_env():
    env = dict(os.environ)
    env.setdefault("LSAN_OPTIONS", f"print_suppressions=0:suppressions={TOP}/tests/lsan.supp")
    env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    return env


class Teampmd(Program):
    """A running teampmd with these arguments."""

    def __init__(self, tmp, args, netns=None, wait=True, socket=None):
        number = next(COUNT)
        self.socket = socket or tmp / f"control{number}"
        inside = ["ip", "netns", "exec", netns] if netns else []
        super().__init__(tmp, f"teampmd{number}",
                         [*inside, TEAMPMD, *args, "--control-socket", self.socket],
                         env=sanitizer_env())
        if wait:
            wait_for("teampmd answers", self.answers, START_S)

    def answers(self):
        if not self.running():
            raise AssertionError(f"teampmd ended by itself:\n{self.text()}")
        return self.socket.exists() and self.ask("show version")[0] == 0

    def ask(self, command):
        """(status, output) of a command; the protocol is in app/teampmd/ctlpath.h."""
        with socket.socket(socket.AF_UNIX) as s, s.makefile("rb") as answer:
            s.settimeout(WAIT_S)
            try:
                s.connect(str(self.socket))
                s.sendall(command.encode() + b"\n")
                head = answer.readline().split()
                if len(head) != 3:
                    return 2, "the daemon closed the connection"
                status, out, err = map(int, head)
                return status, answer.read(out + err).decode()
            except (ConnectionError, FileNotFoundError) as why:
                return 2, str(why)
            except TimeoutError:
                raise AssertionError(f"{command}: no answer within {WAIT_S} s") from None

    def do(self, command):
        code, text = self.ask(command)
        if code != 0:
            raise AssertionError(f"{command}: status {code}: {text}")
        return text

    def show(self, what):
        return json.loads(self.do(f"show {what} json"))

    def settled(self):
        """All that was decided about who gets which frames is in force."""
        return self.show("bucket")["settled"]

    def stats(self):
        """By port id."""
        return {row["port"]: row for row in self.show("port stats all")}

    def host_counter(self, name):
        return sum(row.get(name, 0) for row in self.stats().values() if row["role"] == "host")

    def total(self, name):
        """A counter, added up over the members."""
        return sum(row.get(name, 0) for row in self.stats().values() if row["role"] != "host")

    def links(self, *ports):
        by_id = {row["port"]: row for row in self.show("port info all")}
        return all(by_id[port]["port_link"] for port in ports)

    def drops(self, but=()):
        """Drop reasons that were counted."""
        return {(row["port"], name): value for row in self.stats().values()
                for name, value in row.get("drops", {}).items() if value and name not in but}

    def counted(self):
        """Everything that is not zero, for messages."""
        out = []
        for row in self.stats().values():
            flat = {**row, **row.pop("ethdev", {}), **row.pop("drops", {})}
            out.append({name: value for name, value in flat.items() if value})
        return json.dumps(out)

    def no_drops(self, but=()):
        equal("drops", self.drops(but), {})

    def in_use(self):
        """Packet buffers that are out of their pools."""
        return sum(pool["in_use"] for pool in self.show("memory")["pools"])

    def quit(self):
        """Stop; exit code 0 and nothing bad in what it printed."""
        self.do("quit")
        code = self.wait()
        if code != 0:
            raise AssertionError(f"teampmd: exit code {code}\n{self.text()}")
        for bad in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer"):
            if bad in self.text():
                raise AssertionError(self.text())


class Daemon(Teampmd):
    """One on virtual ports, which have the ids of their vdevs' order; `host` is one of them."""

    def __init__(self, tmp, vdevs, host=None, options=(), commands=(), start=True, eal=(),
                 memory=256, **how):
        args = ["--no-huge", "--no-shconf", "--no-pci", "-m", memory, "--log-level",
                "lib.eal:warning", "--file-prefix", prefix(), *eal]
        for vdev in vdevs:
            args += ["--vdev", vdev]
        args += ["--", "--idle", "sleep", *options]
        if host is not None:
            args += ["--host", host]
        if not start:
            args.append("--no-start")
        if commands:
            path = tmp / f"commands{next(COUNT)}"
            path.write_text("\n".join(commands) + "\n")
            args += ["--cmdline-file", path]
        super().__init__(tmp, args, **how)


class Testpmd(Program):
    """dpdk-testpmd that passes frames between two ports (port 0 <-> port 1)."""

    def __init__(self, tmp, vdevs, options=(), eal=(), mode="io", netns=None):
        if shutil.which("dpdk-testpmd") is None:
            raise Skip("there is no dpdk-testpmd")
        cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        args = ["ip", "netns", "exec", netns] if netns else []
        args += ["dpdk-testpmd", "--no-huge", "--no-shconf", "--no-pci", "-m", 192, "--no-telemetry",
                 "--lcores", f"0@({cpus}),1@({cpus})", "--file-prefix", prefix(), *eal]
        for vdev in vdevs:
            args += ["--vdev", vdev]
        args += ["--", "-i", "--no-flush-rx", "--nb-cores=1", "--total-num-mbufs=8192",
                 f"--forward-mode={mode}", *options]
        super().__init__(tmp, f"testpmd{next(COUNT)}", args, stdin=subprocess.PIPE)
        wait_for("testpmd has its prompt", self.ready, START_S)

    def ready(self):
        if not self.running():
            raise AssertionError(f"testpmd ended by itself:\n{self.text()}")
        return "testpmd>" in self.text()

    def type(self, line):
        self.proc.stdin.write(line.encode() + b"\n")
        self.proc.stdin.flush()

    def finish(self):
        self.type("stop")
        self.type("quit")
        self.proc.stdin.close()
        self.wait()
