#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""The quickstart's second job: the team itself serves TCP. The peer downloads a sequence that both
ends can compute, over IPv4 and IPv6, uploads a file, and loads the HTTP service with wrk.
"""
import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time

import crcmod.predefined

CONTENT_LEN = 65521
PATIENCE_S = 60


def content():
    """What docs/tcp.md calls the sequence: one period of it."""
    x, out = 1, bytearray()
    for _ in range(CONTENT_LEN):
        out.append(x >> 24)
        x = (x * 1103515245 + 12345) & 0xffffffff
    return bytes(out)


def digest_of_sequence(length):
    block = content() * 64
    sha, left = hashlib.sha256(), length
    while left > 0:
        sha.update(block[:left])
        left -= len(block)
    return sha.hexdigest()


def parse_size(text):
    units = {"K": 10, "M": 20, "G": 30}
    return int(text.rstrip("KMG")) << units.get(text[-1], 0)


class Peer:
    def __init__(self, namespace):
        self.prefix = ["ip", "netns", "exec", namespace, "timeout", str(PATIENCE_S)]

    def run(self, *cmd):
        return subprocess.run([*self.prefix, *cmd], check=True, capture_output=True, text=True,
                              timeout=PATIENCE_S + 5).stdout

    def wait(self, url):
        """The first packets find the neighbours."""
        end = time.monotonic() + 20
        while True:
            try:
                self.run("curl", "-sS", "-g", "-m", "2", "-o", "/dev/null", url)
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > end:
                    raise

    def download(self, url):
        """(digest, bytes, seconds)"""
        begin = time.monotonic()
        sha, size = hashlib.sha256(), 0
        with subprocess.Popen([*self.prefix, "curl", "-sS", "-g", url],
                              stdout=subprocess.PIPE) as curl:
            while data := curl.stdout.read(1 << 20):
                sha.update(data)
                size += len(data)
        return sha.hexdigest(), size, time.monotonic() - begin


def rate(size, seconds):
    return f"{size >> 20} MiB in {seconds:.2f} s, {size * 8 / seconds / 1e6:.0f} Mb/s"


def verdict(good):
    return "equal" if good else "NOT EQUAL"


def upload(peer, base, path):
    with open(path, "rb") as f:
        data = f.read()
    crc = crcmod.predefined.mkCrcFun("crc-32c")(data)
    begin = time.monotonic()
    told = json.loads(peer.run("curl", "-sS", "-g", "-T", path, f"{base}/sink"))
    seconds = time.monotonic() - begin
    good = told["length"] == len(data) and int(told["crc32c"], 16) == crc
    print(f"  uploaded   {rate(len(data), seconds)}, CRC32C {told['crc32c']} {verdict(good)}")
    return good


def main():
    parser = argparse.ArgumentParser()
    for name in ("peer", "dir", "teamctl", "socket", "size"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("bases", nargs="+", help="URLs of the team's http service")
    args = parser.parse_args()
    peer = Peer(args.peer)
    wanted, good = digest_of_sequence(parse_size(args.size)), True
    upload_path = os.path.join(args.dir, "upload")
    with open(upload_path, "wb") as f:
        f.write(os.urandom(64 << 20))
    print("the team itself serves TCP (its offload engine, not the host's kernel):", flush=True)
    for base in args.bases:
        print(f"  {base}")
        peer.wait(f"{base}/info")
        digest, size, seconds = peer.download(f"{base}/bytes/{args.size}")
        print(f"  downloaded {rate(size, seconds)}, sha256 {verdict(digest == wanted)}", flush=True)
        good &= digest == wanted
        good &= upload(peer, base, upload_path)
    text = peer.run("wrk", "-t1", "-c32", "-d3s", f"{args.bases[0]}/bytes/64")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", text)
    errors = re.search(r"Socket errors: (.*)", text)
    print(f"  wrk, 32 connections, 64 bytes: {float(found.group(1)):.0f} requests/s"
          f"{', errors: ' + errors.group(1) if errors else ''}")
    shown = subprocess.run([args.teamctl, "-s", args.socket, "show", "tcp", "json"], check=True,
                           capture_output=True, text=True, timeout=20).stdout
    counters = json.loads(shown)
    print("  engine: " + ", ".join(f"{counters[name]} {what}" for name, what in (
        ("PassiveOpens", "connections"), ("InSegs", "segments in"), ("OutSegs", "out"),
        ("RetransSegs", "sent again"), ("OutRsts", "resets"))), flush=True)
    return 0 if good and errors is None else 1


if __name__ == "__main__":
    sys.exit(main())
