# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Benchmark a running team from outside; scripts/pktgen.sh is the way in."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import procs
import testpmd
from loadgen import Loadgen
from pktgen_dpdk import Pktgen
from procs import Cpus, Failure, Unavailable, say
from search import Search
from targets import Nobody, Peer, RunningTeam, Team

TOP = Path(__file__).resolve().parents[2]
SIZES = ["64", "128", "256", "512", "1024", "1280", "1518", "imix"]  # RFC 2544 9.1, RFC 6985
DIRECTIONS = ["tx", "rx", "both"]
MODES = ["hash", "load", "active-backup", "round-robin"]
IMIX_BYTES = (7 * 64 + 4 * 594 + 1518) / 12
SKIP_EXIT = 77


def positive(text):
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text}: not above 0")
    return value


def percent(text):
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text}: not 0 to 100")
    return value


def whole(low, high):
    def parse(text):
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: not {low} to {high}")
        return value
    return parse


def words(known, what):
    def parse(text):
        for word in text.split(","):
            if word not in known and not (what == "size" and word.isdigit() and
                                          64 <= int(word) <= 1518):
                raise argparse.ArgumentTypeError(f"{word}: no {what}; there are {', '.join(known)}")
        return text.split(",")
    return parse


def parse_arguments():
    p = argparse.ArgumentParser(prog="scripts/pktgen.sh", allow_abbrev=False, description=(
        "Zero-loss throughput of a team between memif ports, one JSON object per result."))
    p.add_argument("--quick", action="store_true",
                   help="64 bytes and imix, short trials, coarse: shows that it works in 30 s")
    p.add_argument("--sizes", type=words(SIZES, "size"), metavar="LIST",
                   help="bytes with FCS, 64 to 1518, or imix (7:4:1 of 64, 594, 1518); default: "
                        + ",".join(SIZES))
    p.add_argument("--direction", type=words(DIRECTIONS, "direction"), default=["tx"],
                   metavar="LIST", help="tx (host to members, default), rx, both")
    p.add_argument("--members", type=whole(1, 8), default=2, metavar="N")
    p.add_argument("--mode", choices=MODES, default="hash")
    p.add_argument("--trial", type=positive, metavar="S", help="seconds that a trial sends (1)")
    p.add_argument("--settle", type=positive, metavar="S",
                   help="silence after which a frame is lost (0.2)")
    p.add_argument("--min", type=positive, default=2e3, metavar="PPS", help="lowest rate (2000)")
    p.add_argument("--max", type=positive, default=2e7, metavar="PPS",
                   help="highest rate (20000000)")
    p.add_argument("--resolution", type=positive, metavar="PERCENT",
                   help="between the rate that passed and the one that did not (5)")
    p.add_argument("--loss-tolerance", type=percent, default=0.0, metavar="PERCENT",
                   help="loss that passes as none (0)")
    p.add_argument("--confirm", type=whole(0, 100), metavar="N",
                   help="more trials that the rate found must pass (2)")
    p.add_argument("--generator", choices=["auto", "loadgen", "pktgen"], default="auto",
                   help="auto: Pktgen-DPDK where it is installed and starts, else our loadgen")
    p.add_argument("--pktgen", metavar="PROGRAM", default=shutil.which("pktgen"),
                   help="Pktgen-DPDK, built with Lua (pktgen, if there is one)")
    p.add_argument("--no-peer", action="store_true",
                   help="do not measure dpdk-testpmd in the team's place")
    p.add_argument("--ring", type=whole(6, 14), default=10, metavar="LOG2",
                   help="slots of a memif ring, as a power of two (10)")
    p.add_argument("--team-role", choices=["server", "client"], default="server",
                   help="the team's end of the memifs (server)")
    p.add_argument("--no-zero-copy", dest="zero_copy", action="store_false",
                   help="copy at the client's end of the memifs too")
    p.add_argument("--team-args", default="", metavar="ARGS", help="more options of teampmd")
    p.add_argument("--attach", type=Path, metavar="SOCKET",
                   help="measure a team that runs: memif socket where interface 0 is its host port "
                        "and 1.. are its members")
    p.add_argument("--control-socket", type=Path, metavar="PATH", help="of that team")
    o = p.parse_args()
    if (o.attach is None) != (o.control_socket is None):
        p.error("--attach and --control-socket go together")
    if o.min > o.max:
        p.error(f"--min {o.min:.0f} is above --max {o.max:.0f}")
    if o.generator == "pktgen" and o.pktgen is None:
        p.error("--generator pktgen: there is no program pktgen; name it with --pktgen PROGRAM")
    if o.generator == "pktgen" and o.direction != ["tx"]:
        p.error("--generator pktgen: sends by the host port only; --direction tx")
    return with_defaults(o)


def with_defaults(o):
    def either(value, full, quick):
        return value if value is not None else quick if o.quick else full
    o.sizes = either(o.sizes, SIZES, ["64", "imix"])
    o.trial_ms = max(1, round(1000 * either(o.trial, 1.0, 0.2)))
    o.settle_ms = max(1, round(1000 * either(o.settle, 0.2, 0.05)))
    o.resolution = either(o.resolution, 5.0, 30.0) / 100
    o.confirm = either(o.confirm, 2, 1)
    o.build = Path(os.environ.get("TP_BUILD", TOP / "build-release"))
    return o


# ---- results -------------------------------------------------------------------------


def shares(counts):
    total = sum(counts)
    return [round(nb / total, 4) for nb in counts] if total else []


def rounded(value, digits=4):
    return None if value is None else float(f"{value:.{digits}g}")


def loss_of(trial):
    """Where frames begin to be lost, and who dropped them."""
    if trial is None:
        return None
    d = trial.details
    return {"asked_mpps": rounded(trial.asked_pps / 1e6),
            "offered_mpps": rounded(trial.offered_pps / 1e6),
            "lost_percent": rounded(trial.lost_percent), "refused": d.get("refused"),
            "drops": d.get("drops", {})}


def about(options, generator, size, value, cpus):
    line = {"better": "higher", "generator": generator, "mode": options.mode,
            "frame_bytes": rounded(frame_bytes(size)),
            "gbps": rounded(value * frame_bytes(size) * 8 / 1000), "cpus": cpus.nb,
            "cpus_shared": cpus.shared}
    if options.quick:
        line["quick"] = True
    return line


def result(options, case, size, generator, cpus, found, peer):
    """peer is (what, Mpps) or None."""
    best = found.best
    value = best.offered_pps / 1e6 if best else 0.0
    peer_value = peer[1] if peer else None
    line = {"bench": "pktgen", "case": case, "value": rounded(value), "unit": "Mpps",
            "peer": peer[0] if peer else None, "peer_value": rounded(peer_value),
            "ratio": rounded(value / peer_value) if peer_value else None, "runs": found.runs,
            **about(options, generator, size, value, cpus),
            "loss_tolerance_percent": options.loss_tolerance}
    if best:
        d = best.details
        line.update({"trial_s": rounded(best.seconds),
                     "asked_mpps": rounded(best.asked_pps / 1e6),
                     "missed_percent": rounded(best.missed_percent),
                     "lost": best.lost, "reordered": d.get("reordered"),
                     "duplicated": d.get("duplicated"),
                     "shares": shares(d.get("member", [])),
                     "shares_by_team": shares(d.get("team_sent", [])),
                     "latency_us": {k: rounded(v) for k, v in d.get("latency_us", {}).items()}})
    line["limited_by"] = limited_by(found)
    line["first_loss"] = loss_of(found.first_loss)
    return line


def limited_by(found):
    """What kept the search from a higher rate, when it was not loss."""
    if not found.at_max:
        return None
    return "generator" if found.best.missed_percent > 10 else "--max"


def frame_bytes(size):
    return IMIX_BYTES if size == "imix" else int(size)


def emit(line):
    print(json.dumps(line), flush=True)


# ---- the run -------------------------------------------------------------------------


def cases(options):
    return [(direction, size) for direction in options.direction for size in options.sizes]


def measure(options, generator, direction, size):
    def trial(pps):
        t = generator.trial(direction, size, pps)
        say(f"  asked {pps / 1e6:.4f} Mpps, offered {t.offered_pps / 1e6:.4f}, "
            f"lost {t.lost_percent:.3f} %")
        return t
    return Search(trial, options.min, options.max, options.resolution, options.confirm,
                  options.loss_tolerance).run()


def join(options, directory, prefix, cpus, target):
    """Start a target and the generator, connected. A memif client asks only once, at its start:
    the end that listens comes first."""
    make = Pktgen if options.generator == "pktgen" else Loadgen
    if target.role == "server":
        target.start()
        generator = make(options, directory, prefix, cpus, target)
    else:
        generator = make(options, directory, prefix, cpus, target)
        generator.links()
        target.start()
    generator.connect()
    return generator


def choose_generator(options, directory, prefix, cpus):
    """Pktgen may be installed and yet not start: it needs memory, Lua, and ports that take an
    MTU."""
    if options.generator != "auto":
        return
    options.generator = "loadgen"
    if options.pktgen is None or options.direction != ["tx"] or options.quick:
        return
    target = Nobody(directory, options)
    try:
        Pktgen(options, directory, prefix, cpus, target).stop()
        options.generator = "pktgen"
    except Failure as why:
        say(f"not using {options.pktgen}: {why}")


def measure_peer(options, directory, prefix, cpus):
    """{(direction, size): (what, Mpps)} of testpmd in the team's place."""
    figures = {}
    peer = Peer(options, directory, prefix, cpus)
    if not testpmd.available():
        say("no peer: dpdk-testpmd is not installed")
        return figures
    generator = join(options, directory, prefix, cpus, peer)
    for case in cases(options):
        say(f"peer {case[0]}-{case[1]}")
        found = measure(options, generator, *case)
        figures[case] = (peer.what, found.best.offered_pps / 1e6 if found.best else 0.0)
    peer.stop()
    generator.stop()
    return figures


def make_team(options, directory, prefix, cpus):
    if options.attach:
        return RunningTeam(options.build / "app/teamctl", options.control_socket, options.attach,
                           options.members, options.team_role)
    return Team(options, directory, prefix, cpus)


def run(options, directory):
    prefix = f"tp-pktgen-{os.getpid()}"
    cpus = Cpus(options.members + 1)
    say(f"{cpus.nb} CPUs: generator on {cpus.generator}, lcores on {cpus.of_team()}"
        + (", shared" if cpus.shared else ""))
    Loadgen.probe(options, directory, prefix, cpus)
    choose_generator(options, directory, prefix, cpus)
    peers = {} if options.no_peer else measure_peer(options, directory, prefix, cpus)
    team = make_team(options, directory, prefix, cpus)
    generator = join(options, directory, prefix, cpus, team)
    for direction, size in cases(options):
        case = f"{direction}-{size}-m{options.members}"
        say(f"team {case}")
        found = measure(options, generator, direction, size)
        emit(result(options, case, size, generator.name, cpus, found,
                    peers.get((direction, size))))
    # A memif whose peer goes while its lcore polls can crash the driver (docs/pktgen.md), and the
    # generator polls only in trials: the team goes first.
    team.stop()
    generator.stop()


def main():
    options = parse_arguments()
    procs.leave_on_signal()
    directory = Path(tempfile.mkdtemp(prefix="tp-pktgen-"))
    os.environ["RUNTIME_DIRECTORY"] = str(directory)  # EAL leaves directories there
    keep = False
    try:
        run(options, directory)
        return 0
    except Unavailable as why:
        say(f"skipped: {why}")
        return SKIP_EXIT
    except Failure as why:
        keep = True
        say(f"{why}\nlogs are in {directory}")
        return 1
    finally:
        procs.stop_all()
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
