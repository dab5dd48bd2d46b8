#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""The quickstart's main job: transfer files both ways, cut the primary's link in the middle of
each transfer, restore it, and print what happened as a timeline.

Times of the daemon's events and ours compare: both are CLOCK_MONOTONIC.
"""
import argparse
import hashlib
import json
import re
import subprocess
import sys
import threading
import time

SAMPLE_S = 0.0005
REACT_S = 5.0


def run(*cmd, **kw):
    return subprocess.run(cmd, check=True, capture_output=True, text=True, timeout=60, **kw).stdout


class Team:
    """The daemon as teamctl shows it."""

    def __init__(self, args):
        self.args = args

    def show(self, what):
        return json.loads(run(self.args.teamctl, "-s", self.args.socket, "show", *what.split(),
                              "json"))

    def primary(self):
        """Port id and name of the primary."""
        team = self.show("team")
        for member in team["members"]:
            if member["port"] == team["primary"]:
                return member["port"], member["name"]
        return None, "none"

    def tx_bytes(self):
        stats = self.show("port stats all")
        return {s["port"]: (s["tx_good_bytes"], s["rx_good_bytes"])
                for s in stats if s["role"] != "host"}

    def events(self, since):
        return [(e["at_us"] / 1e6, e["text"]) for e in self.show("events")
                if e["at_us"] / 1e6 >= since]


class GapWatch(threading.Thread):
    """Longest time without a received byte on a growing file."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.stop = False
        self.begun = threading.Event()
        self.gap, self.gap_at = 0.0, 0.0
        self.size = 0

    def run(self):
        last = None
        while not self.stop:
            now = time.monotonic()
            try:
                with open(self.path, "rb") as f:
                    size = f.seek(0, 2)
            except FileNotFoundError:
                size = 0
            if size != self.size:
                if last is not None and now - last > self.gap:
                    self.gap, self.gap_at = now - last, last
                last = now
                self.size = size
                self.begun.set()
            time.sleep(SAMPLE_S)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
            else hashlib.sha256(f.read()).hexdigest()


def link(args, port, up):
    """The peer's end of a member's link: member i sees its carrier go."""
    run("ip", "netns", "exec", args.peer, "ip", "link", "set", f"p{port}", "up" if up else "down")
    if up and args.mode == "hash":
        run("ip", "netns", "exec", args.peer, "ip", "route", "replace", "10.77.0.1/32", "src",
            "10.77.0.2", "nexthop", "dev", "p0", "nexthop", "dev", "p1")


def wait_event(team, since, pattern):
    end = time.monotonic() + REACT_S
    while time.monotonic() < end:
        for at, text in team.events(since):
            if re.search(pattern, text):
                return at, text
        time.sleep(0.01)
    raise RuntimeError(f"no event '{pattern}' within {REACT_S:.0f} s")


def transfer(args, team, title, namespace, url, path, source):
    begin = time.monotonic()

    def line(at, text):
        print(f"  {at - begin:8.3f} s  {text}", flush=True)

    print(title, flush=True)
    before = team.tx_bytes()
    port, name = team.primary()
    line(begin, f"primary is port {port} ({name})")
    watch = GapWatch(path)
    watch.start()
    curl = subprocess.Popen(["ip", "netns", "exec", namespace, "timeout", "50", "curl", "-sS",
                             "--limit-rate", args.rate, "-o", path, url])
    try:
        if not watch.begun.wait(10):
            raise RuntimeError("the transfer did not begin")
        time.sleep(0.4)
        cut = time.monotonic()
        link(args, port, False)
        line(cut, f"cut the link of port {port}, {watch.size >> 20} MiB done")
        seen, text = wait_event(team, cut, rf"port {port} .*watch says down")
        line(seen, f"failure seen after {(seen - cut) * 1e3:.1f} ms: {text}")
        at, text = wait_event(team, cut, r"^primary ")
        line(at, text)
        time.sleep(0.6)
        up = time.monotonic()
        link(args, port, True)
        line(up, f"restored the link of port {port}")
        at, text = wait_event(team, up, rf"port {port} .*link up")
        line(at, text)
        code = curl.wait(60)
    finally:
        watch.stop = True
        if curl.poll() is None:
            curl.kill()
    end = time.monotonic()
    line(end, f"transfer ended, curl's exit code {code}")
    after = team.tx_bytes()
    size = watch.size
    print(f"  {size} bytes in {end - begin:.2f} s; traffic stopped for {watch.gap * 1e3:.1f} ms "
          f"at {watch.gap_at - begin:.3f} s")
    for p in sorted(after):
        tx, rx = (a - b for a, b in zip(after[p], before[p]))
        print(f"  port {p}: sent {tx} bytes, received {rx} bytes")
    same = digest(path) == digest(source)
    print(f"  sha256 {'equal' if same else 'DIFFERS'}", flush=True)
    return code == 0 and same


def main():
    parser = argparse.ArgumentParser()
    for name in ("host", "peer", "dir", "teamctl", "socket", "mode"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rate", default="24M")
    args = parser.parse_args()
    team = Team(args)
    ok = transfer(args, team, "host downloads from peer:", args.host, "http://10.77.0.2:8080/down",
                  f"{args.dir}/got-down", f"{args.dir}/at-peer/down")
    ok &= transfer(args, team, "peer downloads from host:", args.peer, "http://10.77.0.1:8080/up",
                   f"{args.dir}/got-up", f"{args.dir}/at-host/up")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
