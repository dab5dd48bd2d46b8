#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# first
#
# Links flap, members come and go, modes and knobs change, under load, for a minute (--long: ten):
# traffic survives, every mbuf comes back, the daemon does not grow.
. "$(dirname "$0")/lib.sh"

rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status"; }
nb_fds() { find "/proc/$daemon/fd" -type l | wc -l; }

# Files up and down over TCP until told to stop; how many, in a file.
transfers() {
    local n=0 address
    random_file 2000000 "$tmp/www/big"
    while [ ! -e "$tmp/enough" ]; do
        for address in "$P4" "$P6"; do
            h curl -sSf --max-time 30 -o "$tmp/big.down" "$(url "$address" 8080)/big" &&
                same_file "$tmp/www/big" "$tmp/big.down" &&
                h curl -sSf --max-time 30 -o /dev/null -T "$tmp/www/big" "$(url "$address" 8080)/up" &&
                same_file "$tmp/www/big" "$tmp/www/up" || { echo broken >"$tmp/transferred"; return 1; }
            n=$((n + 1))
        done
    done
    echo $n >"$tmp/transferred"
}

# One disturbance; link 2 is never cut.
disturb() { # NUMBER
    local victim=$(($1 % 2))
    case $((RANDOM % 8)) in
    0 | 1 | 2)
        link_cut $victim
        sleep "0.$((RANDOM % 5))"
        link_restore $victim
        ;;
    3)
        for _ in 1 2 3 4; do
            link_cut $victim
            link_restore $victim
        done
        ;;
    4)
        h ip link set "m$victim" down
        sleep 0.1
        h ip link set "m$victim" up
        ;;
    5)
        ctl set link-down port $victim
        sleep 0.1
        ctl set link-up port $victim
        ;;
    6)
        ctl team remove port $victim
        ctl team add port $victim
        ;;
    7)
        ctl set team buckets $((256 << (RANDOM % 5)))
        ctl set team hash-function "$([ $((RANDOM % 2)) = 0 ] && echo toeplitz || echo crc32c)"
        ctl set member 2 weight $((RANDOM % 200 + 1))
        ;;
    esac
    sleep "0.$((RANDOM % 4))"
}

soak() { # SECONDS
    local end n=0 rss_early rss_late fds
    make_hosts 3
    peer_bridge
    team_start active-backup
    ctl set team primary_reselect always
    ping_both
    serve "$P" 8080 "$tmp/www"
    transfers &
    transfers=$!
    pids+=($transfers)
    stream_start up "$H" "$P" "$P4" "$1" --flows=4 --pps=400
    end=$((SECONDS + $1))
    fds=$(nb_fds)
    while [ $SECONDS -lt $end ]; do
        disturb $n
        n=$((n + 1))
        [ -e "$tmp/transferred" ] && break
        alive "$daemon" || fail "the daemon died"
        # When all that happens seldom has happened.
        [ -n "${rss_early:-}" ] || [ $SECONDS -lt $((end - $1 * 2 / 3)) ] || rss_early=$(rss_kb)
    done
    rss_late=$(rss_kb)
    touch "$tmp/enough"
    wait $transfers || fail "a transfer broke"
    stream_end up
    note "$n disturbances, $(cat "$tmp/transferred") files each way," \
        "RSS $rss_early -> $rss_late kB, lost $(stream_of up .lost) of $(stream_of up '.received + .lost')"
    expect "files" "$(cat "$tmp/transferred")" -ge $(($1 / 10))
    within "growth in kB" $((rss_late - rss_early)) -1e9 1024
    expect "duplicates" "$(stream_of up .duplicates)" -eq 0
    wait_for 10 all_distribute
    expect "descriptors" "$(nb_fds)" -le $((fds + 2))
    ping_both
    team_stop
}

seconds=${TP_TEST_LONG:+600}
T=700
testcase "flapping under load for ${seconds:-60} s" soak "${seconds:-60}"
finish
