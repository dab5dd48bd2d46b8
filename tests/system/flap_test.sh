#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# What Linux bonding promises: up and down delays, the choice of the primary, how often neighbours
# are told; and members that flap are kept out.
# alone
. "$(dirname "$0")/lib.sh"

team_of() { # MEMBERS
    make_hosts "$1"
    peer_bridge
    team_start active-backup
    ping_both
}

# at REGEX: when the newest such event was, in ms
at() { get events "[.[] | select(.text | test(\"$1\")) | .at_us / 1000] | last // 0 | floor"; }
# between FIRST SECOND: ms between the newest of both
between() { echo $(($(at "$2") - $(at "$1"))); }
nb_events() { events | grep -Ec "$1" || true; }
link_is() { [ "$(member "$1" .link)" = "$2" ]; }

# A link counts as up, or as down, only when it has been so for as long. Where the test must do
# something in the meantime, the delay is as long as a slow machine may need for it.
delays() {
    local changes ups
    team_of 2
    ctl set team updelay 600
    link_cut 1
    wait_for 2 link_is 1 false
    link_restore 1
    wait_for 3 link_is 1 true
    within "updelay" "$(between 'port 1 .* watch says up' 'port 1 .* link up')" 590 1100
    # It goes down again in the meantime: it never was up.
    ctl set team updelay 2500
    ups=$(nb_events 'port 1 .* link up')
    link_cut 1
    wait_for 2 link_is 1 false
    link_restore 1
    wait_for 2 has_event 'port 1 .* watch says up' 3
    link_cut 1
    wait_for 2 has_event 'port 1 .* watch says down' 3
    sleep 2.6
    expect "times up" "$(nb_events 'port 1 .* link up')" -eq "$ups"
    link_is 1 false
    link_restore 1
    ctl set team updelay 0
    wait_for 3 link_is 1 true

    ctl set team downdelay 500
    link_cut 0
    wait_for 3 primary_is 1
    within "downdelay" "$(between 'port 0 .* watch says down' 'port 0 .* link down')" 490 1000
    link_restore 0
    wait_for 3 link_is 0 true
    # It comes back in time: nothing happened.
    ctl set team downdelay 2500
    changes=$(get team .primary_changes)
    link_cut 1
    wait_for 2 has_event 'port 1 .* watch says down' 4
    link_restore 1
    wait_for 2 has_event 'port 1 .* watch says up' 5
    sleep 2.6
    expect "primary" "$(primary)" -eq 1
    expect "changes of the primary" "$(get team .primary_changes)" -eq "$changes"
    expect "failures of port 1" "$(member 1 .failures)" -eq "$(nb_events 'port 1 .* link down')"
    ctl set team downdelay 0
    team_stop
}

# More than 3 failures in 10 s: out for 2 s, whatever the link says.
damping() {
    local i
    team_of 2
    ctl set team flap 3 10000 2000
    stream_start up "$H" "$P" "$P4" 5 --flows=4 --pps=400
    for i in 1 2 3 4; do
        link_is 1 true
        link_cut 1
        wait_for 2 link_is 1 false
        link_restore 1
        wait_for 2 has_event 'port 1 .* watch says up' $((i + 1))
        [ $i = 4 ] || wait_for 2 link_is 1 true
    done
    within "time that it is to stay out" "$(member 1 .damped_ms)" 500 2000
    link_is 1 false
    expect "primary" "$(primary)" -eq 0
    wait_for 4 link_is 1 true
    within "time out" "$(between 'port 1 .* link down' 'port 1 .* link up')" 1950 2600
    stream_end up
    expect "lost" "$(stream_of up .lost)" -eq 0
    team_stop
}

# prio and primary_reselect with three members (0, 10, 20), as the active ones fail and return.
# Of equal speed none is "better".
reselect() { # always|better|failure
    local wanted
    team_of 3
    ctl set team primary_reselect "$1"
    ctl set member 1 prio 10
    ctl set member 2 prio 20
    if [ "$1" != always ]; then
        expect "primary" "$(primary)" -eq 0
        link_cut 0
        wait_for 2 primary_is 2
        link_restore 0
        wait_for 2 link_is 0 true
    fi
    wait_for 2 primary_is 2
    link_cut 2
    wait_for 2 primary_is 1
    link_cut 1
    wait_for 2 primary_is 0
    link_restore 1
    wait_for 2 link_is 1 true
    wanted=$([ "$1" = always ] && echo 1 || echo 0)
    wait_for 2 primary_is "$wanted"
    link_restore 2
    wait_for 2 link_is 2 true
    wanted=$([ "$1" = always ] && echo 2 || echo 0)
    wait_for 2 primary_is "$wanted"
    # Equal prio displaces nobody, but for the preferred one.
    ctl set member 1 prio 20
    ctl set member 0 prio 20
    sleep 0.2
    primary_is "$wanted"
    # A new preference is obeyed at once.
    ctl set team primary 1
    wait_for 2 primary_is 1
    ping_both
    team_stop
}

# After a failover the peer hears num_peer_notif gratuitous ARPs and unsolicited advertisements,
# by the new active member only, and its own tables follow.
notifications() { # NUMBER
    need tshark
    local victim=0 other=1 round fdb
    team_of 2
    ctl set team num_peer_notif "$1"
    ctl set team peer_notif_delay 50
    for round in 1 2; do
        capture "$P" "p$other" "new$round" "ether src $(get team .mac)"
        capture "$P" "p$victim" "old$round" "ether src $(get team .mac) and (arp or icmp6)"
        link_cut "$victim"
        wait_for 2 primary_is "$other"
        sleep "$(jq -n "0.4 + $1 * 0.1")"
        capture_stop "new$round"
        capture_stop "old$round"
        expect "ARPs in round $round" "$(seen "new$round" "arp.isgratuitous == 1 && arp.src.proto_ipv4 == $H4")" -eq "$1"
        expect "NAs in round $round" "$(seen "new$round" "icmpv6.type == 136 && icmpv6.nd.na.flag.s == 0 && icmpv6.nd.na.target_address == $H6")" -eq "$1"
        expect "by the old one" "$(seen "old$round" "arp.isgratuitous == 1 || (icmpv6.type == 136 && icmpv6.nd.na.flag.s == 0)")" -eq 0
        fdb=$(p bridge fdb show br br0 | grep -i "^$(get team .mac) " | grep -o 'dev p.')
        [ "$1" = 0 ] || [ "$fdb" = "dev p$other" ] || fail "the bridge has the host at $fdb"
        link_restore "$victim"
        wait_for 2 link_is "$victim" true
        ping_both
        other=$victim victim=$((1 - victim))
    done
    team_stop
}

seen() { timeout 30 tshark -r "$tmp/$1.pcap" -Y "$2" 2>/dev/null | wc -l; } # CAPTURE FILTER

timed_case "updelay and downdelay" delays
timed_case "a member that flaps is kept out" damping
for how in always better failure; do testcase "primary_reselect $how" reselect $how; done
for n in 0 1 10; do testcase "$n notifications" notifications $n; done
finish
