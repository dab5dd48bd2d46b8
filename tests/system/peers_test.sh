#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# A peer behind a narrower link than the team's: a router says so by ICMP, or nobody does.
. "$(dirname "$0")/lib.sh"

get_tcp() { get tcp ".$1"; }
c() { timeout -k 2 "${T:-40}" ip netns exec "$C" "$@"; }
answers_c() { c curl -sfg --max-time 1 -o /dev/null "$(url "$1" 80)/info"; }
sequence() { (cd "$here/../../scripts" && /usr/bin/python3 -c "
import quickstart_serve as q
print(q.digest_of_sequence($1))"); }

download_c() { # ADDRESS BYTES
    local got
    got=$(c curl -sSfg --max-time 35 "$(url "$1" 80)/bytes/$2" | sha256sum | cut -d' ' -f1)
    [ "$got" = "$(sequence "$2")" ] || fail "what $1 sent is not the sequence"
}

# A client in a third namespace; the peer's end of its link takes less than its own.
make_client() { # MTU-OF-THE-LINK
    make_hosts 2
    peer_bridge
    C=tp-sys-$id-client
    extra_ns+=("$C")
    ip netns add "$C"
    ip link add c1 netns "$C" type veth peer name c0 netns "$P"
    plain_nic "$C" c1
    plain_nic "$P" c0
    c ip link set lo up
    c ip link set c1 up
    p ip link set c0 mtu "$1" up
    team_start active-backup --ip "$H4/24" --ip "$H6/64" --service http:80
}

behind_router() { # MTU
    make_client "$1"
    p sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    p ip addr add 10.78.0.1/24 dev c0
    p ip addr add fd78::1/64 dev c0 nodad
    c ip addr add 10.78.0.2/24 dev c1
    c ip addr add fd78::2/64 dev c1 nodad
    c ip route add default via 10.78.0.1
    c ip route add default via fd78::1
    ctl add route 10.78.0.0/24 via "$P4"
    ctl add route fd78::/64 via "$P6"
    sleep 0.2
    mbufs_base=$(mbufs_in_use) # routes have pools, too
    for address in "$H4" "$H6"; do
        wait_for 8 answers_c "$address"
        download_c "$address" 3000000
    done
    expect "path MTUs told" "$(get_tcp TCPMTUPIcmp)" -ge 2
    expect "resets" "$(get_tcp OutRsts)" -eq 0
    note "$(get_tcp TCPMTUPIcmp) told by ICMP, $(get_tcp RetransSegs) segments again"
    team_stop
}

# A switch port that drops what is too large, and nobody says so: RFC 4821 7.7. Three timeouts make
# each family's segments small, probes find what passes: to 32 bytes, and IPv6's minimum is 1280.
black_hole() { # MTU
    local address fetches=()
    make_client "$1"
    # Its bridge would tell by ICMP of what it drops.
    p sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
    p ip link set br0 mtu 1500
    p ip link set c0 master br0
    c ip addr add 10.77.0.3/24 dev c1
    c ip addr add fd77::3/64 dev c1 nodad
    for address in "$H4" "$H6"; do
        wait_for 8 answers_c "$address"
        bg ip netns exec "$C" /usr/bin/python3 "$here/tool.py" fetch "$address" 8 --size=300000 \
            >"$tmp/fetch$address"
        fetches+=($bg_pid)
    done
    wait_for 15 paths_found "$1"
    for address in "$H4" "$H6"; do
        wait "${fetches[0]}"
        fetches=("${fetches[@]:1}")
        cat "$tmp/fetch$address"
        expect "fetched from $address" "$(jq .requests "$tmp/fetch$address")" -ge 2
        expect "failed at $address" "$(jq .failed "$tmp/fetch$address")" -eq 0
    done
    expect "path MTUs told by ICMP" "$(get_tcp TCPMTUPIcmp)" -eq 0
    expect "black holes" "$(get_tcp TCPMTUBlackhole)" -eq 2
    expect "timeouts" "$(get_tcp TCPTimeouts)" -ge 6
    # From 1024 up by halves there are two that pass; both families have some that do not.
    expect "probes that passed" "$(get_tcp TCPMTUPSuccess)" -ge 1
    expect "probes that did not" "$(get_tcp TCPMTUPFail)" -ge 2
    expect "resets" "$(get_tcp OutRsts)" -eq 0
    note "$(get_tcp TCPTimeouts) timeouts, $(get_tcp TCPMTUPSuccess) of $(($(get_tcp TCPMTUPSuccess) + $(get_tcp TCPMTUPFail))) probes passed"
    team_stop
}

# By the payload of a segment: headers and timestamps are 52 bytes, and 72.
paths_found() { # MTU
    local mss4 mss6
    mss4=$(mss_to 10.77.0.3)
    mss6=$(mss_to fd77::3)
    [ "$mss4" -gt $(($1 - 52 - 32)) ] && [ "$mss4" -le $(($1 - 52)) ] &&
        [ "$mss6" -ge $((1280 - 72)) ] && [ "$mss6" -le $(($1 - 72)) ]
}
mss_to() { get conn "[.list[] | select(.remote | contains(\"$1\")) | .mss] | max // 0"; } # ADDRESS

testcase "a router with MTU 1300" behind_router 1300
testcase "a black hole at 1300" black_hole 1300
finish
