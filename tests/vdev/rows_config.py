# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""The examples in config/: each is started by the command line in its own header, with this
machine's devices where it names a server's, and does what it says.
"""

import re
import shlex
import time

import rows_matrix
from expect import bucket_of
from frames import MAC_HOST, MAC_PEER, numbered, read_pcap, write_pcap
from harness import (TOP, WAIT_S, Teampmd, Testpmd, equal, frames_equal, need_root, prefix, same_set,
                     wait_for)
from sides import Namespace

CONFIG = TOP / "config"


def command_lines(name):
    """The commands in the header comment, as words; a line that ends in \\ goes on."""
    lines = [line[1:].strip() for line in (CONFIG / name).read_text().splitlines()
             if line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    commands = [line for line in joined.splitlines()
                if re.match(r"(teampmd|dpdk-testpmd|ip) ", line)]
    return [shlex.split(line) for line in commands]


def adapt(name, devices=()):
    """The arguments of its teampmd: other devices for -a (in order); no huge pages, no PCI, all
    on the CPUs that there are.
    """
    words = command_lines(name)[0][1:]
    devices, out = iter(devices), []
    while words:
        word = words.pop(0)
        if word == "-a":
            words.pop(0)
            out += ["--vdev", next(devices)]
        elif word in ("--lcores", "--socket-mem", "-m"):
            words.pop(0)
        elif word not in ("--no-huge", "--no-pci"):
            out.append(str(CONFIG / word) if word.endswith(".cmd") else word)
    return ["--no-huge", "--no-pci", "--no-shconf", "-m", "384", "--file-prefix", prefix(),
            "--log-level", "lib.eal:warning", *out, "--idle", "sleep"]


def change(args, *pairs):
    """Replace parts of words; each must be there."""
    for old, new in pairs:
        if not any(old in word for word in args):
            raise AssertionError(f"the header does not say '{old}' any more: {args}")
        args = [word.replace(old, str(new)) for word in args]
    return args


def check_said(daemon, name):
    """All that the file says is in force."""
    config = daemon.do("show config").splitlines()
    for line in (CONFIG / name).read_text().splitlines():
        if line and not line.startswith("#") and line not in config:
            raise AssertionError(f"{name}: '{line}' is not in force: {config}")


# ---- rows -----------------------------------------------------------------------


def pcap_replay(tmp):
    traffic = rows_matrix.Traffic("pcap-replay")
    frames = [rows_matrix.family_mix(traffic) for _ in range(800)]
    write_pcap(tmp / "host.pcap", frames)
    args = change(adapt("pcap-replay.cmd"), ("/tmp/", f"{tmp}/"),
                  ("rx_pcap=host.pcap", f"rx_pcap={tmp}/host.pcap"))
    daemon = Teampmd(tmp, args)
    check_said(daemon, "pcap-replay.cmd")
    wait_for("all is sent", lambda: daemon.total("tx_good_packets") == len(frames))
    daemon.no_drops()
    ports = [row["port"] for row in daemon.show("bucket map")]
    daemon.quit()
    wanted = {0: [], 1: []}
    for frame in frames:
        wanted[ports[bucket_of(frame, "l34", "toeplitz", False, len(ports))]].append(frame)
    for port in wanted:
        frames_equal(f"port {port}", read_pcap(tmp / f"port{port}.pcap"), wanted[port])


def memif_host(tmp):
    """Its other side swaps MACs: what the members receive leaves again, turned round."""
    up = numbered(200, 96, MAC_PEER, MAC_HOST)
    write_pcap(tmp / "in.pcap", up)
    files = [f"net_pcap0,rx_pcap={tmp}/in.pcap,tx_pcap={tmp}/out0.pcap",
             f"net_pcap1,tx_pcap={tmp}/out1.pcap"]
    path = ("/run/teampmd/memif.sock", f"{tmp}/memif.sock")
    args = change(adapt("memif-host.cmd", files), path)
    # Stopped, until the host is there.
    (tmp / "wait.cmd").write_text((CONFIG / "memif-host.cmd").read_text().replace(
        "\nstart\n", "\n"))
    args = [str(tmp / "wait.cmd") if word.endswith(".cmd") else word for word in args]
    daemon = Teampmd(tmp, args)
    words = change(command_lines("memif-host.cmd")[1][1:], path)
    at = words.index("--")
    vdev = words[words.index("--vdev") + 1]
    options = [word for word in words[at + 1:] if not word.startswith("--forward-mode")]
    mode = next(word for word in words if word.startswith("--forward-mode=")).split("=")[1]
    Testpmd(tmp, [vdev], options, mode=mode, eal=["--single-file-segments"])
    wait_for("the host is there", lambda: daemon.links(2))
    daemon.do("start")
    check_said(daemon, "memif-host.cmd")
    wait_for("all went round", lambda: daemon.total("tx_good_packets") == len(up))
    daemon.no_drops()
    equal("MAC", daemon.show("team")["mac"], "02:00:00:00:70:01")
    daemon.quit()
    got = read_pcap(tmp / "out0.pcap") + read_pcap(tmp / "out1.pcap")
    same_set("members'", got, [frame[6:12] + frame[:6] + frame[12:] for frame in up])
    if not read_pcap(tmp / "out0.pcap") or not read_pcap(tmp / "out1.pcap"):
        raise AssertionError("all flows left by one member")


def eight_ports(tmp):
    nulls = [f"net_null{i},no-rx=1" for i in range(8)]
    args = change(adapt("eight-port-100g.cmd", nulls),
                  ("/run/teampmd/vm0.sock", f"{tmp}/vm0.sock"), ("poll", "sleep"))
    down = numbered(512, 1000)
    write_pcap(tmp / "vm.pcap", down)
    daemon = Teampmd(tmp, args)
    vm = Testpmd(tmp, [f"net_virtio_user0,path={tmp}/vm0.sock,queue_size=1024",
                       f"net_pcap0,rx_pcap={tmp}/vm.pcap"], ["--disable-link-check"])
    wait_for("the VM is there", lambda: daemon.links(8))
    check_said(daemon, "eight-port-100g.cmd")
    wait_for("all eight distribute after updelay",
             lambda: all(m["distributing"] for m in daemon.show("team")["members"]))
    equal("primary", daemon.show("team")["primary"] in range(4), True)
    equal("shares", {m["buckets"] for m in daemon.show("team")["members"]}, {8192 // 8})
    for port in range(5):
        daemon.do(f"set link-down port {port}")
    wait_for("less than six: no carrier", lambda: not daemon.show("team")["carrier"])
    for port in range(5):
        daemon.do(f"set link-up port {port}")
    wait_for("carrier", lambda: daemon.show("team")["carrier"])
    wait_for("the VM sees it", lambda: daemon.links(8))
    vm.type("start")
    wait_for("the VM's frames are out", lambda: daemon.total("tx_good_packets") == len(down))
    daemon.no_drops()
    daemon.quit()


def two_links():
    """(the daemon's namespace with eth1 and eth2, their other ends' with p1 and p2)"""
    need_root("a network namespace")
    ours, theirs = Namespace(), Namespace()
    for i in "12":
        ours.veth(f"eth{i}", f"p{i}", theirs)
    return ours, theirs


def hash_tap(tmp):
    ours, theirs = two_links()
    try:
        daemon = Teampmd(tmp, adapt("hash-tap.cmd"), netns=ours.name)
        check_said(daemon, "hash-tap.cmd")
        ours.run("ip", "address", "add", "192.0.2.10/24", "dev", "team0")
        ours.run("ip", "link", "set", "team0", "up")
        wait_for("both distribute after updelay",
                 lambda: all(m["distributing"] for m in daemon.show("team")["members"]))
        wait_for("their map is in force", daemon.settled)
        host, peers = ours.open("team0"), [theirs.open(f"p{i}") for i in "12"]
        down = numbered(200, 120)
        host.send(down)
        wait_for("frames at the peers", lambda: sum(len(p.got) for p in peers) == len(down))
        same_set("peers'", peers[0].got + peers[1].got, down)
        ports = [row["port"] for row in daemon.show("bucket map")]
        for i, peer in enumerate(peers):
            frames_equal(f"peer {i}'s", peer.got, [
                frame for frame in down
                if ports[bucket_of(frame, "l34", "toeplitz", False, len(ports))] == i])
        up = numbered(200, 120, MAC_PEER, MAC_HOST, 1000)
        peers[0].send(up[:100])
        peers[1].send(up[100:])
        wait_for("frames at the host", lambda: len(host.got) == len(up))
        same_set("host's", host.got, up)
        daemon.no_drops()
        daemon.quit()
    finally:
        ours.remove()
        theirs.remove()


def steady(what, look, wanted):
    """It stays so for longer than missed_max intervals, if need be only once a crowd has gone."""
    def stays():
        end = time.monotonic() + 1
        while look() == wanted:
            if time.monotonic() > end:
                return True
            time.sleep(0.02)
        return False

    wait_for(what, stays)


def active_backup_arp(tmp):
    """A switch with both targets behind it. A path is cut behind a link that stays up."""
    ours, theirs = two_links()
    try:
        # Outside of the bridge the targets are not to be reached.
        theirs.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
        theirs.run("ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        for i in "12":
            theirs.run("ip", "link", "set", f"p{i}", "master", "br0")
            theirs.run("ip", "address", "add", f"192.0.2.{i}/24", "dev", "br0")
        theirs.run("ip", "link", "set", "br0", "up")
        mac = bytes.fromhex(ours.run("cat", "/sys/class/net/eth1/address").replace(":", ""))
        own = ours.open("eth2", [mac])
        daemon = Teampmd(tmp, adapt("active-backup-arp.cmd"), netns=ours.name)
        check_said(daemon, "active-backup-arp.cmd")
        equal("MAC", bytes.fromhex(daemon.show("team")["mac"].replace(":", "")), mac)

        def state():
            team = daemon.show("team")
            return team["primary"], [m["link"] for m in team["members"]]

        steady("both answer", state, (0, [True, True]))
        theirs.run("ip", "link", "set", "p1", "nomaster")
        wait_for("port 1 takes over", lambda: state() == (1, [False, True]))
        equal("carrier of port 0", daemon.links(0), True)
        theirs.run("ip", "link", "set", "p1", "master", "br0")
        wait_for("port 0 is taken back", lambda: state() == (0, [True, True]))
        # The bridge floods probes to the other port: they tell it nothing of where the team is.
        equal("drops", daemon.drops(but=["rx_place", "rx_fenced"]), {})
        equal("frames with the team's MAC", len(own.got), 0)
        daemon.quit()
    finally:
        ours.remove()
        theirs.remove()


def neighbour(tmp, name, prepare=None):
    """A team by the file `name`, and on its first link a namespace that is 192.0.2.1.
    @return (daemon, ours, theirs)
    """
    ours, theirs = two_links()
    theirs.run("ip", "link", "set", "p2", "down")
    theirs.run("ip", "address", "add", "192.0.2.1/24", "dev", "p1")
    daemon = Teampmd(tmp, adapt(name), netns=ours.name)
    check_said(daemon, name)
    if prepare:
        prepare(ours)
    wait_for("the first link is up", lambda: daemon.show("team")["members"][0]["distributing"] and
             not daemon.show("team")["members"][1]["distributing"])
    return daemon, ours, theirs


TALK = """
import socket, sys, time
deadline = time.monotonic() + int(sys.argv[2])
while True:
    try:
        s = socket.create_connection(("192.0.2.10", int(sys.argv[1])), timeout=int(sys.argv[2]))
        break
    except ConnectionRefusedError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.1)
s.sendall(b"teampmd" * 100)
got = b""
while len(got) < 700:
    got += s.recv(700 - len(got))
print(got.decode())
"""


def echo(tmp):
    def host(ours):
        # Else the kernel answers for team0's address on the members' interfaces.
        for knob in "arp_ignore", "rp_filter":
            ours.run("sysctl", "-qw", f"net.ipv4.conf.all.{knob}=1")
        ours.run("ip", "address", "add", "192.0.2.10/24", "dev", "team0")
        ours.run("ip", "link", "set", "team0", "up")

    daemon, ours, theirs = neighbour(tmp, "echo.cmd", host)
    try:
        def talk(port):
            # Until the engine has made sure of its address the kernel answers, and refuses.
            return theirs.run("python3", "-c", TALK, str(port), str(WAIT_S))[:700]

        equal("echo", talk(7), "teampmd" * 100)
        equal("chargen", talk(19).splitlines()[0][:20], " !\"#$%&'()*+,-./0123")
        theirs.run("ping", "-c", "3", "-w", str(WAIT_S), "192.0.2.10")  # the kernel's
        daemon.quit()
    finally:
        ours.remove()
        theirs.remove()


def http(tmp):
    daemon, ours, theirs = neighbour(tmp, "http.cmd")
    try:
        got = theirs.run("curl", "-sS", "-m", str(WAIT_S), "-o", tmp / "got", "-w",
                         "%{http_code} %{size_download}", "http://192.0.2.10/bytes/1M")
        equal("code and size", got, f"200 {1 << 20}")
        equal("told of its address", has_event(daemon, "address 192.0.2.10 is the team's"), True)
        daemon.quit()
    finally:
        ours.remove()
        theirs.remove()


def has_event(daemon, text):
    return any(text in event["text"] for event in daemon.show("events"))


def address_of_another(tmp):
    """Nothing is served there, and there is a line that says who has it."""
    ours, theirs = two_links()
    try:
        theirs.run("ip", "address", "add", "192.0.2.10/24", "dev", "p1")
        mac = theirs.run("cat", "/sys/class/net/p1/address").strip()
        daemon = Teampmd(tmp, adapt("http.cmd"), netns=ours.name)
        wait_for("it is told", lambda: has_event(daemon, f"address 192.0.2.10 is in use by {mac}"))
        equal("its own", has_event(daemon, "address 192.0.2.10 is the team's"), False)
        daemon.quit()
    finally:
        ours.remove()
        theirs.remove()


def all_examples_have_a_row(tmp):
    del tmp
    equal("files in config/", {path.name for path in CONFIG.glob("*.cmd")}, set(EXAMPLES))


# ---- files that are wrong ----------------------------------------------------------

WRONG = [
    ("unknown", ["set team mode hash", "frobnicate"], 2),
    ("value", ["", "# comment", "set team mode sideways"], 3),
    ("range", ["set team buckets 100"], 1),
    ("port", ["set member 0 prio 1", "set member 7 prio 1"], 2),
    ("too short", ["set team"], 1),
    ("too long", ["start now"], 1),
    ("binary", ["set team mode hash", "\x01\x02\x7f"], 2),
    ("endless line", ["x" * 5000], 1),
]


def wrong_file(tmp, lines, number):
    """One line FILE:LINE: what, exit code 2, and no frame was let through."""
    path = tmp / "wrong.cmd"
    path.write_text("\n".join([*lines, "start"]) + "\n")
    write_pcap(tmp / "in.pcap", numbered(10))
    daemon = Teampmd(tmp, [
        "--no-huge", "--no-pci", "--no-shconf", "-m", "128", "--file-prefix", prefix(),
        "--log-level", "lib.eal:warning", "--vdev", f"net_pcap0,tx_pcap={tmp}/out.pcap",
        "--vdev", f"net_pcap1,rx_pcap={tmp}/in.pcap", "--", "--host", "1", "--cmdline-file",
        path], wait=False)
    code = daemon.wait()
    said = [line for line in daemon.text().splitlines() if str(path) in line]
    equal("exit code", code, 2)
    equal("lines with the file's name", len(said), 1)
    if not re.match(rf"(teampmd: )?{re.escape(str(path))}:{number}: .+", said[0]):
        raise AssertionError(f"'{said[0]}' does not begin with FILE:{number}:")
    equal("frames out", read_pcap(tmp / "out.pcap"), [])


def missing_file(tmp):
    daemon = Teampmd(tmp, [
        "--no-huge", "--no-pci", "--no-shconf", "-m", "128", "--file-prefix", prefix(),
        "--log-level", "lib.eal:warning", "--vdev", "net_null0", "--", "--cmdline-file",
        tmp / "nowhere.cmd"], wait=False)
    if daemon.wait() not in (1, 2):
        raise AssertionError(f"exit code {daemon.proc.returncode}")
    said = [line for line in daemon.text().splitlines() if "nowhere.cmd" in line]
    equal("lines with the file's name", len(said), 1)
    if "No such file" not in said[0]:
        raise AssertionError(said[0])


EXAMPLES = {"pcap-replay.cmd": pcap_replay, "memif-host.cmd": memif_host,
            "eight-port-100g.cmd": eight_ports, "hash-tap.cmd": hash_tap,
            "active-backup-arp.cmd": active_backup_arp, "echo.cmd": echo, "http.cmd": http}
ROWS = [("config/all", all_examples_have_a_row), ("config/wrong/missing", missing_file),
        ("config/address-of-another", address_of_another)]
ROWS += [(f"config/{name.removesuffix('.cmd')}", fn) for name, fn in EXAMPLES.items()]
for _name, _lines, _number in WRONG:
    ROWS.append((f"config/wrong/{_name.replace(' ', '-')}",
                 lambda tmp, lines=_lines, number=_number: wrong_file(tmp, lines, number)))
