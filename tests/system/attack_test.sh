#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Who is on the link with a team that serves http sends what he likes: connections of others go on,
# memory is bounded, everything is counted.
# alone
. "$(dirname "$0")/lib.sh"
. "$here/toe.sh"

rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status"; }
attack() { # COMMAND ADDRESS OWN-ADDRESS
    T=100 p /usr/bin/python3 "$here/attack.py" "$1" br0 "$(get team .mac)" "$2" "$3" "$teamctl" "$S"
}
legit_start() { # SECONDS [OPTION...]
    local seconds=$1
    shift
    bg ip netns exec "$P" /usr/bin/python3 "$here/tool.py" fetch "$H4" "$seconds" "$@" >"$tmp/legit"
    legit=$bg_pid
}
legit_end() {
    wait "$legit"
    cat "$tmp/legit"
}
of_legit() { jq -r ".$1" "$tmp/legit"; }

big_rings=,framecnt=8192 # they hold a burst while somebody else has the CPU

serve_alone() { # no host: the team answers for its addresses
    ring=$big_rings
    make_hosts 2
    peer_bridge
    launch $(vdevs 2 | grep -v tap) -- --mode active-backup --control-socket "$S" \
        --ip "$H4/24" --ip "$H6/64" --service http:80 "$@"
    wait_for 20 daemon_answers_or_died
    wait_for 5 all_distribute
    mbufs_base=$(($(mbufs_in_use) + 1024))
    wait_for 15 http_answers "$H4"
    wait_for 5 http_answers "$H6"
}

serve_with_host() {
    ring=$big_rings
    make_hosts 2
    peer_bridge
    team_start active-backup --ip "$H4/24" --ip "$H6/64" --service http:80 "$@"
    wait_for 5 http_answers "$H4"
    wait_for 5 http_answers "$H6"
    p ping -qc 1 -W 1 "$H4" >/dev/null
}

alive_after() {
    alive "$daemon" || fail "the daemon ended"
    http_answers "$H4" 10 # SYNs may wait behind what floods
    http_answers "$H6" 10
}

segments() {
    local command
    serve_with_host
    for command in blind overlap options icmp; do
        echo "# $command"
        attack $command "$H4" "$P4"
        # Numbers are looked at alike for both.
        [ $command = blind ] && [ -z "${TP_TEST_LONG:-}" ] || attack $command "$H6" "$P6"
        alive_after
    done
    # Also where no timestamp stands before the other checks.
    p sysctl -qw net.ipv4.tcp_timestamps=0
    attack blind "$H4" "$P4"
    alive_after
    ctl clear conn all # half open ones keep their SYN-ACK
    team_stop
}

# By net_tap: for net_af_packet the kernel puts fragments of IPv4 together.
fragments() {
    make_hosts 1
    peer_bridge
    launch --vdev=net_tap1,iface=t0 --vdev=net_tap0,iface=team0 -- --host net_tap0 --control-socket "$S" \
        --mode active-backup --ip "$H4/24" --ip "$H6/64" --service http:80
    wait_for 20 daemon_answers_or_died
    h ip link add hb type bridge forward_delay 0 stp_state 0
    h sysctl -qw net.ipv6.conf.hb.disable_ipv6=1 net.ipv6.conf.t0.disable_ipv6=1
    h ip link set m0 master hb
    h ip link set t0 address 02:77:00:00:00:03 master hb up # the team has the MAC that it had
    h ip link set hb up
    team_ready
    wait_for 5 http_answers "$H4"
    wait_for 5 http_answers "$H6"
    attack fragments "$H6" "$P6"
    attack fragments "$H4" "$P4"
    alive_after
    note "$(get addr '.counters | "\(.IpReasmReqds) fragments, \(.IpReasmOKs) packets of them, \(.IpReasmFails) refused"')"
    sleep 1 # what waits for more
    team_stop
}

neighbours() {
    serve_alone
    attack neigh "$H4" "$P4"
    attack neigh "$H6" "$P6"
    alive_after
    note "$(get addr '.counters | "\(.NeighCreated) entries made, \(.NeighEvicted) evicted, \(.NeighInvalid + .NeighIgnored) frames ignored"')"
    team_stop
}

# More than half open ones: cookies go out, who answers them gets through.
syn_flood() { # COUNT COUNT-V6
    local before after seen states
    serve_with_host
    ctl add route 0.0.0.0/0 via "$P4"
    ctl add route ::/0 via "$P6"
    legit_start 2 --size=20000
    legit_end
    before=$(rss_kb)
    seen=$(get_tcp toe_rx_segments)
    legit_start 9 --size=20000 --new=1
    T=30 tool synflood_in "$P" br0 "$(get team .mac)" "$H4" 80 "$1" | tee "$tmp/flood"
    states=$(get "conn summary" '.states.SYN_RCVD // 0')
    expect "half open connections" "$states" -le 2048
    T=30 tool synflood_in "$P" br0 "$(get team .mac)" "$H6" 80 "$2" | tee -a "$tmp/flood"
    legit_end
    after=$(rss_kb)
    seen=$(($(get_tcp toe_rx_segments) - seen))
    expect "SYNs that arrived" "$seen" -ge $(($1 / 10))
    expect "cookies sent" "$(get_tcp SyncookiesSent)" -ge 10000
    expect "SYNs without an answer" "$(get_tcp toe_rx_backlog)" -eq 0
    expect "requests of others" "$(of_legit requests)" -ge 20
    expect "of these failed" "$(of_legit failed)" -eq 0
    expect "growth of memory in KB" $((after - before)) -le 65536
    alive_after
    note "$(jq -rs '"\(map(.sent) | add) SYNs, \(.[0].per_s) a second"' "$tmp/flood"), $seen arrived"
    note "$(get_tcp SyncookiesSent) cookies, $(get_tcp SyncookiesRecv) of them came back"
    note "meanwhile $(of_legit requests) requests, slowest $(of_legit max_ms) ms; $((after - before)) KB more"
}

# Frames for others that a switch floods: the team is not who answers them.
unknown_unicast() {
    local refused seen
    serve_with_host
    ctl set team promisc on
    legit_start 2
    legit_end
    wait_for 5 no_conns
    refused=$(get tcp '[.OutRsts, .SyncookiesSent, .toe_rx_segments] | @json')
    seen=$(get "port stats 0" .rx_good_packets)
    T=30 tool unicast_in "$P" br0 "$H4" 200000 | tee "$tmp/flood"
    expect "answers to frames for others" "$(get tcp '[.OutRsts, .SyncookiesSent, .toe_rx_segments] | @json')" = "$refused"
    legit_start 4
    T=30 tool unicast_in "$P" br0 "$H4" 200000
    legit_end
    expect "requests of others" "$(of_legit requests)" -ge 20
    expect "of these failed" "$(of_legit failed)" -eq 0
    seen=$(($(get "port stats 0" .rx_good_packets) - seen))
    expect "frames that arrived" "$seen" -ge 50000
    note "$seen frames arrived, $(of_legit requests) requests meanwhile"
    alive_after
    team_stop
}

million=1000000
testcase "segments" segments
testcase "fragments" fragments
testcase "neighbours" neighbours
testcase "SYN flood" syn_flood $million 100000
testcase "unknown unicast" unknown_unicast
finish
