#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# alone
#
# Clients that ask for a lot and read nothing of it stall nothing: neither traffic nor other
# clients nor what feeds the service manager's watchdog. While an operation of one waits, others
# can look at the team.
. "$(dirname "$0")/lib.sh"

WATCHDOG_MS=400

# stuck_clients N: stopped in the middle of an answer that no socket's buffer holds
stuck_clients() {
    local i
    mkfifo "$tmp/unread"
    exec 8<>"$tmp/unread"
    for ((i = 0; i < 10; i++)); do echo "show bucket map json"; done >"$tmp/asks" # 4 MB each
    for ((i = 0; i < $1; i++)); do
        setpriv --pdeathsig KILL "$teamctl" -s "$S" <"$tmp/asks" >&8 &
        pids+=($!)
        stuck+=($!)
    done
    sleep 0.5
    kill -STOP "${stuck[@]}"
}

stopped_readers() {
    local stuck=() i slowest=0 start ms
    make_hosts 2
    peer_bridge
    bg /usr/bin/python3 "$here/tool.py" notifyd "$tmp/notify" 30 >"$tmp/notified"
    notifyd=$bg_pid
    wait_for 5 test -S "$tmp/notify"
    export NOTIFY_SOCKET=$tmp/notify WATCHDOG_USEC=$((WATCHDOG_MS * 1000))
    ring=,framecnt=4096 # for as long as a lcore may wait for its CPU
    team_start active-backup --stats-period 1 --ring-size 4096
    unset NOTIFY_SOCKET WATCHDOG_USEC
    ctl set team buckets 65536
    ping_both
    stuck_clients 8
    wait_for 20 daemon_answers # when it has made eight answers
    noise_start 4
    stream_start up "$H" "$P" "$P4" 4 --flows=8 --pps=1600
    stream_start down "$P" "$H" "$H6" 4 --flows=8 --pps=1600
    for ((i = 0; i < 10; i++)); do
        start=$(date +%s%N)
        ctl show team >/dev/null
        ms=$((($(date +%s%N) - start) / 1000000))
        [ $ms -le $slowest ] || slowest=$ms
    done
    for i in "${stuck[@]}"; do alive "$i" || fail "client $i was not stuck"; done
    stream_end up
    stream_end down
    noise_end
    kill -INT "$notifyd"
    wait "$notifyd"
    note "stop up $(stream_of up .max_stop_ms) ms, down $(stream_of down .max_stop_ms) ms," \
        "slowest answer $slowest ms, watchdog fed $(jq .fed "$tmp/notified") times," \
        "longest gap $(jq .max_gap_ms "$tmp/notified") ms, noise $noise_ms ms"
    expect "lost" "$(($(stream_of up .lost) + $(stream_of down .lost)))" -le \
        $(($(kernel_drops "$H") + $(kernel_drops "$P")))
    silence up 60
    silence down 60
    within "slowest answer" $slowest 0 $((500 + 2 * noise_ms))
    expect "READY" "$(jq .ready "$tmp/notified")" -eq 1
    expect "times fed" "$(jq .fed "$tmp/notified")" -ge 10
    within "longest gap" "$(jq .max_gap_ms "$tmp/notified")" 0 $((WATCHDOG_MS + noise_ms))
    # They go on and get all of it.
    kill -CONT "${stuck[@]}"
    cat <&8 >/dev/null &
    pids+=($!)
    for i in "${stuck[@]}"; do wait "$i" || fail "client $i was cut off"; done
    team_stop
}

# Some that ask and never read are killed: others still get through.
killed_readers() {
    local stuck=()
    make_hosts 2
    peer_bridge
    team_start active-backup
    ctl set team buckets 65536
    stuck_clients 12
    kill -KILL "${stuck[@]}"
    wait_for 10 daemon_answers
    ping_both
    team_stop
}

# A member whose peer stands still takes nothing; `stop` waits two seconds for it, and only those
# wait along that want to change something.
look_meanwhile() {
    local peer stopping changing
    make_hosts 0
    need dpdk-testpmd
    launch --vdev="net_memif0,role=server,socket=$tmp/memif.sock,socket-abstract=no" \
        --vdev=net_tap0,iface=team0 -- --host net_tap0 --control-socket "$S"
    wait_for 20 daemon_answers_or_died
    bg dpdk-testpmd --no-huge -m 128 --no-pci --no-shconf --no-telemetry --file-prefix "tpsysp$id" \
        --lcores 0@0,1@0 --log-level 3 --vdev="net_memif0,role=client,socket=$tmp/memif.sock,socket-abstract=no" \
        -- --forward-mode=rxonly --total-num-mbufs=16384 --stats-period 1000 >"$tmp/peer.log" 2>&1
    peer=$bg_pid
    h ip addr add "$H4/24" dev team0
    h ip link set team0 up
    h ip neigh replace "$P4" lladdr "$PEER_MAC" dev team0
    wait_for 10 all_distribute
    kill -STOP "$peer"
    h bash -c "dd if=/dev/zero bs=1000 count=8000 status=none >/dev/udp/$P4/9"
    ctl stop &
    stopping=$!
    wait_for 5 has_event '^stop$'
    alive $stopping || fail "stop waited for nothing, or the look for stop"
    ctl set team updelay 70 &
    changing=$!
    for _ in 1 2 3; do
        ctl show config >"$tmp/config"
        alive $stopping || break
        ! grep -q 'updelay 70' "$tmp/config" || fail "a change did not wait for stop"
    done
    wait $stopping
    wait $changing
    ctl show config | grep -q 'updelay 70'
    kill -CONT "$peer"
    kill -TERM "$daemon"
    gone "$daemon" || fail "the daemon does not end"
    daemon=
}

timed_case "eight stopped clients" stopped_readers
testcase "twelve killed clients" killed_readers
timed_case "looking while an operation waits" look_meanwhile
finish
