#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Build release and run the benches of tests/perf: all, or those named (with or
# without bench_). One JSON object per result on stdout, all else on stderr.
# Usage: scripts/bench.sh [--quick] [NAME...]
# --quick makes fewer and shorter runs.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

directory="build-release"
programs=$directory/tests/perf
quick=()
names=()
for arg; do
    case "$arg" in
    --quick) quick=(--quick) ;;
    -h | --help)
        sed -n '5,/^[^#]/s/^# \{0,1\}//p' "$0"
        echo "There are: $(cd tests/perf && printf '%s\n' bench_*.c | sed 's/^bench_//; s/\.c$//' | paste -sd' ')"
        exit 0
        ;;
    -*)
        echo "bench.sh: unknown option '$arg'; usage: scripts/bench.sh [--quick] [NAME...]" >&2
        exit 2
        ;;
    *) names+=("${arg#bench_}") ;;
    esac
done

known=()
for source in tests/perf/bench_*.c; do
    [ -f "$source" ] || continue
    name=${source##*/bench_}
    known+=("${name%.c}")
done
for name in "${names[@]}"; do
    if ! printf '%s\n' "${known[@]}" | grep -qxF -- "$name"; then
        echo "bench.sh: no bench '$name'; there are: ${known[*]}" >&2
        exit 2
    fi
done
[ ${#names[@]} -gt 0 ] || names=("${known[@]}")

scripts/setup.sh --quiet >&2

build() {
    [ -f $directory/build.ninja ] ||
        meson setup $directory --buildtype=release -Dwerror=true -Dtests=enabled
    ninja -C $directory "${names[@]/#/tests/perf/bench_}"
}
if [ -d $directory ] && [ ! -w $directory ]; then
    echo "bench.sh: no right to write in $directory: running what is built there" >&2
    for name in "${names[@]}"; do
        [ -x "$programs/bench_$name" ] && continue
        echo "bench.sh: bench_$name is not built there" >&2
        exit 1
    done
else
    output=$(build 2>&1) || { tail -n 40 <<<"$output" >&2; exit 1; }
fi

status=0
for name in "${names[@]}"; do
    "$programs/bench_$name" "${quick[@]}" || status=1
done
exit $status
