# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""What is measured: a team that we start, one that runs already, and testpmd as the peer.

Each has a memif socket where interface 0 is the host port and 1.. are the members.
"""

import json
import subprocess

import testpmd
from procs import Failure, Process, eal, memif, wait_for

TEAM_MAC = "02:77:00:00:00:01"


class RunningTeam:
    """Somebody's daemon, to which we have the control socket."""

    what = "teampmd"

    def __init__(self, teamctl, control, socket, nb_members, role):
        self.teamctl, self.control, self.socket = teamctl, control, socket
        self.nb_members, self.role = nb_members, role

    def ask(self, command):
        done = subprocess.run([self.teamctl, "-s", self.control, *command.split()], text=True,
                              capture_output=True, check=False, timeout=30)
        return done.stdout if done.returncode == 0 else None

    def stats(self):
        """(frames sent by each member, drops by reason over all ports) so far."""
        text = self.ask("show port stats all json")
        if text is None:
            raise Failure(f"teamctl -s {self.control}: show port stats: no answer")
        sent, drops = {}, {}
        for row in json.loads(text):
            if row["role"] in ("primary", "secondary"):
                sent[row["port"]] = row["tx_good_packets"]
            for reason, nb in row.get("drops", {}).items():
                drops[reason] = drops.get(reason, 0) + nb
        return [sent[port] for port in sorted(sent)], drops

    def start(self):
        if self.ask("show version") is None:
            raise Failure(f"no teampmd answers at {self.control}")

    def check(self):
        pass

    def stop(self):
        pass


class Nobody:
    """The other end of a generator that is only to show that it starts: it listens itself."""

    role = "client"

    def __init__(self, directory, options):
        self.socket, self.nb_members = directory / "nobody.sock", options.members


class Team(RunningTeam):
    """A daemon of our own."""

    def __init__(self, options, directory, prefix, cpus):
        socket = directory / "team.sock"
        super().__init__(options.build / "app/teamctl", directory / "control", socket,
                         options.members, options.team_role)
        self.options, self.directory, self.prefix, self.cpus = options, directory, prefix, cpus
        self.process = None

    def start(self):
        o = self.options
        command = [o.build / "app/teampmd", *eal(f"{self.prefix}-team", self.cpus.of_team())]
        for i in range(o.members + 1):
            command += memif(i, i, self.socket, o.team_role, o.ring, o.zero_copy)
        command += ["--", "--host", "net_memif0", "--mode", o.mode, "--mac", TEAM_MAC,
                    "--control-socket", self.control, *o.team_args.split()]
        self.process = Process(self.directory, "teampmd", command)
        wait_for("teampmd answers", self.answers)

    def answers(self):
        self.check()
        return self.control.exists() and self.ask("show version") is not None

    def check(self):
        self.process.check()

    def stop(self):
        code = self.process.stop()
        if code != 0:
            self.process.fail(f"ended with exit code {code}")


class Peer:
    """dpdk-testpmd in the team's place, on the team's CPUs: frames pass between the host's memif
    and one other, and nothing is decided. What plain forwarding by a DPDK process reaches here."""

    what = "dpdk-testpmd io, host memif to one other"

    def __init__(self, options, directory, prefix, cpus):
        self.options, self.directory, self.prefix, self.cpus = options, directory, prefix, cpus
        self.socket, self.nb_members, self.role = directory / "peer.sock", 1, options.team_role
        self.testpmd = None

    def start(self):
        o = self.options
        vdevs = []
        for i in range(2):
            vdevs += memif(i, i, self.socket, o.team_role, o.ring, o.zero_copy)
        self.testpmd = testpmd.Testpmd(self.directory, "peer", self.cpus.of_team(2), self.prefix,
                                       vdevs, "io")
        self.testpmd.tell("start")

    def stats(self):
        return [], {}

    def check(self):
        self.testpmd.check()

    def stop(self):
        self.testpmd.stop()
