#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# first
#
# Links flap, members come and go, modes and knobs change, under load, for a minute (--long: ten):
# traffic survives, every mbuf comes back, the daemon does not grow. Then connections of the team's own
# are moved, parked and closed while links are cut, for 30 s (--long: an hour): none is lost, and what
# is counted adds up. TP_SOAK_SECONDS=N: so long, both.
. "$(dirname "$0")/lib.sh"
. "$here/toe.sh"

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

# ---- connections ------------------------------------------------------------------------

# until_enough NAME COMMAND...: again and again; how often, in a file
until_enough() {
    local name=$1 n=0
    shift
    while [ ! -e "$tmp/enough" ]; do
        "$@" || { echo broken >"$tmp/count.$name"; return 1; }
        n=$((n + 1))
    done
    echo $n >"$tmp/count.$name"
}
short_ones() { p curl -sSfg --max-time 30 -o /dev/null "$(url "$H4" 80)/info" -o /dev/null "$(url "$H6" 80)/info"; }
downloads() { download "$H4" 4000000 --limit-rate 8M && download "$H6" 4000000 --limit-rate 8M; }
# Parked between two questions.
rare_ones() {
    local name
    asked=$((asked + 1))
    for name in one two; do ask $name "word$asked"; done
    for name in one two; do wait_for 20 answered $name "word$asked" 1; done
    sleep 1.$((RANDOM % 10))
}

stir() { # NUMBER
    local victim=$(($1 % 2)) conn
    case $((RANDOM % 6)) in
    0 | 1)
        link_cut $victim
        sleep "0.$((RANDOM % 5))"
        link_restore $victim
        ;;
    2)
        ctl drain member $victim
        sleep "0.$((RANDOM % 3))"
        ctl undrain member $victim
        ;;
    *)
        conn=$(busiest)
        # It may have ended meanwhile.
        [ -z "$conn" ] || ctl move conn "$conn" to $((RANDOM % 2)) >/dev/null 2>&1 || true
        ;;
    esac
    sleep "0.$((RANDOM % 3))"
}

sum_ports() { # JQ-FILTER OF A PORT
    local i sum=0
    for ((i = 0; i < nb_members; i++)); do sum=$((sum + $(stat_of "$i" "$1"))); done
    echo $sum
}

# Whatever was received went somewhere, or was dropped for a reason.
received_adds_up() {
    local rx host segments dropped
    rx=$(sum_ports .rx_good_packets)
    host=$(sum_ports .rx_to_host)
    dropped=$(sum_ports '.drops | [.rx_own_mac, .rx_place, .rx_runt, .rx_vlan, .rx_fenced, .rx_link_local] | add // 0')
    segments=$(($(get_tcp toe_rx_segments) - $(get_tcp toe_rx_to_host)))
    [ "$rx" -eq $((host + segments + dropped)) ] ||
        fail "$rx received, $host to the host, $segments segments, $dropped dropped"
}

moved_parked_closed() { # SECONDS
    local end n=0 rss_early rss_late worker workers=()
    make_hosts 2
    peer_multipath
    toe_start hash
    ctl set migrate_hysteresis 20
    ctl set idle_timeout 1
    talk one echo
    talk two echo
    asked=0
    for worker in short_ones downloads rare_ones; do
        until_enough $worker $worker &
        workers+=($!)
        pids+=($!)
    done
    end=$((SECONDS + $1))
    while [ $SECONDS -lt $end ]; do
        stir $n
        n=$((n + 1))
        alive "$daemon" || fail "the daemon died"
        ! grep -qs broken "$tmp"/count.* || break
        [ -n "${rss_early:-}" ] || [ $SECONDS -lt $((end - $1 * 2 / 3)) ] || rss_early=$(rss_kb)
    done
    rss_late=$(rss_kb)
    touch "$tmp/enough"
    for worker in "${workers[@]}"; do wait "$worker" || fail "one of the workers broke: $(head "$tmp"/count.*)"; done
    hang_up one
    hang_up two
    wait_for 10 no_conns
    wait_for 10 eval '[ $(get_migrate parked_now) -eq 0 ]'
    note "$n disturbances, $(cat "$tmp/count.short_ones") short ones, $(cat "$tmp/count.downloads") downloads," \
        "$(get migrate '"\(.counters.toe_moved_in) moves, \(.counters.toe_parked) parked"')," \
        "RSS $rss_early -> $rss_late kB"
    expect "moves" "$(get_migrate counters.toe_moved_in)" -eq "$(get_migrate counters.toe_moved_out)"
    expect "parked" "$(get_migrate counters.toe_parked)" -ge $(($1 / 10))
    # To what came late for one that had ended, that is.
    expect "resets sent" "$(get_tcp OutRsts)" -eq "$(get_tcp toe_rx_refused)"
    expect "premature ends" "$(get_tcp toe_conns_premature)" -eq "$premature"
    wait_for 5 received_adds_up
    expect "forwarded" "$(get_tcp toe_rx_foreign)" -eq \
        $(($(get_tcp toe_rx_forwarded) + $(sum_ports '.drops.rx_foreign_full // 0')))
    expect "connections" "$(get_tcp toe_conns_opened)" -eq \
        $(($(get_tcp toe_conns_closed) + $(get "conn summary" '.states | add // 0')))
    within "growth in kB" $((rss_late - rss_early)) -1e9 2048
    team_stop
}

seconds=${TP_SOAK_SECONDS:-${TP_TEST_LONG:+600}}
T=$((${seconds:-60} + 100))
testcase "flapping under load for ${seconds:-60} s" soak "${seconds:-60}"
seconds=${TP_SOAK_SECONDS:-${TP_TEST_LONG:+3600}}
T=40
testcase "connections moved, parked and closed for ${seconds:-30} s" moved_parked_closed "${seconds:-30}"
finish
