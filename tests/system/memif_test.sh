#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Host and members are net_memif, and the other process quits or is killed in the middle of a
# flood: again and again under one daemon, and just before the daemon stops.
. "$(dirname "$0")/lib.sh"
need dpdk-testpmd

# All lcores share a CPU with EAL's interrupt thread, so that it cuts into their bursts.
memif_start() {
    setpriv --pdeathsig KILL "$teampmd" --no-huge -m 256 --no-pci --no-shconf --no-telemetry \
        --file-prefix "tpsys$id" --lcores 0@0,1@0,2@0 --log-level lib.eal:warning $(memifs server) \
        -- --host net_memif0 --control-socket "$S" >>"$tmp/teampmd.log" 2>&1 </dev/null &
    daemon=$!
    wait_for 20 daemon_answers_or_died
    alive "$daemon" || fail "the daemon ended"
}

memifs() { # ROLE
    for i in 0 1 2; do
        echo "--vdev=net_memif$i,role=$1,id=$i,socket=$tmp/memif$i.sock,socket-abstract=no"
    done
}

# Floods all three; its commands come by a pipe.
peer_start() {
    [ -p "$tmp/in" ] || mkfifo "$tmp/in"
    exec 9<>"$tmp/in"
    setpriv --pdeathsig KILL dpdk-testpmd --no-huge -m 128 --no-pci --no-shconf --no-telemetry --file-prefix "tpsysp$id" \
        --lcores 0@1,1@1 --log-level 3 $(memifs client) -- -i --forward-mode=txonly --txpkts=1400 \
        --auto-start --total-num-mbufs=16384 <&9 >"$tmp/peer.log" 2>&1 &
    peer=$!
    pids+=("$peer")
    wait_for 20 links up
    wait_for 5 floods
}

floods() { [ "$(stat_of 1 .rx_good_packets)" -gt 1000 ]; }

links() { [ "$(get team '[.members[] | if .link then "up" else "down" end] | unique | join(" ")')" = "$1" ]; }

peer_end() { # SIGNAL
    if [ "$1" = quit ]; then echo quit >&9; else kill "-$1" "$peer"; fi
}

peers_come_and_go() { # ROUNDS
    local round how
    memif_start
    for ((round = 0; round < $1; round++)); do
        peer_start
        sleep "0.0$((RANDOM % 9 + 1))"
        how=$([ $((round % 3)) = 2 ] && echo quit || echo KILL)
        peer_end $how
        wait "$peer" 2>/dev/null || true
        wait_for 10 links down
        alive "$daemon" || fail "the daemon died in round $round ($how)"
    done
    kill -TERM "$daemon"
    ended_well "$1"
}

ended_well() { # ROUND
    local code=0
    gone "$daemon" || fail "round $1: the daemon does not end"
    wait "$daemon" || code=$?
    daemon=
    expect "exit code in round $1" $code -eq 0
}

both_at_once() { # ROUNDS
    local round
    for ((round = 0; round < $1; round++)); do
        memif_start
        peer_start
        peer_end $([ $((round % 2)) = 0 ] && echo KILL || echo INT)
        [ $((round % 3)) = 0 ] || sleep "0.00$((RANDOM % 10))"
        kill -TERM "$daemon"
        ended_well $round
        wait "$peer" 2>/dev/null || true
        rm -f "$tmp"/memif*.sock
    done
}

rounds=${TP_TEST_LONG:+100}
testcase "memif peers come and go" peers_come_and_go "${rounds:-12}"
testcase "memif peers quit when the daemon stops" both_at_once "${rounds:-4}"
finish
