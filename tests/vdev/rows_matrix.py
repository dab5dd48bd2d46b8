# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Mode x policy x family: a file of frames at the host port, and what each member must send."""

import random
from collections import Counter

import frames as f
from expect import POLICIES, bucket_of, spread
from harness import Daemon, equal, frames_equal, wait_for

MODES = ["hash", "load", "active-backup", "round-robin", "broadcast"]
MEMBERS = 3
# No frames of the team's own between those that are compared; no rebalancing meanwhile.
QUIET = ["set team num_peer_notif 0", "set team resend_igmp 0", "set team rebalance_interval 60000"]


# ---- traffic -----------------------------------------------------------------------


class Traffic:
    """Frames of many flows, the same for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def bytes(self, low, high):
        return self.random.randbytes(self.random.randint(low, high))

    def ends(self, v6):
        net = "fd00:%x::%x:%x" if v6 else "10.%d.%d.%d"
        pick = self.random.randrange
        return [f.addr(net % (i, pick(4), pick(1, 250))) for i in (1, 2)]

    def transport(self, src, dst, v6):
        ports = [self.random.choice([80, 443, self.random.randrange(1024, 65536)]) for _ in "ab"]
        kind = self.random.choice(["tcp", "tcp", "udp", "udp", "sctp", "icmp", "other"])
        if kind == "tcp":
            return f.TCP, f.tcp(src, dst, *ports, self.bytes(0, 200))
        if kind == "udp":
            return f.UDP, f.udp(src, dst, *ports, self.bytes(0, 200))
        if kind == "sctp":
            return f.SCTP, f.sctp(*ports)
        if kind == "icmp":
            return (f.ICMP6, b"\x80" + self.bytes(15, 15)) if v6 else (f.ICMP, b"\x08" +
                                                                       self.bytes(15, 15))
        return 47, self.bytes(8, 40)

    def wrap(self, packet, ether_type, vlans=()):
        macs = [bytes.fromhex("0200000000") + bytes([self.random.randrange(1, 9)]) for _ in "ab"]
        return f.ether(packet, ether_type, macs[0], macs[1], vlans)

    def v4(self, vlans=()):
        src, dst = self.ends(False)
        proto, body = self.transport(src, dst, False)
        options = self.random.choice([b"", b"", b"", b"\x01" * 4, b"\x94\x04\0\0" + b"\x01" * 8])
        shape = self.random.choice(["whole"] * 6 + ["first", "later"])
        more, offset = shape == "first", 100 if shape == "later" else 0
        packet = f.ipv4(src, dst, proto, body, options, offset, self.random.randrange(65536), more)
        if self.random.random() < 0.2:
            packet += bytes(self.random.randrange(1, 12))  # padding of the medium
        return self.wrap(packet, 0x0800, vlans)

    def v6(self, vlans=()):
        src, dst = self.ends(True)
        proto, body = self.transport(src, dst, True)
        ext = []
        if self.random.random() < 0.4:
            hop = (0, b"\0\x01\x04" + bytes(4))
            options = (60, b"\x01\x01\x0c" + bytes(12))
            routing = (43, b"\x02\x02\0" + bytes(20))
            fragment = (44, b"\0" + self.random.choice([b"\0\0", b"\0\1", b"\5\0"]) + b"\0\0\0\7")
            ext = [e for e in (hop, options, routing, fragment) if self.random.random() < 0.5]
        return self.wrap(f.ipv6(src, dst, proto, body, ext), 0x86dd, vlans)

    def vlans(self):
        tci = self.random.randrange(1, 4095) | self.random.randrange(8) << 13
        return self.random.choice([[(0x8100, tci)], [(0x88a8, 7), (0x8100, tci)],
                                   [(0x9100, 9), (0x8100, tci)],
                                   [(0x88a8, 7), (0x8100, 8), (0x8100, tci)]])

    def odd(self):
        """Not IP, or only the beginning of it."""
        kind = self.random.choice(["fcoe", "fcoe", "fcoe", "fcoe vlan", "arp", "llc", "lldp", "cut",
                                   "cut", "lie", "runt"])
        if kind.startswith("fcoe"):
            ids = [self.random.randrange(1, 1 << 24).to_bytes(3, "big") for _ in "ab"]
            packet = f.fcoe(*ids, self.random.randrange(65536))
            return self.wrap(packet, 0x8906, [(0x8100, 0x6002)] if "vlan" in kind else [])
        if kind == "arp":
            return self.wrap(b"\0\1\x08\0\6\4\0\1" + self.bytes(38, 38), 0x0806)
        if kind == "llc":
            return self.wrap(b"\x42\x42\x03" + self.bytes(40, 40), 43)
        if kind == "lldp":
            return bytes.fromhex("0180c200000e") + self.wrap(b"\2\7" + self.bytes(44, 44),
                                                             0x88cc)[6:]
        whole = self.random.choice([self.v4, self.v6])(self.random.choice([[], self.vlans()]))
        if kind == "cut":
            return whole[:self.random.randrange(14, len(whole))]
        if kind == "lie":
            return whole[:self.random.randrange(14, 40)] + self.bytes(20, 60)
        return self.bytes(1, 13)


def family_v4(t):
    return t.v4()


def family_v6(t):
    return t.v6()


def family_mix(t):
    kind = t.random.choice(["v4", "v6", "v4 vlan", "v6 vlan", "odd", "odd"])
    if kind == "odd":
        return t.odd()
    return (t.v4 if "v4" in kind else t.v6)(t.vlans() if "vlan" in kind else [])


FAMILIES = {"v4": family_v4, "v6": family_v6, "mix": family_mix}


# ---- rows --------------------------------------------------------------------------


def balance(tmp, frames, mode, policy="l34", function="toeplitz", symmetric=False, buckets=1024):
    """Let a daemon balance them. (what each member sent, what each must send)"""
    f.write_pcap(tmp / "host.pcap", frames)
    outs = [tmp / f"member{i}.pcap" for i in range(MEMBERS)]
    daemon = Daemon(tmp, [f"net_pcap{i},tx_pcap={out}" for i, out in enumerate(outs)] +
                    [f"net_pcap{MEMBERS},rx_pcap={tmp / 'host.pcap'}"], host=str(MEMBERS),
                    options=["--mode", mode],
                    commands=QUIET + [f"set team hash-policy {policy}",
                                      f"set team hash-function {function}",
                                      f"set team symmetric {'on' if symmetric else 'off'}",
                                      f"set team buckets {buckets}"])
    copies = MEMBERS if mode == "broadcast" else 1
    try:
        wait_for("all frames are out",
                 lambda: daemon.total("tx_good_packets") == copies * len(frames))
    except AssertionError as why:
        raise AssertionError(f"{why}; there are {daemon.counted()}") from None
    daemon.no_drops()
    bucket_map = [row["port"] for row in daemon.show("bucket map")]
    if mode in ("hash", "load"):
        equal("buckets", len(bucket_map), buckets)
        counts = Counter(bucket_map)
        equal("members with buckets", sorted(counts), list(range(MEMBERS)))
        if max(counts.values()) - min(counts.values()) > 1:
            raise AssertionError(f"no fair shares of the buckets: {counts}")
    daemon.quit()
    wanted = spread(frames, mode, list(range(MEMBERS)),
                    lambda frame: bucket_map[bucket_of(frame, policy, function, symmetric,
                                                       buckets)])
    return [f.read_pcap(out) for out in outs], wanted


def row(tmp, mode, family, **options):
    traffic = Traffic(f"{mode} {family} {options}")
    frames = [FAMILIES[family](traffic) for _ in range(500)]
    sent, wanted = balance(tmp, frames, mode, **options)
    for member in range(MEMBERS):
        frames_equal(f"member {member}", sent[member], wanted[member])


ROWS = []


def add(mode, policy, family, more="", **options):
    ROWS.append((f"matrix/{mode}/{policy}/{family}{more}",
                 lambda tmp: row(tmp, mode, family, policy=policy, **options)))


for _mode in MODES:
    for _policy in POLICIES:
        for _family in FAMILIES:
            add(_mode, _policy, _family)
for _policy in POLICIES:
    add("hash", _policy, "mix", "/crc32c", function="crc32c")
    add("hash", _policy, "mix", "/symmetric", symmetric=True)
    add("hash", _policy, "mix", "/crc32c/symmetric", function="crc32c", symmetric=True)
add("hash", "l34", "v6", "/crc32c", function="crc32c")
add("hash", "l34", "mix", "/256-buckets", buckets=256)
add("hash", "l34", "mix", "/65536-buckets", buckets=65536)
