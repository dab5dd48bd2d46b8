# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""What can be on the other side of a port: files, another process, the kernel.

Each is made with the frames that it is to send, names the vdev that the daemon uses
(`vdev`, and what EAL needs for it), and keeps what it gets.
"""

import ctypes
import os
import re
import shutil
import socket
import subprocess
import threading
import time

from frames import MAC_HOST, MAC_PEER, read_pcap, write_pcap
from harness import COUNT, Skip, Testpmd, need_root, wait_for


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


SO_RCVBUFFORCE = 33  # Python has no name for it


class RawSocket:
    """Sends and keeps the frames of one interface, in a namespace."""

    def __init__(self, netns, interface, sources):
        self.got, self.socket, self.sources = [], None, sources
        # Threads have a network namespace each.
        thread = threading.Thread(target=self.open, args=(netns, interface))
        thread.start()
        thread.join()
        if self.socket is None:
            raise AssertionError(f"no socket on {interface}")
        self.reader = threading.Thread(target=self.read, args=(self.socket,), daemon=True)
        self.reader.start()

    def open(self, netns, interface):
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{netns}", "rb") as ns:
            if libc.setns(ns.fileno(), 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        raw.bind((interface, 0))
        raw.settimeout(0.1)
        self.socket = raw

    def read(self, raw):
        while self.socket is not None:
            try:
                frame, where = raw.recvfrom(65535)
            except TimeoutError:
                continue
            except OSError:
                return
            # The kernel has words of its own.
            if where[2] != socket.PACKET_OUTGOING and frame[6:12] in self.sources:
                self.got.append(frame)

    def send(self, frames):
        for i, frame in enumerate(frames):
            self.socket.send(frame)
            if i % 32 == 31:
                time.sleep(0.002)  # queues of interfaces are short

    def close(self):
        raw, self.socket = self.socket, None
        self.reader.join()
        raw.close()


class Namespace:
    """A network namespace in which the kernel sends nothing by itself."""

    all = []

    def __init__(self):
        need_root("a network namespace")
        if shutil.which("ip") is None:
            raise Skip("there is no ip")
        self.name = f"tp-vdev-{os.getpid()}-{next(COUNT)}"
        self.sockets = []
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.all.append(self)
        for group in "default", "all":
            self.run("sysctl", "-qw", f"net.ipv6.conf.{group}.disable_ipv6=1")

    def run(self, *command):
        done = subprocess.run(["ip", "netns", "exec", self.name, *command], check=False, text=True,
                              capture_output=True)
        if done.returncode != 0:
            raise AssertionError(f"{command}: exit code {done.returncode}: {done.stderr}")
        return done.stdout

    def veth(self, here, there, other=None):
        """A cable, without checksums left to be filled in."""
        other = other or self
        self.run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns",
                 other.name)
        for end, namespace in (here, self), (there, other):
            namespace.run("ethtool", "-K", end, "tx", "off", "rx", "off", "tso", "off", "gso",
                          "off", "gro", "off")
            namespace.run("ip", "link", "set", end, "up")

    def open(self, interface, sources=(MAC_HOST, MAC_PEER)):
        self.sockets.append(RawSocket(self.name, interface, sources))
        return self.sockets[-1]

    def remove(self):
        for raw in self.sockets:
            raw.close()
        self.all.remove(self)
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    @classmethod
    def remove_all(cls):
        """At the end, however it came."""
        for namespace in list(cls.all):
            subprocess.run(["ip", "netns", "del", namespace.name], check=False)


class Kernel:
    """A network interface in a namespace of its own, and a raw socket on it."""

    ends_first = True
    eal = ()

    def __init__(self, frames):
        self.sent, self.socket = frames, None
        self.namespace = Namespace()
        self.netns = self.namespace.name

    def go(self):
        self.socket.send(self.sent)

    def finish(self, nb):
        wait_for(f"the kernel has {nb} frames", lambda: len(self.socket.got) >= nb)
        time.sleep(0.05)
        return self.socket.got

    def remove(self):
        self.namespace.remove()


class Tap(Kernel):
    def __init__(self, tmp, frames):
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise Skip("/dev/net/tun cannot be opened")
        super().__init__(frames)
        self.vdev = f"net_tap{next(COUNT)},iface=tp0"

    def attach(self, daemon, port):
        self.namespace.run("ip", "link", "set", "tp0", "up")
        self.socket = self.namespace.open("tp0")
        # As host port it has carrier only while a member distributes.
        if port > 0:
            wait_for("link is up", lambda: daemon.links(port))


class Veth(Kernel):
    """The daemon's port is on one end, the kernel's socket on the other."""

    def __init__(self, tmp, frames, vdev):
        super().__init__(frames)
        self.vdev = vdev
        try:
            self.namespace.veth("v0", "v1")
        except BaseException:
            self.remove()
            raise

    def attach(self, daemon, port):
        self.socket = self.namespace.open("v1")
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
