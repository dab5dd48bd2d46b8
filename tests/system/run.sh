#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# System tests: the real daemon over veth in network namespaces.
# tests/system/run.sh [--long] [NAME...]; NAME is that of NAME_test.sh
# TP_BUILD is the build to test (build-release), TP_CASE runs only cases whose name contains it,
# TP_VERBOSE=1 prints what every case said.
set -uo pipefail
cd "$(dirname "$0")"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
long=${TP_TEST_LONG:-}
names=()
for arg; do
    case "$arg" in
    --long) long=1 ;;
    -*)
        echo "run.sh: unknown argument '$arg' (there is --long)" >&2
        exit 2
        ;;
    *)
        if [ ! -f "${arg}_test.sh" ]; then
            echo "run.sh: no test '$arg'; there are: $(printf '%s ' *_test.sh | sed 's/_test.sh//g')" >&2
            exit 2
        fi
        names+=("$arg")
        ;;
    esac
done
[ ${#names[@]} -gt 0 ] || for file in *_test.sh; do names+=("${file%_test.sh}"); done
[ -n "$long" ] && export TP_TEST_LONG=1
export TP_BUILD=${TP_BUILD:-$PWD/../../build-release}

cannot() {
    [ "$(id -u)" -eq 0 ] || { echo "not root"; return; }
    [ -c /dev/net/tun ] || { echo "no /dev/net/tun"; return; }
    for tool in ip ethtool curl jq tcpdump python3 ss setpriv; do
        command -v $tool >/dev/null || { echo "$tool is not installed"; return; }
    done
    ip netns add "tp-sys-$$-host" 2>/dev/null || { echo "network namespaces are not allowed"; return; }
    ip netns del "tp-sys-$$-host"
    [ -x "$TP_BUILD/app/teampmd" ] || echo "no $TP_BUILD/app/teampmd"
}

reason=$(cannot)
if [ -n "$reason" ]; then
    for name in "${names[@]}"; do echo "ok - $name # SKIP $reason"; done
    echo "0 passed, 0 failed, ${#names[@]} skipped"
    exit 0
fi

# What runs that were killed have left.
for ns in $(ip netns list | sed -n 's/^\(tp-sys-[0-9]*-[a-z0-9]*\).*/\1/p'); do
    pid=${ns#tp-sys-}
    [ -d "/proc/${pid%%-*}" ] || ip netns del "$ns"
done

out=$(mktemp -d /tmp/tp-sys-run.XXXXXX)
jobs=()
stop() {
    trap '' INT TERM HUP
    for pid in "${jobs[@]}"; do kill -TERM "$pid" 2>/dev/null; done
    wait
    rm -rf "$out"
    exit 143
}
trap stop INT TERM HUP

run() { # NAME: output in $out/NAME, printed whole when it has ended
    local limit=500
    [ -z "$long" ] || limit=5400
    timeout -k 20 $limit bash "./$1_test.sh" >"$out/$1" 2>&1
    local code=$?
    if [ $code -ne 0 ] && ! grep -q '^not ok' "$out/$1"; then
        echo "not ok - $1: ended with exit code $code" >>"$out/$1"
    fi
    cat "$out/$1"
}

# Tests that measure times have the machine for themselves; the others run by twos.
is_alone() { grep -q '^# alone$' "$1_test.sh"; }
# Those that take long begin first.
is_first() { grep -q '^# first$' "$1_test.sh"; }

ordered=()
for name in "${names[@]}"; do is_first "$name" && ordered+=("$name"); done
for name in "${names[@]}"; do is_first "$name" || ordered+=("$name"); done
for name in "${ordered[@]}"; do
    is_alone "$name" && continue
    while [ "$(jobs -pr | wc -l)" -ge 2 ]; do wait -n; done
    run "$name" &
    jobs+=($!)
done
wait
for name in "${names[@]}"; do
    is_alone "$name" || continue
    run "$name" &
    jobs+=($!)
    wait
done
failed=$(cat "$out"/* | grep -c '^not ok')
skipped=$(cat "$out"/* | grep -Ec '^ok .*# SKIP')
passed=$(($(cat "$out"/* | grep -c '^ok') - skipped))
again=$(cat "$out"/* | grep -c '^ok .*# passed at the second run')
rm -rf "$out"
[ "$again" -eq 0 ] || echo "$again of them passed at the second run only"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
