#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""What somebody on the link can send to a team that serves http, by scapy. Run in the peer's
namespace: attack.py COMMAND INTERFACE TEAM-MAC TEAM-ADDRESS OWN-ADDRESS TEAMCTL SOCKET

blind      segments for a connection whose ends are known and whose numbers are not
overlap    the same octets of the stream twice, different ones
options    garbage in options, headers and checksums
fragments  tiny, overlapping, endless ones
icmp       forged errors about a connection
neigh      ARP and ND that nobody asked for, and that lie
Each is a sequence of assertions; what failed is on stderr.
"""

import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

import crcmod.predefined
from scapy.all import (ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6DestUnreach,
                       ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect,
                       ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6,
                       IPv6ExtHdrFragment, Padding, Raw, conf, fragment, fragment6)

conf.verb = 0
conf.ipv6_enabled = True

COMMAND, IFACE, TEAM_MAC, TEAM, OWN, TEAMCTL, SOCKET = sys.argv[1:8]
V6 = ":" in TEAM
EVIL_MAC = "02:66:00:00:00:66"
EVIL = OWN.rsplit(":", 1)[0] + ":66" if V6 else OWN.rsplit(".", 1)[0] + ".66"
M32 = 0xFFFFFFFF
SO_RCVBUFFORCE = 33
# <linux/tcp.h>
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_REPAIR_WINDOW = 19, 20, 21, 29
TCP_RECV_QUEUE, TCP_SEND_QUEUE = 1, 2
TCP_REPAIR_ON, TCP_REPAIR_OFF_NO_WP = 1, -1
TCPI_OPT_TIMESTAMPS = 1

random.seed(int.from_bytes(COMMAND.encode(), "big"))


def show(topic):
    out = subprocess.run([TEAMCTL, "-s", SOCKET, "-j", "show", *topic.split()], check=True,
                         capture_output=True, timeout=20).stdout
    return json.loads(out)


def counters():
    return show("tcp") | show("addr")["counters"]


def grown(before, name):
    seen.append(before)
    return counters()[name] - before[name]


seen = []


def changes():
    """What was counted since the last look, for messages."""
    now = counters()
    print(json.dumps(show("port stats all")), file=sys.stderr)
    return {k: v - seen[-1][k] for k, v in now.items() if seen and v != seen[-1][k]}


def until(check, what, seconds=3.0):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, (what, changes())
        time.sleep(0.02)


def packet(src, dst, **more):
    return IPv6(src=src, dst=dst, **more) if V6 else IP(src=src, dst=dst, **more)


def content(n):
    x, out = 1, bytearray()
    for _ in range(min(n, 65521)):
        out.append(x >> 24)
        x = (x * 1103515245 + 12345) & M32
    return bytes((out * (n // max(len(out), 1) + 1))[:n])


class Link:
    """Frames out of, and into, the interface."""

    def __init__(self):
        self.sock = conf.L2socket(iface=IFACE, promisc=True)
        # Room for all that comes while nobody reads: what is lost here nobody else has lost.
        self.sock.ins.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)

    def send(self, pkt, mac=None):
        self.frame(Ether(src=mac or EVIL_MAC, dst=TEAM_MAC) / pkt)

    def frame(self, frame):
        self.sock.outs.send(bytes(frame))

    def close(self):
        self.sock.close()


class Victim:
    """A connection of this host's kernel, which tells its numbers so that they can be forged."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET6 if V6 else socket.AF_INET)
        self.sock.settimeout(6)
        self.sock.bind((OWN, 0))
        self.port = self.sock.getsockname()[1]
        self.sock.connect((TEAM, 80))
        self.ts = self.option(socket.TCP_INFO, 8)[5] & TCPI_OPT_TIMESTAMPS
        with open(f"/sys/class/net/{IFACE}/address") as f:
            self.mac = f.read().strip()

    def option(self, name, size):
        return self.sock.getsockopt(socket.IPPROTO_TCP, name, size)

    def set_option(self, name, value):
        self.sock.setsockopt(socket.IPPROTO_TCP, name, value)

    def ask(self, n=2000):
        self.sock.sendall(f"GET /bytes/{n} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got:
            part = self.sock.recv(65536)
            if not part:
                raise ConnectionError("closed")
            got += part
        body = got.split(b"\r\n\r\n", 1)[1]
        while len(body) < n:
            part = self.sock.recv(65536)
            if not part:
                raise ConnectionError("closed")
            body += part
        assert body == content(n), "what came is not the sequence"

    def numbers(self):
        """What the team expects next, what it has sent, and the window that it offers."""
        numbers = []
        self.set_option(TCP_REPAIR, TCP_REPAIR_ON)
        for queue in (TCP_SEND_QUEUE, TCP_RECV_QUEUE):
            self.set_option(TCP_REPAIR_QUEUE, queue)
            numbers.append(self.option(TCP_QUEUE_SEQ, 0) & M32)
        window = struct.unpack("=5I", self.option(TCP_REPAIR_WINDOW, 20))[1]
        self.set_option(TCP_REPAIR, TCP_REPAIR_OFF_NO_WP)
        return (*numbers, window)

    def forge(self, flags, seq, ack=0, data=b"", options=()):
        return packet(OWN, TEAM) / TCP(sport=self.port, dport=80, flags=flags, seq=seq & M32,
                                       ack=ack & M32, window=500, options=list(options)) / data

    def close(self):
        self.sock.close()


# ---- blind


def blind():
    """RFC 5961 3.2, 4.2, 5.2, 7."""
    link, v = Link(), Victim()
    v.ask()
    window = v.numbers()[2]
    assert window > 100000, window
    challenged, no_ack = ("TCPChallengeACK",), ("TCPNoAck",)
    far, edge = 1 << 30, 1 << 50  # stands for the window's
    for what, flags, at, ack, data, counter in (  # at and ack: from what is right
            ("RST in the window", "R", 1000, 0, b"", challenged),
            ("RST at its end", "R", edge - 1, 0, b"", challenged),
            ("RST, ACK in the window", "RA", 1, 0, b"", challenged),
            ("RST one before", "R", -1, 0, b"", None),
            ("RST behind the window", "R", edge + 100000, 0, b"", None),
            ("RST far away", "R", 2 * far, 0, b"", None),
            ("SYN in the window", "S", 1000, 0, b"", challenged),
            ("SYN at the next number", "S", 0, 0, b"", challenged),
            ("SYN outside", "S", far, 0, b"", ("TCPOutOfWindow",)),
            ("SYN, ACK", "SA", 0, 0, b"", challenged),
            ("data, ACK of long ago", "PA", 0, -far, b"GET /", challenged),
            ("data, ACK of what was not sent", "PA", 0, 1000, b"GET /", ("TCPAckUnsent",)),
            ("data without ACK", "P", 0, 0, b"GET /", no_ack),
            ("data behind the window", "PA", edge + 5000, 0, b"GET /", ("TCPOutOfWindow",)),
            ("FIN behind the window", "FA", edge + 5000, 0, b"", ("TCPOutOfWindow",)),
            ("nothing set", "", 0, 0, b"GET /", no_ack),
            ("everything set", "FSRPAUEC", 10, 0, b"GET /", None)):
        # With timestamps agreed what has none is dropped before its numbers are looked at.
        if v.ts and counter and "R" not in flags:
            counter = ("PAWSEstab", "TCPOutOfWindow", *counter)
        before = counters()
        rcv, snd, window = v.numbers()
        if at > edge // 2:
            at += window - edge
        link.send(v.forge(flags, rcv + at, snd + ack, data), v.mac)
        if counter:
            until(lambda: sum(grown(before, c) for c in counter) == 1, f"{what}: not in {counter}")
        v.ask()
        assert grown(before, "EstabResets") == 0, what
    spray(link, v)
    kill(link, v)


def spray(link, v):
    """Numbers by chance, as an attacker has them; what it provokes is limited."""
    before = counters()
    rcv, _, window = v.numbers()
    base = bytearray(bytes(Ether(src=v.mac, dst=TEAM_MAC) / v.forge("R", 1)))
    frames = []
    for n in range(10000):
        seq = random.getrandbits(32) if n % 2 else rcv + 1 + random.randrange(window - 1)
        if seq & M32 != rcv:
            frames.append(bytes(resum(base, seq & M32)))
    begun = time.monotonic()
    for frame in frames:  # all at once: the limit is one for a second
        link.frame(frame)
    until(lambda: grown(before, "InSegs") >= 7000, "the spray did not arrive")
    sent, skipped = grown(before, "TCPChallengeACK"), grown(before, "TCPACKSkippedChallenge")
    assert skipped > 100 and sent < 1500 * (time.monotonic() - begun + 2), (sent, skipped)
    v.ask()


def resum(frame, seq):
    """Another sequence number in a finished frame, and its checksum."""
    off = 14 + (40 if V6 else 20)
    old = struct.unpack_from("!I", frame, off + 4)[0]
    total = ~struct.unpack_from("!H", frame, off + 16)[0] & 0xFFFF
    total += (~(old >> 16) & 0xFFFF) + (~old & 0xFFFF) + (seq >> 16) + (seq & 0xFFFF)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!I", frame, off + 4, seq)
    struct.pack_into("!H", frame, off + 16, ~total & 0xFFFF)
    return frame


def kill(link, v):
    """That the numbers above were right: with the exact one it ends."""
    before = counters()
    rcv, snd, _ = v.numbers()
    link.send(v.forge("R", rcv), v.mac)
    until(lambda: grown(before, "EstabResets") == 1, "an exact RST does nothing")
    v.close()
    link.close()


# ---- a client of scapy's own


class Client:
    """TCP by hand, from an address that no kernel has; it answers ARP and ND."""

    def __init__(self, link):
        self.link = link
        self.sport = random.randrange(1024, 65000)
        self.snd = random.getrandbits(32)
        self.rcv = 0
        self.stream = b""
        self.acks = True

    def segment(self, flags, off=0, data=b"", options=(), **more):
        return packet(EVIL, TEAM) / TCP(sport=self.sport, dport=80, flags=flags,
                                        seq=(self.snd + off) & M32, ack=self.rcv, window=60000,
                                        options=list(options), **more) / data

    def hear(self, seconds, wanted):
        end = time.monotonic() + seconds
        while not wanted() and time.monotonic() < end:
            if not self.link.sock.select([self.link.sock], 0.05):
                continue
            p = self.link.sock.recv()
            if p is not None:
                self.frame(p)
        return wanted()

    def frame(self, p):
        if ARP in p and p[ARP].op == 1 and p[ARP].pdst == EVIL:
            self.link.frame(Ether(src=EVIL_MAC, dst=TEAM_MAC) / ARP(
                op=2, hwsrc=EVIL_MAC, psrc=EVIL, hwdst=TEAM_MAC, pdst=p[ARP].psrc))
        elif ICMPv6ND_NS in p and p[ICMPv6ND_NS].tgt == EVIL:
            self.link.frame(Ether(src=EVIL_MAC, dst=TEAM_MAC) / IPv6(
                src=EVIL, dst=p[IPv6].src, hlim=255) / ICMPv6ND_NA(tgt=EVIL, S=1, O=1, R=0) /
                ICMPv6NDOptDstLLAddr(lladdr=EVIL_MAC))
        elif TCP in p and p[TCP].dport == self.sport and p.dst == EVIL_MAC:
            self.tcp(p[TCP], (p[IPv6].plen if V6 else p[IP].len - 20) - p[TCP].dataofs * 4)

    def tcp(self, tcp, length):
        self.last = tcp
        if "S" in tcp.flags:
            self.rcv = (tcp.seq + 1) & M32
            self.opened = True
            return
        if "R" in tcp.flags:
            raise AssertionError("reset by the team")
        data = bytes(tcp.payload)[:length]
        old = (self.rcv - tcp.seq) & M32
        if old < len(data):  # also where it was cut in another way before
            self.stream += data[old:]
            self.rcv = (self.rcv + len(data) - old) & M32
        if data and self.acks:  # also what came twice or too early: so TCP hears of a loss
            self.link.send(self.segment("A"))

    def connect(self, delay=0):
        """@param delay seconds before the SYN-ACK is answered, a round trip for the team"""
        self.opened = False
        for _ in range(3):
            self.link.send(self.segment("S", options=[("MSS", 1460)]))
            if self.hear(1.0, lambda: self.opened):
                break
        assert self.opened, "no SYN-ACK"
        time.sleep(delay)
        self.snd = (self.snd + 1) & M32
        self.link.send(self.segment("A"))
        return self

    def put(self, off, data):
        self.link.send(self.segment("PA", off, data))

    def answer(self):
        """The body of the next answer that has come."""
        def whole():
            head, end, rest = self.stream.partition(b"\r\n\r\n")
            if not end:
                return False
            length = int(head.lower().split(b"content-length: ")[1].split()[0])
            return len(rest) >= length
        assert self.hear(10.0, whole), ("no answer", self.stream[:200], changes())
        head, _, rest = self.stream.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split()[0])
        self.stream = rest[length:]
        return rest[:length]

    def ask(self, n=3000):
        text = f"GET /bytes/{n} HTTP/1.1\r\n\r\n".encode()
        self.put(0, text)
        self.snd = (self.snd + len(text)) & M32
        assert self.answer() == content(n)

    def close(self):
        self.link.send(self.segment("RA"))


class Stream:
    """Which octets count when several claim a place (no RFC says it, but it has to be one rule, and
    what was given to the user stays): what was read stays, what is next in order goes before what
    waits, of what waits a larger piece goes before those that it covers, else the older one."""

    def __init__(self):
        self.data = b""
        self.waits = {}  # place: octets; apart from each other

    def segment(self, at, data):
        old = max(len(self.data) - at, 0)
        at, data = at + old, data[old:]
        if not data:
            return
        if at == len(self.data):
            self.data += data
            for start in sorted(self.waits):
                if start <= len(self.data):
                    piece = self.waits.pop(start)
                    self.data += piece[len(self.data) - start:]
            return
        for start in sorted(self.waits, reverse=True):
            end = start + len(self.waits[start])
            if start <= at < end:
                at, data = end, data[end - at:]
                break
        for start in sorted(self.waits):
            end = start + len(self.waits[start])
            if at < start < at + len(data):
                if end > at + len(data):
                    data = data[:start - at]
                    break
                del self.waits[start]
        if data:
            self.waits[at] = data
            self.merge()

    def merge(self):
        last = None
        for start in sorted(self.waits):
            if last is not None and last + len(self.waits[last]) == start:
                self.waits[last] += self.waits.pop(start)
            else:
                last = start


def overlap():
    crc = crcmod.predefined.mkCrcFun("crc-32c")
    link = Link()
    for _ in range(12):
        c = Client(link).connect()
        size = random.randrange(50, 900)
        head = f"PUT /sink HTTP/1.1\r\nContent-Length: {size}\r\n\r\n".encode()
        c.put(0, head)
        c.snd = (c.snd + len(head)) & M32
        model = Stream()
        while len(model.data) < size:
            at = random.choice([0, random.randrange(size), random.randrange(size),
                                len(model.data)])
            data = random.randbytes(min(random.randrange(1, 120), size - at))
            c.put(at, data)
            model.segment(at, data)
            time.sleep(0.0005)  # one after the other, also where a ring is short
        c.snd = (c.snd + size) & M32
        told = json.loads(c.answer())
        assert told == {"length": size, "crc32c": f"{crc(model.data):08x}"}, told
        c.close()
    link.close()


# ---- garbage


def checksum(data):
    total = sum(struct.unpack(f"!{len(data + b'x' * (len(data) % 2)) // 2}H",
                              data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def raw_segment(sport, flags, seq, ack, options, data=b"", dataofs=None, bad_sum=False):
    """TCP whose header is what one likes."""
    words = (len(options) + 3) // 4
    options = options.ljust(words * 4, b"\0")
    ofs = 5 + words if dataofs is None else dataofs
    tcp = struct.pack("!HHIIBBHHH", sport, 80, seq & M32, ack & M32, ofs << 4, flags, 6000, 0, 0)
    tcp += options + data
    if V6:
        pseudo = socket.inet_pton(socket.AF_INET6, EVIL) + socket.inet_pton(socket.AF_INET6, TEAM)
        pseudo += struct.pack("!IxxxB", len(tcp), 6)
    else:
        pseudo = socket.inet_aton(EVIL) + socket.inet_aton(TEAM) + struct.pack("!xBH", 6, len(tcp))
    total = checksum(pseudo + tcp) ^ (0x0101 if bad_sum else 0)
    tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
    if V6:
        return packet(EVIL, TEAM, nh=6) / Raw(tcp)
    return packet(EVIL, TEAM, proto=6) / Raw(tcp)


def garbage():
    return random.choice([random.randbytes(random.randrange(41)), b"\x02\x04\x00\x00",
                          b"\x02\xff", b"\x05\x02" * 5, b"\x08\x00", b"\x03\x03\xff", b"\x01" * 40,
                          b"\x05\x0a" + random.randbytes(8), b"\x08\x0a" + random.randbytes(8)])


def options():
    link = Link()
    c = Client(link).connect()
    c.ask()
    before = counters()
    for _ in range(600):  # to the listener
        link.send(raw_segment(random.randrange(1024, 65536), random.getrandbits(8) | 2,
                              random.getrandbits(32), 0, garbage(),
                              random.randbytes(random.randrange(9)),
                              random.choice([None, None, random.randrange(16)])))
    for _ in range(600):  # into the connection, at places that do it no harm
        link.send(raw_segment(c.sport, 0x10, c.snd + random.choice([-100, 100000, 1 << 30]), c.rcv,
                              garbage(), random.randbytes(random.randrange(9)),
                              random.choice([None, None, random.randrange(16)])))
    c.ask()
    bad = counters()
    for _ in range(50):  # its very next octets, and damaged
        link.send(raw_segment(c.sport, 0x18, c.snd, c.rcv, b"", b"DELETE /", None, True))
    until(lambda: grown(bad, "InErrs") == 50, "bad checksums are taken")
    for ofs in (0, 1, 4, 15):
        link.send(raw_segment(c.sport, 0x18, c.snd, c.rcv, b"", b"DELETE /", ofs))
    if not V6:
        damaged = bytearray(bytes(raw_segment(c.sport, 0x18, c.snd, c.rcv, b"", b"DELETE /")))
        damaged[10] ^= 1  # of the IP header's checksum
        link.frame(Ether(src=EVIL_MAC, dst=TEAM_MAC, type=0x800) / Raw(bytes(damaged)))
    c.ask()
    for cut in range(1, 45):  # frames that end too early
        frame = bytes(Ether(src=EVIL_MAC, dst=TEAM_MAC) / c.segment("PA", 0, b"DELETE /"))
        link.frame(Raw(frame[:-cut]))
    c.ask()
    assert grown(before, "toe_rx_segments") > 700, changes()
    c.close()
    link.close()


# ---- fragments


def pieces(pkt, size):
    if not V6:
        return fragment(pkt, size)
    head = IPv6(src=EVIL, dst=TEAM) / IPv6ExtHdrFragment(id=random.getrandbits(32)) / pkt.payload
    return fragment6(head, 48 + max(size, 8))


def fragments():
    link = Link()
    c = Client(link).connect()
    text = b"GET /bytes/100 HTTP/1.1\r\n\r\n"
    before = counters()
    for size in (8, 16, 24):  # even the TCP header in several
        for order in (list, reversed, lambda f: random.sample(f, len(f))):
            pkt = c.segment("PA", 0, text)
            if not V6:
                pkt.id = random.getrandbits(16)
            for f in order(list(pieces(pkt, size))):
                link.send(f)
            c.snd = (c.snd + len(text)) & M32
            seen.append(before)
            assert c.answer() == content(100), size
    lies(link, c)
    if not V6:
        before = counters()
        for n in range(3000):  # first ones without end
            link.send(IP(src=EVIL, dst=TEAM, id=n, flags="MF") / TCP(dport=80) / bytes(44))
        until(lambda: grown(before, "IpReasmReqds") > 1500, "fragments did not arrive")
    c.ask()
    c.close()
    link.close()


def lies(link, c):
    """Two pieces claim the same place: no packet comes of it (RFC 5722, RFC 1858)."""
    before = counters()
    text = b"GET /bytes/9 HTTP/1.1\r\nX: 1234567890123456789012345678901\r\n\r\n"
    for _ in range(20):
        pkt = c.segment("PA", 0, text)
        if not V6:
            pkt.id = random.getrandbits(16)
        whole = list(pieces(pkt, 24))
        other = whole[1].copy()
        if V6:
            other[IPv6ExtHdrFragment].offset -= 1
        else:
            other.frag -= 1
        for f in (whole[0], other, *whole[1:]):
            link.send(f)
    for frag in (8189, 8191):  # beyond the largest packet
        if V6:
            link.send(IPv6(src=EVIL, dst=TEAM) / IPv6ExtHdrFragment(nh=6, offset=frag, m=0, id=frag) /
                      Raw(bytes(200)))
        else:
            link.send(IP(src=EVIL, dst=TEAM, proto=6, frag=frag, id=frag) / Raw(bytes(200)))
    until(lambda: grown(before, "IpReasmFails") >= 20, "overlapping fragments are not refused")
    assert grown(before, "IpReasmOKs") == 0
    c.ask()


# ---- ICMP


def too_big(mtu, quote):
    if V6:
        return packet(EVIL, TEAM) / ICMPv6PacketTooBig(mtu=mtu) / Raw(quote)
    return packet(EVIL, TEAM) / ICMP(type=3, code=4, nexthopmtu=mtu) / Raw(quote)


def unreachable(quote):
    if V6:
        return packet(EVIL, TEAM) / ICMPv6DestUnreach(code=4) / Raw(quote)
    return packet(EVIL, TEAM) / ICMP(type=3, code=2) / Raw(quote)


def icmp():
    """RFC 5927 4.1, 5.2, 7: what does not quote a segment in flight is ignored, a hard error ends
    no established connection, no MTU below the floor is believed."""
    link = Link()
    # Far away, so that no timeout (the third doubts the path's MTU) comes before what is tried here.
    c = Client(link).connect(0.7)
    c.acks = False
    ask = b"GET /bytes/40000 HTTP/1.1\r\n\r\n"
    first = c.rcv
    c.put(0, ask)
    c.snd = (c.snd + len(ask)) & M32
    assert c.hear(5.0, lambda: len(c.stream) >= 4000), "nothing in flight"

    def quote(seq, dport=None):
        tcp = TCP(sport=80, dport=dport or c.sport, seq=seq & M32, flags="A", ack=c.snd)
        return bytes(packet(TEAM, EVIL, **({"plen": 1460} if V6 else {"len": 1500})) / tcp)

    def mss():
        rows = show(f"conn where port={c.sport}")["list"]
        assert len(rows) == 1, rows
        return rows[0]["mss"]

    whole = mss()
    seen.append(counters())
    for seq in (first - 1, first - 100000, first + 10000000, first + (1 << 31)):
        link.send(too_big(1300, quote(seq)))
        link.send(unreachable(quote(seq)))
    link.send(too_big(1300, quote(first, c.sport + 1)))  # nobody's
    link.send(too_big(1300, quote(first)[:46 if V6 else 26]))  # cut off
    time.sleep(0.3)
    assert mss() == whole, ("believed a guess", mss(), changes())
    for _ in range(5):
        link.send(unreachable(quote(first)))
    link.send(too_big(1350, quote(first)))
    until(lambda: mss() == whole - 150, "a true one is not believed")
    for mtu in (0, 1, 60, 68, 500):
        link.send(too_big(mtu, quote(first)))
    time.sleep(0.3)
    assert mss() >= (1280 - 60 if V6 else 552 - 52), mss()
    c.acks = True
    link.send(c.segment("A"))
    assert c.answer() == content(40000)
    c.close()
    link.close()


# ---- neighbours


def neigh():
    link, v = Link(), Victim()
    v.sock.settimeout(15)  # a lie that is believed is found out within seconds
    v.ask()
    before, begun = counters(), time.monotonic()
    stop = threading.Event()
    errors = []

    def go_on():
        try:
            while not stop.is_set():
                v.ask(20000)
        except Exception as e:  # told below, with what was going on
            errors.append(e)

    asker = threading.Thread(target=go_on)
    asker.start()
    try:
        (neigh6 if V6 else neigh4)(link, v)
    finally:
        stop.set()
        asker.join(16)
    assert not errors, errors
    v.ask()
    if "TP_TEST_LONG" in os.environ:
        poison(link, v)
    table = show("neigh")
    assert len(table) <= 1024, len(table)
    mine = [n for n in table if n["address"] == OWN]
    assert mine and mine[0]["mac"] == v.mac, mine
    state = [a["state"] for a in show("addr")["addresses"] if a["address"].startswith(TEAM + "/")]
    assert state == ["preferred"], state
    answered, most = grown(before, "NeighAnswered"), 1000 * (time.monotonic() - begun + 2)
    assert answered < most, f"answers are not limited: {answered}, not below {most}"
    assert grown(before, "NeighInvalid") + grown(before, "NeighIgnored") > 300, changes()
    v.close()
    link.close()


def poison(link, v):
    """The victim is said to be elsewhere. ARP and ND prove nothing: that is believed, and asked about
    after some seconds; then the truth is found."""
    lie = ARP(op=2, hwsrc=EVIL_MAC, psrc=OWN, pdst=TEAM)
    if V6:
        lie = (IPv6(src=OWN, dst=TEAM, hlim=255) / ICMPv6ND_NA(tgt=OWN, O=1, S=1, R=0) /
               ICMPv6NDOptDstLLAddr(lladdr=EVIL_MAC))
    frame = bytes(Ether(src=EVIL_MAC, dst=TEAM_MAC) / lie)
    v.sock.settimeout(60)
    v.ask()
    for _ in range(20):
        link.frame(frame)
        time.sleep(0.05)
    v.ask()


def some_mac():
    return random.choice(["ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "01:00:5e:00:00:01", TEAM_MAC,
                          "02:%02x:%02x:00:00:01" % (random.randrange(256), random.randrange(256))])


def neigh4(link, v):
    base = bytearray(bytes(Ether(src=EVIL_MAC, dst="ff:ff:ff:ff:ff:ff") /
                           ARP(op=1, hwsrc=EVIL_MAC, psrc="10.77.0.9", pdst=TEAM)))
    for n in range(20000):  # questions from so many
        struct.pack_into("!HI", base, 22, 0x0200, n)
        base[28:32] = bytes([10, 77, 0, 3 + n % 250])
        link.frame(base)
    for n in range(1500):  # answers that nobody had asked for, words that mean nothing
        link.frame(Ether(src=EVIL_MAC, dst=TEAM_MAC) / ARP(
            op=random.choice([0, 1, 2, 2, 2, 9, 65535]), hwsrc=some_mac(),
            psrc=random.choice(["10.77.0.%d" % random.randrange(3, 256), "0.0.0.0", "255.255.255.255",
                                "224.0.0.1", TEAM]),
            pdst=random.choice([TEAM, "10.77.0.99", "0.0.0.0"]),
            hwlen=random.choice([6, 6, 6, 0, 255]), plen=random.choice([4, 4, 4, 16])))
    for cut in range(1, 28):
        link.frame(Raw(bytes(Ether(src=EVIL_MAC, dst=TEAM_MAC) / ARP(pdst=TEAM))[:-cut]))


def neigh6(link, v):
    def nd(message, src=EVIL, hlim=255, dst=TEAM):
        link.frame(Ether(src=EVIL_MAC, dst=TEAM_MAC) / IPv6(src=src, dst=dst, hlim=hlim) / message)

    for n in range(2500):
        src = "fd77::%x:%x" % (1 + n // 60000, 10 + n)
        nd(ICMPv6ND_NS(tgt=TEAM) / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:%02x:%02x" % (
            n >> 8, n & 255)), src)
    for _ in range(1200):
        tgt = random.choice([TEAM, "fd77::%x" % random.randrange(3, 65536), "ff02::1", "::"])
        message = random.choice([
            ICMPv6ND_NA(tgt=tgt, S=random.getrandbits(1), O=1, R=random.getrandbits(1)) /
            ICMPv6NDOptDstLLAddr(lladdr=some_mac()),
            ICMPv6ND_NS(tgt=tgt) / ICMPv6NDOptSrcLLAddr(lladdr=some_mac()),
            ICMPv6ND_RA(routerlifetime=1800) / ICMPv6NDOptSrcLLAddr(lladdr=EVIL_MAC),
            ICMPv6ND_Redirect(tgt=EVIL, dst=OWN),
            ICMPv6ND_NS(tgt=TEAM) / Raw(random.randbytes(random.randrange(40))),
            ICMPv6ND_NA(tgt="fd77::77", O=1) / Raw(b"\x02\x00" + random.randbytes(6))])
        src = random.choice([EVIL, EVIL, "::", "fe80::9", "ff02::9", TEAM])
        nd(message, src, random.choice([255, 255, 255, 64]), random.choice([TEAM, "ff02::1"]))


{f.__name__: f for f in (blind, overlap, options, fragments, icmp, neigh)}[COMMAND]()
