# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Each driver as a member and as the host port: frames pass both ways, unchanged and counted.

In a row for driver X as member the team is X and a net_pcap port, in turns, under a
net_pcap host port; as host port X stands above two net_pcap members. Whatever is
on the other side of X (a testpmd that copies frames from and to files, or the
kernel) sends a known list of frames and keeps what it gets.
"""

import ctypes
import os
import re
import shutil
import socket
import subprocess
import threading
import time

from frames import MAC_HOST, MAC_PEER, numbered, read_pcap, write_pcap
from harness import (COUNT, WAIT_S, Daemon, Skip, Testpmd, equal, frames_equal, need_root,
                     same_set, wait_for)

TEAM_MAC = "02:77:00:00:00:01"
NB = 300


# ---- the other sides -----------------------------------------------------------


class Pcap:
    """Files."""

    netns = None
    eal = ()

    def __init__(self, tmp, frames):
        number = next(COUNT)
        self.sent, self.into, self.out = frames, tmp / f"in{number}.pcap", tmp / f"out{number}.pcap"
        write_pcap(self.into, frames)
        self.vdev = f"net_pcap{number},rx_pcap={self.into},tx_pcap={self.out}"

    def attach(self, daemon, port):
        """Be there, until the daemon sees the link."""

    def go(self):
        """Send."""

    def finish(self, nb):
        """Once nb frames have come: all of them. The daemon has ended if it is what keeps them."""
        return read_pcap(self.out)

    ends_first = False  # finish() before the daemon ends


class ByTestpmd(Pcap):
    """Another process at the other end of a memif or a virtio queue."""

    ends_first = True

    def __init__(self, tmp, frames, ours, theirs, eal=(), peer_options=(), peer_first=False):
        super().__init__(tmp, frames)
        self.tmp, self.theirs, self.peer = tmp, theirs, None
        self.eal, self.peer_options, self.vdev = eal, peer_options, ours
        self.peer_first = peer_first
        if peer_first:
            self.start_peer()

    def start_peer(self):
        files = f"net_pcap0,rx_pcap={self.into},tx_pcap={self.out}"
        self.peer = Testpmd(self.tmp, [self.theirs, files],
                            ["--disable-link-check", *self.peer_options])

    def attach(self, daemon, port):
        if self.peer is None:
            self.start_peer()
        wait_for("link is up", lambda: daemon.links(port))

    def go(self):
        self.peer.type("start")

    def copied(self):
        self.peer.type("show port stats 1")
        time.sleep(0.05)
        counts = re.findall(r"TX-packets: (\d+)", self.peer.text())
        return int(counts[-1]) if counts else 0

    def finish(self, nb):
        wait_for(f"testpmd has {nb} frames", lambda: self.copied() >= nb)
        self.peer.finish()
        return read_pcap(self.out)


class Kernel:
    """A network interface in a namespace of its own."""

    ends_first = True
    eal = ()

    def __init__(self, tmp, frames):
        need_root("a network namespace")
        if shutil.which("ip") is None:
            raise Skip("there is no ip")
        self.netns = f"tp-vdev-{os.getpid()}-{next(COUNT)}"
        self.sent, self.got, self.socket, self.reader = frames, [], None, None
        self.sources = {MAC_HOST, MAC_PEER}
        self.tmp = tmp
        subprocess.run(["ip", "netns", "add", self.netns], check=True)
        try:
            self.prepare()
        except BaseException:
            self.remove()
            raise

    def prepare(self):
        """Interfaces; and the kernel is to send nothing by itself."""
        self.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")

    def run(self, *command):
        subprocess.run(["ip", "netns", "exec", self.netns, *command], check=True,
                       capture_output=True)

    def open(self, interface):
        """A raw socket inside; threads have a network namespace each."""
        def enter():
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{self.netns}", "rb") as ns:
                if libc.setns(ns.fileno(), 0x40000000) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.socket.bind((interface, 0))
            self.socket.settimeout(0.1)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if self.socket is None:
            raise AssertionError(f"no socket on {interface}")
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while self.socket is not None:
            try:
                frame, where = self.socket.recvfrom(65535)
            except TimeoutError:
                continue
            except (OSError, AttributeError):
                return
            if where[2] != socket.PACKET_OUTGOING and frame[6:12] in self.sources:
                self.got.append(frame)

    def go(self):
        for i, frame in enumerate(self.sent):
            self.socket.send(frame)
            if i % 32 == 31:
                time.sleep(0.002)  # queues of interfaces are short

    def finish(self, nb):
        wait_for(f"the kernel has {nb} frames", lambda: len(self.got) >= nb)
        time.sleep(0.05)
        return self.got

    def remove(self):
        if self.socket is not None:
            socket_, self.socket = self.socket, None
            socket_.close()
            self.reader.join()
        subprocess.run(["ip", "netns", "del", self.netns], check=False)


class Tap(Kernel):
    def __init__(self, tmp, frames):
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise Skip("/dev/net/tun cannot be opened")
        super().__init__(tmp, frames)
        self.vdev = f"net_tap{next(COUNT)},iface=tp0"

    def attach(self, daemon, port):
        self.run("ip", "link", "set", "tp0", "up")
        self.open("tp0")
        wait_for("link is up", lambda: daemon.links(port))


class Veth(Kernel):
    """The daemon's port is on one end, the kernel's socket on the other."""

    def __init__(self, tmp, frames, vdev):
        super().__init__(tmp, frames)
        self.vdev = vdev

    def prepare(self):
        super().prepare()
        self.run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        for end in "v0", "v1":
            self.run("ethtool", "-K", end, "tx", "off", "rx", "off", "tso", "off", "gso", "off",
                     "gro", "off")
            self.run("ip", "link", "set", end, "up")

    def attach(self, daemon, port):
        self.open("v1")
        wait_for("link is up", lambda: daemon.links(port))


def memif(tmp, frames):
    path = f"{tmp}/memif{next(COUNT)}.sock"
    number = next(COUNT)
    return ByTestpmd(tmp, frames, f"net_memif{number},role=server,id=0,socket={path},"
                     "socket-abstract=no", f"net_memif0,role=client,id=0,socket={path},"
                     "socket-abstract=no")


def memif_client(tmp, frames, zero_copy="no", eal=()):
    path = f"{tmp}/memif{next(COUNT)}.sock"
    number = next(COUNT)
    return ByTestpmd(tmp, frames, f"net_memif{number},role=client,id=0,socket={path},"
                     f"socket-abstract=no,zero-copy={zero_copy}",
                     f"net_memif0,role=server,id=0,socket={path},socket-abstract=no", eal,
                     peer_first=True)


def memif_zero_copy(tmp, frames):
    return memif_client(tmp, frames, "yes", ["--single-file-segments"])


def vhost(tmp, frames):
    path, number = f"{tmp}/vhost{next(COUNT)}.sock", next(COUNT)
    return ByTestpmd(tmp, frames, f"net_vhost{number},iface={path}",
                     f"net_virtio_user0,path={path},queue_size=1024")


def virtio_user(tmp, frames):
    path, number = f"{tmp}/vhost{next(COUNT)}.sock", next(COUNT)
    return ByTestpmd(tmp, frames, f"net_virtio_user{number},path={path},queue_size=1024", f"net_vhost0,iface={path}",
                     peer_first=True)


def af_packet(tmp, frames):
    return Veth(tmp, frames, f"net_af_packet{next(COUNT)},iface=v0")


def af_xdp(tmp, frames):
    return Veth(tmp, frames, f"net_af_xdp{next(COUNT)},iface=v0,force_copy=1")


# ---- rows ------------------------------------------------------------------------


def check_mac(daemon, port):
    """It has the team's MAC, or takes everything."""
    row = {row["port"]: row for row in daemon.show("port info all")}[port]
    # virtio without a control queue has no filter that could be set, nor one that refuses.
    if row["mac"] != TEAM_MAC and not row["promisc"] and row["driver"] != "net_virtio_user":
        raise AssertionError(f"port {port} has {row['mac']} and is not promiscuous")


def run_team(tmp, host, members, from_host, from_members):
    """Let everything pass, in turns. Frames that the host and the members' sides got."""
    sides = [host, *members]
    netns = next((side.netns for side in sides if side.netns), None)
    eal = [word for side in sides for word in side.eal]
    daemon = Daemon(tmp, [side.vdev for side in sides], host="0", start=False, netns=netns, eal=eal,
                    options=["--mode", "round-robin", "--mac", TEAM_MAC])
    for port, side in enumerate(sides):
        side.attach(daemon, port)
    daemon.do("start")
    for port in range(len(sides)):
        check_mac(daemon, port)
    wait_for("all members distribute",
             lambda: all(m["distributing"] for m in daemon.show("team")["members"]))
    for side in sides:
        side.go()
    share = [from_host // len(members) + (i < from_host % len(members))
             for i in range(len(members))]
    wait_passed(daemon, from_host, from_members)
    daemon.no_drops()
    early = {side: side.finish(nb) for side, nb in zip(sides, [from_members, *share])
             if side.ends_first}
    daemon.quit()
    return [early[side] if side in early else side.finish(0) for side in sides]


def wait_passed(daemon, from_host, from_members):
    """Until so many frames went from the host to the members, and from them to the host."""
    def passed():
        return (daemon.host_counter("host_rx_packets") == from_host and
                daemon.total("tx_good_packets") == from_host and
                daemon.host_counter("host_tx_packets") == from_members)

    try:
        wait_for(f"{from_host} frames from the host, {from_members} to it", passed)
    except AssertionError as why:
        raise AssertionError(f"{why}; there are {daemon.counted()}") from None


def pass_both_ways(tmp, kind, is_host):
    down = numbered(NB, 128)
    up = [numbered(NB // 2, 96, MAC_PEER, MAC_HOST, 10000 * (i + 1)) for i in range(2)]
    sides = []
    try:
        sides.append((kind if is_host else Pcap)(tmp, down))
        if is_host:
            sides += [Pcap(tmp, up[0]), Pcap(tmp, up[1])]
        else:
            sides += [kind(tmp, up[0]), Pcap(tmp, up[1])]
        got = run_team(tmp, sides[0], sides[1:], len(down), len(up[0]) + len(up[1]))
    finally:
        for side in sides:
            if isinstance(side, Kernel):
                side.remove()
    # Order holds on the way from each member, not between members.
    for i in range(2):
        frames_equal(f"host's from member {i}", [f for f in got[0] if f in set(up[i])], up[i])
        frames_equal(f"member {i}'s", got[1 + i], down[i::2])
    same_set("host's", got[0], up[0] + up[1])


def ring_member(tmp):
    """What goes out by net_ring comes back in."""
    down = numbered(NB, 128)
    host, files = Pcap(tmp, down), Pcap(tmp, [])
    daemon = Daemon(tmp, [host.vdev, "net_ring0", files.vdev], host="0",
                    options=["--mode", "round-robin", "--mac", TEAM_MAC])
    wait_passed(daemon, NB, NB // 2)
    check_mac(daemon, 1)
    daemon.no_drops()
    daemon.quit()
    frames_equal("host's", host.finish(0), down[0::2])
    frames_equal("file's", files.finish(0), down[1::2])


def ring_host(tmp):
    """What the members receive comes back from the host and leaves in turns."""
    up = numbered(NB, 128, MAC_PEER, MAC_HOST)
    files, other = Pcap(tmp, up), Pcap(tmp, [])
    daemon = Daemon(tmp, ["net_ring0", files.vdev, other.vdev], host="0",
                    options=["--mode", "round-robin", "--mac", TEAM_MAC])
    wait_passed(daemon, NB, NB)
    check_mac(daemon, 0)
    daemon.no_drops()
    daemon.quit()
    frames_equal("first member's", files.finish(0), up[0::2])
    frames_equal("second member's", other.finish(0), up[1::2])


def check_sums(daemon):
    """Every frame is somewhere: passed on, or dropped for a reason."""
    stats = daemon.stats()
    members = [row for row in stats.values() if row["role"] != "host"]
    host = next(row for row in stats.values() if row["role"] == "host")
    for row in members:
        lost = sum(n for name, n in row["drops"].items() if name.startswith("rx_"))
        equal(f"port {row['port']} received", row["rx_to_host"] + lost, row["rx_good_packets"])
        equal(f"port {row['port']} received, says the port", row["ethdev"]["ipackets"],
              row["rx_good_packets"])
        equal(f"port {row['port']} sent, says the port", row["ethdev"]["opackets"],
              row["tx_good_packets"])
    lost = sum(n for row in members for name, n in row["drops"].items() if name.startswith("tx_"))
    equal("sent", sum(row["tx_good_packets"] for row in members) + lost, host["host_rx_packets"])
    # What waited for the host when the team was stopped is dropped.
    waited = sum(row["rx_to_host"] for row in members) - host["host_tx_packets"]
    if not 0 <= waited <= 1024 * len(members):
        raise AssertionError(f"{waited} frames on the way to the host are not accounted for")


def null_member(tmp):
    """One that floods and one that swallows, under a ring that gives back all it is given."""
    daemon = Daemon(tmp, ["net_null0", "net_null1,no-rx=1", "net_ring0"], host="net_ring0",
                    options=["--mode", "round-robin", "--mac", TEAM_MAC])
    wait_for("frames pass", lambda: daemon.host_counter("host_rx_packets") > 10000)
    check_mac(daemon, 0)
    daemon.do("stop")
    settle(daemon)
    check_sums(daemon)
    sent = [daemon.stats()[port]["tx_good_packets"] for port in (0, 1)]
    if min(sent) == 0:
        raise AssertionError(f"members in turns sent {sent}")
    equal("reasons", {name for _, name in daemon.drops()} -
          {"rx_host_ring_full", "rx_fenced", "tx_ring_full", "tx_port_full"}, set())
    daemon.quit()


def settle(daemon):
    """Until nothing moves any more."""
    def counters():
        return daemon.host_counter("host_rx_packets"), daemon.total("tx_good_packets")

    last = counters()
    while True:
        time.sleep(0.1)
        if counters() == last:
            return
        last = counters()


def null_host(tmp):
    """A host port that floods and swallows."""
    up = numbered(NB, 128, MAC_PEER, MAC_HOST)
    files = Pcap(tmp, up)
    vdev = files.vdev.split(",tx_pcap=", maxsplit=1)[0]
    daemon = Daemon(tmp, ["net_null0,size=128", "net_null1,no-rx=1", vdev], host="net_null0",
                    options=["--mode", "round-robin", "--mac", TEAM_MAC])
    wait_for("frames pass", lambda: daemon.total("tx_good_packets") > 10000)
    wait_for("the file's frames pass", lambda: daemon.host_counter("host_tx_packets") == NB)
    check_mac(daemon, 0)
    daemon.do("stop")
    settle(daemon)
    check_sums(daemon)
    sent = [daemon.stats()[port]["tx_good_packets"] for port in (1, 2)]
    if min(sent) == 0:
        raise AssertionError(f"members in turns sent {sent}")
    daemon.quit()


KINDS = [("pcap", Pcap), ("memif", memif), ("memif-client", memif_client),
         ("memif-zero-copy", memif_zero_copy), ("vhost", vhost), ("virtio_user", virtio_user),
         ("tap", Tap), ("af_packet", af_packet), ("af_xdp", af_xdp)]

ROWS = [("ports/null/member", null_member), ("ports/null/host", null_host),
        ("ports/ring/member", ring_member), ("ports/ring/host", ring_host)]
for _name, _kind in KINDS:
    for _place, _is_host in (("member", False), ("host", True)):
        ROWS.append((f"ports/{_name}/{_place}", lambda tmp, kind=_kind, is_host=_is_host:
                     pass_both_ways(tmp, kind, is_host)))
