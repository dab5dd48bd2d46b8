#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Small helpers of the system tests.

httpd PORT DIR                 GET and PUT of files, IPv4 and IPv6
send ADDRESS PORT SECONDS      numbered datagrams, some flows (--flows, --pps, --size)
recv ADDRESS PORT SECONDS      what arrived of them, as JSON: gaps, losses, order, duplicates
stop TID MILLISECONDS          hold one thread still by ptrace, then let it go on
hog CPU MILLISECONDS           keep a CPU busy above every ordinary thread (SCHED_FIFO)
vlanecho IFACE                 send tagged test frames back as they came
vlanping IFACE MAC TAGS COUNT  send tagged frames (TAGS like 100 or 100,200); how many came back
"""

import ctypes
import http.server
import json
import os
import select
import shutil
import socket
import struct
import sys
import threading
import time

HEADER = struct.Struct("!HIQ")  # flow, sequence number, time sent in ns


# ---- httpd


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        with open(self.translate_path(self.path), "wb") as out:
            while left > 0:
                data = self.rfile.read(min(left, 1 << 16))
                if not data:
                    break
                out.write(data)
                left -= len(data)
        self.send_response(201 if left == 0 else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def copyfile(self, source, outputfile):
        shutil.copyfileobj(source, outputfile, 1 << 16)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that was cut off is what some tests are about


def httpd(port, directory):
    os.chdir(directory)
    Server(("::", int(port)), Handler).serve_forever()


# ---- numbered datagrams


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def send(address, port, seconds, flows=8, pps=1000, size=64):
    socks = []
    for _ in range(int(flows)):
        s = socket.socket(family_of(address), socket.SOCK_DGRAM)
        s.connect((address, int(port)))
        s.setblocking(False)
        socks.append(s)
    interval = 1.0 / float(pps)
    pad = bytes(max(0, int(size) - HEADER.size))
    start = due = time.monotonic()
    n = 0
    while due < start + float(seconds):
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        flow = n % len(socks)
        try:
            socks[flow].send(HEADER.pack(flow, n // len(socks), time.monotonic_ns()) + pad)
        except OSError:
            pass  # no carrier, no route: the receiver sees the gap
        n += 1
        due += interval


class Flow:
    def __init__(self):
        self.seen = set()
        self.newest = -1
        self.last_at = None
        self.gap = 0.0
        self.gap_end = 0.0
        self.reordered = self.duplicates = 0

    def packet(self, seq, now):
        if self.last_at is not None and now - self.last_at > self.gap:
            self.gap, self.gap_end = now - self.last_at, now
        self.last_at = now
        if seq in self.seen:
            self.duplicates += 1
            return
        self.seen.add(seq)
        if seq < self.newest:
            self.reordered += 1
        self.newest = max(self.newest, seq)


def recv(address, port, seconds):
    s = socket.socket(family_of(address), socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind((address, int(port)))
    flows = {}
    end = None
    while end is None or time.monotonic() < end:
        if not select.select([s], [], [], 1.0 if end else 10.0)[0]:
            if end is None:
                break
            continue
        data = s.recv(65536)
        now = time.monotonic()
        if end is None:
            end = now + float(seconds) + 0.5
        flow, seq, _ = HEADER.unpack_from(data)
        flows.setdefault(flow, Flow()).packet(seq, now)
    all_flows = flows.values()
    print(json.dumps({
        "flows": len(flows),
        "received": sum(len(f.seen) for f in all_flows),
        "lost": sum(f.newest + 1 - len(f.seen) for f in all_flows),
        "duplicates": sum(f.duplicates for f in all_flows),
        "reordered": sum(f.reordered for f in all_flows),
        "max_gap_ms": round(1000 * max((f.gap for f in all_flows), default=1e6), 1),
    }))


# ---- threads


PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000


def ptrace(request, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, tid, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} {tid}")


def stop(tid, milliseconds):
    """Stands still as a thread does that is blocked in the kernel."""
    tid = int(tid)
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    os.waitpid(tid, WALL)
    print("stopped", flush=True)
    time.sleep(float(milliseconds) / 1000)
    ptrace(PTRACE_DETACH, tid)


def hog(cpu, milliseconds):
    os.sched_setaffinity(0, {int(cpu)})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    end = time.monotonic() + float(milliseconds) / 1000
    while time.monotonic() < end:
        pass


# ---- tagged frames, where the kernel has no VLAN devices


TAGGED = b"teampmd-vlan"


def vlan_socket(iface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: where the kernel puts the outer tag
    s.bind((iface, 0))
    return s


def vlan_recv(s):
    """A frame that came in, with its outer tag put back; None for others."""
    data, aux, _, sender = s.recvmsg(65536, 256)
    if sender[2] == socket.PACKET_OUTGOING or TAGGED not in data:
        return None
    for level, kind, value in aux:
        if level == 263 and kind == 8:
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
            if status & 0x10:
                tag = struct.pack("!HH", tpid if status & 0x40 else 0x8100, tci)
                data = data[:12] + tag + data[12:]
    return data


def vlanecho(iface):
    s = vlan_socket(iface)
    while True:
        data = vlan_recv(s)
        if data is None:
            continue
        ip = data.index(TAGGED) - 28
        data = (data[6:12] + data[:6] + data[12:ip + 12] + data[ip + 16:ip + 20]
                + data[ip + 12:ip + 16] + data[ip + 22:ip + 24] + data[ip + 20:ip + 22]
                + data[ip + 24:])
        s.send(data)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def vlanping(iface, mac, tags, count):
    with open(f"/sys/class/net/{iface}/address") as f:
        own = bytes.fromhex(f.read().strip().replace(":", ""))
    ids = [int(t) for t in tags.split(",")] if tags != "none" else []
    # No 0x88a8 outside: what net_af_packet gets has lost its TPID, and the driver writes 0x8100.
    stack = b"".join(struct.pack("!HH", 0x8100, i) for i in ids)
    s = vlan_socket(iface)
    back = set()
    end = time.monotonic() + 1.5
    for n in range(int(count)):
        payload = TAGGED + struct.pack("!I", n)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), n, 0, 64, 17, 0,
                         socket.inet_aton("10.78.0.1"), socket.inet_aton("10.78.0.2"))
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        udp = struct.pack("!HHHH", 1000 + n, 7, 8 + len(payload), 0)
        s.send(bytes.fromhex(mac.replace(":", "")) + own + stack + b"\x08\0" + ip + udp + payload)
        time.sleep(0.001)
    while len(back) < int(count) and time.monotonic() < end:
        if not select.select([s], [], [], 0.1)[0]:
            continue
        data = vlan_recv(s)
        if data and data[:6] == own and data[12:12 + len(stack) + 2] == stack + b"\x08\0":
            at = data.index(TAGGED) + len(TAGGED)
            back.add(struct.unpack("!I", data[at:at + 4])[0])
    print(len(back))


def main():
    command = {f.__name__: f for f in (httpd, send, recv, stop, hog, vlanecho,
                                        vlanping)}.get(sys.argv[1])
    if command is None:
        sys.exit(__doc__)
    words = [a for a in sys.argv[2:] if not a.startswith("--")]
    options = dict(a[2:].split("=", 1) for a in sys.argv[2:] if a.startswith("--"))
    command(*words, **options)


if __name__ == "__main__":
    main()
