#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# The kernel's TCP at the other end of good and bad paths, as client and as server: MTUs that
# differ, a cable that loses, doubles and reorders. What we send, tshark's expert judges.
. "$(dirname "$0")/lib.sh"
. "$here/toe.sh"

# ---- MTUs ---------------------------------------------------------------------------------

big_frames() { echo "--vdev=net_af_packet0,iface=m0,blocksz=20480,framesz=10240,framecnt=1024"; }

# The team is all there is: no host's port limits its frames.
any_mtu_start() {
    make_hosts 1
    peer_bridge
    p sysctl -qw net.ipv4.tcp_no_metrics_save=1
    launch -m 512 $(big_frames) -- --mbuf-size 10368 --total-num-mbufs 16384 --mode active-backup \
        --control-socket "$S" --ip "$H4/24" --ip "$H6/64" --service http:80 --service echo:7
    wait_for 20 daemon_answers_or_died
    wait_for 5 all_distribute
    mbufs_base=$(mbufs_in_use)
    wait_for 15 http_answers "$H4" # after RFC 5227's probes
    wait_for 5 http_answers "$H6"
    premature=$(get_tcp toe_conns_premature)
    echod_start
}

# IPv6 leaves a link of less than 1280 bytes.
peer_mtu() { # BYTES
    p ip link set p0 mtu "$1"
    p ip link set br0 mtu "$1"
    [ "$1" -lt 1280 ] || p ip addr replace "$P6/64" dev br0 nodad
}

mtu_pair() { # TEAM PEER
    ctl set team mtu "$1"
    peer_mtu "$2"
    echo "# $1 here, $2 there"
    bulk "$H4" 300000
    [ "$2" -lt 1280 ] || [ "$1" -lt 1280 ] || bulk "$H6" 300000
}

# Largest frame of ours in a capture.
largest() { # NAME
    timeout 20 tcpdump -nn -e -r "$tmp/$1.pcap" "ether src $(get team .mac)" 2>/dev/null |
        sed -n 's/.*(0x[0-9a-f]*), length \([0-9]*\): .*/\1/p' | sort -n | tail -1
}

# Both directions from either end: it serves, and it asks.
all_mtus() { # TEAM:PEER...
    local pair mtu name lost=0
    any_mtu_start
    for pair; do
        mtu=$((${pair%:*} < ${pair#*:} ? ${pair%:*} : ${pair#*:}))
        name=mtu-${pair/:/-}
        witness "$name"
        mtu_pair "${pair%:*}" "${pair#*:}"
        witness_stop "$name"
        lost=$((lost + missed))
        expect "largest frame of $pair" "$(largest "$name")" -eq $((mtu + 14))
        asks_start rr 100000 2
        asks_end
    done
    missed=$lost
    mergecap -a -w "$tmp/all.pcap" "$tmp"/mtu-*.pcap
    expert all
    expect "resets sent" "$(get_tcp OutRsts)" -eq 0
    wait_for 5 no_conns
    team_stop
}

# ---- a bad cable ---------------------------------------------------------------------------------

bad_cable='delay=2ms,jitter=500us,loss=10000,reorder=10000,reorder_by=3ms,dup=10000'

rates() { # FILE
    echo "Mb/s down $(jq -s 'map(.down_mbps) | add / length | floor' "$1")," \
        "up $(jq -s 'map(.up_mbps) | add / length | floor' "$1")"
}

# 1 % lost, 1 % late, some twice, both ways.
lossy() { # BYTES
    local address seen
    wired_hosts "$bad_cable" "$bad_cable"
    p ip addr add "$P4/24" dev p0
    p ip addr add "$P6/64" dev p0 nodad
    toe_start active-backup
    witness lossy
    for address in "$H4" "$H6"; do bulk "$address" "$1" --cc=cubic | tee -a "$tmp/rates"; done
    witness_stop lossy
    get_tcp '| with_entries(select(.value != 0))'
    expert lossy "$sent_again"
    wait_for 10 no_conns
    expect "segments sent again" "$(get_tcp RetransSegs)" -ge 5
    expect "resets sent" "$(get_tcp OutRsts)" -eq 0
    team_stop
    note "$(rates "$tmp/rates")"
    if [ -n "${TP_TEST_LONG:-}" ]; then
        kernel_instead "$1" >"$tmp/kernel"
        note "the kernel: $(rates "$tmp/kernel")"
    fi
    wirelink_stop
    for seen in lost reordered dup; do
        expect "frames $seen" "$(jq "map(.$seen) | min" "$tmp/wirelink.json")" -ge 5
    done
}

# The same from the kernel's TCP in our place.
kernel_instead() { # BYTES
    h sysctl -qw net.ipv6.conf.m0.disable_ipv6=0
    h ip link set m0 up
    h ip addr add "$H4/24" dev m0
    h ip addr add "$H6/64" dev m0 nodad
    h sysctl -qw net.ipv4.tcp_no_metrics_save=1
    p ip neigh flush dev p0
    bg ip netns exec "$H" /usr/bin/python3 "$here/tool.py" kernel_services --cc=cubic
    wait_for 5 p curl -sf -o /dev/null "http://$H4/bytes/1"
    for address in "$H4" "$H6"; do bulk "$address" "$1" --cc=cubic; done
}

# ---- the judge ---------------------------------------------------------------------------------------

# The expert's eyes: what is wrong is found, in a copy of a capture that was good.
judge() {
    local first
    make_hosts 1
    peer_bridge
    toe_start active-backup
    witness good
    download "$H4" 300000
    download "$H6" 300000
    witness_stop good
    expert good
    editcap -E 0.001 --seed 1 "$tmp/good.pcap" "$tmp/corrupt.pcap" 2>/dev/null
    ! expert corrupt || fail "corrupted frames pass"
    grep -qi 'checksum' "$tmp/corrupt.faults"
    # One data segment of ours is not there.
    first=$(tshark -r "$tmp/good.pcap" -Y "ip.src == $H4 && tcp.len > 1000" -T fields -e frame.number |
        sed -n 20p)
    editcap "$tmp/good.pcap" "$tmp/hole.pcap" "$first"
    missed=0
    ! expert hole || fail "a hole passes"
    clean_end
}

if [ -n "${TP_TEST_LONG:-}" ]; then
    pairs=()
    for team in 576 1280 1500 4000 9000; do
        for peer in 576 1280 1500 4000 9000; do pairs+=("$team:$peer"); done
    done
    lossy_bytes=20000000
else
    pairs=(576:576 576:9000 9000:576 1280:4000 1500:1500 4000:1280 9000:9000)
    lossy_bytes=1500000
fi
testcase "MTUs of both ends" all_mtus "${pairs[@]}"
testcase "a bad cable" lossy "$lossy_bytes"
testcase "tshark's expert finds faults" judge
finish
