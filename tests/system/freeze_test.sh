#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# alone
#
# A real lcore stands still at random instants: blocked in the kernel, or turning without getting
# anywhere. It is fenced, traffic goes on by the others, no frame leaves twice, there is one primary.
# A lcore that only waits for a CPU is left alone.
. "$(dirname "$0")/lib.sh"

HOLDER=tp_host_step # the function in which a lcore holds the host port
need nm

team_of() { # MEMBERS
    make_hosts "$1"
    peer_bridge
    team_start active-backup
    ctl set team peer_notif_delay 50
    ping_both
}

start_streams() { # SECONDS
    noise_start "$1"
    stream_start up "$H" "$P" "$P4" "$1" --flows=8 --pps=2000
    stream_start down "$P" "$H" "$H6" "$1" --flows=8 --pps=2000
}

# One at most was on its way through the lcore that stood still; nothing came twice.
end_streams() { # LIMIT-MS
    stream_end up
    stream_end down
    noise_end
    note "stop up $(stream_of up .max_stop_ms) ms, down $(stream_of down .max_stop_ms) ms," \
        "lost $(stream_of up .lost) and $(stream_of down .lost), noise $noise_ms ms"
    expect "duplicates up" "$(stream_of up .duplicates)" -eq 0
    expect "duplicates down" "$(stream_of down .duplicates)" -eq 0
    silence up "$1"
    silence down "$1"
}

# hold stop|spin PORT MILLISECONDS [OPTION...]: until it says that it does
hold() {
    local how=$1 tid
    tid=$(worker_tid "$2")
    shift 2
    rm -f "$tmp/hold"
    bg /usr/bin/python3 "$here/tool.py" "$how" "$tid" "$@" >"$tmp/hold"
    hold_pid=$bg_pid
    wait_for 25 test -s "$tmp/hold"
}

# At random instants, the primary each time: fenced, and back when it goes on. If somebody waits
# for it, it is frozen (where it can be) or the daemon gives up: then a new one takes over.
random_stops() { # stop|spin ROUNDS
    local round victim before frozen=0 back=0 ended=0
    team_of 3
    start_streams $(($2 * 2))
    for ((round = 0; round < $2; round++)); do
        victim=$(primary) before=$(nb_hangs)
        sleep "0.$((RANDOM % 300 + 100))"
        hold "$1" "$victim" 700
        wait_for 15 eval '! alive "$daemon" || [ "$(nb_hangs)" -gt $before ]'
        wait "$hold_pid" || true
        if ! alive "$daemon"; then
            ended=$((ended + 1))
            gave_up
            team_start active-backup
        elif has_event "port $victim .*is frozen"; then
            frozen=$((frozen + 1))
            team_end
            team_start active-backup
        else
            back=$((back + 1))
            wait_for 3 eval "[ \$(member $victim .fenced) = false ]"
            expect "primary" "$(primary)" -ne "$victim"
        fi
    done
    note "$back came back, $frozen frozen, $ended ended"
    stream_end up
    stream_end down
    noise_end
    expect "duplicates up" "$(stream_of up .duplicates)" -eq 0
    expect "duplicates down" "$(stream_of down .duplicates)" -eq 0
    ping_both
    team_end
}

nb_hangs() { events | grep -c 'hangs, fenced' || true; }

# Exit code 1 and why.
gave_up() {
    local code=0
    wait "$daemon" || code=$?
    daemon=
    expect "exit code" $code -eq 1
    grep -q 'does not freeze: giving up' "$tmp/teampmd.log"
}

# What a frozen lcore had in hand and in its cache is lost; it holds up nothing.
team_end() {
    local code=0
    kill -TERM "$daemon"
    gone "$daemon" || fail "the daemon does not end"
    wait "$daemon" || code=$?
    daemon=
    expect "exit code" $code -eq 0
}

# It stands still for 0.7 s and holds nothing: traffic stops for as long as the fence takes, and
# not a second time when it comes back. Its own late frames are at most the burst that it had.
one_stop() {
    team_of 2
    expect "primary" "$(primary)" -eq 0
    start_streams 3
    sleep 0.3
    # At the begin of a turn nothing is held.
    hold stop 0 700 --within=tp_worker_step
    wait_for 2 primary_is 1
    has_event "port 0 .* hangs, fenced"
    capture "$P" p0 late "ether src $(get team .mac) and udp and port not 53"
    wait "$hold_pid"
    wait_for 2 eval "[ \$(member 0 .fenced) = false ]"
    has_event "port 0 .* is back"
    expect "primary" "$(primary)" -eq 1
    end_streams 350
    capture_stop late
    within "late frames" "$(frames late)" 0 64
    team_stop
}

# The same to the backup: nobody notices.
backup_stop() {
    team_of 2
    start_streams 2
    sleep 0.3
    hold stop 1 700
    wait_for 2 eval "[ \$(member 1 .fenced) = true ]"
    wait "$hold_pid"
    wait_for 2 eval "[ \$(member 1 .fenced) = false ]"
    end_streams 60
    expect "lost" "$(($(stream_of up .lost) + $(stream_of down .lost)))" -eq 0
    expect "primary" "$(primary)" -eq 0
    team_stop
}

# It turns on and on with the host port in hand: frozen by a signal, the host port taken from it.
holder_spins() {
    team_of 3
    start_streams 3
    files_both_ways "$P4" 100000
    hold spin 0 1500 --holding=$HOLDER
    expect "holder of the host port" "$(get team .host.holder)" -eq 0
    wait_for 15 has_event "port 0 .* is frozen"
    wait_for 1 eval "[ \$(get team .host.holder) != 0 ]"
    wait "$hold_pid"
    grep -q elsewhere "$tmp/hold" || fail "the frozen lcore came back"
    files_both_ways "$P4" 300000
    files_both_ways "$P6" 300000
    end_streams 1000
    expect "fenced" "$(get team '[.members[] | select(.fenced) | .port] | join(" ")')" -eq 0
    # Another failure among those that are left, and they go on.
    link_cut "$(primary)"
    wait_for 2 primary_is 2
    ping_both
    team_end
}

# It is blocked in the kernel with the host port in hand, and no signal reaches it: nobody can
# take the host port from it, so the daemon ends and its service manager starts it again.
holder_blocked() {
    team_of 2
    hold stop 0 3000 --holding=$HOLDER
    expect "holder of the host port" "$(get team .host.holder)" -eq 0
    wait_for 3 eval '! alive "$daemon"'
    wait "$hold_pid" || true
    gave_up
    team_start active-backup
    ping_both
    team_stop
}

# Somebody else has the CPU: late, not hung. For longer than the deadline, too.
descheduled() { # MILLISECONDS
    local cpu round
    team_of 2
    /usr/bin/python3 "$here/tool.py" hog 0 1 || skip "no realtime priority here"
    cpu=$(awk '{ print $39 }' "/proc/$daemon/task/$(worker_tid 0)/stat")
    start_streams 3
    for round in 1 2 3; do
        sleep "0.$((RANDOM % 200 + 100))"
        tool hog "$cpu" "$1"
    done
    end_streams $(($1 + 150))
    # It did lose the CPU.
    within "stop" "$(stream_of up .max_gap_ms)" $(($1 * 6 / 10)) 1e6
    ! has_event 'hangs|fenced' || fail "$(events | grep -E 'hangs|fenced')"
    expect "primary" "$(primary)" -eq 0
    expect "failures" "$(get team '[.members[].failures] | add')" -eq 0
    team_stop
}

timed_case "the primary's lcore blocked for 0.7 s" one_stop
timed_case "the backup's lcore blocked for 0.7 s" backup_stop
timed_case "lcores blocked at random instants" random_stops stop 3
timed_case "lcores hung at random instants" random_stops spin 3
timed_case "hung with the host port in hand" holder_spins
testcase "blocked with the host port in hand" holder_blocked
timed_case "descheduled for 50 ms" descheduled 50
timed_case "descheduled for 400 ms" descheduled 400
finish
