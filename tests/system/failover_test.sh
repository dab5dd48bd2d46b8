#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# alone
#
# A link is cut and restored in mid-transfer: the transfer survives, the stop is short, frames
# leave by the survivor, and neighbours hear of it.
. "$(dirname "$0")/lib.sh"

# A download and an upload that take about 4 s each, in the background.
start_transfers() { # PEER-ADDRESS
    serve "$P" 8080 "$tmp/www"
    random_file 24000000 "$tmp/www/down"
    random_file 24000000 "$tmp/up"
    bg ip netns exec "$H" curl -sSf --limit-rate 6M --max-time 30 -o "$tmp/down" "$(url "$1" 8080)/down"
    download=$bg_pid
    bg ip netns exec "$H" curl -sSf --limit-rate 6M --max-time 30 -o /dev/null -T "$tmp/up" "$(url "$1" 8080)/up"
    upload=$bg_pid
}

end_transfers() {
    wait "$download" || fail "the download broke"
    wait "$upload" || fail "the upload broke"
    same_file "$tmp/www/down" "$tmp/down"
    same_file "$tmp/up" "$tmp/www/up"
}

start_streams() {
    noise_start 4
    stream_start up4 "$H" "$P" "$P4" 4 --flows=16 --pps=1600
    stream_start down6 "$P" "$H" "$H6" 4 --flows=16 --pps=1600
}

# Longest silence of any flow, less the flow's own interval of 10 ms.
end_streams() { # LIMIT-UP-MS LIMIT-DOWN-MS
    stream_end up4
    stream_end down6
    noise_end
    note "stop up $(stream_of up4 .max_stop_ms) ms, down $(stream_of down6 .max_stop_ms) ms," \
        "lost $(stream_of up4 .lost) and $(stream_of down6 .lost), noise $noise_ms ms"
    expect "flows up" "$(stream_of up4 .flows)" -eq 16
    expect "flows down" "$(stream_of down6 .flows)" -eq 16
    silence up4 "$1"
    silence down6 "$2"
}

# Gratuitous ARP and unsolicited NA for the host's addresses, as tshark sees them.
announced() { # CAPTURE
    need tshark
    timeout 30 tshark -r "$tmp/$1.pcap" -Y "$2" 2>/dev/null | wc -l
}
garps() { announced "$1" "arp.isgratuitous == 1 && arp.src.proto_ipv4 == $H4"; }
unsolicited_nas() {
    announced "$1" "icmpv6.type == 136 && icmpv6.nd.na.flag.s == 0 && icmpv6.nd.na.target_address == $H6"
}

cut_active() { # VICTIM ADDRESS
    local victim=$1 other=$((1 - $1))
    make_hosts 2
    peer_bridge
    team_start active-backup
    ctl set team num_peer_notif 3
    ctl set team peer_notif_delay 100
    ctl set team primary "$victim"
    wait_for 2 primary_is "$victim"
    ping_both
    sleep 0.5
    capture "$P" "p$other" survivor "ether src $(get team .mac)"
    start_streams
    start_transfers "$2"
    sleep 1
    expect "frames from the backup" "$(frames survivor)" -eq 0
    link_cut "$victim"
    wait_for 2 primary_is "$other"
    sleep 1
    capture_stop survivor
    link_restore "$victim"
    wait_for 2 has_event "port $victim .* link up" 2
    end_transfers
    end_streams 250 250
    expect "frames by the survivor" "$(frames survivor)" -gt 500
    expect "gratuitous ARPs" "$(garps survivor)" -eq 3
    expect "unsolicited NAs" "$(unsolicited_nas survivor)" -eq 3
    team_stop
}

cut_hashed() { # VICTIM ADDRESS
    local victim=$1 other=$((1 - $1))
    make_hosts 2
    peer_multipath
    team_start hash
    ping_both
    start_streams
    start_transfers "$2"
    sleep 1
    link_cut "$victim"
    wait_for 2 eval "[ \$(member $victim .distributing) = false ]"
    expect "buckets of the survivor" "$(member $other .buckets)" -eq 1024
    sleep 1
    link_restore "$victim"
    wait_for 2 eval "[ \$(member $victim .distributing) = true ]"
    end_transfers
    end_streams 250 250
    # Buckets come back one by one, as each is idle.
    wait_for 5 eval "[ \$(get bucket .lazy) -eq 0 ]"
    within "buckets that came back" "$(get bucket ".members[] | select(.port == $victim) | .in_force")" 512 512
    expect "primary" "$(primary)" -eq "$([ "$victim" = 0 ] && echo 1 || echo 0)"
    team_stop
}

# The same from the other side: the daemon's own interface goes down.
own_interface() {
    make_hosts 2
    peer_bridge
    team_start active-backup
    ping_both
    start_streams
    sleep 1
    h ip link set m0 down
    wait_for 2 primary_is 1
    sleep 1
    h ip link set m0 up
    wait_for 2 has_event "port 0 .* link up" 2
    end_streams 250 250
    # And it still carries traffic.
    ctl set team primary 0
    wait_for 2 primary_is 0
    ping_both
    expect "frames sent by port 0" "$(stat_of 0 .tx_good_packets)" -gt 0
    team_stop
}

# No link left: the host sees no carrier; the first link back is used at once, updelay or not.
all_links() {
    make_hosts 2
    peer_bridge
    team_start active-backup
    ctl set team updelay 3000
    ping_both
    link_cut 0
    link_cut 1
    wait_for 2 eval "[ \$(get team .carrier) = false ]"
    h ip link show team0
    wait_for 2 eval "h ip link show team0 | grep -q NO-CARRIER"
    expect "primary" "$(primary)" -eq -1
    link_restore 1
    wait_for 2 primary_is 1
    wait_for 2 eval "h ip link show team0 | grep -q LOWER_UP"
    ping_both
    team_stop
}

timed_case "active-backup, link 0 cut, IPv4" cut_active 0 "$P4"
timed_case "active-backup, link 1 cut, IPv6" cut_active 1 "$P6"
timed_case "hash, link 0 (primary) cut, IPv4" cut_hashed 0 "$P4"
timed_case "hash, link 1 cut, IPv6" cut_hashed 1 "$P6"
timed_case "own interface down and up" own_interface
testcase "all links cut" all_links
finish
