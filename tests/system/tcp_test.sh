#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# The team terminates TCP: the peer's kernel is client and server of its offload engine.
# alone
. "$(dirname "$0")/lib.sh"
. "$here/toe.sh"

crc32c() { /usr/bin/python3 -c "
import crcmod.predefined, sys
print('%08x' % crcmod.predefined.mkCrcFun('crc-32c')(open(sys.argv[1], 'rb').read()))" "$1"; }

upload() { # ADDRESS FILE
    local told
    told=$(p curl -sSfg --max-time 40 -T "$2" "$(url "$1" 80)/sink")
    expect "length" "$(jq .length <<<"$told")" -eq "$(stat -c %s "$2")"
    expect "CRC32C" "$(jq -r .crc32c <<<"$told")" = "$(crc32c "$2")"
}

echoed() { # ADDRESS FILE
    p nc -N -w 5 "$1" 7 <"$2" >"$tmp/echoed"
    same_file "$2" "$tmp/echoed"
}

serves_http() { # MODE
    make_hosts 2
    if [ "$1" = active-backup ]; then peer_bridge; else peer_multipath; fi
    toe_start "$1"
    random_file 5000000 "$tmp/up"
    for address in "$H4" "$H6"; do
        download "$address" 30000000
        upload "$address" "$tmp/up"
        echoed "$address" "$tmp/up"
        p sh -c "head -c 1000000 /dev/urandom | nc -N -w 5 $address 9"
    done
    # What is no service's is the host kernel's, at the same addresses.
    serve "$H" 8080 "$tmp/www-h"
    p curl -sSfg --max-time 5 -o /dev/null "$(url "$H4" 8080)/"
    p curl -sSfg --max-time 5 -o /dev/null "$(url "$H6" 8080)/"
    peer_answers "$H4"
    peer_answers "$H6"
    clean_end
}

# The team is all there is: it answers ARP, ND and pings itself, and refuses what nobody serves.
no_host() {
    local before
    make_hosts 2
    peer_bridge
    launch $(vdevs 2 | grep -v tap) -- --mode active-backup --control-socket "$S" \
        --ip "$H4/24" --ip "$H6/64" --service http:80
    wait_for 20 daemon_answers_or_died
    wait_for 5 all_distribute
    mbufs_base=$(mbufs_in_use)
    wait_for 15 http_answers "$H4" # after RFC 5227's probes
    wait_for 5 http_answers "$H6"
    peer_answers "$H4"
    peer_answers "$H6"
    download "$H4" 5000000
    download "$H6" 5000000
    ! p curl -s --max-time 2 "$(url "$H4" 81)/" || fail "somebody serves port 81"
    expect "refused" "$(get_tcp toe_rx_refused)" -ge 1
    # No host is there to say so: ICMP unreachable for what is no TCP, and the peer's socket hears it.
    udp_refused "$H4"
    udp_refused "$H6"
    p python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
s.settimeout(3)
s.sendto(b'experiment', ('$H4', 0))
try:
    s.recv(100)
except OSError as e:
    assert e.errno == 92, e  # ENOPROTOOPT: protocol unreachable
else:
    assert False, 'no error came'"
    expect "unreachable" "$(get addr .counters.IcmpOutDestUnreachs)" -eq 3
    expect "not TCP" "$(get tcp .toe_rx_unreach)" -ge 3
    expect "echoes of both halves" "$(get addr .counters.IcmpInEchos)" -ge 2
    # Many at once are not all answered.
    p python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(2000):
    s.sendto(b'x', ('$H4', 1000 + i))"
    # Sockets between here and there drop some of them on a crowded machine.
    wait_for 3 unwanted_counted 503
    expect "limited" "$(get addr .counters.IcmpOutRateLimited)" -ge 300
    # What is for a host only is counted and freed at once.
    before=$(host_none)
    p python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for i in range(100):
    s.sendto(b'x', ('10.77.0.255', 7777))"
    wait_for 3 eval '[ $(host_none) -ge $((before + 50)) ]'
    wait_for 5 no_conns
    team_stop
}
host_none() { get "port stats all" '[.[].drops.rx_host_none // 0] | add'; }

unwanted_counted() { [ "$(get tcp .toe_rx_unreach)" -ge "$1" ]; }
udp_refused() { # ADDRESS
    p python3 -c "
import socket
s = socket.socket(socket.AF_INET6 if ':' in '$1' else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect(('$1', 4444))
s.send(b'anybody?')
try:
    s.recv(100)
except ConnectionRefusedError:
    pass
else:
    assert False, 'no error came'"
}

# Somebody has the address already: it is neither used nor announced, by no failover either.
address_taken() {
    make_hosts 2
    peer_bridge
    p ip addr add "$H4/24" dev br0
    bg ip netns exec "$P" tcpdump -Z root -i br0 -Q in --immediate-mode -U -nn -w "$tmp/arp.pcap" arp or icmp6 \
        2>"$tmp/tcpdump"
    wait_for 5 grep -q 'listening on' "$tmp/tcpdump"
    launch $(vdevs 2 | grep -v tap) -- --mode active-backup --control-socket "$S" \
        --ip "$H4/24" --ip "$H6/64" --service http:80
    wait_for 20 daemon_answers_or_died
    wait_for 5 all_distribute
    expect "announced before its claim" "$(get announce "[.entries[] | select(.address == \"$H4\")] | length")" -eq 0
    wait_for 8 addr_is "$H4" duplicate
    wait_for 8 addr_is "$H6" preferred
    wait_for 5 announces "$H6"
    link_cut "$(primary)"
    sleep 1.5
    kill -INT "$bg_pid"
    wait "$bg_pid" || true
    expect "announcements of what is another's" "$(frames arp "arp src host $H4")" -eq 0
    expect "announcements of our own" "$(frames arp "icmp6 and src host $H6 and ip6[40] == 136")" -ge 2
    kill -TERM "$daemon"
    gone "$daemon"
}
addr_is() { [ "$(get addr ".addresses[] | select(.address | startswith(\"$1/\")) | .state")" = "$2" ]; }
announces() { get announce '.entries[].address' | grep -qx "$1"; }

# Each of the peer's options off, its algorithms, small buffers; it is asked, and it asks.
peer_options() {
    local setting name before
    make_hosts 2
    peer_bridge
    toe_start active-backup
    echod_start
    witness options
    for setting in tcp_timestamps=0 tcp_sack=0 tcp_window_scaling=0 tcp_ecn=1 \
        tcp_congestion_control=reno "tcp_rmem=4096 8192 16384" "tcp_wmem=4096 8192 16384"; do
        name=${setting%%=*}
        before=$(p sysctl -n "net.ipv4.$name")
        p sysctl -qw "net.ipv4.$setting"
        echo "# $setting"
        asks_start crr 20000
        bulk "$H4" 1000000
        bulk "$H6" 1000000
        asks_end
        p sysctl -qw "net.ipv4.$name=$before"
    done
    bulk "$H6" 1000000 --cc=cubic
    witness_stop options
    expert options
    clean_end
}

# Many short connections, and wrk without an error.
many_conns() {
    local out
    make_hosts 2
    peer_multipath
    toe_start hash
    out=$(p wrk -t1 -c50 -d3s "$(url "$H4" 80)/bytes/100")
    echo "$out"
    ! grep -q 'Socket errors\|Non-2xx' <<<"$out" || fail "wrk met errors"
    note "$(awk '/Requests\/sec/ {printf "%d requests/s", $2}' <<<"$out")"
    out=$(p h2load --h1 -n 5000 -c 20 -m 4 "$(url "$H4" 80)/bytes/1000")
    grep -q '5000 succeeded, 0 failed, 0 errored' <<<"$out" || fail "h2load: $out"
    wait_for 5 no_conns
    team_stop
}

# The server closes first, so TIME_WAIT is the engine's, and the client comes back to its ports long
# before it is over: once round them, or with more of them than there is room for.
short_conns() { # CONNECTIONS [OPTION...]
    local out round=0 wanted=$1
    shift
    make_hosts 2
    peer_bridge
    toe_start active-backup "$@"
    while [ "$(get_tcp PassiveOpens)" -lt "$wanted" ]; do
        expect "rounds" $((round += 1)) -le 20
        out=$(p wrk -t1 -c50 -d1s -H 'Connection: close' "$(url "$H4" 80)/bytes/100")
        echo "$out"
        ! grep -q 'Socket errors\|Non-2xx' <<<"$out" || fail "wrk met errors"
    done
    note "$(awk '/Requests\/sec/ {printf "%d connections/s", $2}' <<<"$out"), $(get_tcp TWRecycled) ports again"
    get_tcp '| with_entries(select(.value != 0))'
    # A SYN that finds no room comes again a second later: 50 of them are a stall.
    p nstat -asz | grep SynRetrans
    within "SYNs sent again" "$(p nstat -asz TcpExtTCPSynRetrans | awk '/Syn/ {print $2}')" 0 25
    wait_for 5 no_conns
    team_stop
}

# redis-benchmark where it fits: what it sends are arrays of strings, which are good answers, too, so
# an echo is all the server that it needs; requests come in pipelines over many connections.
redis() {
    make_hosts 2
    peer_multipath
    toe_start hash
    p redis-benchmark -h "$H4" -p 7 -t set,mset -n 20000 -c 50 -P 16 -d 100 --csv | tee "$tmp/redis"
    expect "tests" "$(grep -cE '^"(SET|MSET \(10 keys\))","[0-9.]+"' "$tmp/redis")" -eq 2
    ! grep -qi 'error' "$tmp/redis" || fail "redis-benchmark met errors"
    note "$(awk -F '"' '/^"SET"/ { printf "%d SETs/s", $4 }' "$tmp/redis")"
    wait_for 5 no_conns
    team_stop
}

# The engine as client of the kernel.
as_client() {
    local kind bytes
    make_hosts 2
    peer_bridge
    toe_start active-backup
    echod_start
    for kind in rr crr; do
        asks_start $kind 1000 10 2
        asks_end
        expect "$kind: transactions" "$(get client .transactions)" -ge 10
        note "$kind $(get client '.transactions_per_s | floor')/s"
    done
    ctl add client stream to "$P4" port 7778 size $ECHOD_SIZE conns 3 seconds 1
    wait_for 10 client_ended
    expect "stream: failed" "$(get client .failed)" -eq 0
    wait_for 5 eval '[ "$(grep -c bytes "$tmp/echod")" -eq 3 ]'
    cat "$tmp/echod"
    bytes=$(get client .bytes_out)
    expect "bytes of all streams" "$(jq -s 'map(.bytes) | add' "$tmp/echod")" -eq "$bytes"
    expect "wrong pieces" "$(jq -s 'map(.wrong) | add' "$tmp/echod")" -eq 0
    note "stream $(get client '.mbps_out | floor') Mb/s"
    team_stop
}

# A link is cut in mid-transfer: the connection stays with its lcore, sends by another port.
link_lost() { # MODE
    make_hosts 2
    if [ "$1" = active-backup ]; then peer_bridge; else peer_multipath; fi
    toe_start "$1"
    bg ip netns exec "$P" curl -sSfg --max-time 35 --limit-rate 30M -o "$tmp/got" "$(url "$H4" 80)/bytes/100000000"
    local curl=$bg_pid
    sleep 0.7
    link_cut 0
    sleep 0.8
    link_restore 0
    sleep 0.8
    link_cut 1
    wait "$curl" || fail "curl ended with $?"
    [ "$(digest "$tmp/got")" = "$(sequence_digest 100000000)" ] || fail "what came is not the sequence"
    note "$(get_tcp RetransSegs) segments sent again"
    expect "resets" "$(get_tcp OutRsts)" -eq 0
    wait_for 5 no_conns
    team_stop
}

# What leaves is TCP as tshark knows it: many connections, opened and closed by either end.
tshark_expert() {
    make_hosts 2
    peer_bridge
    toe_start active-backup
    echod_start
    witness all
    asks_start crr 3000
    bulk "$H4" 300000
    bulk "$H6" 300000
    p h2load --h1 -n 500 -c 20 -m 4 "$(url "$H6" 80)/bytes/1000" >/dev/null
    asks_end
    p redis-benchmark -h "$H4" -p 7 -t set -n 1000 -c 10 -P 4 --csv >/dev/null
    witness_stop all
    expert all
    wait_for 5 no_conns
    team_stop
}

testcase "serves, active-backup" serves_http active-backup
testcase "serves, hash" serves_http hash
testcase "without a host" no_host
testcase "the address is taken" address_taken
testcase "the peer's options" peer_options
testcase "many connections" many_conns
testcase "short connections, ports used again" short_conns 30000
testcase "short connections, too many in TIME_WAIT" short_conns 10000 --max-conns 2048
testcase "redis-benchmark" redis
testcase "as a client" as_client
testcase "a link is cut, active-backup" link_lost active-backup
testcase "a link is cut, hash" link_lost hash
testcase "tshark's expert" tshark_expert
finish
