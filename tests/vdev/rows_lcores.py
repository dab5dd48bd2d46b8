# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Lcores that do not run for a while: commands come back when what they say is true, or say that it
is not; the end is clean.
"""

import re
import sys
import time
from pathlib import Path

from frames import numbered, write_pcap
from harness import COUNT, TOP, Daemon, Program, equal, need_root, wait_for

# No lcore is to be taken for a hung one.
PATIENT = [f"set watch {port} heart_ms 60000" for port in range(3)]


def streaming(tmp):
    """Three members, a stream from the host without end, port 0 the primary."""
    need_root("to stop a thread of another process")
    write_pcap(tmp / "in.pcap", numbered(240))
    daemon = Daemon(tmp, [f"net_null{i},no-rx=1" for i in range(3)] +
                    [f"net_pcap{next(COUNT)},rx_pcap={tmp / 'in.pcap'},infinite_rx=1"],
                    host="3", commands=PATIENT)
    wait_for("all send", lambda: min(row["tx_good_packets"] for row in daemon.stats().values()
                                     if row["role"] != "host") > 0)
    equal("primary", daemon.show("team")["primary"], 0)
    return daemon


def thread_of(daemon, port):
    """The kernel's id of the thread that is a member's lcore."""
    lcore = next(row["lcore"] for row in daemon.show("port info all") if row["port"] == port)
    child = Path(f"/proc/{daemon.proc.pid}/task/{daemon.proc.pid}/children").read_text().split()
    for task in Path(f"/proc/{child[0]}/task").iterdir():
        if re.search(rf"worker-?{lcore}$", (task / "comm").read_text().strip()):
            return task.name
    raise AssertionError(f"no thread is lcore {lcore}")


def hold(tmp, daemon, port, seconds):
    """Let this member's lcore stand still for a while from now on. @return who holds it"""
    tid = thread_of(daemon, port)
    tool = Program(tmp, "stop", [sys.executable, TOP / "tests/system/tool.py", "stop", tid,
                                 1000 * seconds])
    wait_for("the thread is stopped", lambda: "stopped" in tool.text())
    return tool


def link_down_waits(tmp):
    """Who is primary must put the map without port 2 in force first."""
    daemon = streaming(tmp)
    hold(tmp, daemon, 0, 4)
    daemon.do("set link-down port 2")
    equal("the map is in force", daemon.settled(), True)
    before = daemon.stats()
    wait_for("the others send", lambda: all(
        daemon.stats()[port]["tx_good_packets"] > before[port]["tx_good_packets"] + 100
        for port in (0, 1)))
    equal("port 2 sent", daemon.stats()[2]["tx_good_packets"], before[2]["tx_good_packets"])
    daemon.quit()


def too_long(tmp):
    """No command waits for ever; what was asked for comes true in the end."""
    daemon = streaming(tmp)
    hold(tmp, daemon, 0, 14)
    equal("answer", daemon.ask("set link-down port 2"),
          (1, "port 2: its lcore did not let go of it within 10 s"))
    equal("port 2 distributes", daemon.show("team")["members"][2]["distributing"], False)
    wait_for("the map is in force", daemon.settled)
    daemon.quit()


def quit_waits(tmp):
    """Not before the lcore has left what is freed."""
    daemon = streaming(tmp)
    begin = time.monotonic()
    hold(tmp, daemon, 1, 5)
    daemon.quit()
    if time.monotonic() < begin + 5:
        raise AssertionError("the daemon ended before one of its lcores")


def quit_gives_up(tmp):
    """What a lcore may still use is not freed under it."""
    daemon = streaming(tmp)
    holder = hold(tmp, daemon, 1, 300)
    daemon.do("quit")
    wait_for("it says so", lambda: "teampmd: port 1 (net_null1): lcore 2 does not end" in
             daemon.text())
    holder.kill()
    equal("exit code", daemon.wait(), 1)
    for bad in ("ERROR: AddressSanitizer", "runtime error:"):
        if bad in daemon.text():
            raise AssertionError(daemon.text())


ROWS = [("lcores/stopped/link-down", link_down_waits), ("lcores/stopped/too-long", too_long),
        ("lcores/stopped/quit", quit_waits), ("lcores/stopped/never", quit_gives_up)]
