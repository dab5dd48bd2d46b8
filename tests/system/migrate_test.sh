#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Offloaded connections move: when told to, with their packets, off links and lcores that fail and
# off members that leave. Their peer, the kernel, notices nothing.
# alone
. "$(dirname "$0")/lib.sh"
. "$here/toe.sh"
. "$here/ovs.sh"

cuts=20
[ -z "${TP_TEST_LONG:-}" ] || cuts=100

# ---- what they are asked -------------------------------------------------------------

moves() { get_migrate counters.toe_moved_in; }
pause_note() { note "$(get migrate '"pause p50 \(.pause_us.p50) us, p99 \(.pause_us.p99), max \(.pause_us.max)"')"; }
conns_on() { get "conn summary" ".members[] | select(.port == $1) | .connections"; } # PORT
none_on() { [ "$(conns_on "$1")" -eq 0 ]; }
some_on() { [ "$(conns_on "$1")" -gt 0 ]; }
# conn_at REMOTE-PORT FILTER: of the connection with that port of the peer
conn_at() { get conn ".list[] | select(.remote | endswith(\":$1\")) | $2"; }
owner_of() { get conn ".list[] | select(.id == \"$1\") | .owner"; } # ID
owner_is() { [ "$(owner_of "$1")" = "$2" ]; }

hosts_for() { # MODE [SWITCH]
    make_hosts 2
    if [ "$1" = active-backup ]; then "${2:-peer_bridge}"; else peer_multipath; fi
}

# ---- cases -------------------------------------------------------------------------------

# Told to, from one member to the other, every 50 ms, and back with its packets in between.
moved_about() { # ADDRESS
    local conn
    hosts_for hash
    toe_start hash
    ctl set migrate_hysteresis 20
    download_start moved "$1" 500000000
    wait_for 5 eval '[ -n "$(busiest)" ]'
    conn=$(busiest)
    {
        for ((i = 0; i < 400; i++)); do
            download_runs moved || break
            echo "move conn $conn to $((i % 2))"
            sleep 0.05
        done
    } | ctl >"$tmp/moves" 2>&1 || true # the last ones come too late
    download_end moved
    note "$(moves) moves, $(get_migrate counters.toe_move_command) of them told," \
        "$(get_migrate counters.toe_move_arrival) by arrival, $(($(speed_of moved) / 1000000)) MB/s"
    pause_note
    expect "told" "$(get_migrate counters.toe_move_command)" -ge 10
    expect "moves in" "$(moves)" -eq "$(get_migrate counters.toe_moved_out)"
    expect "pauses" "$(get_migrate pause_us.count)" -gt 0
    clean_end
}

# 32 connections over IPv4, one request at a time, and 8 over IPv6, each with 16 requests on the way.
# Not one error.
wrk_start() {
    cat >"$tmp/pipeline.lua" <<-'EOF'
	function init(args)
	    local one = wrk.format("GET", "/bytes/1000")
	    all = one:rep(16)
	end
	function request() return all end
	EOF
    bg ip netns exec "$P" wrk -t1 -c32 -d60s --timeout 20s "$(url "$H4" 80)/bytes/1000" >"$tmp/wrk"
    wrk=$bg_pid
    bg ip netns exec "$P" wrk -t1 -c8 -d60s --timeout 20s -s "$tmp/pipeline.lua" "$(url "$H6" 80)/" >"$tmp/wrk6"
    wrk6=$bg_pid
}
wrk_end() {
    local pid out
    expect "premature ends" "$(get_tcp toe_conns_premature)" -eq "$premature"
    # It hangs up in the middle of answers.
    for pid in $wrk $wrk6; do kill -INT "$pid"; done
    for pid in $wrk $wrk6; do wait "$pid" || fail "wrk ended with $?"; done
    for out in wrk wrk6; do
        ! grep -q 'Socket errors\|Non-2xx' "$tmp/$out" || fail "$out met errors: $(grep 'errors\|Non-2xx' "$tmp/$out")"
        expect "requests of $out" "$(awk '/requests in/ { print $1 }' "$tmp/$out")" -gt 100
    done
    note "wrk $(awk '/Requests\/sec/ {printf "%d", $2}' "$tmp/wrk") requests/s," \
        "pipelined $(awk '/Requests\/sec/ {printf "%d", $2}' "$tmp/wrk6")"
    wait_for 5 no_conns
    expect "ends of others" "$(get_migrate 'premature_ends | del(.reset) | add // 0')" -eq 0
    premature=$(get_tcp toe_conns_premature)
}

moves_untold() { get migrate '[.counters | .toe_move_link, .toe_move_drain, .toe_move_load, .toe_move_command] | add'; }

# Links are cut and restored at random; afterwards one that is back gets connections by their packets
# only.
cut_at_random() { # MODE [SWITCH]
    local i victim before arrived
    hosts_for "$@"
    toe_start "$1"
    ctl set migrate_hysteresis 20
    download_start cut "$H4" $((cuts * 12000000)) --limit-rate 20M
    wrk_start
    sleep 0.3
    for ((i = 0; i < cuts; i++)); do
        victim=$((RANDOM % 2))
        [ "$1" = hash ] || victim=$(primary)
        link_cut "$victim"
        sleep "0.$((RANDOM % 15 + 10))"
        link_restore "$victim"
        sleep "0.$((RANDOM % 20 + 10))"
    done
    wait_for 5 all_distribute
    note "$(get migrate '.counters | "\(.toe_move_link) moves off links, \(.toe_move_arrival) by arrival, \(.toe_move_probed) probed"')"
    expect "moves off links" "$(get_migrate counters.toe_move_link)" -gt 0
    wait_for 5 eval 'some_on $(primary)'
    victim=$(primary)
    link_cut "$victim"
    wait_for 3 none_on "$victim"
    before=$(moves_untold) arrived=$(get_migrate counters.toe_move_arrival)
    link_restore "$victim"
    wait_for 5 all_distribute
    sleep 0.3
    # Those that came late off the link that was cut have been counted before.
    expect "moves but by arrival" "$(moves_untold)" -eq "$before"
    if [ "$1" = hash ]; then
        wait_for 5 some_on "$victim"
        expect "moves by arrival" "$(get_migrate counters.toe_move_arrival)" -gt "$arrived"
    fi
    pause_note
    download_end cut
    wrk_end
    clean_end
}

way_start() { # NAME ADDRESS: of the downloads that a way's loss is to meet
    download_start "$1" "$2" 40000000 --limit-rate 10M
    ways+=("$1")
}

# A link that is up, and loses all of one direction: only probes can tell.
one_way() { # comes|goes MODE: what is lost
    local way ways i end=(in_ns "$P" tc qdisc add dev p0)
    [ "$1" = comes ] || end=(in_ns "$H" tc qdisc add dev m0) ring=,qdisc_bypass=0
    hosts_for "$2"
    toe_start "$2"
    for i in 0 1; do
        ctl set watch $i arp_interval 200
        ctl set watch $i missed_max 5
        ctl set watch $i arp_targets "$P4"
        ctl set watch $i netlink,arp
    done
    ways=()
    way_start way4 "$H4"
    way_start way6 "$H6"
    # In mode hash the peer's random ports decide what comes by which link.
    for ((i = 0; i < 16; i++)); do
        wait_for 5 conns_are ${#ways[@]}
        ! some_on 0 || break
        way_start "more$i" "$H4"
    done
    sleep 0.5
    expect "failures so far" "$(get team '[.members[].failures] | add')" -eq 0
    "${end[@]}" root tbf rate 8bit burst 40 limit 1
    wait_for 5 eval '[ "$(member 0 .link)" = false ]'
    [ "$2" = hash ] || wait_for 3 primary_is 1
    # What comes by that link from now on must not draw the peer there.
    [ "$1" = goes ] || capture "$P" p0 drawn "ether src $(get team .mac)"
    wait_for 5 none_on 0
    for way in "${ways[@]}"; do download_runs "$way" || fail "$way was over too early"; done
    for way in "${ways[@]}"; do download_end "$way"; done
    has_event "port 0 .*watch says down: arp"
    if [ "$1" = comes ]; then
        capture_stop drawn
        expect "frames with the team's MAC" "$(frames drawn)" -eq 0
    fi
    [ "$2" = hash ] || expect "the peer's neighbour" "$(p ip neigh show "$H4" | grep -o 'lladdr [^ ]*')" = "lladdr $(get team .mac)"
    note "$(get_migrate counters.toe_move_link) moves off links, $(get_migrate counters.toe_move_arrival) by arrival"
    clean_end
}

# A switch that sends each packet of a flow by another link. What the CPUs had to do besides decides
# on either rate, so each is the best of some runs in turn.
sprayed() {
    local run try moved rate best=(0 0)
    hosts_for hash
    # Answers come by other interfaces than that which questions are routed to.
    p sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.p0.rp_filter=0 net.ipv4.conf.p1.rp_filter=0
    toe_start hash
    for try in 1 2 3 4 5; do
        for run in 0 1; do
            spray_once $run
            rate=$((150000000 / (ms > 0 ? ms : 1)))
            [ $rate -le ${best[run]} ] || best[run]=$rate
            [ $run = 0 ] || expect "moves" $((moved * 1000)) -lt $((20 * (ms + 500)))
        done
        [ $((best[1] * 100)) -lt $((best[0] * 80)) ] || break
    done
    note "sprayed $((best[1] / 1000)) MB/s, steered $((best[0] / 1000)), $((best[1] * 100 / best[0])) %," \
        "$moved moves in $ms ms, $(get_tcp toe_rx_foreign) packets forwarded"
    expect "forwarded" "$(get_tcp toe_rx_foreign)" -gt 200
    expect "percent of the steered rate" $((best[1] * 100 / best[0])) -ge 80
    clean_end
}

# spray_once RUN: packets that go by a link before it is the other's turn, 0: always the first's.
# Sets moved and ms.
spray_once() {
    local sprayer start
    bg ip netns exec "$P" /usr/bin/python3 "$here/tool.py" spray spray0 "$H4" "$(get team .mac)" p0 p1 "--run=$1" \
        >"$tmp/spray"
    sprayer=$bg_pid
    wait_for 5 test -s "$tmp/spray"
    moved=$(moves) start=$(date +%s%N)
    download_start "run$1" "$H4" 150000000 --max-time 20
    download_end "run$1"
    ms=$((($(date +%s%N) - start) / 1000000)) moved=$(($(moves) - moved))
    kill "$sprayer"
    wait "$sprayer" || true
    rm "$tmp/spray"
    $cut_routes
}

# A lcore hangs at work on its connections: it is frozen, and the others take them over.
lcore_hangs() {
    local i tid torn lost=0
    hosts_for active-backup
    toe_start active-backup
    for i in 1 2 3 4; do download_start "f$i" "$H4" 60000000 --limit-rate 10M; done
    wait_for 5 eval '[ "$(conns)" -ge 4 ]'
    sleep "0.$((RANDOM % 300 + 200))"
    expect "primary" "$(primary)" -eq 0
    tid=$(worker_tid 0)
    bg /usr/bin/python3 "$here/tool.py" spin "$tid" 1500 >"$tmp/hold"
    wait_for 25 test -s "$tmp/hold"
    wait_for 15 has_event "port 0 .*is frozen"
    wait_for 2 primary_is 1
    torn=$(get_migrate counters.toe_torn)
    for i in 1 2 3 4; do download_end "f$i" || lost=$((lost + 1)); done
    note "$(get_migrate counters.toe_move_harvest) adopted, $torn torn"
    expect "lost" "$lost" -le "$torn"
    within "torn" "$torn" 0 1
    expect "adopted" "$(get_migrate counters.toe_move_harvest)" -ge $((4 - torn))
    expect "ends by tearing" "$(get_migrate 'premature_ends.torn // 0')" -eq "$torn"
    http_answers "$H4" 10 || fail "no answer after that"
    kill -TERM "$daemon"
    gone "$daemon" || fail "the daemon does not end"
    i=0
    wait "$daemon" || i=$?
    daemon=
    expect "exit code" $i -eq 0
}

# The member that owns a transfer leaves the team, and comes back.
member_leaves() {
    local conn
    hosts_for active-backup
    toe_start active-backup
    ctl set migrate off
    download_start left "$H4" 160000000 --limit-rate 20M # time for all that follows
    wait_for 5 eval '[ -n "$(busiest)" ]'
    conn=$(busiest)
    expect "owner" "$(owner_of "$conn")" -eq 0
    ctl team remove port 0
    expect "owner" "$(owner_of "$conn")" -eq 1
    expect "moves" "$(moves)" -eq 1
    sleep 0.5
    ctl team add port 0
    wait_for 5 eval "[ \$(member 0 .link) = true ]"
    ctl move conn "$conn" to 0
    wait_for 3 owner_is "$conn" 0
    download_runs left || fail "it was over too early"
    download_end left
    pause_note
    clean_end
}

# All connections leave a member for its maintenance, and come back with their packets.
drained() {
    hosts_for hash
    toe_start hash
    wrk_start
    download_start drained "$H4" 60000000 --limit-rate 20M
    wait_for 3 eval 'some_on 0 && some_on 1'
    ctl drain member 0
    wait_for 3 none_on 0
    sleep 0.5
    none_on 0 || fail "$(conns_on 0) connections are on a drained member"
    note "$(get_migrate counters.toe_move_drain) drained"
    expect "drained" "$(get_migrate counters.toe_move_drain)" -gt 0
    ctl undrain member 0
    wait_for 3 some_on 0
    download_end drained
    wrk_end
    clean_end
}

parked_owner() { get "conn parked" ".list[] | select(.remote | endswith(\":$(talk_port "$1")\")) | .owner"; } # NAME
# Of one that may have been parked again by now.
talk_owner() { # NAME
    local owner
    owner=$(conn_at "$(talk_port "$1")" .owner)
    echo "${owner:-$(parked_owner "$1")}"
}
is_parked() { [ -n "$(parked_owner "$1")" ]; }
reloaded() { get_migrate counters.toe_reloaded; }

# Nothing comes for a second: parked; whatever comes then brings it back, on whatever member.
parked() {
    local name home before
    hosts_for hash
    toe_start hash
    ctl set idle_timeout 1
    talk web http
    talk echo echo
    talk kept http --keepalive=2
    ask web bytes/100
    ask kept bytes/100
    ask echo hello
    wait_for 3 answered web '200 OK' 1
    wait_for 3 answered kept '200 OK' 1
    wait_for 3 answered echo hello 1
    for name in web kept echo; do wait_for 4 is_parked $name; done
    before=$(reloaded)
    ask web bytes/100
    ask echo again
    wait_for 3 answered web '200 OK' 2
    wait_for 3 answered echo again 1
    expect "reloaded" "$(reloaded)" -ge $((before + 2))
    expect "$(get_migrate parked_now) parked" "$(get_migrate parked_now)" -le 1
    # Its client's probes find it, and it goes back to its rest.
    before=$(reloaded)
    wait_for 6 eval "[ \$(reloaded) -gt $before ]"
    wait_for 4 is_parked kept
    ask kept bytes/100
    wait_for 3 answered kept '200 OK' 2
    # The link where they were is cut meanwhile.
    for name in web echo; do
        wait_for 4 is_parked $name
        home=$(parked_owner $name)
        link_cut "$home"
        wait_for 3 eval "[ \$(member $home .link) = false ]"
        ask $name bytes/200
        [ $name = web ] && wait_for 8 answered web '200 OK' 3
        [ $name = web ] || wait_for 8 answered echo bytes/200 1
        expect "owner of $name" "$(talk_owner $name)" -eq $((1 - home))
        link_restore "$home"
        wait_for 5 all_distribute
    done
    note "$(get_migrate counters.toe_parked) parked, $(reloaded) reloaded"
    for name in web kept echo; do hang_up $name; done
    wait_for 4 eval '[ $(get_migrate parked_now) -eq 0 ]'
    clean_end
}

# No link at all for 5 s.
all_down() { # MODE
    local start
    hosts_for "$1"
    toe_start "$1"
    download_start down "$H4" 60000000 --limit-rate 20M
    sleep 0.7
    link_cut 0
    link_cut 1
    sleep 5
    download_runs down || fail "it was over too early"
    p ip link set p0 up
    link_restore 1
    start=$(date +%s%N)
    download_end down
    note "over $((($(date +%s%N) - start) / 1000000)) ms after"
    clean_end
}

# What ends before its time is told and counted.
premature_ends() {
    hosts_for active-backup
    toe_start active-backup
    # An idle one: what is on its way to one that has ended is answered by resets of its own.
    talk idle echo
    ask idle hello
    wait_for 3 answered idle hello 1
    ctl clear conn all
    wait_for 2 has_event "connection $H4:7 $P4:[0-9]+ ended: aborted by its user"
    expect "aborted" "$(get_migrate premature_ends.abort)" -eq 1
    hang_up idle
    p python3 -c "
import socket, struct
s = socket.create_connection(('$H4', 7), 5)
s.sendall(b'x')
s.recv(1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
s.close()"
    wait_for 2 has_event "connection $H4:7 $P4:[0-9]+ ended: the peer reset it"
    expect "reset" "$(get_migrate premature_ends.reset)" -eq 1
    expect "resets sent" "$(get_tcp OutRsts)" -eq 1
    download_start cleared "$H4" 500000000 --limit-rate 10M
    wait_for 5 eval '[ -n "$(busiest)" ]'
    ctl clear conn all
    ! download_end cleared || fail "it was not cleared"
    wait_for 2 has_event "connection $H4:80 $P4:[0-9]+ ended: aborted by its user"
    expect "aborted" "$(get_migrate premature_ends.abort)" -eq 2
    wait_for 5 no_conns
    team_stop
}

# EAL's trace of migration, as docs/migration.md says how to read it.
traced() {
    local id_of
    need babeltrace2
    make_hosts 2
    peer_bridge
    eval "plain_$(declare -f vdevs)"
    vdevs() { plain_vdevs "$1" && echo "--trace=teampmd.toe.*" "--trace-dir=$tmp"; }
    toe_start active-backup
    ctl set migrate off # it would go back to where its packets come
    talk a echo
    wait_for 5 eval '[ -n "$(conn_at "$(talk_port a)" .id)" ]'
    id_of=$(conn_at "$(talk_port a)" .id)
    ctl move conn "$id_of" to 1
    wait_for 5 owner_is "$id_of" 1
    hang_up a
    clean_end
    babeltrace2 "$tmp/tpsys$id"-* >"$tmp/trace"
    grep -Eq 'teampmd.toe.release: .* from = 0x0, to = 0x1, why = 0x1' "$tmp/trace"
    grep -Eq 'teampmd.toe.adopt: .* from = 0x0, to = 0x1 ' "$tmp/trace"
}

testcase "moved every 50 ms, IPv4" moved_about "$H4"
testcase "moved every 50 ms, IPv6" moved_about "$H6"
testcase "traced" traced
testcase "links cut at random, hash" cut_at_random hash
testcase "links cut at random, active-backup" cut_at_random active-backup
testcase "links cut at random, Open vSwitch" cut_at_random active-backup peer_ovs
testcase "only what comes is lost" one_way comes active-backup
testcase "only what goes is lost" one_way goes hash
timed_case "one flow sprayed over all links" sprayed
testcase "its lcore hangs" lcore_hangs
testcase "its member leaves and comes back" member_leaves
testcase "a member is drained" drained
testcase "parked and woken" parked
testcase "no link for 5 s" all_down hash
testcase "premature ends" premature_ends
finish
