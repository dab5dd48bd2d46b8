# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Each driver as a member and as the host port: frames pass both ways, unchanged and counted.

In a row for driver X as member the team is X and a net_pcap port, in turns, under a
net_pcap host port; as host port X stands above two net_pcap members. Whatever is
on the other side of X (a testpmd that copies frames from and to files, or the
kernel) sends a known list of frames and keeps what it gets.
"""

import time

import sides
from frames import MAC_HOST, MAC_PEER, numbered
from harness import Daemon, equal, frames_equal, same_set, wait_for
from sides import Pcap

TEAM_MAC = "02:77:00:00:00:01"
NB = 300


# ---- rows ------------------------------------------------------------------------


def check_mac(daemon, port):
    """It has the team's MAC, or takes everything."""
    row = {row["port"]: row for row in daemon.show("port info all")}[port]
    # virtio without a control queue has no filter that could be set, nor one that refuses.
    if row["mac"] != TEAM_MAC and not row["promisc"] and row["driver"] != "net_virtio_user":
        raise AssertionError(f"port {port} has {row['mac']} and is not promiscuous")


def run_team(tmp, host, members, from_host, from_members):
    """Let everything pass, in turns. Frames that the host and the members' sides got."""
    ends = [host, *members]
    netns = next((end.netns for end in ends if end.netns), None)
    eal = [word for end in ends for word in end.eal]
    daemon = Daemon(tmp, [end.vdev for end in ends], host="0", start=False, netns=netns, eal=eal,
                    options=["--mode", "round-robin", "--mac", TEAM_MAC])
    for port, end in enumerate(ends):
        end.attach(daemon, port)
    daemon.do("start")
    for port in range(len(ends)):
        check_mac(daemon, port)
    wait_for("all links are up", lambda: daemon.links(*range(len(ends))))
    wait_for("all members distribute",
             lambda: all(m["distributing"] for m in daemon.show("team")["members"]))
    for end in ends:
        end.go()
    share = [from_host // len(members) + (i < from_host % len(members))
             for i in range(len(members))]
    wait_passed(daemon, from_host, from_members)
    daemon.no_drops()
    early = {end: end.finish(nb) for end, nb in zip(ends, [from_members, *share])
             if end.ends_first}
    daemon.quit()
    return [early[end] if end in early else end.finish(0) for end in ends]


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
    ends = []
    try:
        ends.append((kind if is_host else Pcap)(tmp, down))
        if is_host:
            ends += [Pcap(tmp, up[0]), Pcap(tmp, up[1])]
        else:
            ends += [kind(tmp, up[0]), Pcap(tmp, up[1])]
        got = run_team(tmp, ends[0], ends[1:], len(down), len(up[0]) + len(up[1]))
    finally:
        for end in ends:
            if isinstance(end, sides.Kernel):
                end.remove()
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
          {"rx_host_ring_full", "rx_fenced", "tx_ring_full"}, set())
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


KINDS = [("pcap", Pcap), ("memif", sides.memif), ("memif-client", sides.memif_client),
         ("memif-zero-copy", sides.memif_zero_copy), ("vhost", sides.vhost),
         ("virtio_user", sides.virtio_user), ("tap", sides.Tap), ("af_packet", sides.af_packet),
         ("af_xdp", sides.af_xdp)]

ROWS = [("ports/null/member", null_member), ("ports/null/host", null_host),
        ("ports/ring/member", ring_member), ("ports/ring/host", ring_host)]
for _name, _kind in KINDS:
    for _place, _is_host in (("member", False), ("host", True)):
        ROWS.append((f"ports/{_name}/{_place}", lambda tmp, kind=_kind, is_host=_is_host:
                     pass_both_ways(tmp, kind, is_host)))
