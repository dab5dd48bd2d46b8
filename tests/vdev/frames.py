# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Frames as bytes, and pcap files of them."""

import ipaddress
import struct

MAC_HOST = bytes.fromhex("02aa00000001")  # whoever is behind the host port
MAC_PEER = bytes.fromhex("02bb00000001")  # whoever is behind the members
TCP, UDP, SCTP, ICMP, IGMP, ICMP6 = 6, 17, 132, 1, 2, 58


def checksum(data, start=0):
    """The Internet checksum (RFC 1071) of data, or of what `start` holds already."""
    if len(data) % 2:
        data += b"\0"
    total = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pseudo(src, dst, proto, length):
    """Sum of the pseudo header of IPv4 or IPv6, as a start value for checksum()."""
    words = src + dst + struct.pack("!HH", proto, length)
    return sum(struct.unpack(f"!{len(words) // 2}H", words))


def addr(text):
    return ipaddress.ip_address(text).packed


def ether(payload, ether_type, src=MAC_HOST, dst=MAC_PEER, vlans=()):
    """vlans: (tpid, tci) from the outermost inwards."""
    tags = b"".join(struct.pack("!HH", tpid, tci) for tpid, tci in vlans)
    return dst + src + tags + struct.pack("!H", ether_type) + payload


def tcp(src, dst, sport, dport, payload=b"", seq=1, flags=0x10):
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, 1, 5 << 4, flags, 8192, 0, 0)
    body = head + payload
    value = checksum(body, pseudo(src, dst, TCP, len(body)))
    return body[:16] + struct.pack("!H", value) + body[18:]


def udp(src, dst, sport, dport, payload=b""):
    body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    value = checksum(body, pseudo(src, dst, UDP, len(body))) or 0xffff
    return body[:6] + struct.pack("!H", value) + body[8:]


def sctp(sport, dport, payload=b"\0" * 8):
    return struct.pack("!HHII", sport, dport, 1, 0) + payload


def ipv4(src, dst, proto, body, options=b"", frag=0, ident=0, more=False):
    """frag: offset in units of 8 bytes."""
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | 5 + len(options) // 4, 0,
                       20 + len(options) + len(body), ident, frag | (0x2000 if more else 0), 64,
                       proto, 0, src, dst) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def ipv6(src, dst, proto, body, ext=()):
    """ext: (protocol number, bytes without their next-header byte) in order."""
    chain, following = b"", proto
    for number, data in reversed(ext):
        chain = bytes([following]) + data + chain
        following = number
    return struct.pack("!IHBB16s16s", 6 << 28, len(chain) + len(body), following, 64, src,
                       dst) + chain + body


def fcoe(s_id, d_id, ox_id, payload=b"\0" * 32):
    fc = struct.pack("!B3sB3sIBBHHHI", 0x06, d_id, 0, s_id, 0, 0x08, 0, 0, ox_id, 0xffff, 0)
    return b"\0" * 13 + b"\x2e" + fc + payload


def numbered(count, size=64, src=MAC_HOST, dst=MAC_PEER, first=0):
    """UDP frames, each with its number in it; the flow changes with the number."""
    out = []
    for i in range(first, first + count):
        payload = struct.pack("!I", i) + bytes(size - 46)
        a, b = addr(f"10.1.{i >> 8 & 255}.{i & 255}"), addr("10.2.0.1")
        out.append(ether(ipv4(a, b, UDP, udp(a, b, 1024 + i % 50000, 4000, payload)), 0x0800, src,
                         dst))
    return out


# ---- pcap ------------------------------------------------------------------


def write_pcap(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames):
            out.write(struct.pack("<IIII", i // 1000000, i % 1000000, len(frame), len(frame)))
            out.write(frame)


def read_pcap(path):
    """Frames of a savefile as net_pcap writes it (either resolution); [] when it is empty."""
    with open(path, "rb") as f:
        data = f.read()
    frames, at = [], 24
    while at + 16 <= len(data):
        _, _, captured, length = struct.unpack_from("<IIII", data, at)
        if captured != length:
            raise ValueError(f"{path}: frame {len(frames)} is cut to {captured} of {length} bytes")
        frames.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return frames
