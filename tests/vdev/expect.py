# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Where a frame must go, worked out from the documents alone: lib/flow/tp_flow.h for what a
policy hashes, lib/pkt/tp_pkt.h for what a parser may see, docs for the modes.
"""

import struct
from functools import lru_cache

TAGS = (0x8100, 0x88a8, 0x9100)
IPV4, IPV6, ARP, FCOE = 0x0800, 0x86dd, 0x0806, 0x8906
TCP, UDP, SCTP = 6, 17, 132
EXTENSIONS = {0, 43, 44, 51, 60}
KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c"
                    "6a42b73bbeac01fa")


# ---- hash functions ----------------------------------------------------------


@lru_cache(maxsize=None)
def key_window(bit):
    """32 bits of the key from a bit on; it repeats."""
    number, length = int.from_bytes(KEY * 2, "big"), len(KEY) * 16
    return number >> (length - 32 - bit) & 0xffffffff


def toeplitz(data):
    out = 0
    for i, byte in enumerate(data):
        for bit in range(8):
            if byte & 0x80 >> bit:
                out ^= key_window(8 * i + bit)
    return out


@lru_cache(maxsize=None)
def crc_step(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
    return byte


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ crc_step((crc ^ byte) & 0xff)
    return crc ^ 0xffffffff


FUNCTIONS = {"toeplitz": toeplitz, "crc32c": crc32c}


# ---- what is in a frame ---------------------------------------------------------


class Parsed:
    """The deepest layers that are really there."""

    def __init__(self, frame):
        self.frame = frame
        self.vlan = 0
        self.addresses = None  # source, destination
        self.ports = b"\0\0\0\0"
        self.fc = None  # source, destination, exchange
        self.runt = len(frame) < 14
        if not self.runt:
            self.ethernet()

    def ethernet(self):
        frame, at, tags = self.frame, 12, []
        ether_type = struct.unpack_from("!H", frame, at)[0]
        while ether_type in TAGS and len(tags) < 2 and len(frame) >= at + 6:
            tag, ether_type = struct.unpack_from("!HH", frame, at + 2)
            tags.append(tag)
            at += 4
        self.vlan = tags[0] & 0xfff if tags else 0
        self.type = ether_type
        net = frame[at + 2:]
        if ether_type == IPV4 and len(net) >= 20 and net[0] >> 4 == 4:
            self.ipv4(net)
        elif ether_type == IPV6 and len(net) >= 40 and net[0] >> 4 == 6:
            self.ipv6(net)
        elif ether_type == FCOE and len(net) >= 38:
            self.fc = net[19:22], net[15:18], net[30:32]

    def transport(self, proto, packet, at):
        if proto in (TCP, UDP, SCTP) and len(packet) >= at + 4:
            self.ports = packet[at:at + 4]

    def ipv4(self, net):
        self.addresses = net[12:16], net[16:20]
        header, total = (net[0] & 15) * 4, struct.unpack_from("!H", net, 2)[0]
        if header < 20 or total < header or len(net) < header:
            return
        if struct.unpack_from("!H", net, 6)[0] & 0x3fff == 0:
            self.transport(net[9], net[:total], header)

    def ipv6(self, net):
        self.addresses = net[8:24], net[24:40]
        packet = net[:40 + struct.unpack_from("!H", net, 4)[0]]
        proto, at, walked = net[6], 40, 0
        while proto in EXTENSIONS:
            if walked == 8 or len(packet) < at + 8:
                return
            following, length, more = packet[at], packet[at + 1], packet[at + 2:at + 4]
            size = {44: 8, 51: (length + 2) * 4}.get(proto, (length + 1) * 8)
            is_fragment = proto == 44 and int.from_bytes(more, "big") & 0xfff9
            proto, at, walked = following, at + size, walked + 1
            if is_fragment or len(packet) < at:
                return
        self.transport(proto, packet, at)


# ---- policies --------------------------------------------------------------------


def words(data):
    """How symmetric hashes order endpoints: as little-endian words."""
    data += b"\0" * (-len(data) % 4)
    return struct.unpack(f"<{len(data) // 4}I", data)


def ordered(a, b):
    return (a, b) if words(a) <= words(b) else (b, a)


def l2(p, symmetric):
    if p.runt:
        return p.frame[:12].ljust(16, b"\0")
    dst, src = p.frame[:6], p.frame[6:12]
    if symmetric:
        dst, src = ordered(dst, src)
    return dst + src + struct.pack("!HH", p.type if p.type >= 0x800 else 0, 0)


def l23(p, symmetric):
    if not p.addresses:
        return l2(p, symmetric)
    addresses, macs = p.addresses, (p.frame[:6], p.frame[6:12])
    if symmetric:
        addresses, macs = ordered(*addresses), ordered(*macs)
    return b"".join(addresses + macs)


def l34(p, symmetric):
    if not p.addresses:
        return l2(p, symmetric)
    (src, dst), sport, dport = p.addresses, p.ports[:2], p.ports[2:]
    if symmetric:
        if src == dst:
            sport, dport = ordered(sport, dport)
        elif ordered(src, dst) != (src, dst):
            src, dst, sport, dport = dst, src, dport, sport
    return src + dst + sport + dport


def dst(p, symmetric):
    if p.fc:
        return b"\0" + p.fc[1]
    return p.addresses[1] if p.addresses else l2(p, symmetric)


def fc(p, symmetric):
    if not p.fc:
        return l34(p, symmetric)
    ends = b"\0" + p.fc[0], b"\0" + p.fc[1]
    if symmetric:
        ends = ordered(*ends)
    return ends[0] + ends[1] + p.fc[2] + b"\0\0"


def vlan_srcmac(p, symmetric):
    if p.runt:
        return l2(p, symmetric)
    return struct.pack("!H", p.vlan) + p.frame[6:12]


POLICIES = {"l34": l34, "l23": l23, "l2": l2, "dst": dst, "vlan+srcmac": vlan_srcmac, "fc": fc}


def bucket_of(frame, policy, function, symmetric, nb_buckets):
    value = FUNCTIONS[function](POLICIES[policy](Parsed(frame), symmetric))
    return (value * 0x9e3779b1 & 0xffffffff) * nb_buckets >> 32


# ---- modes -----------------------------------------------------------------------


def spread(frames, mode, members, choose):
    """{member: the frames it must send, in order}. choose(frame) is for modes that hash."""
    out = {member: [] for member in members}
    for i, frame in enumerate(frames):
        if mode in ("hash", "load"):
            out[choose(frame)].append(frame)
        elif mode == "active-backup":
            out[members[0]].append(frame)
        elif mode == "round-robin":
            out[members[i % len(members)]].append(frame)
        else:
            for member in members:
                out[member].append(frame)
    return out
