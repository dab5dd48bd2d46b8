#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""The quickstart's third job: one TCP connection to the team's own http service goes on while links
are cut, restored and flapped, and the switch sends its packets elsewhere. The connection's context
moves to the member where they arrive; a timeline tells when, and how long nobody had it.

With --client it is the peer's end: it downloads on one connection, again and again, until it is told
to stop, and prints as JSON what it got, whether that was right, and the longest gap in the data.
"""
import argparse
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time

SAMPLE_S = 0.02
SETTLE_S = 0.4


# ---- the peer's end ------------------------------------------------------------------------


class Told:
    """Stop after this download: SIGTERM said so."""

    def __init__(self):
        self.stop = False
        signal.signal(signal.SIGTERM, self.on_signal)

    def on_signal(self, *_):
        self.stop = True


def client(host, path):
    """Downloads on one connection until SIGTERM."""
    told, conn = Told(), http.client.HTTPConnection(host, 80, timeout=30)
    digests, size, gap, at = set(), 0, 0.0, None
    conn.connect()
    end = conn.sock.getsockname()
    while not told.stop or not digests:
        conn.request("GET", path)
        answer, sha, first = conn.getresponse(), hashlib.sha256(), True
        while data := answer.read1(1 << 16):
            now = time.monotonic()
            # From answer to answer the gap is the client's own.
            if not first and now - gap_from > gap:
                gap, at = now - gap_from, now
            first, gap_from = False, now
            sha.update(data)
            size += len(data)
        answer.close()
        digests.add(sha.hexdigest())
        if conn.sock is None or conn.sock.getsockname() != end:
            raise SystemExit("the connection was closed")
    print(json.dumps({"digests": sorted(digests), "bytes": size, "gap": gap, "at": at}))


# ---- the timeline ----------------------------------------------------------------------------


def run(*cmd):
    return subprocess.run(cmd, check=True, capture_output=True, text=True, timeout=60).stdout


class Watch(threading.Thread):
    """Where the connection is, and how long each move took."""

    def __init__(self, args, line):
        super().__init__(daemon=True)
        self.args, self.line = args, line
        self.owner, self.moves, self.done = None, 0, False

    def show(self, *what):
        return json.loads(run(self.args.teamctl, "-s", self.args.socket, "show", *what, "json"))

    def run(self):
        while not self.done:
            conns = self.show("conn", "where", "state=ESTABLISHED,user=http")["list"]
            if conns and conns[0]["owner"] != self.owner:
                if self.owner is not None:
                    pause = self.show("migrate")["pause_us"]["last"]
                    self.line(f"the connection moved from port {self.owner} to port "
                              f"{conns[0]['owner']}, nobody's for {pause} us")
                    self.moves += 1
                self.owner = conns[0]["owner"]
            time.sleep(SAMPLE_S)


def link(args, port, up):
    """The peer's end of a member's link; a link that comes back is a next hop again."""
    in_peer = ["ip", "netns", "exec", args.peer, "ip"]
    run(*in_peer, "link", "set", f"p{port}", "up" if up else "down")
    if up and args.mode == "hash":
        run(*in_peer, "route", "replace", "10.77.0.1/32", "src", "10.77.0.2",
            "nexthop", "dev", "p0", "nexthop", "dev", "p1")


def disturb(args, watch, line):
    """Cut, restore and flap; always the link that the connection uses."""
    for flaps in (1, 1, 3, 1, 3):
        port = watch.owner
        line(f"cut the link of port {port}" if flaps == 1
             else f"flap the link of port {port} {flaps} times")
        for _ in range(flaps):
            link(args, port, False)
            time.sleep(SETTLE_S / flaps)
            link(args, port, True)
            time.sleep(0.05)
        line(f"the link of port {port} is back")
        time.sleep(SETTLE_S)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", nargs=2, metavar=("HOST", "PATH"))
    for name in ("peer", "teamctl", "socket", "mode", "size", "host"):
        parser.add_argument(f"--{name}")
    args = parser.parse_args()
    if args.client:
        client(*args.client)
        return 0
    begin = time.monotonic()

    def line(text):
        print(f"  {time.monotonic() - begin:7.3f} s  {text}", flush=True)

    print(f"one connection to the team's http service, {args.size} at a time, and links that fail:",
          flush=True)
    before = Watch(args, line).show("tcp")
    watch = Watch(args, line)
    watch.start()
    with subprocess.Popen(["ip", "netns", "exec", args.peer, sys.executable, __file__, "--client",
                           args.host, f"/bytes/{args.size}"], stdout=subprocess.PIPE,
                          text=True) as peer:
        while watch.owner is None and peer.poll() is None:
            time.sleep(SAMPLE_S)
        time.sleep(SETTLE_S)
        if peer.poll() is None:
            disturb(args, watch, line)
        peer.send_signal(signal.SIGTERM)
        told = peer.communicate(timeout=60)[0]
    watch.done = True
    watch.join()
    if peer.returncode != 0:
        print("  the connection did not survive")
        return 1
    return report(args, json.loads(told), watch, before, begin)


def report(args, told, watch, before, begin):
    from quickstart_serve import digest_of_sequence, parse_size
    good = told["digests"] == [digest_of_sequence(parse_size(args.size))]
    after, migrate = watch.show("tcp"), watch.show("migrate")
    print(f"  {told['bytes'] >> 20} MiB on one connection, sha256 "
          f"{'equal' if good else 'NOT EQUAL'}, {watch.moves} moves seen, longest gap in the data "
          f"{told['gap'] * 1e3:.1f} ms (at {told['at'] - begin:.3f} s), "
          f"{after['RetransSegs'] - before['RetransSegs']} segments sent again, "
          f"{after['OutRsts'] - before['OutRsts']} resets")
    pause = migrate["pause_us"]
    print(f"  all moves so far: {pause['count']}, nobody's for {pause['p50']} us (p50), "
          f"{pause['p99']} us (p99), {pause['max']} us (max)", flush=True)
    return 0 if good and watch.moves > 0 and after["OutRsts"] == before["OutRsts"] else 1


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main())
