#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Write the seeds in corpus/parse (struct control of fuzz_parse.c, then a frame) and corpus/inet
(the same, of fuzz_inet.c, for each of several frames), corpus/http (struct control of fuzz_http.c,
then requests), corpus/tcp_check (control, spoils and steps of fuzz_tcp_check.c), and corpus/toe
(commands of fuzz_toe.c)."""

from pathlib import Path

from scapy.all import (ARP, AH, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6DestUnreach,
                       ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA,
                       ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, Raw, SCTP, fragment, fragment6)

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

SUM, PUSH, CONFIRM, V4_PEER = 0x01, 0x02, 0x04, 0x80
MAC = "02:00:00:00:00:02"
TO_US = Ether(src=MAC, dst="02:00:00:00:00:01")
US4, US6 = IP(src="10.0.0.4", dst="10.0.0.1"), IPv6(src="2001:db8::4", dst="2001:db8::1", hlim=255)
SENT4 = IP(src="10.0.0.1", dst="10.0.0.4") / TCP(sport=80, seq=7)
SENT6 = IPv6(src="2001:db8::1", dst="2001:db8::4") / TCP(sport=80, seq=7)


def step(frame, flags=0, wait=0, seg_len=255):
    data = bytes(frame)
    return len(data).to_bytes(2, "big") + bytes([seg_len, flags, wait]) + data


def steps(frames):
    return b"".join(step(f) for f in frames)


ASKED = 0x82  # PUSH to 10.0.0.4
INET_SEEDS = {
    "arp-request": step(TO_US / ARP(hwsrc=MAC, psrc="10.0.0.4", pdst="10.0.0.1")),
    "arp-reply": step(TO_US / ARP(op=2, hwsrc=MAC, psrc="10.0.0.4", pdst="10.0.0.1"), ASKED) +
                 step(TO_US / ARP(op=2, hwsrc="02:00:00:00:00:03", psrc="10.0.0.4",
                                  pdst="10.0.0.1"), ASKED | CONFIRM, 30),
    "arp-claim": step(TO_US / ARP(hwsrc=MAC, psrc="0.0.0.0", pdst="10.0.0.77")) +
                 step(TO_US / ARP(hwsrc=MAC, psrc="10.0.0.1", pdst="10.0.0.1"), 0, 30),
    "ns": step(TO_US / US6 / ICMPv6ND_NS(tgt="2001:db8::1") / ICMPv6NDOptSrcLLAddr(lladdr=MAC), SUM),
    "na": step(TO_US / US6 / ICMPv6ND_NA(tgt="2001:db8::4", R=1) / ICMPv6NDOptDstLLAddr(lladdr=MAC),
               SUM | PUSH, 0, 40),
    "ra": step(TO_US / IPv6(src="fe80::9", dst="ff02::1", hlim=255) /
               ICMPv6ND_RA(routerlifetime=1800) / ICMPv6NDOptSrcLLAddr(lladdr=MAC), SUM),
    "echo4": step(TO_US / US4 / ICMP() / DATA),
    "echo6": step(TO_US / US6 / ICMPv6EchoRequest(data=bytes(100)), SUM),
    "unreach4": step(TO_US / US4 / ICMP(type=3, code=3) / SENT4),
    "too-big4": step(TO_US / US4 / ICMP(type=3, code=4, nexthopmtu=1400) / SENT4),
    "unreach6": step(TO_US / US6 / ICMPv6DestUnreach(code=4) / SENT6, SUM),
    "too-big6": step(TO_US / US6 / ICMPv6PacketTooBig(mtu=1400) / SENT6, SUM),
    "udp4": step(TO_US / US4 / UDP() / DATA),
    "udp6": step(TO_US / US6 / UDP() / DATA),
    "frags4": steps(TO_US / f for f in fragment(US4 / TCP() / DATA, 200)),
    "frags6": steps(TO_US / f for f in fragment6(
        IPv6(src="2001:db8::4", dst="2001:db8::1") / IPv6ExtHdrFragment(id=5) / TCP() / DATA, 300)),
}

def http(text, piece=255, segment=255, snd_buf=0, reads=255, missing=0, end=0):
    return bytes([piece, segment, snd_buf, reads, missing, end]) + text.encode().replace(b"\n", b"\r\n")


ASKS = "GET /bytes/1000 HTTP/1.1\nHost: a\n\n"
HTTP_SEEDS = {
    "get": http(ASKS, 9, 4),
    "get-much": http("GET /bytes/60K HTTP/1.1\n\n", 40, 7, 0, 1),
    "head": http("HEAD /bytes/1M HTTP/1.1\n\nGET /info HTTP/1.1\n\n", 30),
    "pipelined": http((ASKS + "GET /info HTTP/1.1\n\nGET /nothing HTTP/1.1\n\n") * 8, 99, 30, 0, 1),
    "pipelined-unread": http("GET /info HTTP/1.1\n\n" * 60, 255, 255, 0, 0),
    "put": http("PUT /sink HTTP/1.1\nContent-Length: 300\n\n" + "x" * 300 + ASKS, 50, 20),
    "post-chunked": http("POST /sink HTTP/1.1\nTransfer-Encoding: chunked\n\n"
                         "5\nhello\n3;ext=1\nabc\n0\nTrailer: x\n\n" + ASKS, 3),
    "expect": http("PUT /sink HTTP/1.1\nExpect: 100-continue\nContent-Length: 5\n\nhello", 11, 2),
    "close": http("GET / HTTP/1.1\nConnection: close\n\n" + ASKS, 20),
    "old": http("GET /bytes/5 HTTP/1.0\n\n" + ASKS, 20),
    "old-alive": http("GET /bytes/5 HTTP/1.0\nConnection: keep-alive\n\n" + ASKS, 20),
    "upgrade": http("GET /info HTTP/1.1\nConnection: Upgrade\nUpgrade: x\n\nabc", 20),
    "connect": http("CONNECT /bytes/9 HTTP/1.1\n\n" + ASKS, 20),
    "both-lengths": http("POST /sink HTTP/1.1\nContent-Length: 4\nTransfer-Encoding: chunked\n\n"
                         "0\n\n" + ASKS, 20),
    "huge": http("GET /bytes/18446744073709551615 HTTP/1.1\n\n", 20, 20, 0, 1),
    "long-url": http("GET /" + "y" * 300 + " HTTP/1.1\n\n" + ASKS, 100),
    "garbage": http("\x16\x03\x01 hello", 2),
    "cut": http("PUT /sink HTTP/1.1\nContent-Length: 300\n\nabc", 5, 5),
    "no-memory": http(ASKS * 4, 20, 4, 0, 1, 252),
    "early": http(ASKS * 9, 20, 4, 0, 0, 0, 1),
}

OPENING, PASSIVE, SENT, SACKED, RECEIVED, HOLES, FIN, PEER_FIN = (1 << n for n in range(8))
SEGMENT, IN_ORDER, ACK, SACK, SEND, READ, TICK, CLOSE, PATH, MTU = range(10)
CONN, RECORD, BLOCK, POINTER, REC_DATA = range(5)
NEXT = 8  # ACK of all that was sent; close both ways


def spoil(kind, which=0, at=0, value=0):
    return bytes([kind, which]) + at.to_bytes(2, "little") + bytes([value, 0])


def tcp_step(kind, flags=0, seq=0, ack=0, length=0):
    return (bytes([kind, flags]) + seq.to_bytes(2, "little", signed=True) +
            ack.to_bytes(2, "little", signed=True) + length.to_bytes(2, "little"))


LIFE = b"".join((tcp_step(SEND, length=9000), tcp_step(TICK), tcp_step(IN_ORDER, length=1448),
                 tcp_step(SACK, 0x50, 1448, 0, 2896), tcp_step(ACK, 0x50 | NEXT), tcp_step(READ, 1),
                 tcp_step(PATH), tcp_step(MTU, length=1000), tcp_step(TICK),
                 tcp_step(SEGMENT, 0x11, 0, 0, 10), tcp_step(CLOSE, NEXT), tcp_step(ACK, NEXT)))


def tcp_check(history, spoils, options=0, park=0):
    return bytes([options, history, len(spoils), park]) + b"".join(spoils) + LIFE


TCP_CHECK_SEEDS = {
    "syn-sent": tcp_check(OPENING, [spoil(CONN, 0, 300, 1)]),
    "syn-rcvd": tcp_check(OPENING | PASSIVE, [spoil(RECORD, 0, 12, 3)]),
    "idle": tcp_check(PASSIVE, [spoil(CONN, 0, 200, 9)], 0, 1),
    "sent": tcp_check(SENT, [spoil(RECORD, 1, 20, 2), spoil(POINTER, 2, 1)]),
    "sacked": tcp_check(SENT | SACKED, [spoil(RECORD, 1, 28, 5), spoil(REC_DATA, 1, 4)]),
    "newreno": tcp_check(SENT, [spoil(CONN, 0, 160, 7)], 0x42),
    "paced": tcp_check(SENT | RECEIVED, [spoil(CONN, 0, 280, 7)], 0x10),
    "received": tcp_check(RECEIVED | HOLES | PASSIVE, [spoil(BLOCK, 1, 3, 1)]),
    "all": tcp_check(SENT | SACKED | RECEIVED | HOLES, [spoil(CONN, 0, 330, 200)]),
    "fin": tcp_check(SENT | FIN, [spoil(RECORD, 13, 29, 1)]),
    "both-fins": tcp_check(FIN | PEER_FIN, [spoil(CONN, 0, 5, 1)]),
    "last-ack": tcp_check(PEER_FIN | SENT | RECEIVED, [spoil(CONN, 0, 0, 6)], 0x28),
}

ARRIVE, FOREIGN, REQUEST, GARBAGE, MOVE, POST, CONNECT, PLACE, STOP, TURN = range(10)
DOWN, DRAIN = 1, 2
RST_FLAG, ACK_FLAG, FIN_ACK, DATA_ACK = 4, 16, 17, 0x3d


def toe(what, member=0, peer=0, to=0, *garbage):
    return bytes([what, member, peer, to]) + bytes(garbage).ljust(4, b"\0")


def toe_open(member, peer):
    return (toe(ARRIVE, member, peer) + toe(TURN) +
            toe(ARRIVE, member, peer, 0, 1, 1, ACK_FLAG) + toe(TURN))


def toe_said(member, peer, flags=ACK_FLAG):
    return toe(ARRIVE, member, peer, 0, DATA_ACK, 1, flags)


TOE_OPEN = b"".join(toe_open(n % 3, n) for n in range(6))
TOE_ENDS = b"".join(toe_said(0, n, FIN_ACK if n % 2 else RST_FLAG) for n in range(8)) + toe(TURN, 0, 0, 0, 60)
TOE_SEEDS = {
    "follow": TOE_OPEN + (toe_said(1, 0) + toe(TURN, 0, 0, 0, 50)) * 5 + TOE_ENDS,
    "ask": TOE_OPEN + toe(REQUEST, 0, 0, 1) + toe(TURN) + toe(REQUEST, 1, 0, 2, 1, 20) +
           toe(REQUEST, 1, 0, 2) + toe(TURN) + TOE_ENDS,
    "garbage": TOE_OPEN + b"".join(toe(GARBAGE, n % 3, n, n % 4, n, n, n, n) for n in range(60)) + TOE_ENDS,
    "foreign": TOE_OPEN + b"".join(toe(FOREIGN, n % 3, n % 6, n % 2, 1, 1, ACK_FLAG, n % 5) for n in range(24)) +
               toe(TURN) + TOE_ENDS,
    "move": TOE_OPEN + b"".join(toe(MOVE, 0, n, 2) + toe_said(1, n) + toe(TURN, 2, 0, 0, 2, n & 1)
                                for n in range(6)) + TOE_ENDS,
    "drain": TOE_OPEN + toe(PLACE, 0, 0, DOWN) + toe(TURN) + toe(PLACE, 1, 0, DRAIN) + toe(TURN) * 2 +
             toe(PLACE) + toe(TURN) + TOE_ENDS,
    "park": TOE_OPEN + toe(TURN, 0, 0, 0, 40) * 3 + toe_said(2, 0) + toe(POST, 0, 2) + toe(TURN) +
            toe(STOP, 2) + toe(TURN) * 2 + toe_said(0, 4) + TOE_ENDS,
    "freeze": TOE_OPEN + toe(STOP, 0, 0, 0, 1) + toe_said(1, 3) + toe(TURN) * 3 + toe(STOP, 0) + TOE_ENDS,
    "freeze-moving": TOE_OPEN + toe(MOVE, 0, 0, 1) + toe(STOP, 1, 0, 0, 0) + toe(TURN) * 3 + toe(STOP, 1) +
                     toe(STOP, 0, 2, 0, 1) + toe(TURN) * 3 + TOE_ENDS,
    "connect": toe(CONNECT, 0, 1, 0) + toe(CONNECT, 0, 2, 1, 1) + toe(STOP, 1) + toe(TURN) * 2 +
               toe(ARRIVE, 2, 1, 0, 1, 1, 0x12) + toe(TURN) + toe(POST, 0, 0) + toe(POST, 0, 1) + toe(TURN),
}

corpus = Path(__file__).resolve().parent / "corpus"
for target, seeds in (("parse", SEEDS), ("inet", INET_SEEDS), ("http", HTTP_SEEDS),
                      ("tcp_check", TCP_CHECK_SEEDS), ("toe", TOE_SEEDS)):
    (corpus / target).mkdir(parents=True, exist_ok=True)
    for name, seed in seeds.items():
        (corpus / target / name).write_bytes(seed)
