# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""What a guest leaves to do: partial checksums and segmentation, done before frames leave by ports
that can do neither.
"""

import random
import struct

import frames as f
from harness import COUNT, Daemon, Testpmd, equal, same_set, wait_for

SEGMENT = 500


def guest(tmp, path, commands):
    """testpmd as a guest: what is in in.pcap goes out by virtio, as its csum engine leaves it."""
    peer = Testpmd(tmp, [f"net_virtio_user0,path={path},queue_size=1024",
                         f"net_pcap0,rx_pcap={tmp}/in.pcap"], ["--disable-link-check"], mode="csum")
    for command in ["port stop 0", "port config 0 tx_offload multi_segs on", *commands,
                    "csum mac-swap off 0", "port start 0"]:
        peer.type(command)
    return peer


def pass_guest(tmp, frames, commands, nb_out, vhost=""):
    f.write_pcap(tmp / "in.pcap", frames)
    path = tmp / f"vhost{next(COUNT)}.sock"
    outs = [tmp / "out0.pcap", tmp / "out1.pcap"]
    daemon = Daemon(tmp, [f"net_vhost0,iface={path}{vhost}"] +
                    [f"net_pcap{i},tx_pcap={out}" for i, out in enumerate(outs)], host="0")
    peer = guest(tmp, path, commands)
    wait_for("the guest is there", lambda: daemon.links(0))
    peer.type("start")
    try:
        wait_for(f"{nb_out} frames are out", lambda: daemon.total("tx_good_packets") == nb_out)
    except AssertionError as why:
        raise AssertionError(f"{why}; there are {daemon.counted()}") from None
    daemon.no_drops()
    stats = {name: daemon.total(name) for name in ("tx_sw_cksum", "tx_gso_segments")}
    peer.finish()
    daemon.quit()
    return f.read_pcap(outs[0]) + f.read_pcap(outs[1]), stats


def flows(count):
    """(source, destination, ports, payload) of random flows, both families."""
    pick = random.Random(count)
    for i in range(count):
        net = "10.%d.0.%d" if i % 2 else "fd00::%d:%d"
        yield (f.addr(net % (1, i % 250 + 1)), f.addr(net % (2, 9)),
               [pick.randrange(1024, 65536) for _ in "ab"], pick.randbytes(pick.randrange(1, 900)))


def packet(src, dst, proto, body, ident=0):
    if len(src) == 4:
        return f.ether(f.ipv4(src, dst, proto, body, ident=ident), 0x0800)
    return f.ether(f.ipv6(src, dst, proto, body), 0x86dd)


def spoil(frame, offset):
    """The same with a wrong checksum at this offset of the transport header."""
    at = (34 if frame[12:14] == b"\x08\0" else 54) + offset
    return frame[:at] + b"\xde\xad" + frame[at + 2:]


def checksums(tmp):
    good, bad = [], []
    for i, (src, dst, ports, payload) in enumerate(flows(120)):
        if i % 3:
            good.append(packet(src, dst, f.TCP, f.tcp(src, dst, *ports, payload)))
            bad.append(spoil(good[-1], 16))
        else:
            good.append(packet(src, dst, f.UDP, f.udp(src, dst, *ports, payload)))
            bad.append(spoil(good[-1], 6))
    got, stats = pass_guest(tmp, bad, ["csum set tcp hw 0", "csum set udp hw 0"], len(good))
    same_set("members'", got, good)
    equal("checksums computed", stats["tx_sw_cksum"], len(good))


def segments(src, dst, ports, payload, ident):
    """What hardware makes of one large TCP packet (one IPv4 identification after the other)."""
    for i, at in enumerate(range(0, len(payload), SEGMENT)):
        part = payload[at:at + SEGMENT]
        last = at + SEGMENT >= len(payload)
        body = f.tcp(src, dst, *ports, part, 1 + at, 0x18 if last else 0x10)
        yield packet(src, dst, f.TCP, body, ident + i)


def segmentation(tmp):
    large, wanted = [], []
    pick = random.Random(7)
    for i, (src, dst, ports, _) in enumerate(flows(24)):
        payload = pick.randbytes(pick.choice([1200, 1500, 3333, 5000]))
        ident = 1000 * i
        large.append(spoil(packet(src, dst, f.TCP, f.tcp(src, dst, *ports, payload, 1, 0x18),
                                  ident), 16))
        wanted += segments(src, dst, ports, payload, ident)
    got, stats = pass_guest(tmp, large, ["csum set tcp hw 0", f"tso set {SEGMENT} 0"], len(wanted),
                            ",tso=1")
    same_set("members'", got, wanted)
    equal("segments made", stats["tx_gso_segments"], len(wanted))
    # Those of a flow leave in order.
    for frame in large:
        flow = flow_of(frame)
        seqs = [struct.unpack_from("!I", g, (34 if len(flow) == 12 else 54) + 4)[0]
                for g in got if flow_of(g) == flow]
        equal("sequence numbers", seqs, sorted(seqs))


def flow_of(frame):
    return frame[26:38] if frame[12:14] == b"\x08\0" else frame[22:58]


ROWS = [("offload/checksums", checksums), ("offload/segmentation", segmentation)]
