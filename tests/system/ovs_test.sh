#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Open vSwitch on the other side, with a datapath of its own where the kernel has none: an
# active-backup team on two independent ports of it.
# alone
. "$(dirname "$0")/lib.sh"
. "$here/ovs.sh"

# The port by which the switch sends to the host.
fdb_port() {
    local number
    number=$(appctl fdb/show br0 | awk -v mac="$(get team .mac)" 'tolower($3) == mac { print $1 }')
    vs ovs-vsctl --timeout=8 --columns=name --bare find interface ofport="${number:--9}"
}

failover() {
    make_hosts 2
    peer_ovs
    team_start active-backup
    ping_both
    wait_for 5 eval '[ "$(fdb_port)" = p0 ]'
    noise_start 4
    stream_start up "$H" "$P" "$P4" 4 --flows=8 --pps=1600
    stream_start down "$P" "$H" "$H6" 4 --flows=8 --pps=1600
    sleep 0.7
    link_cut 0
    wait_for 2 primary_is 1
    wait_for 3 eval '[ "$(fdb_port)" = p1 ]'
    sleep 0.5
    link_restore 0
    wait_for 3 eval '[ "$(member 0 .link)" = true ]'
    wait_for 3 peer_forwards 0
    sleep 0.3
    ctl set team primary 0
    wait_for 2 primary_is 0
    wait_for 3 eval '[ "$(fdb_port)" = p0 ]'
    stream_end up
    stream_end down
    noise_end
    note "stop up $(stream_of up .max_stop_ms) ms, down $(stream_of down .max_stop_ms) ms," \
        "lost $(stream_of up .lost) and $(stream_of down .lost), noise $noise_ms ms"
    silence up 300
    silence down 300
    expect "primary after the cut" "$(get team .primary_changes)" -eq 3
    expect "duplicates" "$(($(stream_of up .duplicates) + $(stream_of down .duplicates)))" -eq 0
    for address in "$P4" "$P6"; do files_both_ways "$address" 500000; done
    team_stop
}

# The switch floods what it sends to all, so both members get it: the host sees each once.
duplicates() {
    make_hosts 2
    peer_ovs
    team_start active-backup
    ping_both
    capture "$H" m0 m0 "udp and dst port 7777"
    capture "$H" m1 m1 "udp and dst port 7777"
    capture "$H" team0 host "udp and dst port 7777"
    p /usr/bin/python3 - <<-EOF
	import socket, time
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
	for n in range(200):
	    s.sendto(b"%d" % n, ("10.77.0.255" if n % 2 else "255.255.255.255", 7777)) if n % 2 \\
	        else s.sendto(b"%d" % n, ("10.77.0.255", 7777))
	    time.sleep(0.002)
	EOF
    sleep 0.3
    for i in m0 m1 host; do capture_stop $i; done
    expect "frames at member 0" "$(frames m0)" -eq 200
    expect "frames at member 1" "$(frames m1)" -eq 200
    expect "frames at the host" "$(frames host)" -eq 200
    expect "dropped by the backup" "$(stat_of 1 '.. | .rx_place? // empty' | head -1)" -ge 200
    team_stop
}

# Saved configuration, new daemon: the same member is active from the start.
restart() {
    make_hosts 2
    peer_ovs
    team_start active-backup
    ctl set team primary 1
    wait_for 2 primary_is 1
    ping_both
    ctl show config >"$tmp/saved.cmd"
    team_stop
    launch $(vdevs 2) -- --host net_tap0 --no-start --cmdline-file "$tmp/saved.cmd" --control-socket "$S"
    team_ready
    expect "primary" "$(primary)" -eq 1
    expect "mode" "$(get team .mode)" = active-backup
    ! has_event 'primary .* -> port 0' || fail "$(events)"
    ping_both
    wait_for 5 eval '[ "$(fdb_port)" = p1 ]'
    team_stop
}

timed_case "Open vSwitch, active-backup, links cut" failover
testcase "Open vSwitch, duplicated frames" duplicates
testcase "Open vSwitch, active member survives a restart" restart
finish
