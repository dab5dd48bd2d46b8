# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Our own generator and sink (tests/perf/loadgen.c)."""

import json
import time

from procs import START_S, Failure, Process, Unavailable, eal, memif, wait_for
from search import Trial

OTHER_ROLE = {"server": "client", "client": "server"}
BAD = ("corrupt", "misdirected")


def wait_up(generator):
    """Until all memifs are joined."""
    def up():
        generator.target.check()
        return all(generator.links())
    wait_for("all memif links are up", up)
    # A member's link is a fact for the team only after its watch has seen it.
    time.sleep(0.3)


def details_of(got, before, after):
    """A generator's answer, with what the target counted meanwhile."""
    (sent_before, drops_before), (sent, drops) = before, after
    return {**got, "team_sent": [now - then for now, then in zip(sent, sent_before)],
            "drops": {reason: nb - drops_before.get(reason, 0) for reason, nb in drops.items()
                      if nb > drops_before.get(reason, 0)}}


class Loadgen:
    name = "loadgen"
    directions = ("tx", "rx", "both")

    def __init__(self, options, directory, prefix, cpus, target):
        self.options, self.target = options, target
        role = OTHER_ROLE[target.role]
        command = [options.build / "tests/perf/loadgen",
                   *eal(f"{prefix}-gen", cpus.of_generator(), 256)]
        for i in range(target.nb_members + 1):
            command += memif(i, i, target.socket, role, options.ring, options.zero_copy)
        self.process = Process(directory, "loadgen", command, talk=True, hear=True)

    @staticmethod
    def probe(options, directory, prefix, cpus):
        """Is there memif in this DPDK?"""
        command = [options.build / "tests/perf/loadgen",
                   *eal(f"{prefix}-probe", cpus.of_generator(), 256),
                   *memif(0, 0, directory / "probe.sock", "server"),
                   *memif(1, 1, directory / "probe.sock", "server")]
        process = Process(directory, "probe", command, talk=True)
        process.tell("quit")
        code = process.wait(START_S)
        if code != 0 and process.said("EAL does not start"):
            raise Unavailable(f"no memif ports can be made here: {process.last_line()}")
        if code != 0:
            process.fail(f"ended with exit code {code}")

    def ask(self, line, seconds=START_S):
        self.process.tell(line)
        answer = json.loads(self.process.hear(seconds))
        if "error" in answer:
            raise Failure(f"loadgen: {line}: {answer['error']}")
        return answer

    def links(self):
        return self.ask("link")["up"]

    def connect(self):
        wait_up(self)

    def trial(self, direction, size, pps):
        o = self.options
        before = self.target.stats()
        got = self.ask(f"trial {direction} {size} {pps:.0f} {o.trial_ms} {o.settle_ms}",
                       START_S + (o.trial_ms + o.settle_ms) / 1000)
        self.target.check()
        for name in BAD:
            if got[name]:
                raise Failure(f"{got[name]} frames {name}: {got}")
        return Trial(pps, got["offered"], got["lost"], got["seconds"], got["missed"],
                     details_of(got, before, self.target.stats()))

    def stop(self):
        self.process.tell("quit")
        self.process.stop()
