#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Every mode carries IPv4 and IPv6: ping, a file each way over TCP, and who sent what.
. "$(dirname "$0")/lib.sh"

# A static aggregation on the other side; all members send.
aggregated() { # MODE
    make_hosts 2
    peer_multipath
    team_start "$1"
    ping_both
    for address in "$P4" "$P6"; do files_both_ways "$address" 3000000; done
    stream_start up "$H" "$P" "$P4" 1 --flows=32 --pps=2000
    stream_start down "$P" "$H" "$H6" 1 --flows=32 --pps=2000
    stream_end up
    stream_end down
    expect "lost" "$(stream_of up .lost)" -eq 0
    expect "lost" "$(stream_of down .lost)" -eq 0
    expect "duplicates" "$(stream_of up .duplicates)" -eq 0
    expect "duplicates" "$(stream_of down .duplicates)" -eq 0
    [ "$1" = round-robin ] || expect "reordered" "$(stream_of up .reordered)" -eq 0
    for i in 0 1; do
        expect "packets sent by port $i" "$(stat_of $i .tx_good_packets)" -gt 400
        expect "packets received by port $i" "$(stat_of $i .rx_good_packets)" -gt 400
    done
    team_stop
}

active_backup() {
    make_hosts 2
    peer_bridge
    team_start active-backup
    ping_both
    for address in "$P4" "$P6"; do files_both_ways "$address" 3000000; done
    stream_start up "$H" "$P" "$P4" 1
    stream_start down "$P" "$H" "$H6" 1
    stream_end up
    stream_end down
    expect "lost" "$(($(stream_of up .lost) + $(stream_of down .lost)))" -eq 0
    expect "duplicates" "$(($(stream_of up .duplicates) + $(stream_of down .duplicates)))" -eq 0
    local backup=$((1 - $(primary)))
    expect "frames sent by the backup" "$(stat_of $backup .tx_good_packets)" -eq 0
    team_stop
}

# Each member sends a copy: a peer on one link sees all, one on both sees each twice.
broadcast() {
    make_hosts 2
    peer_multipath
    team_start broadcast
    ping_both
    capture "$P" p0 p0 "udp and src $H4"
    capture "$P" p1 p1 "udp and src $H4"
    stream_start up "$H" "$P" "$P4" 1 --flows=4 --pps=500
    stream_end up
    capture_stop p0
    capture_stop p1
    expect "lost" "$(stream_of up .lost)" -eq 0
    expect "duplicates" "$(stream_of up .duplicates)" -eq "$(stream_of up .received)"
    expect "copies on link 0" "$(frames p0)" -eq "$(frames p1)"
    for address in "$P4" "$P6"; do files_both_ways "$address" 1000000; done
    team_stop
}

# iperf3 as a second witness, several connections at once.
iperf() { # MODE ADDRESS
    need iperf3
    make_hosts 2
    if [ "$1" = active-backup ]; then peer_bridge; else peer_multipath; fi
    team_start "$1"
    ping_both
    bg ip netns exec "$P" iperf3 -s -1
    wait_for 5 in_ns "$P" sh -c 'ss -Hltn "sport = :5201" | grep -q .'
    T=15 h iperf3 -J -c "$2" -t 2 -P 4 --connect-timeout 3000 >"$tmp/iperf.json"
    within "Mbit/s" "$(jq '.end.sum_received.bits_per_second / 1e6' "$tmp/iperf.json")" 20 1e6
    note "$(jq '.end.sum_received.bits_per_second / 1e6 | floor' "$tmp/iperf.json") Mbit/s"
    team_stop
}

testcase "hash" aggregated hash
testcase "load" aggregated load
testcase "round-robin" aggregated round-robin
testcase "active-backup" active_backup
testcase "broadcast" broadcast
testcase "iperf3 by hash, IPv4" iperf hash "$P4"
testcase "iperf3 by active-backup, IPv6" iperf active-backup "$P6"
finish
