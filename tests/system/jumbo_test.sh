#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# The MTU follows from the team to its ports, up to jumbo frames.
. "$(dirname "$0")/lib.sh"

# net_tap takes no jumbo frames, so the host is behind a veth: team0, and t0 is the daemon's.
veth_host() {
    h ip link add t0 type veth peer name team0
    h sysctl -qw net.ipv6.conf.t0.disable_ipv6=1 net.ipv4.conf.t0.rp_filter=1
    plain_nic "$H" t0
    plain_nic "$H" team0
    h ip link set t0 up
}

big_frames() {
    local i big=blocksz=20480,framesz=10240,framecnt=512
    for i in 0 1; do echo "--vdev=net_af_packet$i,iface=m$i,$big"; done
    echo "--vdev=net_af_packet2,iface=t0,$big"
}

mtu_of() { ip netns exec "$1" cat "/sys/class/net/$2/mtu"; } # NAMESPACE INTERFACE

jumbo() { # MODE
    make_hosts 2
    if [ "$1" = active-backup ]; then peer_bridge; else peer_multipath; fi
    veth_host
    launch -m 512 $(big_frames) -- --mbuf-size 10368 --total-num-mbufs 16384 \
        --host net_af_packet2 --mode "$1" --control-socket "$S"
    team_ready
    ping_both
    ctl set team mtu 9000
    expect "team's MTU" "$(get team .mtu)" -eq 9000
    for i in m0 m1 t0; do expect "MTU of $i" "$(mtu_of "$H" $i)" -eq 9000; done
    h ip link set team0 mtu 9000
    for i in 0 1; do p ip link set "p$i" mtu 9000; done
    [ "$1" != active-backup ] || p ip link set br0 mtu 9000
    for address in "$P4" "$P6"; do
        wait_for 5 h ping -c 1 -W 1 -M "do" -s 8900 "$address"
        files_both_ways "$address" 3000000
    done
    stream_start up "$H" "$P" "$P4" 1 --flows=16 --pps=500 --size=8900
    stream_start down "$P" "$H" "$H6" 1 --flows=16 --pps=500 --size=8900
    stream_end up
    stream_end down
    expect "lost" "$(($(stream_of up .lost) + $(stream_of down .lost)))" -eq 0
    link_cut 0
    wait_for 5 h ping -c 1 -W 1 -M "do" -s 8900 "$P4"
    link_restore 0
    # And back: nothing of the old size gets out.
    ctl set team mtu 1500
    for i in m0 m1 t0; do expect "MTU of $i" "$(mtu_of "$H" $i)" -eq 1500; done
    ! h ping -c 1 -W 1 -M "do" -s 8900 "$P4" || fail "a frame larger than the MTU left"
    wait_for 5 answers "$P4"
    ctl set team mtu 3000
    ctl set team mtu 1400
    wait_for 5 h ping -c 1 -W 1 -s 1300 "$P6"
    team_stop
    for i in m0 m1; do expect "restored MTU of $i" "$(mtu_of "$H" $i)" -eq 9500; done
}

# A smaller MTU by way of the TAP: the host's kernel is told.
small() {
    make_hosts 2
    peer_bridge
    team_start active-backup
    ctl set team mtu 1400
    expect "MTU of team0" "$(mtu_of "$H" team0)" -eq 1400
    ! h ping -c 1 -W 1 -M "do" -s 1400 "$P4" || fail "a frame larger than the MTU left"
    wait_for 5 h ping -c 1 -W 1 -M "do" -s 1372 "$P4"
    ctl set team mtu 1500
    wait_for 5 h ping -c 1 -W 1 -M "do" -s 1472 "$P4"
    team_stop
}

# Frames of the driver's ring are too small for it: said, and nothing changes.
jumbo_refused() {
    make_hosts 2
    peer_bridge
    team_start active-backup
    ! ctl set team mtu 9000 2>"$tmp/err" || fail "it was accepted"
    cat "$tmp/err"
    expect "lines" "$(wc -l <"$tmp/err")" -eq 1
    grep -q 'MTU 9000 .* than the [0-9]* that' "$tmp/err" || fail "it does not say what would be right"
    expect "mtu" "$(get team .mtu)" -eq 1500
    expect "MTU of team0" "$(mtu_of "$H" team0)" -eq 1500
    # What fits the members, but not the TAP: nobody keeps it.
    ! ctl set team mtu 1900 2>"$tmp/err" || fail "it was accepted"
    cat "$tmp/err"
    expect "mtu" "$(get team .mtu)" -eq 1500
    for i in m0 m1 team0; do expect "MTU of $i" "$(mtu_of "$H" $i)" -eq 1500; done
    ping_both
    files_both_ways "$P4" 500000
    team_stop
}

testcase "jumbo frames, active-backup" jumbo active-backup
testcase "jumbo frames, hash" jumbo hash
testcase "smaller frames" small
testcase "jumbo frames, refused by a port" jumbo_refused
finish
