#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# The example of the native API, docs/example/shout.c, does what it says.
. "$(dirname "$0")/lib.sh"

shouts() { [ "$(echo hello | h nc -N -w 2 "$1" 7)" = HELLO ]; }

example() { # ADDRESS PREFIX-LENGTH PEER-ADDRESS/LENGTH
    local shout=$build/docs/shout nodad=
    case $1 in *:*) nodad=nodad ;; esac
    ip netns add "$H"
    bg ip netns exec "$H" "$shout" --no-huge -m 128 --no-pci --no-shconf --no-telemetry \
        --file-prefix "tpsys$id" --log-level lib.eal:warning --lcores 0@0 \
        --vdev net_tap0,iface=shout0 -- "$1" "$2" 7 >"$tmp/shout.log" 2>&1
    local pid=$bg_pid
    wait_for 10 grep -q 'listens on port 7' "$tmp/shout.log"
    h ip link set shout0 address 02:99:00:00:00:02 up
    h ip addr add "$3" dev shout0 $nodad
    wait_for 10 shouts "$1"
    head -c 3000000 /dev/urandom | base64 >"$tmp/lines"
    tr a-z A-Z <"$tmp/lines" >"$tmp/wanted"
    h nc -N -w 10 "$1" 7 <"$tmp/lines" >"$tmp/got"
    same_file "$tmp/wanted" "$tmp/got"
    eventually 3 'grep -q "connection .*: done" "$tmp/shout.log"'
    kill -TERM "$pid"
    wait "$pid"
}

testcase "over IPv4" example 10.99.0.1 24 10.99.0.2/24
testcase "over IPv6" example fd99::1 64 fd99::2/64
finish
