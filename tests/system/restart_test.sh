#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# How the daemon ends: asked to under load, killed and started again, or unable to start. Nothing is
# left behind, and ports are as they were.
. "$(dirname "$0")/lib.sh"

# Address, MTU and promiscuity of the members' interfaces.
interfaces() { h ip -d -j link show | jq -c '[.[] | select(.ifname | test("^m")) | [.ifname, .address, .mtu, .promiscuity, .allmulti]]'; }

load_start() {
    stream_start up "$H" "$P" "$P4" 20 --flows=8 --pps=3000 --size=1000
    stream_start down "$P" "$H" "$H6" 20 --flows=8 --pps=3000 --size=1000
    wait_for 15 eval '[ "$(stat_of 0 .tx_good_packets)" -gt 600 ]'
}

nothing_left() {
    [ ! -e "$S" ] || fail "the control socket is still there"
    ! h ip link show team0 2>/dev/null || fail "team0 is still there"
    [ ! -d "/var/run/dpdk/tpsys$id" ] || fail "left in EAL's directory: $(ls "/var/run/dpdk/tpsys$id")"
}

asked_under_load() { # SIGNAL
    local before code=0
    make_hosts 2
    peer_bridge
    before=$(interfaces)
    team_start active-backup --mac 02:aa:00:00:00:01
    ctl set team mtu 1400
    ctl set team promisc on
    [ "$(interfaces)" != "$before" ] || fail "the daemon changed nothing"
    ping_both
    load_start
    kill "-$1" "$daemon"
    gone "$daemon" || fail "the daemon does not end"
    wait "$daemon" || code=$?
    daemon=
    expect "exit code" $code -eq 0
    [ "$(interfaces)" = "$before" ] || fail "interfaces were $before, are $(interfaces)"
    nothing_left
    for i in 0 1; do
        grep -Eq "^port $i \(net_af_packet$i\): received [0-9]+ packets [0-9]+ bytes, sent [0-9]+ packets" "$tmp/teampmd.log" ||
            fail "no counters of port $i"
    done
    within "packets sent" "$(sed -n 's/^port 0 .* sent \([0-9]*\) packets.*/\1/p' "$tmp/teampmd.log")" 500 1e6
}

# All that a service would use is on: what a killed one leaves there must not stop the next.
launch_as_service() {
    setpriv --pdeathsig KILL ip netns exec "$H" "$teampmd" --no-huge -m 256 --no-pci \
        --file-prefix "tpsys$id" --log-level lib.eal:warning $(vdevs 2) \
        -- --host net_tap0 --mode active-backup --control-socket "$S" >>"$tmp/teampmd.log" 2>&1 </dev/null &
    daemon=$!
    team_ready
}

killed_and_started() { # ROUNDS
    local round start
    make_hosts 2
    peer_bridge
    launch_as_service
    ping_both
    load_start
    for ((round = 0; round < $1; round++)); do
        sleep "0.$((RANDOM % 4))"
        kill -KILL "$daemon"
        wait "$daemon" 2>/dev/null || true
        start=$(date +%s%N)
        launch_as_service
        wait_for 5 answers "$P4"
        note "back after $((($(date +%s%N) - start) / 1000000)) ms"
    done
    wait_for 5 answers "$P6"
    files_both_ways "$P4" 200000
    team_stop
    nothing_left
}

# refused CODE REGEX EAL-OPTIONS -- OPTIONS: one line that matches, that exit code, nothing left
refused() {
    local wanted=$1 regex=$2 code=0 before
    shift 2
    before=$(interfaces)
    : >"$tmp/teampmd.log"
    timeout -k 2 20 ip netns exec "$H" "$teampmd" --no-huge -m 256 --no-pci --no-shconf --no-telemetry \
        --file-prefix "tpsys$id" --log-level lib.eal:error "$@" --control-socket "$S" \
        >"$tmp/out" 2>"$tmp/err" </dev/null || code=$?
    expect "exit code of '$*'" $code -eq "$wanted"
    # Events of a daemon that did begin aside.
    grep -E '^(teampmd: [^0-9]|[^ ]*[.]cmd:[0-9]+:)' "$tmp/err" >"$tmp/said" || true
    [ "$(wc -l <"$tmp/said")" = 1 ] || fail "'$*' said: $(cat "$tmp/err")"
    ! grep -q '^Usage' "$tmp/out" || fail "'$*' printed the usage"
    grep -Eq "$regex" "$tmp/said" || fail "'$*' said: $(cat "$tmp/said")"
    [ "$(interfaces)" = "$before" ] || fail "'$*' left interfaces as $(interfaces), not $before"
    nothing_left
}

errors() {
    local both=$'--vdev=net_af_packet0,iface=m0\n--vdev=net_tap0,iface=team0'
    make_hosts 2
    refused 1 'net_af_packet0' --vdev=net_af_packet0,iface=nosuch --vdev=net_tap0,iface=team0 -- --host net_tap0
    refused 1 'EAL did not start' --lcores 0@0,1@999 $both -- --host net_tap0
    refused 2 "net_tap7" $both -- --host net_tap7
    refused 2 'mode.*nonsense.*hash' $both -- --host net_tap0 --mode nonsense
    refused 2 'burst.*0.*1 to 64' $both -- --host net_tap0 --burst 0
    refused 2 'portlist|port 9' $both -- --host net_tap0 --portlist 9
    refused 2 'mac' $both -- --host net_tap0 --mac 01:00:00:00:00:01
    printf 'set team mode hash\nset teem mode hash\n' >"$tmp/bad.cmd"
    refused 2 'bad.cmd:2.*teem' $both -- --host net_tap0 --cmdline-file "$tmp/bad.cmd"
    printf 'set team mtu 1400\nset member 7 prio 3\n' >"$tmp/bad.cmd"
    refused 2 'bad.cmd:2.*7' $both -- --host net_tap0 --cmdline-file "$tmp/bad.cmd"
    refused 1 'nosuch.cmd' $both -- --host net_tap0 --cmdline-file "$tmp/nosuch.cmd"
    # The same machine still takes a right one.
    peer_bridge
    team_start active-backup
    ping_both
    team_stop
    nothing_left
}

testcase "SIGTERM under load" asked_under_load TERM
testcase "SIGINT under load" asked_under_load INT
testcase "killed under load and started again" killed_and_started 3
testcase "cannot start" errors
finish
