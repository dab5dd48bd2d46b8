#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# "Link up, path dead": a switch between the team and the peer loses its uplink, which only probes
# can find out.
#
#   m0 --- s0 [bridge in $M] u0 --- x0 \
#   m1 ------------------------- p1 --- br0 in $P
. "$(dirname "$0")/lib.sh"

middle_switch() {
    M=tp-sys-$id-mid
    extra_ns+=("$M")
    ip netns add "$M"
    ip netns add "$H"
    ip netns add "$P"
    h ip link set lo up
    p ip link set lo up
    nb_members=2
    make_veth 1
    add_veth m0 "$H" s0 "$M"
    add_veth u0 "$M" p0 "$P"
    h sysctl -qw net.ipv6.conf.m0.disable_ipv6=1 net.ipv4.conf.m0.rp_filter=1
    plain_nic "$H" m0
    plain_nic "$M" s0
    plain_nic "$M" u0
    plain_nic "$P" p0
    h ip link set m0 up
    in_ns "$M" ip link add br0 type bridge forward_delay 0 stp_state 0
    for i in s0 u0; do in_ns "$M" ip link set $i master br0 up; done
    in_ns "$M" ip link set br0 up
    peer_bridge
}

uplink() { in_ns "$M" ip link set u0 "$1"; }

watch_both() { # WATCH
    for i in 0 1; do
        ctl set watch $i arp_interval 50
        if [ "$1" = arp ]; then
            ctl set watch $i arp_targets "$P4"
        else
            ctl set watch $i nd_targets "$P6"
        fi
        ctl set watch $i "netlink,$1"
    done
}

path_dead() { # WATCH ADDRESS
    middle_switch
    team_start active-backup
    ctl set team updelay 200
    ping_both
    watch_both "$1"
    sleep 0.5
    expect "failures so far" "$(get team '[.members[].failures] | add')" -eq 0
    expect "primary" "$(primary)" -eq 0
    noise_start 7
    stream_start up "$H" "$P" "$2" 7 --flows=4 --pps=400
    stream_start down "$P" "$H" "$([ "$2" = "$P4" ] && echo $H4 || echo $H6)" 7 --flows=4 --pps=400
    sleep 0.5
    uplink down
    wait_for 3 primary_is 1
    h ip link show m0 | grep -q LOWER_UP || fail "the member's own link is down"
    has_event "port 0 .*watch says down: $1"
    events
    # The path is back. The backup's probes must not pull the peer's traffic to it.
    uplink up
    wait_for 3 eval "[ \$(member 0 .link) = true ]"
    expect "primary" "$(primary)" -eq 1
    stream_end up
    stream_end down
    noise_end
    note "stop up $(stream_of up .max_stop_ms) ms, down $(stream_of down .max_stop_ms) ms," \
        "lost $(stream_of up .lost) and $(stream_of down .lost), noise $noise_ms ms"
    silence up 400
    silence down 400
    within "lost down" "$(stream_of down .lost)" 0 240
    expect "failures of port 1" "$(member 1 .failures)" -eq 0
    team_stop
}

# Without probes nothing can notice, which proves that the test cuts what it says.
unnoticed() {
    middle_switch
    team_start active-backup
    ping_both
    uplink down
    sleep 0.5
    ! answers "$P4" || fail "the path is not dead"
    expect "primary" "$(primary)" -eq 0
    uplink up
    wait_for 5 answers "$P4"
    team_stop
}

# The peer forgets to answer on both paths: a team without paths still uses what has carrier when
# it is back, and the same happens with a target that never was there.
no_such_target() {
    middle_switch
    team_start active-backup
    ctl set watch 1 arp_interval 50
    ctl set watch 1 arp_targets 10.77.0.99
    ctl set watch 1 netlink,arp
    wait_for 3 eval "[ \$(member 1 .link) = false ]"
    expect "primary" "$(primary)" -eq 0
    ping_both
    ctl set watch 1 arp_targets "10.77.0.99,$P4"
    wait_for 3 eval "[ \$(member 1 .link) = true ]"
    ctl set watch 1 arp_all_targets on
    wait_for 3 eval "[ \$(member 1 .link) = false ]"
    ctl set watch 1 netlink
    wait_for 3 eval "[ \$(member 1 .link) = true ]"
    team_stop
}

timed_case "path dead, ARP watch" path_dead arp "$P4"
timed_case "path dead, ND watch" path_dead nd "$P6"
testcase "path dead, nobody watches" unnoticed
testcase "targets that do not answer" no_such_target
finish
