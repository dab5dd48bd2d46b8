#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Benchmark a running team from outside, over memif: zero-loss throughput by binary search
# (RFC 2544 26.1), shares of the members, latency. One JSON object per result on stdout, all
# else on stderr. What it measures and how to read it: docs/pktgen.md.
# Usage: scripts/pktgen.sh [--quick] [options]; --help lists them
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PYTHONDONTWRITEBYTECODE=1

for arg; do
    case "$arg" in -h | --help) exec python3 scripts/pktgen/main.py --help ;; esac
done

# A caller that has built already (the test suite) names its directory.
if [ -z "${TP_BUILD:-}" ]; then
    scripts/setup.sh --quiet >&2
    export TP_BUILD=$PWD/build-release
    build() {
        [ -f "$TP_BUILD/build.ninja" ] ||
            meson setup "$TP_BUILD" --buildtype=release -Dtests=enabled
        ninja -C "$TP_BUILD" app/teampmd app/teamctl tests/perf/loadgen
    }
    if [ -d "$TP_BUILD" ] && [ ! -w "$TP_BUILD" ]; then
        echo "pktgen.sh: no right to write in $TP_BUILD: running what is built there" >&2
    else
        output=$(build 2>&1) || { tail -n 40 <<<"$output" >&2; exit 1; }
    fi
fi
exec python3 scripts/pktgen/main.py "$@"
