# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""What DPDK's link bonding suite asks of a bond, asked of the daemon from outside: which frames
each mode lets through to which member, both ways, and what happens when members go down and come
back, between bursts and in mid-stream.
"""

import struct
import time

import frames as f
from expect import bucket_of
from harness import COUNT, Daemon, equal, frames_equal, same_set, wait_for
from sides import Pcap

MEMBERS = 4
NB = 240  # a multiple of 2, 3 and 4
TEAM_MAC = bytes.fromhex("027700000001")
QUIET = ["set team num_peer_notif 0", "set team resend_igmp 0", "set team skew 100",
         "set team rebalance_interval 60000"]


def number_of(frame):
    return struct.unpack_from("!I", frame, 42)[0]


def burst(phase, family):
    """Frames of a phase, with numbers from 1000 * phase on; 40 flows, the same in each phase."""
    out = []
    for i in range(NB):
        flow, payload = i % 40, struct.pack("!I", 1000 * phase + i) + bytes(40)
        ends = [f.addr(("10.%d.0.%d" if family == "v4" else "fd00::%d:%d") % (side, flow + 1))
                for side in (1, 2)]
        body = f.udp(*ends, 2000 + 2 * flow, 80, payload)
        packet = f.ipv4(*ends, f.UDP, body) if family == "v4" else f.ipv6(*ends, f.UDP, body)
        macs = [bytes.fromhex("02000000") + bytes([side, flow]) for side in (3, 4)]
        out.append(f.ether(packet, 0x0800 if family == "v4" else 0x86dd, *macs))
    return out


# ---- from the host ------------------------------------------------------------------


class Stand:
    """A daemon with four members that keep what they send, and a host file for each phase."""

    def __init__(self, tmp, mode, policy="l34", family="v4", phases=5):
        self.mode, self.policy, self.phase = mode, policy, 0
        self.bursts = [burst(i, family) for i in range(phases)]
        self.members = [Pcap(tmp, []) for _ in range(MEMBERS)]
        self.hosts = [Pcap(tmp, frames) for frames in self.bursts]
        self.wanted = [[] for _ in range(MEMBERS)]
        vdevs = [end.vdev for end in self.members + self.hosts]
        self.daemon = Daemon(tmp, vdevs, commands=QUIET + [f"set team hash-policy {policy}"],
                             options=["--portlist", "0,1,2,3", "--mode", mode])

    def run(self, alive):
        """The next burst, with these members alive. @return each flow's member, if it has one"""
        wait_for(f"{alive} distribute, and their map is in force", lambda: self.settled(alive))
        before = self.daemon.total("tx_good_packets")
        frames, host = self.bursts[self.phase], self.hosts[self.phase]
        self.phase += 1
        copies = len(alive) if self.mode == "broadcast" else 1
        self.daemon.do(f"set host {host.vdev.split(',')[0]}")
        wait_for("the burst is out", lambda: self.daemon.total("tx_good_packets") ==
                 before + copies * len(frames))
        return self.expect(frames, alive)

    def settled(self, alive):
        up = [m["port"] for m in self.daemon.show("team")["members"] if m["distributing"]]
        return up == alive and self.daemon.settled()

    def expect(self, frames, alive):
        primary = self.daemon.show("team")["primary"]
        bucket_map = [row["port"] for row in self.daemon.show("bucket map")]
        member_of = {}
        for i, frame in enumerate(frames):
            if self.mode in ("hash", "load"):
                bucket = bucket_of(frame, self.policy, "toeplitz", False, len(bucket_map))
                to = [bucket_map[bucket]]
                member_of[i % 40] = bucket_map[bucket]
            else:
                to = {"active-backup": [primary], "broadcast": alive}.get(self.mode, [])
            for member in to:
                self.wanted[member].append(frame)
        return member_of

    def finish(self):
        self.daemon.no_drops()
        self.daemon.quit()
        return [member.finish(0) for member in self.members]


def members_down(tmp, mode, **how):
    stand = Stand(tmp, mode, **how)
    daemon, everyone = stand.daemon, list(range(MEMBERS))
    first = stand.run(everyone)
    daemon.do("set link-down port 2")
    second = stand.run([0, 1, 3])
    daemon.do("set link-down port 0")  # the primary
    wait_for("another primary", lambda: daemon.show("team")["primary"] in (1, 3))
    third = stand.run([1, 3])
    daemon.do("set link-down port 1")
    stand.run([3])
    for port in 0, 1, 2:
        daemon.do(f"set link-up port {port}")
    stand.run(everyone)
    got = stand.finish()
    if mode == "round-robin":
        check_turns(stand, got)
        return
    for member in everyone:
        frames_equal(f"member {member}'s", got[member], stand.wanted[member])
    # Flows of members that stay where they are stay too.
    for flow, member in first.items():
        if member != 2:
            equal(f"flow {flow} without member 2", second[flow], member)
        if member not in (0, 2):
            equal(f"flow {flow} without members 0 and 2", third[flow], member)


def check_turns(stand, got):
    """The same number each, in order; nothing by a member that was down."""
    alive = [[0, 1, 2, 3], [0, 1, 3], [1, 3], [3], [0, 1, 2, 3]]
    for phase, members in enumerate(alive):
        frames = stand.bursts[phase]
        for member in range(MEMBERS):
            sent = [frame for frame in got[member] if number_of(frame) // 1000 == phase]
            equal(f"phase {phase}: member {member} sent", len(sent),
                  NB // len(members) if member in members else 0)
            numbers = [number_of(frame) for frame in sent]
            equal(f"phase {phase}: order of member {member}", numbers, sorted(numbers))
        same_set(f"phase {phase}", [frame for member in got for frame in member
                                    if number_of(frame) // 1000 == phase], frames)


def no_member_left(tmp):
    """Nothing is lost while none is up: the host's frames wait until one is."""
    stand = Stand(tmp, "hash", phases=1)
    for port in range(MEMBERS):
        stand.daemon.do(f"set link-down port {port}")
    wait_for("no primary", lambda: stand.daemon.show("team")["primary"] == -1)
    stand.daemon.do(f"set host {stand.hosts[0].vdev.split(',')[0]}")
    time.sleep(0.2)
    equal("sent with no member", stand.daemon.total("tx_good_packets"), 0)
    equal("carrier", stand.daemon.show("team")["carrier"], False)
    stand.daemon.do("set link-up port 1")
    wait_for("all by the first that is back",
             lambda: stand.daemon.stats()[1]["tx_good_packets"] == NB)
    got = stand.finish()
    frames_equal("member 1's", got[1], stand.bursts[0])


# ---- to the host --------------------------------------------------------------------


def rx_frames(member):
    """(what each of these must do, frame): unicast, group and own frames of a member's switch."""
    base = f.numbered(40, 80, f.MAC_PEER, TEAM_MAC, 1000 * member)
    kinds = []
    for i, frame in enumerate(base):
        kind = ["unicast", "unicast", "multicast", "broadcast", "own", "link-local"][i % 6]
        dst = {"multicast": "01005e010203", "broadcast": "ffffffffffff",
               "link-local": "0180c2000002"}.get(kind)
        if dst:
            frame = bytes.fromhex(dst) + frame[6:]
        if kind == "own":
            frame = frame[:6] + TEAM_MAC + frame[12:]
        kinds.append((kind, frame))
    return kinds


def reception(tmp, mode, all_active=False):
    """By place, not by content: the host gets broadcasts once, and from backups nothing."""
    host = Pcap(tmp, [])
    inputs = [rx_frames(i) for i in range(MEMBERS)]
    members = [Pcap(tmp, [frame for _, frame in frames]) for frames in inputs]
    daemon = Daemon(tmp, [end.vdev for end in [*members, host]], host=str(MEMBERS),
                    commands=QUIET + [f"set team all_members_active {'on' if all_active else 'off'}"],
                    options=["--mode", mode, "--mac", ":".join(f"{b:02x}" for b in TEAM_MAC)])
    wanted, drops = [], {}
    for i, frames in enumerate(inputs):
        primary = i == 0
        for kind, frame in frames:
            why = {"own": "rx_own_mac", "link-local": "rx_link_local"}.get(kind)
            if why is None and not primary:
                if mode == "active-backup" and not all_active:
                    why = "rx_place"
                elif mode == "broadcast" and kind != "unicast":
                    why = "rx_place"
            if why is None:
                wanted.append(frame)
            else:
                drops[i, why] = drops.get((i, why), 0) + 1
    wait_for("all is read", lambda: daemon.total("rx_good_packets") == sum(map(len, inputs)) and
             daemon.host_counter("host_tx_packets") == len(wanted))
    equal("primary", daemon.show("team")["primary"], 0)
    equal("drops", daemon.drops(), drops)
    daemon.quit()
    same_set("host's", host.finish(0), wanted)


# ---- in mid-stream --------------------------------------------------------------------


def mid_stream(tmp, mode):
    """A stream without end, members that go and come; a member that is down sends nothing, and
    nothing is lost but what full rings refuse. The pools are as before at the end.
    """
    f.write_pcap(tmp / "in.pcap", burst(0, "v4"))
    number = next(COUNT)
    daemon = Daemon(tmp, [f"net_null{i},no-rx=1" for i in range(MEMBERS)] +
                    [f"net_pcap{number},rx_pcap={tmp / 'in.pcap'},infinite_rx=1"],
                    host=str(MEMBERS), options=["--mode", mode], commands=QUIET)

    def sent():
        return {port: row["tx_good_packets"] for port, row in daemon.stats().items()
                if row["role"] != "host"}

    def moved(members):
        before = sent()
        wait_for(f"{members} send", lambda: all(sent()[m] > before[m] + 100 for m in members))

    users = list(range(MEMBERS))
    for down in 1, 0, 3:
        daemon.do(f"set link-down port {down}")
        users.remove(down)
        # The command comes back when nothing waits for the member any more.
        before = sent()[down]
        alive = [daemon.show("team")["primary"]] if mode == "active-backup" else users
        moved(alive)
        equal(f"member {down} is down and sent", sent()[down] - before, 0)
    for up in 1, 0, 3:
        daemon.do(f"set link-up port {up}")
    wait_for("all distribute",
             lambda: all(m["distributing"] for m in daemon.show("team")["members"]))
    # Flows that never rest stay where they are: their buckets move only while idle.
    moved({"active-backup": [daemon.show("team")["primary"]], "hash": users, "load": users}.get(
        mode, range(MEMBERS)))
    daemon.do("stop")
    last = None
    while last != (last := (daemon.host_counter("host_rx_packets"), sum(sent().values()))):
        time.sleep(0.05)
    check_books(daemon, mode, sent())
    daemon.quit()


def check_books(daemon, mode, sent):
    """Every frame of a stream, or every copy of it, left by a member or was dropped for a reason."""
    read, lost = daemon.host_counter("host_rx_packets"), {}
    for (_, name), value in daemon.drops().items():
        lost[name] = lost.get(name, 0) + value
    # In broadcast the copies that waited for the lost member are dropped: the others have theirs.
    forgotten = lost.pop("tx_port_stopped", 0) if mode == "broadcast" else 0
    equal("reasons", set(lost) - {"tx_ring_full"}, set())
    full = lost.get("tx_ring_full", 0)
    if mode != "broadcast":
        equal("read from the host", read, sum(sent.values()) + full)
        return
    handed = daemon.total("tx_own") + daemon.total("tx_forwarded")
    equal("copies", sum(sent.values()) + forgotten, handed)
    # The member that stayed gets one of each: what a full ring refuses is all that it misses.
    if not read - full <= sent[2] <= read:
        raise AssertionError(f"member 2 sent {sent[2]} of {read}, {full} were refused")


MODES = ["hash", "load", "active-backup", "round-robin", "broadcast"]
ROWS = [("bonding/no-member", no_member_left)]
for _mode in MODES:
    ROWS.append((f"bonding/{_mode}/down", lambda tmp, mode=_mode: members_down(tmp, mode)))
    ROWS.append((f"bonding/{_mode}/rx", lambda tmp, mode=_mode: reception(tmp, mode)))
# Each keeps a CPU busy for some seconds.
for _mode in "hash", "active-backup", "broadcast":
    ROWS.append((f"bonding/{_mode}/stream", lambda tmp, mode=_mode: mid_stream(tmp, mode)))
ROWS.append(("bonding/active-backup/rx/all_members_active",
             lambda tmp: reception(tmp, "active-backup", True)))
for _policy in "l2", "l23", "l34":
    for _family in "v4", "v6":
        ROWS.append((f"bonding/hash/down/{_policy}/{_family}",
                     lambda tmp, policy=_policy, family=_family:
                     members_down(tmp, "hash", policy=policy, family=family)))
