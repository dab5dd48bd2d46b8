#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Write the seeds in corpus/parse: struct control of fuzz_parse.c, then a frame."""

from pathlib import Path

from scapy.all import (ARP, AH, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6ND_NS, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, Raw, SCTP)

PARTIAL = 1 << 3 | 1 << 8  # RTE_MBUF_F_RX_L4_CKSUM_NONE
LRO = 1 << 16
STRIPPED = 1 << 6 | 1 << 0
ALL_OFFLOADS, ATTACH, SHARED, INTENT = 0x3f, 0x04, 0x08, 0x10
TX_UDP_SEG, TX_TCP_SEG, TX_UDP_CKSUM, TX_VLAN = 1 << 42, 1 << 50, 3 << 52, 1 << 57

ETH = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
V4 = IP(src="10.0.0.1", dst="10.1.0.2", id=7)
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
DATA = Raw(bytes(range(256)) * 2)


def control(flags=0, segsz=0, offloads=0, port=0, seg_len=255, mtu=90, room=255):
    low, high = flags & 0xffffff, flags >> 40
    return (bytes([seg_len]) + low.to_bytes(3, "little") + high.to_bytes(3, "little") +
            segsz.to_bytes(2, "big") + bytes([offloads, port, mtu, room]))


SEEDS = {
    "odd-segments": control(PARTIAL, seg_len=100) + bytes(ETH / V4 / UDP() / DATA),
    "arp": control() + bytes(ETH / ARP()),
    "icmp4": control(1 << 3) + bytes(ETH / V4 / ICMP() / DATA),
    "ns6": control(seg_len=20) + bytes(ETH / V6 / ICMPv6ND_NS()),
    "sctp4": control(PARTIAL) + bytes(ETH / V4 / SCTP() / DATA),
    "tso4": control(PARTIAL | LRO, 100, mtu=10) + bytes(ETH / V4 / TCP(flags="FPA") / DATA),
    "tso6-ext": control(PARTIAL | LRO, 100, port=SHARED, mtu=10) + bytes(
        ETH / V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / TCP() / DATA),
    "tso4-attach": control(TX_TCP_SEG, 64, ALL_OFFLOADS & ~0x10, ATTACH | INTENT, 70, 10) + bytes(
        ETH / V4 / TCP(options=[("Timestamp", (1, 2))]) / DATA),
    "tso4-port": control(TX_TCP_SEG | TX_VLAN, 64, ALL_OFFLOADS, INTENT) + bytes(
        ETH / V4 / TCP() / DATA),
    "ufo4": control(TX_UDP_SEG, 104, 0, INTENT | 1, mtu=10) + bytes(ETH / V4 / UDP() / DATA),
    "ufo6": control(TX_UDP_SEG, 104, 0, INTENT, mtu=10) + bytes(ETH / V6 / UDP() / DATA),
    "tagged": control(STRIPPED, room=0) + bytes(ETH / Dot1Q(vlan=5) / V4 / UDP() / DATA),
    "qinq": control(TX_UDP_CKSUM, 0, 0x04, INTENT | SHARED) + bytes(
        ETH / Dot1AD(vlan=6) / Dot1Q(vlan=5) / V6 / UDP() / DATA),
    "frag6": control() + bytes(ETH / V6 / IPv6ExtHdrFragment(m=1) / UDP() / DATA),
    "routed6": control(PARTIAL) + bytes(
        ETH / V6 / IPv6ExtHdrRouting(addresses=["2001:db8::3"]) / AH(nh=6, payloadlen=1) / TCP()),
}

directory = Path(__file__).resolve().parent / "corpus/parse"
directory.mkdir(parents=True, exist_ok=True)
for name, seed in SEEDS.items():
    (directory / name).write_bytes(seed)
