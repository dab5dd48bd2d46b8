#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Members come, go and are pulled out under load; the host port goes and comes back.
# alone
. "$(dirname "$0")/lib.sh"

port_of() { get 'port summary' ".[] | select(.name == \"$1\") | .port"; } # NAME
nb_members_now() { get team '.members | length'; }

# The peer uses so many of its links, for IPv4.
use_links() {
    local i hops=()
    for ((i = 0; i < $1; i++)); do hops+=(nexthop dev "p$i"); done
    p ip route replace "$H4/32" src "$P4" "${hops[@]}"
}

start_transfers() {
    [ -d "$tmp/www" ] || serve "$P" 8080 "$tmp/www"
    random_file 40000000 "$tmp/www/down"
    random_file 40000000 "$tmp/up"
    bg ip netns exec "$H" curl -sSf --limit-rate 8M --max-time 40 -o "$tmp/down" "$(url "$P4" 8080)/down"
    download=$bg_pid
    bg ip netns exec "$H" curl -sSf --limit-rate 8M --max-time 40 -o /dev/null -T "$tmp/up" "$(url "$P4" 8080)/up"
    upload=$bg_pid
}

end_transfers() {
    wait "$download" || fail "the download broke"
    wait "$upload" || fail "the upload broke"
    same_file "$tmp/www/down" "$tmp/down"
    same_file "$tmp/up" "$tmp/www/up"
}

# What the ports, the rings and the members have dropped, but for copies of multicast.
drops() {
    get 'port stats all' '[.[] | .drops // {} | to_entries[] | select(.value > 0)] | tostring'
    get 'port stats all' '[.[] | .drops // {} | to_entries[] | select(.key | test("place|fenced|own_mac|link_local") | not) | .value] | add // 0' >"$tmp/drops"
}

# Attached, removed, added, removed, detached; each time all frames arrive.
come_and_go() {
    local port i
    make_hosts 3
    nb_members=2
    peer_multipath
    p ip link set p2 mtu 1500 address "$PEER_MAC" up
    p sysctl -qw net.ipv4.conf.p2.rp_filter=2 net.ipv4.conf.p2.ignore_routes_with_linkdown=1 \
        net.ipv6.conf.p2.disable_ipv6=1
    # Without an address its reverse path filter is strict.
    p ip addr add 10.77.9.9/32 dev p2
    # Rings that hold what comes in while a lcore waits for its CPU, the kernel's too.
    ring=,framecnt=4096
    team_start hash --ring-size 4096
    ping_both
    start_transfers
    noise_start 5
    stream_start up "$H" "$P" "$P4" 5 --flows=16 --pps=1600
    stream_start down "$P" "$H" "$H4" 5 --flows=16 --pps=1600
    for i in 1 2; do
        if [ $i = 1 ]; then
            ctl port attach "net_af_packet2,iface=m2$ring"
            port=$(port_of net_af_packet2)
        else
            ctl team add port "$port"
        fi
        wait_for 5 eval "[ \$(member $port .distributing) = true ]"
        use_links 3
        sleep 0.7
        expect "packets sent by the new member" "$(stat_of "$port" .tx_good_packets)" -gt 0
        use_links 2
        sleep 0.2
        ctl team remove port "$port"
        expect "members" "$(nb_members_now)" -eq 2
    done
    ctl port detach "$port"
    ! get 'port summary' '.[].name' | grep -qx net_af_packet2
    stream_end up
    stream_end down
    noise_end
    note "lost up $(stream_of up .lost), down $(stream_of down .lost)," \
        "of them by the kernel at most $(kernel_drops "$H") and $(kernel_drops "$P"), noise $noise_ms ms"
    # Rings overflow where the whole machine pauses.
    expect "lost up" "$(stream_of up .lost)" -le $(($(kernel_drops "$H") + $(kernel_drops "$P") + 2 * noise_ms))
    expect "lost down" "$(stream_of down .lost)" -le $(($(kernel_drops "$P") + $(kernel_drops "$H") + 2 * noise_ms))
    expect "reordered up" "$(stream_of up .reordered)" -eq 0
    expect "duplicates" "$(($(stream_of up .duplicates) + $(stream_of down .duplicates)))" -eq 0
    end_transfers
    drops
    expect "drops" "$(cat "$tmp/drops")" -eq 0
    h ip -d link show m2 | grep -q 'promiscuity 0' || fail "m2 is still promiscuous"
    team_stop
}

# The interface behind a member is deleted under load, made anew and attached. The kernel tells
# nobody before it has waited for all its readers, which takes as long as they like.
pulled_out() {
    local port start del_ms
    make_hosts 2
    peer_bridge
    team_start active-backup
    ping_both
    noise_start 5
    stream_start up "$H" "$P" "$P4" 5 --flows=8 --pps=1600
    stream_start down "$P" "$H" "$H6" 5 --flows=8 --pps=1600
    start_transfers
    sleep 0.7
    start=$(date +%s%N)
    h ip link del m0
    del_ms=$((($(date +%s%N) - start) / 1000000))
    wait_for 2 primary_is 1
    wait_for 2 has_event "port 0 .*is gone"
    ctl port detach 0
    expect "members" "$(nb_members_now)" -eq 1
    make_veth 0
    p ip link set p0 mtu 1500 master br0 up
    ctl port attach net_af_packet7,iface=m0
    port=$(port_of net_af_packet7)
    wait_for 5 eval "[ \$(member $port .distributing) = true ]"
    wait_for 3 peer_forwards 0
    ctl set team primary "$port"
    wait_for 2 primary_is "$port"
    end_transfers
    stream_end up
    stream_end down
    noise_end
    note "stop up $(stream_of up .max_stop_ms) ms, down $(stream_of down .max_stop_ms) ms," \
        "lost $(stream_of up .lost) and $(stream_of down .lost), deletion $del_ms ms, noise $noise_ms ms"
    silence up $((del_ms + 100))
    silence down $((del_ms + 100))
    expect "packets sent by the new member" "$(stat_of "$port" .tx_good_packets)" -gt 0
    team_stop
}

# A VM's port whose process dies: another member takes over, and the port serves the next process.
vm_dies() {
    need dpdk-testpmd
    local round
    make_hosts 1
    p ip link set p0 mtu 1500 address "$PEER_MAC" up
    p ip addr add "$P4/24" dev p0
    p ip addr add "$P6/64" dev p0 nodad
    launch --vdev=net_af_packet0,iface=m0 --vdev=net_tap0,iface=team0 \
        --vdev="net_vhost0,iface=$tmp/vm.sock" --single-file-segments -- --host net_tap0 \
        --portlist 0,2 --mode active-backup --control-socket "$S"
    wait_for 20 daemon_answers_or_died
    alive "$daemon" || fail "the daemon ended"
    h ip addr replace "$H4/24" dev team0
    h ip link set team0 up
    wait_for 5 primary_is 0
    wait_for 5 answers "$P4"
    mbufs_base=$(mbufs_in_use)
    ctl set team primary 2
    # Its prompt waits for somebody who says nothing.
    mkfifo "$tmp/vm.in"
    exec 9<>"$tmp/vm.in"
    for round in 1 2 3; do
        setpriv --pdeathsig KILL dpdk-testpmd --no-huge -m 128 --no-pci --no-shconf --no-telemetry \
            --file-prefix "tpsysp$id" --lcores 0@0,1@1 --log-level 3 --single-file-segments \
            --vdev="net_virtio_user0,path=$tmp/vm.sock,queue_size=256" -- -i --auto-start \
            --forward-mode=txonly --total-num-mbufs=8192 <&9 >"$tmp/vm.log" 2>&1 &
        vm=$!
        pids+=("$vm")
        wait_for 20 primary_is 2
        sleep 0.3
        kill -KILL "$vm"
        wait "$vm" 2>/dev/null || true
        wait_for 5 primary_is 0
        wait_for 5 answers "$P4"
    done
    expect "packets from the VM" "$(stat_of 2 .rx_good_packets)" -gt 0
    team_stop
}

# What comes to a port that is out of the team is nobody's, later neither.
spare() {
    make_hosts 2
    peer_multipath
    team_start hash
    ping_both
    ctl team remove port 1
    p ip neigh replace "$H4" lladdr "$(get team .mac)" dev p1
    capture "$H" m1 spare "icmp[icmptype] == icmp-echo"
    capture "$H" team0 host "icmp[icmptype] == icmp-echo"
    ! p ping -c 3 -i 0.2 -W 1 -I p1 "$H4" || fail "a spare port answers"
    capture_stop spare
    expect "frames to the spare port" "$(frames spare)" -eq 3
    ctl team add port 1
    wait_for 5 eval '[ "$(member 1 .distributing)" = true ]'
    sleep 0.3
    capture_stop host
    expect "of them to the host" "$(frames host)" -eq 0
    p ip neigh del "$H4" dev p1
    ping_both
    team_stop
}

# Without a host port the team stands still; its addresses and neighbours survive that.
host_port() {
    local round
    make_hosts 2
    peer_bridge
    team_start active-backup
    h sysctl -qw net.ipv6.conf.team0.keep_addr_on_down=1
    ping_both
    stream_start down "$P" "$H" "$H4" 4 --flows=8 --pps=1600
    for round in 1 2 3; do
        ctl set host none
        ! answers "$P4" || fail "the host sends without a host port"
        ctl set host net_tap0
        wait_for 5 answers "$P4"
    done
    stream_end down
    expect "duplicates" "$(stream_of down .duplicates)" -eq 0
    wait_for 5 answers "$P6"
    files_both_ways "$P4" 500000
    team_stop
}

timed_case "attached, removed, added, detached under load" come_and_go
timed_case "interface deleted under load" pulled_out
testcase "process behind net_vhost killed" vm_dies
testcase "spare for a while" spare
testcase "host port gone and back" host_port
finish
