#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# VLANs on top of the TAP, QinQ, and the VLAN filter.
. "$(dirname "$0")/lib.sh"

# Not every kernel has VLAN devices: frames with one tag or two are made, and sent back, by hand.
echo_on() {
    local i
    for i; do
        bg ip netns exec "$P" /usr/bin/python3 "$here/tool.py" vlanecho "$i" >"$tmp/echo.$i"
        wait_for 5 grep -q echoes "$tmp/echo.$i"
    done
}
back_on() { in_ns "$H" /usr/bin/python3 "$here/tool.py" vlanping team0 "$PEER_MAC" "$1" "$2"; } # TAGS COUNT

vlans() { # tagged and untagged, before and after a failover
    make_hosts 2
    peer_bridge
    team_start active-backup
    ping_both
    echo_on br0
    for tags in none 100 100,200 4094; do
        expect "frames with tags $tags back" "$(back_on $tags 50)" -eq 50
    done
    link_cut 0
    wait_for 2 primary_is 1
    for tags in 100 100,200; do
        expect "frames with tags $tags back" "$(back_on $tags 50)" -eq 50
    done
    files_both_ways "$P4" 500000
    team_stop
}

# Tagged flows are hashed by what is inside the tags.
vlan_hashed() {
    make_hosts 2
    peer_multipath
    team_start hash
    ping_both
    echo_on p0 p1
    for tags in 100 100,200; do
        ctl clear port stats all
        expect "frames with tags $tags back" "$(back_on $tags 200)" -eq 200
        for i in 0 1; do
            expect "packets sent by port $i" "$(stat_of $i .tx_good_packets)" -gt 50
        done
    done
    team_stop
}

filter() {
    make_hosts 2
    peer_bridge
    team_start active-backup
    ping_both
    echo_on br0
    expect "VLAN 200 without filter" "$(back_on 200 10)" -eq 10
    ctl set team vlan add 100
    ctl set team vlan filter on
    expect "VLAN 100, added" "$(back_on 100 10)" -eq 10
    expect "outer VLAN 100, added" "$(back_on 100,7 10)" -eq 10
    expect "VLAN 200, not added" "$(back_on 200 10)" -eq 0
    expect "refused by the filter" "$(stat_of "$(primary)" .drops.rx_vlan)" -eq 10
    ping_both
    ctl set team vlan rm 100
    expect "VLAN 100, removed" "$(back_on 100 10)" -eq 0
    ping_both
    ctl set team vlan filter off
    expect "VLAN 200, filter off" "$(back_on 200 10)" -eq 10
    team_stop
}

# VLAN devices on top of the TAP, where the kernel has them.
kernel_vlan() { # MODE
    ip netns add "$H"
    h ip link add x.1 link lo type vlan id 1 2>/dev/null || skip "this kernel has no VLAN devices"
    ip netns del "$H"
    make_hosts 2
    peer_bridge
    team_start active-backup
    h ip link add v100 link team0 type vlan id 100
    h ip link set v100 up
    h ip addr add 10.78.0.1/24 dev v100
    h ip addr add fd78::1/64 dev v100 nodad
    p ip link add v100 link br0 type vlan id 100
    p ip link set v100 up
    p ip addr add 10.78.0.2/24 dev v100
    p ip addr add fd78::2/64 dev v100 nodad
    for address in 10.78.0.2 fd78::2; do
        wait_for 5 answers $address
        files_both_ways $address 1000000
    done
    link_cut 0
    for address in 10.78.0.2 fd78::2; do wait_for 5 answers $address; done
    team_stop
}

testcase "VLAN and QinQ, active-backup" vlans
testcase "VLAN and QinQ, hash" vlan_hashed
testcase "VLAN devices on the TAP" kernel_vlan
testcase "VLAN filter" filter
finish
