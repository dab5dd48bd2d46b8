# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Too few buffers, full rings, ports that take nothing: counted, recovered, nothing leaked."""

import time

import sides
from frames import MAC_HOST, MAC_PEER, numbered
from harness import Daemon, Teampmd, equal, frames_equal, prefix, wait_for
from sides import Pcap


def bufs_back(daemon, before):
    """Caches of lcores keep some; what is on no ring and in no queue is back."""
    wait_for(f"{before} buffers in use again, not {daemon.in_use()}",
             lambda: daemon.in_use() <= before)


def pool_exhaustion(tmp):
    """A flood into a pool that is too small for all queues; then the ports still work."""
    daemon = Daemon(tmp, ["net_null0", "net_null1", "net_ring0", "net_ring1"], host="2",
                    options=["--total-num-mbufs", "1024", "--mbcache", "32", "--portlist", "0,1,3",
                             "--mode", "round-robin"], start=False)
    if "--total-num-mbufs 1024: full queues may take" not in daemon.text():
        raise AssertionError(f"no word about the pool's size: {daemon.text()}")
    before = daemon.in_use()
    daemon.do("start")
    wait_for("the pool is empty", lambda: min(
        pool["available"] for pool in daemon.show("memory")["pools"] if pool["size"] == 1024) < 64)
    passed = daemon.host_counter("host_rx_packets")
    wait_for("frames still pass", lambda: daemon.host_counter("host_rx_packets") > passed + 10000)
    for _ in range(3):
        daemon.do("stop")
        daemon.do("start")
    passed = daemon.host_counter("host_rx_packets")
    wait_for("and after a restart", lambda: daemon.host_counter("host_rx_packets") > passed + 1000)
    daemon.do("stop")
    # What goes round in the two ring ports (1024 each) is theirs.
    bufs_back(daemon, before + 2048)
    daemon.quit()


def tiny_pool_recovers(tmp):
    """After a flood has gone, everything of a known list passes."""
    down = numbered(200, 100)
    host = Pcap(tmp, down)
    outs = Pcap(tmp, [])
    daemon = Daemon(tmp, ["net_null0", "net_ring0", outs.vdev, host.vdev], host="net_ring0",
                    options=["--total-num-mbufs", "1024", "--mbcache", "32", "--portlist", "0,2"])
    wait_for("a flood", lambda: daemon.host_counter("host_rx_packets") > 5000)
    daemon.do("team remove port 0")
    daemon.do("set host none")
    daemon.do("clear port stats all")
    daemon.do(f"set host {host.vdev.split(',')[0]}")
    wait_for("the file's frames", lambda: daemon.total("tx_good_packets") >= len(down))
    daemon.quit()
    frames_equal("member's", outs.finish(0)[-len(down):], down)


HOLD = 512  # frames that a port has not taken: TP_EGRESS_HOLD
STUCK = HOLD + 888  # fills the hold, and not quite the ring behind it


def stuck_memif(tmp, others, **how):
    """A daemon with a memif as port 0, and its other end, which takes nothing until it is told to
    go().
    """
    slow = sides.memif(tmp, [])
    daemon = Daemon(tmp, [slow.vdev, *[end.vdev for end in others]], start=False, **how)
    slow.attach(daemon, 0)
    daemon.do("start")
    return daemon, slow


def full_ring_to_a_slow_member(tmp):
    """A member's peer takes nothing: hold and ring fill up, what is over is counted, the other
    member goes on; when the peer takes again, all that was kept leaves.
    """
    down = numbered(9000, 64)
    host, outs = Pcap(tmp, down), Pcap(tmp, [])
    daemon, slow = stuck_memif(tmp, [outs, host], host="2", options=["--mode", "round-robin"])
    wait_for("all is read", lambda: daemon.host_counter("host_rx_packets") == len(down))

    def kept():
        """(lost, sent by the slow member, sent by the other one)"""
        stats = daemon.stats()
        lost = sum(n for row in stats.values() for name, n in row.get("drops", {}).items()
                   if name == "tx_ring_full")
        return lost, stats[0]["tx_good_packets"], stats[1]["tx_good_packets"]

    last = None
    while last != (last := kept()):
        time.sleep(0.1)
    if last[0] == 0 or sum(last) >= len(down) or last[2] < 1000:
        raise AssertionError(f"(lost, sent, sent by the other one): {last}: nothing was kept")
    equal("reasons", {name for _, name in daemon.drops()}, {"tx_ring_full"})
    slow.go()
    wait_for("what was kept leaves", lambda: sum(kept()) == len(down))
    equal("lost meanwhile", kept()[0], last[0])
    sent = kept()[1:]
    slow_got = slow.finish(sent[0])
    daemon.quit()
    for i, got in enumerate([slow_got, outs.finish(0)]):
        rest = iter(down[i::2])
        equal(f"member {i} sent", len(got), sent[i])
        equal(f"frames of member {i}, in order", all(frame in rest for frame in got), True)


def drain_in_order(tmp):
    """What its port never took leaves by another member: the hold before the ring, none twice."""
    down = numbered(STUCK, 64)
    host, outs = Pcap(tmp, down), Pcap(tmp, [])
    daemon, _ = stuck_memif(tmp, [outs, host], host="2", options=["--mode", "active-backup"],
                            commands=["set team primary 0", "set team num_peer_notif 0"])
    wait_for("all is read", lambda: daemon.host_counter("host_rx_packets") == len(down))
    equal("the port took", daemon.stats()[0]["tx_good_packets"], 0)
    daemon.do("set link-down port 0")
    wait_for("the rest left", lambda: daemon.total("tx_good_packets") == len(down))
    daemon.no_drops()
    daemon.quit()
    frames_equal("the other member's", outs.finish(0), down)


def host_that_takes_nothing(tmp):
    """Another host port gets what still waits; what the old one was about to take is counted."""
    up = numbered(STUCK, 64, MAC_PEER, MAC_HOST)
    files, other = Pcap(tmp, up), Pcap(tmp, [])
    daemon, _ = stuck_memif(tmp, [files, other], host="0", options=["--portlist", "1"])
    wait_for("all is received", lambda: daemon.total("rx_good_packets") == len(up))
    equal("the old host port took", daemon.total("host_tx_packets"), 0)
    daemon.do(f"set host {other.vdev.split(',')[0]}")
    equal("drops", daemon.drops(), {(2, "rx_host_tx_full"): HOLD})
    wait_for("the rest is sent", lambda: daemon.total("host_tx_packets") == len(up) - HOLD)
    daemon.quit()
    frames_equal("the new host's", other.finish(0), up[HOLD:])


def buffers_come_back(tmp):
    """Known lists both ways, through rings, drops, copies and capture: the pools are as before."""
    down, up = numbered(2000, 700), numbered(2000, 700, MAC_PEER, MAC_HOST)
    host, files = Pcap(tmp, down), Pcap(tmp, up)
    daemon = Daemon(tmp, [files.vdev, "net_null1,no-rx=1", host.vdev], host="2", start=False,
                    options=["--mode", "broadcast", "--mbcache", "0"])
    before = daemon.in_use()
    daemon.do(f"capture start {tmp}/all.pcapng port all")
    daemon.do("start")
    wait_for("all passed", lambda: daemon.total("tx_good_packets") == 2 * len(down) and
             daemon.host_counter("host_tx_packets") == len(up))
    daemon.do("capture stop")
    bufs_back(daemon, before)
    daemon.quit()
    frames_equal("member's", files.finish(0), down)
    frames_equal("host's", host.finish(0), up)


def jumbo(tmp):
    """Frames of several buffers pass; beyond the MTU they are dropped and counted."""
    down = numbered(50, 6000) + numbered(50, 1000)
    host, files, other = Pcap(tmp, down), Pcap(tmp, []), Pcap(tmp, [])
    daemon = Daemon(tmp, [files.vdev, other.vdev, host.vdev], host="2", commands=[
        "set team mtu 9000", "set team mode broadcast"])
    before = 2 * len(down)
    try:
        wait_for("all passed", lambda: daemon.total("tx_good_packets") == before)
    except AssertionError as why:
        raise AssertionError(f"{why}; there are {daemon.counted()}") from None
    daemon.no_drops()
    daemon.quit()
    for out in files, other:
        frames_equal("member's", out.finish(0), down)


def too_big(tmp):
    down = numbered(30, 3000) + numbered(20, 1000)
    host, files = Pcap(tmp, down), Pcap(tmp, [])
    daemon = Daemon(tmp, [files.vdev, host.vdev], host="1")
    wait_for("the small ones passed", lambda: daemon.total("tx_good_packets") == 20)
    equal("drops", daemon.drops(), {(0, "tx_too_big"): 30})
    daemon.quit()
    frames_equal("member's", files.finish(0), down[30:])


def no_room(tmp):
    """A pool that cannot be: one line, exit 1, nothing left behind."""
    daemon = Daemon(tmp, [f"net_memif0,role=client,zero-copy=yes,socket={tmp}/none.sock"], memory=64,
                    eal=["--single-file-segments"], options=["--total-num-mbufs", "500000"], wait=False)
    equal("exit code", daemon.wait(), 1)
    said = [line for line in daemon.text().splitlines() if "mbuf pool of 500000" in line]
    if len(said) != 1 or "-m gives more" not in said[0]:
        raise AssertionError(daemon.text())


def no_device(tmp):
    """A device that its driver refuses: one line, exit 1."""
    daemon = Daemon(tmp, [f"net_memif0,role=client,zero-copy=yes,socket={tmp}/none.sock"],
                    wait=False)
    equal("exit code", daemon.wait(), 1)
    said = [line for line in daemon.text().splitlines() if line.startswith("teampmd: ")]
    equal("lines of ours", len(said), 1)
    if "--vdev net_memif0: no port" not in said[0]:
        raise AssertionError(said[0])


def kill_and_restart(tmp):
    """Kill -9: what it leaves (its socket, EAL's files) does not stop the next one."""
    args = ["--no-huge", "--no-shconf", "--no-pci", "-m", "128", "--file-prefix", prefix(),
            "--vdev", "net_null0", "--vdev", "net_ring0", "--", "--host", "1"]
    first = Teampmd(tmp, args)
    first.kill()
    second = Teampmd(tmp, args, socket=first.socket)
    second.quit()
    equal("its socket is there", second.socket.exists(), False)


ROWS = [("limits/pool-exhaustion", pool_exhaustion), ("limits/tiny-pool", tiny_pool_recovers),
        ("limits/full-ring", full_ring_to_a_slow_member), ("limits/buffers", buffers_come_back),
        ("limits/drain-order", drain_in_order), ("limits/host-stuck", host_that_takes_nothing),
        ("limits/jumbo", jumbo), ("limits/too-big", too_big), ("limits/no-memory", no_room),
        ("limits/no-device", no_device), ("limits/kill", kill_and_restart)]
