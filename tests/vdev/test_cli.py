#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""The daemon from outside: prompt, command file, teamctl, telemetry, signals.

Usage: test_cli.py TEAMPMD TEAMCTL [NAME...]: runs the real programs on net_ring
and net_null, without huge pages or rights.
"""

import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

TEAMPMD, TEAMCTL = sys.argv[1:3]
RINGS = ["--vdev", "net_ring0", "--vdev", "net_ring1", "--vdev", "net_ring2"]
START_S = 120  # a sanitizer's build on a crowded machine is slow


class Daemon:
    """A running teampmd; `with` ends it."""

    count = 0

    def __init__(self, tmp, *options, vdevs=RINGS, host="2", stdin=subprocess.DEVNULL,
                 wait=True, socket_path=None):
        Daemon.count += 1
        self.prefix = f"tp-cli-{os.getpid()}-{Daemon.count}"
        self.socket = socket_path or str(tmp / f"control{Daemon.count}")
        self.args = [TEAMPMD, "--no-huge", "--no-shconf", "--no-pci", "-m", "192",
                     "--file-prefix", self.prefix, *vdevs, "--",
                     *(["--host", host] if host else []), "--idle", "sleep",
                     "--control-socket", self.socket, *options]
        self.out, self.err = tmp / f"out{Daemon.count}", tmp / f"err{Daemon.count}"
        self.proc = subprocess.Popen(self.args, stdin=stdin, stdout=self.out.open("wb"),
                                     stderr=self.err.open("wb"))
        if wait:
            self.wait_ready()

    def wait_ready(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.proc.poll() is not None:
                raise AssertionError(f"teampmd ended: {self.errors()}")
            if self.ctl("show", "version").returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError("teampmd does not answer")

    def ctl(self, *words, **kwargs):
        return subprocess.run([TEAMCTL, "-s", self.socket, *words], capture_output=True,
                              text=True, timeout=START_S, **kwargs)

    def ok(self, line):
        r = self.ctl(*line.split())
        assert r.returncode == 0, f"{line}: {r.returncode} {r.stderr}"
        return r.stdout

    def json(self, line):
        return json.loads(self.ctl("-j", *line.split()).stdout)

    def errors(self):
        return self.err.read_text()

    def end(self, sig=signal.SIGTERM):
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            return self.proc.wait(START_S)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise AssertionError("teampmd does not end") from None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.proc.poll() is None:
            self.end()


def our_errors(text):
    """Standard error without what EAL and the log of events say."""
    noise = re.compile(r"^(EAL|TELEMETRY|PMD|ETHDEV|rte_|teampmd: \d+\.\d+|teampmd: no free huge)")
    return [line for line in text.splitlines()
            if line and not noise.match(line) and "lcore" not in line and "No such device" not in line]


def ends(tmp, *options, code, **kwargs):
    """A daemon that must end by itself. @return it"""
    d = Daemon(tmp, *options, wait=False, **kwargs)
    rc = d.proc.wait(START_S)
    assert rc == code, f"exit code {rc}, not {code}: {d.errors()}"
    return d


def write(tmp, name, text):
    path = tmp / name
    path.write_text(text)
    return str(path)


# ---- the prompt --------------------------------------------------------------


def test_prompt_by_pipe(tmp):
    text = b"show version\nbogus\nset team updelay -1\n\n# comment\nshow team json\nshow port summary"
    r, w = os.pipe()
    d = Daemon(tmp, "-i", stdin=r, wait=False)
    os.close(r)
    os.write(w, text)
    os.close(w)
    assert d.proc.wait(START_S) == 0
    out, err = d.out.read_text(), our_errors(d.errors())
    assert out.startswith("teampmd  "), out
    assert "teampmd>" not in out  # no prompt, no echo where nobody types
    assert "net_ring1" in out.split("}")[-1]  # the last line, without newline, ran too
    json.loads(out[out.index("{"):out.rindex("}") + 1])
    assert err == ["stdin:2: unknown command 'bogus'; try 'help'",
                   "stdin:3: updelay '-1' is not a number from 0 to 86400000"], err


def test_prompt_on_a_terminal(tmp):
    master, slave = pty.openpty()
    d = Daemon(tmp, "-i", stdin=slave, wait=False)
    d.wait_ready()

    def see(what):
        end = time.monotonic() + START_S
        while what not in d.out.read_text():
            assert time.monotonic() < end, f"no {what!r} in {d.out.read_text()!r}"
            time.sleep(0.02)

    see("teampmd> ")
    os.write(master, b"show ver\t\n")
    see("DPDK")
    os.write(master, b"set team mode fast\n")
    see("bad argument 'fast' after 'set team mode'")
    os.write(master, b"\x1b[A\x7f\x7f\x7f\x7fload\n")  # the last line again, another word
    os.write(master, b"set member ?")
    see("set member <PORT> prio <N>")
    os.write(master, b"\x03")
    os.write(master, b"help stop\n")
    see("Stop traffic: rings")
    assert d.json("show team")["mode"] == "load"
    os.write(master, b"\x04")
    assert d.proc.wait(START_S) == 0
    os.close(master)
    os.close(slave)


# ---- command files -----------------------------------------------------------


def test_file_then_prompt(tmp):
    path = write(tmp, "a.cmd", "# comment\nset team mode load\n\n  stop # now\nset team updelay 77")
    r, w = os.pipe()
    d = Daemon(tmp, "-i", "--cmdline-file", path, stdin=r, wait=False)
    os.close(r)
    os.write(w, b"show config\n")
    os.close(w)
    assert d.proc.wait(START_S) == 0
    lines = d.out.read_text().splitlines()
    assert "set team mode load" in lines and "set team updelay 77" in lines and "stop" in lines


def test_file_with_unknown_command(tmp):
    path = write(tmp, "b.cmd", "stop\n\nfoo bar\nstart\n")
    d = ends(tmp, "--cmdline-file", path, code=2)
    assert our_errors(d.errors()) == [f"{path}:3: unknown command 'foo'; try 'help'"], d.errors()
    assert not os.path.exists(d.socket)


def test_file_with_bad_argument(tmp):
    path = write(tmp, "c.cmd", "set team min_links 1000\n")
    d = ends(tmp, "--cmdline-file", path, code=2)
    assert our_errors(d.errors()) == \
        [f"{path}:1: min_links '1000' is not a number from 0 to 32"], d.errors()


def test_file_with_failing_command(tmp):
    path = write(tmp, "d.cmd", "port attach net_nonsense7\n")
    d = ends(tmp, "--cmdline-file", path, code=1)
    assert f"{path}:1: port attach net_nonsense7" in d.errors()


def test_file_that_is_missing(tmp):
    d = ends(tmp, "--cmdline-file", str(tmp / "none.cmd"), code=1)
    assert "none.cmd: No such file or directory" in d.errors()


def test_addresses_that_cannot_be(tmp):
    for ip, why in (("0.0.0.0/0", "an address that a host can have"),
                    ("127.0.0.1/8", "an address that a host can have"),
                    ("ff02::1/64", "an address that a host can have"),
                    ("::ffff:192.0.2.1/96", "an address that a host can have"),
                    ("192.0.2.1/0", "1 to 32 or 128"),
                    ("192.0.2.1/33", "192.0.2.1/24 or"),
                    ("192.0.2.1", "192.0.2.1/24 or")):
        d = ends(tmp, "--ip", ip, code=2)
        assert f"--ip {ip}: " in d.errors() and why in d.errors(), d.errors()
    d = ends(tmp, "--ip", "2001:db8::1/64", "--ip", "2001:db8:0::1/48", code=2)
    assert "given twice" in d.errors(), d.errors()


# ---- teamctl -----------------------------------------------------------------

TOPICS = ["team", "port info all", "port info 0", "port info 2", "port summary", "port stats all",
          "port stats 1", "port xstats all", "bucket", "bucket map", "lcore", "config", "events",
          "announce", "capture", "memory", "version"]


def test_teamctl_exit_codes(tmp):
    with Daemon(tmp) as d:
        r = d.ctl("show", "team")
        assert (r.returncode, r.stderr) == (0, "") and "net_ring1" in r.stdout
        r = d.ctl("bogus")
        assert (r.returncode, r.stdout) == (2, "")
        assert r.stderr == "teamctl: unknown command 'bogus'; try 'help'\n"
        assert d.ctl("set team mode load").returncode == 0  # as one word too
        r = d.ctl("capture", "stop")
        assert r.returncode == 1 and "no capture is in progress" in r.stderr
        r = d.ctl(input="show version\nbogus\n\nset team updelay 5\n")
        assert r.returncode == 2 and "DPDK" in r.stdout and "bogus" in r.stderr
        assert d.json("show team")["mode"] == "load"
    r = d.ctl("show", "team")
    assert r.returncode == 2 and "is teampmd running?" in r.stderr
    assert subprocess.run([TEAMCTL, "-x"], capture_output=True, check=False).returncode == 2
    assert subprocess.run([TEAMCTL, "--help"], capture_output=True, check=False).returncode == 0


def test_json_of_every_topic(tmp):
    with Daemon(tmp) as d:
        for topic in TOPICS:
            assert d.json("show " + topic), topic
            assert d.ok("show " + topic), topic
        team = d.json("show team")
        assert [m["port"] for m in team["members"]] == [0, 1]
        assert sum(m["buckets"] for m in team["members"]) == team["buckets"]
        assert d.json("show port info 1")["role"] in ("primary", "secondary")
        assert len(d.json("show bucket map")) == team["buckets"]


def test_protocol_by_hand(tmp):
    with Daemon(tmp) as d:
        s = socket.socket(socket.AF_UNIX)
        s.connect(d.socket)
        s.sendall(b"show version json\nbo")
        head, _, rest = s.recv(65536).partition(b"\n")
        status, out, err = map(int, head.split())
        assert (status, err) == (0, 0) and len(rest) == out
        s.sendall(b"gus\n" + b"x" * 10000 + b"\nstop\n")
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while data := s.recv(65536):
            answer += data
        assert re.fullmatch(rb"2 0 \d+\nunknown command 'bogus'; try 'help'"
                            rb"2 0 \d+\ncommand line is too long: at most 4096 bytes0 0 0\n",
                            answer), answer


def test_noise_on_the_socket(tmp):
    noise = bytes(range(256)) * 300
    with Daemon(tmp) as d:
        for i in range(20):
            s = socket.socket(socket.AF_UNIX)
            s.connect(d.socket)
            s.settimeout(START_S)
            try:
                s.sendall(noise[i:] if i % 2 else noise.replace(b"\n", b""))
            except (BrokenPipeError, ConnectionResetError):
                pass
            s.close()
        assert d.ok("show version")


# ---- readers that stop -------------------------------------------------------


def test_stopped_client_stalls_nothing(tmp):
    with Daemon(tmp) as d:
        clients = []
        for _ in range(4):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            s.connect(d.socket)
            try:
                while True:
                    s.send(b"show port stats all json\n" * 100)
            except BlockingIOError:
                clients.append(s)
        stopped = subprocess.Popen([TEAMCTL, "-s", d.socket], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        stopped.stdin.write(b"help\n" * 1000)
        stopped.stdin.flush()
        stopped.send_signal(signal.SIGSTOP)
        loops = d.json("show lcore")[0]["loops"]
        for _ in range(10):
            d.ok("show version")
        assert d.json("show lcore")[0]["loops"] > loops
        # The first of them reads after all, and misses nothing.
        clients[0].setblocking(True)
        clients[0].settimeout(START_S)
        assert clients[0].recv(10).startswith(b"0 ")
        stopped.send_signal(signal.SIGCONT)
        stopped.kill()
        stopped.wait()
        assert d.end() == 0


def test_too_many_clients(tmp):
    with Daemon(tmp) as d:
        clients = []
        for _ in range(60):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            try:
                s.connect(d.socket)
            except BlockingIOError:
                s.close()
                break
            clients.append(s)
        for s in clients:
            s.close()
        d.ok("show version")


def test_stdout_that_nobody_reads(tmp):
    r, w = os.pipe()
    cmd_r, cmd_w = os.pipe()
    d = Daemon(tmp, "-i", stdin=cmd_r, wait=False)
    d.end(signal.SIGKILL)
    d.socket = str(tmp / "again")
    d.args[d.args.index("--control-socket") + 1] = d.socket
    d.proc = subprocess.Popen(d.args, stdin=cmd_r, stdout=w, stderr=subprocess.DEVNULL)
    os.close(w)
    os.close(cmd_r)
    d.wait_ready()
    os.write(cmd_w, b"help\n" * 1000)
    time.sleep(0.3)
    d.ok("show version")
    assert d.end() == 0
    os.close(r)
    os.close(cmd_w)


# ---- sockets and restarts ----------------------------------------------------


def test_kill_and_restart(tmp):
    d = Daemon(tmp)
    d.end(signal.SIGKILL)
    assert os.path.exists(d.socket)
    with Daemon(tmp, socket_path=d.socket) as again:
        assert again.ok("show version")
        second = ends(tmp, socket_path=d.socket, code=1)
        assert "another teampmd listens there" in second.errors()
        assert again.ok("show version")  # it was not harmed
        assert again.end() == 0
    assert not os.path.exists(d.socket)


def test_socket_path_that_is_a_file(tmp):
    path = write(tmp, "precious", "data")
    d = ends(tmp, socket_path=path, code=1)
    assert "exists and is no socket" in d.errors()
    assert Path(path).read_text() == "data"


def test_quit_and_signals_end_cleanly(tmp):
    for how in ("quit", signal.SIGINT, signal.SIGTERM):
        d = Daemon(tmp)
        if how == "quit":
            assert d.ctl("quit").returncode == 0
            assert d.proc.wait(START_S) == 0
        else:
            assert d.end(how) == 0
        assert not os.path.exists(d.socket)


# ---- configuration -----------------------------------------------------------

CHANGES = """
set team mode active-backup
set team hash-policy l23
set team hash-function crc32c
set team symmetric on
set team buckets 512
set team primary 1
set team primary_reselect better
set team num_peer_notif 3
set team peer_notif_delay 50
set team resend_igmp 2
set team min_links 1
set team updelay 20
set team downdelay 10
set team flap 5 1000 2000
set team skew 1000
set team rebalance_interval 200
set team rebalance_threshold 5
set team all_members_active on
set team mac 02:00:00:00:0c:01
set team promisc on
set team vlan add 5
set team vlan add 4095
set team vlan filter on
set member 0 prio 7
set member 1 weight 50
set watch 0 arp_targets 192.0.2.1,192.0.2.2
set watch 0 arp_interval 250
set watch 0 missed_max 3
set watch 0 poll,arp
set watch 1 poll_us 1000
set link-down port 0
"""


def becomes(d, config):
    """Others may look while a command of the file waits for a lcore: the file may not be done yet."""
    end = time.monotonic() + START_S
    while d.ok("show config") != config:
        assert time.monotonic() < end, d.ok("show config")
        time.sleep(0.05)


def test_config_round_trip(tmp):
    with Daemon(tmp) as d:
        before = d.ok("show config")
        for line in filter(None, CHANGES.split("\n")):
            d.ok(line)
        first = d.ok("show config")
    assert first != before
    path = write(tmp, "saved.cmd", first)
    with Daemon(tmp, "--no-start", "--cmdline-file", path) as d:
        becomes(d, first)


ENGINE_CHANGES = """
set migrate_after 5
set migrate off
set migrate_hysteresis 30
set idle_timeout 7
set toe_rebalance on
drain member 0
add route 198.51.100.0/24 via 192.0.2.1
add service echo port 7
"""


def test_config_round_trip_of_the_engine(tmp):
    with Daemon(tmp, "--ip", "192.0.2.10/24") as d:
        for line in filter(None, ENGINE_CHANGES.split("\n")):
            d.ok(line)
        first = d.ok("show config")
        for line in filter(None, ENGINE_CHANGES.split("\n")):
            assert line in first.splitlines(), line
        d.ok("undrain member 0")
        assert "drain member" not in d.ok("show config")
        d.ok("set migrate_after 6")
        assert d.json("show migrate")["knobs"]["migrate"] == "off"
        d.ok("set migrate auto")
        assert d.json("show migrate")["knobs"]["migrate_after"] == 6
    path = write(tmp, "saved.cmd", first)
    with Daemon(tmp, "--ip", "192.0.2.10/24", "--no-start", "--cmdline-file", path) as d:
        becomes(d, first)


# What is wrong, and what of it the answer has to name.
REFUSED = [("set migrate on", "expected auto|off"), ("set toe_rebalance auto", "expected on|off"),
           ("add client x to 192.0.2.1 port 7 size 1 conns 1 seconds 1", "rr|crr|stream"),
           ("clear conn 5", "there is no connection 5"), ("clear conn x", "no connection's id"),
           ("move conn 100000005 to 1", "there is no connection 100000005"),
           ("del service 9", "there is none"), ("add service echo port 7", "served already"),
           ("add route ::/0 via 192.0.2.1", "same family"),
           ("del route 198.51.100.0/24", "there is none"),
           ("set watch 0 netlink", "port 0 (net_ring0): watch netlink: no kernel interface"),
           ("set watch 0 lsc", "port 0 (net_ring0): watch lsc: its driver has no such event"),
           ("set team mtu 9703", "from 68 to 9702"),
           ("set team mcast_addr remove 01:00:5e:00:00:05", "was never added")]


def test_refusals_say_why(tmp):
    with Daemon(tmp, "--ip", "192.0.2.10/24", "--service", "echo:7") as d:
        before = d.ok("show config")
        for line, why in REFUSED:
            r = d.ctl(*line.split())
            assert r.returncode in (1, 2) and why in r.stderr, (line, r.returncode, r.stderr)
        assert d.ok("show config") == before


def test_config_round_trip_with_attached_ports(tmp):
    with Daemon(tmp) as d:
        d.ok("port attach net_null5,size=128,no-rx=1")
        d.ok("set portlist 1,3")
        d.ok("stop")
        first = d.ok("show config")
    assert 'port attach "net_null5,size=128,no-rx=1" spare' in first
    path = write(tmp, "saved.cmd", first)
    with Daemon(tmp, "--cmdline-file", path) as d:
        becomes(d, first)


def test_example_files(tmp):
    files = sorted((Path(__file__).resolve().parents[2] / "config").glob("*.cmd"))
    assert len(files) >= 5
    vdevs = [word for i in range(9) for word in ("--vdev", f"net_null{i},no-rx=1")]
    for path in files:
        text = path.read_text().replace(" netlink,", " poll,")  # there is no kernel behind net_null
        head = text[:text.index("\n\n")]
        assert "#   teampmd " in head and path.name in head, f"{path}: no command line in its head"
        addresses = [w for ip in re.findall(r"--ip (\S+)", head) for w in ("--ip", ip)]
        (tmp / path.name).write_text(text)
        with Daemon(tmp, "--no-start", *addresses, "--cmdline-file", str(tmp / path.name),
                    vdevs=vdevs, host="8") as d:
            lines = {line for line in text.splitlines() if line and line[0] != "#"}
            end = time.monotonic() + START_S
            while missing := lines.difference(d.ok("show config").splitlines()):
                assert time.monotonic() < end, f"{path}: {missing}"
                time.sleep(0.05)


# ---- ports -------------------------------------------------------------------


def test_ports_come_and_go(tmp):
    with Daemon(tmp) as d:
        assert d.ok("port attach net_null3,no-rx=1") == "port 3\n"
        assert d.json("show port info 3")["role"] == "secondary"
        d.ok("team remove port 0")
        assert d.json("show port info 0")["role"] == "spare"
        d.ok("team add port 0")
        assert d.ctl("team", "add", "port", "0").returncode == 1
        d.ok("port detach 3")
        assert d.ctl("show", "port", "info", "3").returncode == 2
        assert d.ctl("port", "detach", "2").returncode == 1  # the host port
        d.ok("set host none")
        d.ok("port detach 2")
        assert [p["port"] for p in d.json("show port summary")] == [0, 1]
        d.ok("team remove port 0")
        d.ok("team remove port 1")
        assert d.json("show team")["primary"] == -1


def test_link_down_moves_the_primary(tmp):
    with Daemon(tmp) as d:
        d.ok("set member 0 prio 1")
        assert d.json("show team")["primary"] == 0
        d.ok("set link-down port 0")
        assert d.json("show team")["primary"] == 1
        d.ok("set link-up port 0")
        deadline = time.monotonic() + START_S
        while d.json("show team")["primary"] != 0:
            assert time.monotonic() < deadline
        assert any("link-down" in e["text"] for e in d.json("show events"))


# ---- telemetry ---------------------------------------------------------------


def telemetry(d, request):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(START_S)
    s.connect(f"{os.environ['RUNTIME_DIRECTORY']}/dpdk/{d.prefix}/dpdk_telemetry.v2")
    s.recv(4096)
    s.send(request.encode())
    return json.loads(s.recv(65536))[request.split(",")[0]]


def test_telemetry_gives_what_show_gives(tmp):
    with Daemon(tmp, "--no-start") as d:
        for request, line in (("/teampmd/team", "team"), ("/teampmd/port,1", "port info 1"),
                              ("/teampmd/config", "config"), ("/teampmd/list", "port summary"),
                              ("/teampmd/bucket", "bucket"), ("/teampmd/version", "version")):
            told, shown = telemetry(d, request), d.json("show " + line)
            if isinstance(shown, list) and isinstance(shown[0], dict):
                shown = {str(next(iter(o.values()))): o for o in shown}
            assert set(told) == set(shown), request
            for key in shown if isinstance(shown, dict) else []:
                if isinstance(shown[key], (str, int)) and not key.endswith("_ms"):
                    assert told[key] == shown[key], (request, key)
        stats = telemetry(d, "/teampmd/stats,0")
        assert stats["rx_good_packets"] == 0 and stats["drops"]["rx_own_mac"] == 0
        assert telemetry(d, "/teampmd/lcore")["0"]["role"] == "control"
        assert telemetry(d, "/teampmd/port,99") is None


# ---- capture -----------------------------------------------------------------


def udp(port, size):
    data = bytes(size - 42)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(data), 1, 0, 64, 17, 0, bytes([192, 0, 2, 1]),
                     bytes([192, 0, 2, 2]))
    total = sum(struct.unpack("!10H", ip))
    total = (total & 0xffff) + (total >> 16)
    ip = ip[:10] + struct.pack("!H", ~total & 0xffff) + ip[12:]
    return (bytes.fromhex("ffffffffffff" "020000000099" "0800") + ip +
            struct.pack("!HHHH", 1000, port, 8 + len(data), 0) + data)


def savefile(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            f.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def pcapng_packets(path):
    """(captured, original) lengths of a file's packets; every block is checked."""
    data, packets = Path(path).read_bytes(), []
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0 and struct.unpack_from("<I", data, length - 4)[0] == length
        if kind == 6:
            packets.append(struct.unpack_from("<II", data, 20))
        data = data[length:]
    return packets


def test_capture_with_filter(tmp):
    src = tmp / "in.pcap"
    savefile(src, [udp(53 if i % 2 else 80, 100 + i) for i in range(10)])
    vdevs = ["--vdev", f"net_pcap0,rx_pcap={src},infinite_rx=1", "--vdev", "net_null1,no-rx=1"]
    with Daemon(tmp, vdevs=vdevs, host="1") as d:
        for words, lengths in (
                (["port", "0", "filter", "udp dst port 53"], {(n, n) for n in range(101, 110, 2)}),
                (["port", "host", "snaplen", "64"], {(64, n) for n in range(100, 110)})):
            path = str(tmp / "out.pcapng")
            r = d.ctl("capture", "start", path, *words)
            assert r.returncode == 0, r.stderr
            deadline = time.monotonic() + START_S
            while d.json("show capture")["written"] < 100:
                assert time.monotonic() < deadline, d.ok("show capture")
            assert d.ctl("capture", "start", path).returncode == 1
            d.ok("capture stop")
            state, packets = d.json("show capture"), pcapng_packets(path)
            assert not state["active"] and state["error"] == ""
            assert len(packets) == state["written"] == state["captured"]
            assert set(packets) == lengths, set(packets)
        d.ok(f"capture start {tmp}/left.pcapng")
        d.ok("team remove port 0")
        assert d.json("show capture")["ports"] == [1]
        assert d.end() == 0
    pcapng_packets(tmp / "left.pcapng")


# ---- statistics --------------------------------------------------------------


def test_counters_of_the_host_outlive_members(tmp):
    vdevs = ["--vdev", "net_null0,no-rx=1", "--vdev", "net_null1,no-rx=1", "--vdev", "net_null2"]
    with Daemon(tmp, vdevs=vdevs) as d:
        def host():
            return d.json("show port stats 2")["host_rx_packets"]
        deadline = time.monotonic() + START_S
        while host() < 10000:
            assert time.monotonic() < deadline
        d.ok("stop")
        before = host()
        d.ok("team remove port 0")
        assert host() == before
        d.ok("clear port stats 2")
        assert host() == 0
        d.ok("start")
        while host() == 0:
            assert time.monotonic() < deadline
        d.ok("stop")
        before = host()
        d.ok("team remove port 1")
        assert host() == before


def test_periodic_statistics(tmp):
    vdevs = ["--vdev", "net_null0", "--vdev", "net_ring1", "--vdev", "net_null2,no-rx=1"]
    with Daemon(tmp, "--stats-period", "1", vdevs=vdevs) as d:
        deadline = time.monotonic() + START_S
        while d.out.read_text().count("====\n") < 3:
            assert time.monotonic() < deadline, d.out.read_text()
            time.sleep(0.1)
        assert d.end() == 0
    out = d.out.read_text()
    assert "\033" not in out
    blocks = out.split("====\n")[1:]
    assert len(blocks) >= 2
    line = re.search(r"^port 0 net_null0: primary, link/collecting/distributing/-, buckets \d+, "
                     r"share [\d.]+ %, busy ([\d.]+) %$", blocks[-1], re.M)
    assert line and float(line[1]) > 1, blocks[-1]
    assert re.search(r"^  Rx +[1-9]\d* packets +[1-9]\d* pps +[1-9]\d* bps$", blocks[-1], re.M)
    assert re.search(r"^host port 2 net_null2: carrier on", blocks[-1], re.M)


def main():
    tests = {name[5:]: fn for name, fn in globals().items() if name.startswith("test_")}
    wanted = sys.argv[3:] or tests
    failed = 0
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="tp-cli-") as tmp:
            os.environ["RUNTIME_DIRECTORY"] = tmp  # of EAL: what programs leave goes with it
            start = time.monotonic()
            try:
                tests[name](Path(tmp))
                print(f"ok - {name} ({time.monotonic() - start:.1f} s)", flush=True)
            except Exception:  # one test's failure is its result
                failed += 1
                print(f"not ok - {name}\n{traceback.format_exc()}", flush=True)
                for path in sorted(Path(tmp).glob("err*")):
                    print("\n".join(path.read_text().splitlines()[-8:]), flush=True)
    print(f"{len(list(wanted)) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
