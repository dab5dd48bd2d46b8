#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Small helpers of the system tests.

httpd PORT DIR                 GET and PUT of files, IPv4 and IPv6
send ADDRESS PORT SECONDS      numbered datagrams, some flows (--flows, --pps, --size)
recv ADDRESS PORT SECONDS      what arrived of them, as JSON: gaps, losses, order, duplicates
stop TID MILLISECONDS          hold one thread still by ptrace, then let it go on
spin TID MILLISECONDS          let one thread turn in an endless loop by ptrace, then go on
                               (both: --within=FUNCTION waits until it is in that function,
                               --holding=FUNCTION until it took something there by a CAS)
notifyd PATH SECONDS           be a service manager: how often a daemon fed its watchdog, as JSON
waits                          keep all CPUs busy for a second; how long others had them, in percent
hog CPU MILLISECONDS           keep a CPU busy above every ordinary thread (SCHED_FIFO)
fetch ADDRESS SECONDS          GET /bytes/N again and again, contents checked (--size, --new=1: each by
                               a connection of its own); how often and how slowly, as JSON
bulk ADDRESS BYTES             GET so many, PUT them and have them echoed, all compared; as JSON
                               (--cc=NAME: with that congestion control)
echod ADDRESS PORT SIZE        echo what clients of ours say (docs/services.md); on PORT + 1 take it:
                               for each stream a line of JSON: is it messages of SIZE bytes?
kernel_services                the services that `bulk` asks, on the kernel's TCP (--cc=NAME)
synflood_in NETNS IFACE MAC ADDRESS PORT COUNT
                               SYNs from random sources, each with a right checksum, as JSON
unicast_in NETNS IFACE ADDRESS COUNT
                               SYNs for that address in frames for random others
dialog ADDRESS http|echo FIFO  one connection; each line of the FIFO is something to ask on it, and
                               each answer a line of output, until one is empty (--keepalive=SECONDS: between
                               probes)
spray TUN ADDRESS MAC IFACE... what is routed to that device goes to MAC by each interface in turn,
                               --run=N packets each (0: all by the first)
vlanecho IFACE                 send tagged test frames back as they came
vlanping IFACE MAC TAGS COUNT  send tagged frames (TAGS like 100 or 100,200); how many came back
"""

import ctypes
import fcntl
import http.server
import json
import multiprocessing
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

# Flow, sequence number, when sent, and how long the sender had to wait for a CPU so far (ns).
HEADER = struct.Struct("!HIQQ")
SO_RCVBUFFORCE = 33


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


class CpuWait:
    """How long this thread was ready to run, but somebody else had the CPU."""

    def __init__(self):
        try:
            self.fd = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self.fd = None

    def ns(self):
        return int(os.pread(self.fd, 80, 0).split()[1]) if self.fd is not None else 0


def send(address, port, seconds, flows=8, pps=1000, size=64):
    cpu_wait = CpuWait()
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
        data = HEADER.pack(flow, n // len(socks), time.monotonic_ns(), cpu_wait.ns()) + pad
        try:
            try:
                socks[flow].send(data)
            except BlockingIOError:  # the host's own queue is full: nothing was lost yet
                select.select([], [socks[flow]], [], 1.0)
                socks[flow].send(data)
        except OSError:
            pass  # no carrier, no route: the receiver sees the gap
        n += 1
        due += interval


class Flow:
    def __init__(self):
        self.seen = set()
        self.newest = -1
        self.last_at = None
        self.last_waited = 0.0
        self.gap = 0.0
        self.stop = 0.0  # a gap less what both ends waited for a CPU meanwhile
        self.reordered = self.duplicates = 0

    def packet(self, seq, now, waited):
        if self.last_at is not None:
            gap = now - self.last_at
            self.gap = max(self.gap, gap)
            self.stop = max(self.stop, gap - max(0.0, waited - self.last_waited))
        self.last_at, self.last_waited = now, waited
        if seq in self.seen:
            self.duplicates += 1
            return
        self.seen.add(seq)
        if seq < self.newest:
            self.reordered += 1
        self.newest = max(self.newest, seq)


def recv(address, port, seconds):
    s = socket.socket(family_of(address), socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
    s.bind((address, int(port)))
    flows = {}
    cpu_wait = CpuWait()
    transit = 0.0
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
        flow, seq, sent_ns, sender_ns = HEADER.unpack_from(data)
        transit = max(transit, now - sent_ns / 1e9)
        flows.setdefault(flow, Flow()).packet(seq, now, (sender_ns + cpu_wait.ns()) / 1e9)
    all_flows = flows.values()
    print(json.dumps({
        "flows": len(flows),
        "received": sum(len(f.seen) for f in all_flows),
        "lost": sum(f.newest + 1 - len(f.seen) for f in all_flows),
        "duplicates": sum(f.duplicates for f in all_flows),
        "reordered": sum(f.reordered for f in all_flows),
        "max_gap_ms": round(1000 * max((f.gap for f in all_flows), default=1e6), 1),
        "max_stop_ms": round(1000 * max((f.stop for f in all_flows), default=1e6), 1),
        "max_transit_ms": round(1000 * transit, 1),
    }))


# ---- threads


PTRACE_POKEUSER, PTRACE_CONT, PTRACE_SINGLESTEP, PTRACE_GETREGS, PTRACE_SETREGS = 6, 7, 9, 12, 13
DEBUGREG = 848  # offset of the debug registers in struct user
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
REGS = ctypes.c_ulonglong * 27  # user_regs_struct of x86-64
ORIG_RAX, RIP, EFLAGS = 15, 16, 18
ZF = 0x40


def ptrace(request, tid, data=0, address=0):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, tid, address, data) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} {tid}")


def wait_stopped(tid):
    """@return the signal that is to be handed on, 0 for none."""
    status = os.waitpid(tid, WALL)[1]
    number = os.WSTOPSIG(status)
    return 0 if number == signal.SIGTRAP or status >> 16 else number


def interrupt(tid):
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    while (number := wait_stopped(tid)) != 0:
        ptrace(PTRACE_CONT, tid, number)


def get_regs(tid):
    regs = REGS()
    ptrace(PTRACE_GETREGS, tid, ctypes.addressof(regs))
    return regs


def set_regs(tid, regs):
    ptrace(PTRACE_SETREGS, tid, ctypes.addressof(regs))


def mappings(tid):
    """(start, end, file offset, permissions, path) of each."""
    with open(f"/proc/{tid}/maps") as f:
        for line in f:
            words = line.split(None, 5)
            start, end = (int(x, 16) for x in words[0].split("-"))
            yield start, end, int(words[2], 16), words[1], words[5].strip() if words[5:] else ""


def extent(tid, function):
    """Where a function of the program is, as (start, end)."""
    exe = os.readlink(f"/proc/{tid}/exe")
    base = min(m[0] for m in mappings(tid) if m[4] == exe)
    for line in subprocess.run(["nm", "-S", exe], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[3] == function:
            start = base + int(words[0], 16)
            return start, start + int(words[1], 16)
    raise SystemExit(f"no function {function} in {exe}")


def took_lock(tid, rip):
    """Is there a LOCK CMPXCHG?"""
    with open(f"/proc/{tid}/mem", "rb", buffering=0) as mem:
        mem.seek(rip)
        code = mem.read(5)
    return code[0] == 0xF0 and b"\x0f\xb1" in code


def step(tid, times=1):
    for _ in range(times):
        ptrace(PTRACE_SINGLESTEP, tid)
        while (number := wait_stopped(tid)) != 0:
            ptrace(PTRACE_SINGLESTEP, tid, number)


def run_into(tid, function, holding):
    """On until the thread begins that function, and some instructions further. If holding, it
    then has what the function takes by its first compare-and-swap."""
    start, end = extent(tid, function)
    ptrace(PTRACE_POKEUSER, tid, start, DEBUGREG)
    ptrace(PTRACE_POKEUSER, tid, 1, DEBUGREG + 7 * 8)
    number = 0
    while True:
        ptrace(PTRACE_CONT, tid, number)
        number = wait_stopped(tid)
        if number or get_regs(tid)[RIP] != start:
            continue
        swaps = False
        while holding and not swaps and start <= get_regs(tid)[RIP] < end:
            swaps = took_lock(tid, get_regs(tid)[RIP])
            step(tid)
        if not holding or swaps and get_regs(tid)[EFLAGS] & ZF:
            break
    ptrace(PTRACE_POKEUSER, tid, 0, DEBUGREG + 7 * 8)
    step(tid, random.randrange(10))


def endless_loop(tid):
    """An address where the program happens to have a jump to itself."""
    with open(f"/proc/{tid}/mem", "rb") as mem:
        for start, end, _, permissions, path in mappings(tid):
            if "x" not in permissions or not path.startswith("/"):
                continue
            mem.seek(start)
            at = mem.read(end - start).find(b"\xeb\xfe")
            if at >= 0:
                return start + at
    raise SystemExit("no endless loop in the program's code")


def stop(tid, milliseconds, within=None, holding=None):
    """Stands still as a thread does that is blocked in the kernel."""
    tid = int(tid)
    interrupt(tid)
    if within or holding:
        run_into(tid, within or holding, holding)
    print("stopped", flush=True)
    time.sleep(float(milliseconds) / 1000)
    ptrace(PTRACE_DETACH, tid)


def runs(tid):
    """Does it want a CPU?"""
    with open(f"/proc/{tid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "R"


def used_ms(tid):
    """What it had of a CPU."""
    with open(f"/proc/{tid}/schedstat") as f:
        return int(f.read().split()[0]) / 1e6


def spin(tid, milliseconds, within=None, holding=None):
    """Does nothing and takes all the CPU it gets, as a thread with a bug does, until it has had so
    much (at most 20 s), or stands still as one that was frozen."""
    tid = int(tid)
    interrupt(tid)
    if within or holding:
        run_into(tid, within or holding, holding)
    before, turned = get_regs(tid), get_regs(tid)
    turned[RIP] = loop = endless_loop(tid)
    turned[ORIG_RAX] = (1 << 64) - 1  # or the kernel would restart its system call
    set_regs(tid, turned)
    ptrace(PTRACE_DETACH, tid)
    print("spins", flush=True)
    goal, end = used_ms(tid) + float(milliseconds), time.monotonic() + 20
    while used_ms(tid) < goal and (runs(tid) or runs(tid)) and time.monotonic() < end:
        time.sleep(0.02)
    for _ in range(20):
        interrupt(tid)
        if get_regs(tid)[RIP] == loop:
            set_regs(tid, before)
            ptrace(PTRACE_DETACH, tid)
            return
        ptrace(PTRACE_DETACH, tid)  # in a signal's handler; most come back
        time.sleep(0.005)
    print("elsewhere", flush=True)


def hog(cpu, milliseconds):
    os.sched_setaffinity(0, {int(cpu)})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    end = time.monotonic() + float(milliseconds) / 1000
    while time.monotonic() < end:
        pass


# ---- service manager


def notifyd(path, seconds):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    s.settimeout(0.1)
    signal.signal(signal.SIGINT, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    fed, ready, gap, last = 0, 0, 0.0, None
    end = time.monotonic() + float(seconds)
    try:
        while time.monotonic() < end:
            try:
                words = s.recv(4096).split(b"\n")
            except TimeoutError:
                continue
            now = time.monotonic()
            ready += b"READY=1" in words
            if b"WATCHDOG=1" in words:
                fed += 1
                gap = max(gap, now - last) if last else gap
                last = now
    except KeyboardInterrupt:
        pass
    print(json.dumps({"ready": ready, "fed": fed, "max_gap_ms": round(1000 * gap, 1)}))


# ---- floods, and who goes on meanwhile


def content(n):
    x, out = 1, bytearray()
    for _ in range(min(n, 65521)):
        out.append(x >> 24)
        x = (x * 1103515245 + 12345) & 0xFFFFFFFF
    return bytes((out * (n // max(len(out), 1) + 1))[:n])


def get_bytes(s, n, wanted):
    s.sendall(f"GET /bytes/{n} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    got = b""
    while not (b"\r\n\r\n" in got and len(got) >= got.index(b"\r\n\r\n") + 4 + n):
        part = s.recv(1 << 18)
        if not part:
            raise ConnectionError("closed")
        got += part
    if not got.endswith(b"\r\n\r\n" + wanted):
        raise ConnectionError("wrong content")


def fetch(address, seconds, size=1000, new=""):
    size = int(size)
    wanted = content(size)
    end = time.monotonic() + float(seconds)
    requests, failed, slowest, why, s = 0, 0, 0.0, [], None
    while time.monotonic() < end:
        begun = time.monotonic()
        try:
            if s is None:
                s = socket.create_connection((address, 80), timeout=20)
            get_bytes(s, size, wanted)
            requests += 1
        except OSError as e:
            failed += 1
            why.append(str(e))
        slowest = max(slowest, time.monotonic() - begun)
        if s is not None and (new or failed):
            s.close()
            s = None
        time.sleep(0.002)
    print(json.dumps({"requests": requests, "failed": failed, "max_ms": round(slowest * 1000),
                      "why": why[:5]}))


# ---- all that a service says, and all it is told


def put_bytes(s, data):
    s.sendall(f"PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    got = b""
    while b"\r\n\r\n" not in got or not got.rstrip().endswith(b"}"):
        part = s.recv(1 << 16)
        if not part:
            raise ConnectionError("closed")
        got += part
    return json.loads(got[got.index(b"\r\n\r\n"):])


def echoed(s, data):
    def writer():
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=writer)
    thread.start()
    got = bytearray()
    while part := s.recv(1 << 18):
        got += part
    thread.join()
    return bytes(got)


def timed(call, *words):
    begin = time.monotonic()
    result = call(*words)
    return result, time.monotonic() - begin


def use(s, cc):
    """Not by sysctl: a namespace may not be allowed to have it as its default."""
    if cc:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, cc.encode())
    return s


def dial(address, port, cc):
    return use(socket.create_connection((address, port), timeout=50), cc)


def bulk(address, size, cc=""):
    import crcmod.predefined  # not everybody needs it
    size = int(size)
    data = random.randbytes(size)
    crc = crcmod.predefined.mkCrcFun("crc-32c")(data)
    with dial(address, 80, cc) as s:
        _, down = timed(get_bytes, s, size, content(size))
        told, up = timed(put_bytes, s, data)
    if told["length"] != size or told["crc32c"] != f"{crc:08x}":
        sys.exit(f"told {told}, sent {size} bytes with {crc:08x}")
    with dial(address, 7, cc) as s:
        if echoed(s, data) != data:
            sys.exit("the echo differs")
    print(json.dumps({"down_mbps": round(size * 8e-6 / down, 1), "up_mbps": round(size * 8e-6 / up, 1)}))


class Messages:
    """A stream that ought to be the same message again and again."""

    def __init__(self, size):
        self.period = content(size)
        while len(self.period) < 1 << 19:
            self.period *= 2
        self.size, self.at, self.wrong = size, 0, 0

    def feed(self, part):
        begin = self.at % self.size
        self.wrong += part != self.period[begin:begin + len(part)]
        self.at += len(part)


def echo_one(s):
    with s:
        while part := s.recv(1 << 18):
            s.sendall(part)


def sink_one(s, size):
    with s:
        stream = Messages(size)
        while part := s.recv(1 << 18):
            stream.feed(part)
    print(json.dumps({"bytes": stream.at, "wrong": stream.wrong}), flush=True)


def accept_all(listener, serve, *words):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], *words), daemon=True).start()


def echod(address, port, size):
    echo, sink = (socket.create_server((address, int(port) + i), family=family_of(address), backlog=100)
                  for i in range(2))
    threading.Thread(target=accept_all, args=(echo, echo_one), daemon=True).start()
    accept_all(sink, sink_one, int(size))


class Services(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(content(int(self.path.rpartition("/")[2])))

    def do_PUT(self):
        import crcmod.predefined
        data = self.rfile.read(int(self.headers["Content-Length"]))
        crc = crcmod.predefined.mkCrcFun("crc-32c")(data)
        self.answer(json.dumps({"length": len(data), "crc32c": f"{crc:08x}"}).encode())

    def log_message(self, *_):
        pass


def kernel_services(cc=""):
    echo = use(socket.create_server(("::", 7), family=socket.AF_INET6, dualstack_ipv6=True), cc)
    threading.Thread(target=accept_all, args=(echo, echo_one), daemon=True).start()
    server = Server(("::", 80), Services)
    use(server.socket, cc)
    server.serve_forever()


class Mmsghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32),
                ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("len", ctypes.c_uint)]


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Cannon:
    """Frames of one size out of an interface, some hundred a system call."""

    BATCH = 512

    def __init__(self, netns, iface, size):
        self.libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{netns}") as ns:
            if self.libc.setns(ns.fileno(), 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, 32, 1 << 23)  # SO_SNDBUFFORCE
        self.sock.bind((iface, 0))
        self.size = size
        self.buf = bytearray(size * self.BATCH)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.buf))
        self.iov = (Iovec * self.BATCH)()
        self.msgs = (Mmsghdr * self.BATCH)()
        for i in range(self.BATCH):
            self.iov[i] = Iovec(base + i * size, size)
            self.msgs[i].iov = ctypes.addressof(self.iov[i])
            self.msgs[i].iovlen = 1

    def fire(self, count, fill):
        """fill(buf, offset) writes a frame. Sends count of them."""
        sent, begun = 0, time.monotonic()
        while sent < count:
            nb = min(self.BATCH, count - sent)
            for i in range(nb):
                fill(self.buf, i * self.size)
            at = 0
            while at < nb:
                n = self.libc.sendmmsg(self.sock.fileno(), ctypes.byref(self.msgs[at]), nb - at, 0)
                if n < 0 and ctypes.get_errno() not in (11, 105):  # EAGAIN, ENOBUFS
                    raise OSError(ctypes.get_errno(), "sendmmsg")
                at += max(n, 0)
            sent += nb
        took = time.monotonic() - begun
        print(json.dumps({"sent": sent, "seconds": round(took, 2), "per_s": round(sent / took)}))


def syn_template(mac, address, port):
    """A SYN without source, port, number: frame, sum of its TCP checksum, of its IP header."""
    tcp = struct.pack("!HHIIBBHHHBBHBBBB", 0, int(port), 0, 0, 0x70, 2, 64240, 0, 0, 2, 4, 1460,
                      1, 3, 3, 7)
    own = bytes.fromhex("026600000066")
    if ":" in address:
        dst = socket.inet_pton(socket.AF_INET6, address)
        ip = struct.pack("!IHBB16s16s", 0x60000000, len(tcp), 6, 64, bytes(16), dst)
        pseudo = dst + struct.pack("!IxxxB", len(tcp), 6)
        return mac + own + b"\x86\xdd" + ip + tcp, ~checksum(pseudo + tcp) & 0xFFFF, 0
    dst = socket.inet_aton(address)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, bytes(4), dst)
    pseudo = dst + struct.pack("!xBH", 6, len(tcp))
    return (mac + own + b"\x08\0" + ip + tcp, ~checksum(pseudo + tcp) & 0xFFFF,
            ~checksum(ip) & 0xFFFF)


def fold(total):
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def syn_filler(mac, address, port, other_mac=False):
    frame, tcp_sum, ip_sum = syn_template(mac, address, port)
    size, v6, bits = len(frame), ":" in address, random.getrandbits
    word, half, pair = struct.Struct("!I"), struct.Struct("!H"), struct.Struct("!HHI")

    def fill(buf, at):
        source, sport, seq = bits(32), bits(16) | 1024, bits(32)
        if not v6:  # 32.0.0.0 to 95.255.255.255
            source = source & 0x3FFFFFFF | 0x20000000
        buf[at:at + size] = frame
        if other_mac:
            word.pack_into(buf, at + 2, bits(32))
        part = (source >> 16) + (source & 0xFFFF)
        total = tcp_sum + part + sport + (seq >> 16) + (seq & 0xFFFF)
        if v6:
            word.pack_into(buf, at + 22, 0x20010db8)
            word.pack_into(buf, at + 34, source)
            total += 0x2001 + 0x0db8
            pair.pack_into(buf, at + 54, sport, port, seq)
            half.pack_into(buf, at + 70, fold(total))
            return
        word.pack_into(buf, at + 26, source)
        half.pack_into(buf, at + 24, fold(ip_sum + part))
        pair.pack_into(buf, at + 34, sport, port, seq)
        half.pack_into(buf, at + 50, fold(total))

    return size, fill


def synflood_in(netns, iface, mac, address, port, count):
    size, fill = syn_filler(bytes.fromhex(mac.replace(":", "")), address, int(port))
    Cannon(netns, iface, size).fire(int(count), fill)


def unicast_in(netns, iface, address, count):
    size, fill = syn_filler(b"\x02\x99\0\0\0\0", address, 80, True)
    Cannon(netns, iface, size).fire(int(count), fill)


# ---- connections


def dialog(address, service, fifo, keepalive=0):
    s = socket.create_connection((address, {"http": 80, "echo": 7}[service]), 5)
    if keepalive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, int(keepalive))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, int(keepalive))
    s.settimeout(20)
    print(s.getsockname()[1], flush=True)
    stream = s.makefile("rb")
    with open(fifo, encoding="ascii") as asked:
        for line in asked:
            if not line.strip():
                break
            if service == "echo":
                s.sendall(line.encode())
                print(stream.readline().decode().strip(), flush=True)
                continue
            s.sendall(f"GET /{line.strip()} HTTP/1.1\r\nHost: team\r\n\r\n".encode())
            print(stream.readline().decode().strip(), flush=True)
            length = 0
            while (header := stream.readline().strip().lower()) != b"":
                if header.startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            stream.read(length)


def spray(name, address, mac, *ifaces, run=1):
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH", name.encode(), 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    out = []
    for iface in ifaces:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.bind((iface, 0))
        with open(f"/sys/class/net/{iface}/address", encoding="ascii") as f:
            own = f.read().strip()
        out.append((s, bytes.fromhex((mac + own).replace(":", "")) + b"\x08\0"))
    subprocess.run(["ip", "link", "set", name, "txqueuelen", "5000", "mtu", "1500", "up"], check=True)
    subprocess.run(["ip", "route", "replace", f"{address}/32", "dev", name, "src", "10.77.0.2"], check=True)
    print("sprays", flush=True)
    run, n = int(run), 0
    while True:
        packet = os.read(tun, 65536)
        s, header = out[n // run % len(out) if run else 0]
        n += 1
        s.send(header + packet)


# ---- tagged frames, where the kernel has no VLAN devices


TAGGED = b"teampmd-vlan"


def waits():
    def burn(share):
        cpu_wait, end = CpuWait(), time.monotonic() + 1
        before = cpu_wait.ns()
        while time.monotonic() < end:
            pass
        with share.get_lock():
            share.value += cpu_wait.ns() - before

    share = multiprocessing.Value(ctypes.c_longlong, 0)
    cpus = len(os.sched_getaffinity(0))
    workers = [multiprocessing.Process(target=burn, args=(share,)) for _ in range(cpus)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    print(share.value // (cpus * 10_000_000))


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
    print("echoes", flush=True)
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
    for n in range(int(count)):
        payload = TAGGED + struct.pack("!I", n)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), n, 0, 64, 17, 0,
                         socket.inet_aton("10.78.0.1"), socket.inet_aton("10.78.0.2"))
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        udp = struct.pack("!HHHH", 1000 + n, 7, 8 + len(payload), 0)
        s.send(bytes.fromhex(mac.replace(":", "")) + own + stack + b"\x08\0" + ip + udp + payload)
        time.sleep(0.001)
    # What was sent later than another is back later: a second without any is the end.
    while len(back) < int(count) and select.select([s], [], [], 1.0)[0]:
        data = vlan_recv(s)
        if data and data[:6] == own and data[12:12 + len(stack) + 2] == stack + b"\x08\0":
            at = data.index(TAGGED) + len(TAGGED)
            back.add(struct.unpack("!I", data[at:at + 4])[0])
    print(len(back))


def main():
    command = {f.__name__: f for f in (httpd, send, recv, stop, spin, hog,
                                        notifyd, waits, fetch, bulk, echod, kernel_services, synflood_in, unicast_in, dialog,
                                        spray, vlanecho, vlanping)}.get(sys.argv[1])
    if command is None:
        sys.exit(__doc__)
    words = [a for a in sys.argv[2:] if not a.startswith("--")]
    options = dict(a[2:].split("=", 1) for a in sys.argv[2:] if a.startswith("--"))
    command(*words, **options)


if __name__ == "__main__":
    main()
