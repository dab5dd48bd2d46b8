#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""Turn scripts/bench.sh's lines into README.md's table.

scripts/bench.sh | tests/perf/table.py             print it
scripts/bench.sh | tests/perf/table.py README.md   put it between the file's two bench marks
"""

import json
import sys
from pathlib import Path

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def number(value):
    return "" if value is None else f"{value:.4g}"


def goal(result):
    least = result.get("goal_at_least")
    return number(result.get("goal")) if least is None else f"at least {number(least)}"


def row(result):
    peer = f"{result['peer']}: {number(result['peer_value'])}" if result["peer"] else ""
    return (f"| {result['bench'].removeprefix('bench_')} `{result['case']}` "
            f"| {number(result['value'])} {result['unit']} | {goal(result)} "
            f"| {peer} | {number(result['ratio'])} |")


def table(lines):
    results = [json.loads(line) for line in lines if line.strip()]
    if not results or any(r.get("quick") for r in results):
        raise SystemExit("table.py: no results, or --quick ones, which mean little")
    head = ["| bench, case | teampmd | goal <= | peer, same run | ratio |", "|---|---|---|---|---|"]
    return "\n".join(head + [row(r) for r in results])


def main():
    text = table(sys.stdin)
    if len(sys.argv) == 1:
        print(text)
        return
    page = Path(sys.argv[1])
    before, rest = page.read_text().split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
