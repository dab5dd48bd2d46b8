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
import os
import re
import subprocess
import sys
import threading
import time

SAMPLE_S = 0.0005
NB_STREAMS = 4
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

    def bytes(self):
        """{port: (sent, received)} of the members."""
        stats = self.show("port stats all")
        return {s["port"]: (s["tx_good_bytes"], s["rx_good_bytes"])
                for s in stats if s["role"] != "host"}

    def events(self, since):
        return [(e["at_us"] / 1e6, e["text"]) for e in self.show("events")
                if e["at_us"] / 1e6 >= since]


class Stream:
    """One file on its way, and the longest time in which it did not grow."""

    def __init__(self, args, namespace, url, path, source):
        self.path, self.source = path, source
        self.size, self.total = 0, os.path.getsize(source)
        self.grown_at = None
        self.gap = 0.0
        self.curl = subprocess.Popen(["ip", "netns", "exec", namespace, "timeout", "50", "curl",
                                      "-sS", "-o", path, url])

    def sample(self, now):
        """Look at the file's size. @return whether it grew"""
        try:
            size = os.stat(self.path).st_size
        except FileNotFoundError:
            return False
        if size == self.size:
            return False
        if self.grown_at is not None:
            self.gap = max(self.gap, now - self.grown_at)
        self.size, self.grown_at = size, now
        return True

    def good(self):
        return self.curl.returncode == 0 and digest(self.path) == digest(self.source)


class Sampler(threading.Thread):
    """Watches all streams; gaps are counted from forget() on."""

    def __init__(self, streams):
        super().__init__(daemon=True)
        self.streams = streams
        self.stop = False
        self.all_gap, self.grown_at = 0.0, None

    def run(self):
        while not self.stop:
            now = time.monotonic()
            if any([s.sample(now) for s in self.streams]):
                if self.grown_at is not None:
                    self.all_gap = max(self.all_gap, now - self.grown_at)
                self.grown_at = now
            time.sleep(SAMPLE_S)

    def forget(self):
        self.all_gap = 0.0
        for s in self.streams:
            s.gap = 0.0

    def done(self):
        return sum(s.size for s in self.streams) / sum(s.total for s in self.streams)

    def wait_done(self, part):
        end = time.monotonic() + 30
        while self.done() < part and time.monotonic() < end:
            time.sleep(0.002)


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


def cut_and_restore(args, team, sampler, port, line):
    """Fail the primary's link in mid-transfer, and bring it back."""
    sampler.wait_done(0.25)
    sampler.forget()
    cut = time.monotonic()
    link(args, port, False)
    line(cut, f"cut the link of port {port}, {sampler.done():.0%} done")
    seen, text = wait_event(team, cut, rf"port {port} .*watch says down")
    line(seen, f"failure seen {(seen - cut) * 1e3:.1f} ms after the command: {text}")
    line(*wait_event(team, cut, r"^primary "))
    time.sleep(0.6)
    line(time.monotonic(), f"longest pause since: {max(s.gap for s in sampler.streams) * 1e3:.0f} "
         f"ms in one stream, {sampler.all_gap * 1e3:.0f} ms in all together")
    up = time.monotonic()
    link(args, port, True)
    line(up, f"restored the link of port {port}, {sampler.done():.0%} done")
    line(*wait_event(team, up, rf"port {port} .*link up"))


def transfer(args, team, title, streams):
    begin = time.monotonic()

    def line(at, text):
        print(f"  {at - begin:8.3f} s  {text}", flush=True)

    print(title, flush=True)
    before = team.bytes()
    port, name = team.primary()
    line(begin, f"primary is port {port} ({name})")
    sampler = Sampler(streams)
    sampler.start()
    try:
        cut_and_restore(args, team, sampler, port, line)
        for s in streams:
            s.curl.wait(60)
    finally:
        sampler.stop = True
        for s in streams:
            s.curl.kill()
    end = time.monotonic()
    size = sum(s.total for s in streams)
    line(end, f"{size >> 20} MiB done in {end - begin:.2f} s, "
         f"{size * 8 / (end - begin) / 1e6:.0f} Mb/s")
    for p, (tx, rx) in sorted(team.bytes().items()):
        print(f"              port {p} sent {tx - before[p][0]} bytes, "
              f"received {rx - before[p][1]} bytes")
    good = all([s.good() for s in streams])
    print(f"              sha256 of all {len(streams)} files "
          f"{'equal' if good else 'NOT EQUAL'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser()
    for name in ("host", "peer", "dir", "teamctl", "socket", "mode"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    team = Team(args)
    down = [Stream(args, args.host, f"http://10.77.0.2:8080/down{i}", f"{args.dir}/got-down{i}",
                   f"{args.dir}/at-peer/down{i}") for i in range(NB_STREAMS)]
    good = transfer(args, team, "host downloads from peer:", down)
    up = [Stream(args, args.peer, f"http://10.77.0.1:8080/up{i}", f"{args.dir}/got-up{i}",
                 f"{args.dir}/at-host/up{i}") for i in range(NB_STREAMS)]
    good &= transfer(args, team, "peer downloads from host:", up)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
