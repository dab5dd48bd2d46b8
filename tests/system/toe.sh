# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# What tests of the offload engine share; sourced after lib.sh, never run.

scripts=$here/../../scripts

# The sequence of /bytes/N: digest, and the CRC32C of a file.
sequence_digest() { (cd "$scripts" && /usr/bin/python3 -c "
import quickstart_serve as q
print(q.digest_of_sequence($1))"); }
get_migrate() { get migrate ".$1"; }
get_tcp() { get tcp ".$1"; }
conns() { get "conn summary" '[.states | to_entries[] | select(.key != "TIME_WAIT") | .value] | add // 0'; }
no_conns() { [ "$(conns)" -eq 0 ]; }
conns_are() { [ "$(conns)" -eq "$1" ]; } # COUNT
http_answers() { p curl -sSfg --max-time "${2:-1}" -o /dev/null "$(url "$1" 80)/info"; } # ADDRESS [SECONDS]

toe_start() { # MODE [OPTION...]
    local mode=$1
    shift
    team_start "$mode" --ip "$H4/24" --ip "$H6/64" --service http:80 --service echo:7 \
        --service discard:9 --service chargen:19 "$@"
    wait_for 5 http_answers "$H4"
    wait_for 5 http_answers "$H6"
    premature=$(get_tcp toe_conns_premature) # of probes that gave up before neighbours were known
}

download() { # ADDRESS BYTES [CURL-OPTION...]
    local address=$1 bytes=$2 got
    shift 2
    got=$(p curl -sSfg --max-time 40 "$@" "$(url "$address" 80)/bytes/$bytes" | sha256sum | cut -d' ' -f1)
    [ "$got" = "$(sequence_digest "$bytes")" ] || fail "what $address sent is not the sequence"
}

# No connection is left, and no reset was sent.
clean_end() {
    wait_for 5 no_conns
    expect "resets sent" "$(get_tcp OutRsts)" -eq 0
    expect "premature ends" "$(get_tcp toe_conns_premature)" -eq "$premature"
    team_stop
}

# bulk ADDRESS BYTES [--cc=NAME]: down, up and echoed, all compared; the peer opens
bulk() { p /usr/bin/python3 "$here/tool.py" bulk "$@"; }

# ---- the team as client ---------------------------------------------------------------

ECHOD_SIZE=20000 # of messages of a stream
# The peer's kernel echoes on port 7777 and takes streams on 7778, of which it tells in $tmp/echod.
echod_start() {
    bg ip netns exec "$P" /usr/bin/python3 "$here/tool.py" echod "$P4" 7777 $ECHOD_SIZE >"$tmp/echod"
    wait_for 5 p sh -c "ss -Hltn 'sport = :7778' | grep -q ."
}

client_ended() { [ "$(get client .open)" -eq 0 ]; }
asks_start() { # rr|crr BYTES [CONNECTIONS [SECONDS]]
    ctl add client "$1" to "$P4" port 7777 size "$2" conns "${3:-1}" seconds "${4:-1}"
}
# Every answer was the message.
asks_end() {
    wait_for 10 client_ended
    expect "answers" "$(get client .transactions)" -ge 1
    expect "wrong answers" "$(get client .wrong)" -eq 0
    expect "connections failed" "$(get client .failed)" -eq 0
}

# ---- what left, as tshark knows TCP ---------------------------------------------------

witness_dev=p0 # in $P, or in $R, the cable's
# witness NAME [FILTER]: all that passes the other end of the first member's link from now on, whole
# frames. (Its own end does not show what a driver sends.) After witness_stop what the kernel did not
# let it see is in $missed.
witness() {
    bg ip netns exec "${R:-$P}" tcpdump -Z root -i "$witness_dev" -B 65536 --immediate-mode -U -nn \
        -s 0 -w "$tmp/$1.pcap" "${2:-tcp}" 2>"$tmp/$1.tcpdump"
    eval "capture_${1//-/_}=$bg_pid"
    wait_for 5 grep -q 'listening on' "$tmp/$1.tcpdump"
}

witness_stop() { # NAME
    capture_stop "${1//-/_}"
    missed=$(awk '/dropped by kernel/ { print $1 }' "$tmp/$1.tcpdump")
}

# A peer that reads slowly, and a window that says so.
flow_control='Zero Window segment|window specified by the receiver is now completely full'
# Lines that say what is missing between others. A segment sent again may look like one out of order.
not_seen="ACKed segment that wasn't captured|Previous segment\(s\) not captured"
sent_again='out-of-order segment'

# expert NAME [EXPLAINED]: among frames of ours nothing is worse than a note by tshark's expert, but
# what a peer may cause, and what the extended regular expression explains.
expert() {
    local explained=$flow_control${2:+|$2}
    [ "${missed:-0}" -eq 0 ] || explained+="|$not_seen|$sent_again"
    [ "$(get_tcp RetransSegs)" -eq 0 ] || explained+="|$sent_again"
    [ "$(peer_sent_again)" -eq 0 ] || explained+="|D-SACK Sequence"
    expert_lines "$1" | grep -vE "$explained" >"$tmp/$1.faults" || true
    [ ! -s "$tmp/$1.faults" ] || {
        sort "$tmp/$1.faults" | uniq -c | sort -rn | head
        fail "tshark finds faults in what the team sent"
    }
}

peer_sent_again() { p nstat -asz TcpRetransSegs | awk '/Retrans/ { print $2 }'; }

# One line for each warning and error: its severity, its text.
expert_lines() { # NAME
    local mac frames
    mac=$(get team .mac)
    frames=$(timeout 20 tcpdump -nn -r "$tmp/$1.pcap" "tcp and ether src $mac" 2>/dev/null | wc -l)
    expect "frames of ours" "$frames" -gt 10 || return
    timeout 60 tshark -r "$tmp/$1.pcap" -d tcp.port==1-65535,data -o tcp.check_checksum:TRUE \
        -o ip.check_checksum:TRUE -Y "eth.src == $mac && _ws.expert.severity >= 0x600000" \
        -T fields -E 'aggregator=|' -e _ws.expert.severity -e _ws.expert.message 2>"$tmp/$1.tshark" |
        awk -F '\t' '{
            n = split($1, severity, "|"); split($2, text, "|")
            for (i = 1; i <= n; i++) if (severity[i] >= 6291456) print severity[i], text[i] }'
}

# ---- a bad cable -----------------------------------------------------------------------

# wired_hosts TO-PEER TO-HOST: both namespaces with one link between them, on which drivers/net/wire
# does what these texts say (tests/system/wirelink.c).
wired_hosts() {
    make_hosts 0
    R=tp-sys-$id-cable witness_dev=r0
    extra_ns+=("$R")
    ip netns add "$R"
    add_veth m0 "$H" r0 "$R"
    add_veth p0 "$P" r1 "$R"
    nb_members=1
    h sysctl -qw net.ipv6.conf.m0.disable_ipv6=1 net.ipv4.conf.m0.rp_filter=1
    in_ns "$R" sysctl -qw net.ipv6.conf.r0.disable_ipv6=1 net.ipv6.conf.r1.disable_ipv6=1
    for nic in "$H m0" "$R r0" "$R r1" "$P p0"; do
        plain_nic $nic
        ip -n "${nic% *}" link set "${nic#* }" mtu 1500 up
    done
    setpriv --pdeathsig KILL ip netns exec "$R" "$build/tests/system/wirelink" --no-huge -m 256 \
        --no-pci --no-shconf --no-telemetry --file-prefix "tpwire$id" --log-level lib.eal:warning \
        --lcores 0 --vdev=net_af_packet0,iface=r0,framecnt=4096,framesz=2048,blocksz=4096,qdisc_bypass=0 \
        --vdev=net_af_packet1,iface=r1,framecnt=4096,framesz=2048,blocksz=4096,qdisc_bypass=0 -- "$1" "$2" \
        >"$tmp/wirelink" 2>&1 &
    wirelink=$!
    pids+=("$wirelink")
    wait_for 10 grep -q '^ready' "$tmp/wirelink"
}

# What became of all frames, in $tmp/wirelink.json: [to the peer, to the host].
wirelink_stop() {
    kill -TERM "$wirelink"
    gone "$wirelink"
    sed -n '/^\[/,$p' "$tmp/wirelink" | tee "$tmp/wirelink.json"
    rm -rf "/var/run/dpdk/tpwire$id"
}

busiest() { get conn '[.list[] | select(.state == "ESTABLISHED")] | max_by(.bytes_out) // {} | .id // empty'; }

# ---- downloads in the background -------------------------------------------------------

# download_start NAME ADDRESS BYTES [CURL-OPTION...]
download_start() {
    local name=$1 address=$2 bytes=$3
    shift 3
    bg ip netns exec "$P" bash -c 'set -o pipefail
        file=$1 url=$2
        shift 2
        timeout -k 2 50 curl -sSfg --max-time 45 -w "%{stderr}%{speed_download}\n" "$@" "$url" 2>"$file.log" |
            sha256sum >"$file.sum"' - "$tmp/download.$name" "$(url "$address" 80)/bytes/$bytes" "$@"
    eval "download_$name=$bg_pid bytes_$name=$bytes"
}

# download_runs NAME: has it not ended yet?
download_runs() {
    local pid
    eval "pid=\$download_$1"
    alive "$pid"
}

# download_end NAME: and what came is right
download_end() {
    local pid bytes
    eval "pid=\$download_$1 bytes=\$bytes_$1"
    wait "$pid" || fail "download $1: $(cat "$tmp/download.$1.log")"
    [ "$(cut -d' ' -f1 <"$tmp/download.$1.sum")" = "$(sequence_digest "$bytes")" ] ||
        fail "download $1 is not the sequence"
}
speed_of() { tail -1 "$tmp/download.$1.log"; } # NAME: bytes/s

# ---- dialogs ---------------------------------------------------------------------------

# talk NAME SERVICE [OPTION...]: a connection over which something can be asked, again and again
talk() {
    local name=$1 service=$2
    shift 2
    mkfifo "$tmp/$name.in"
    bg ip netns exec "$P" /usr/bin/python3 "$here/tool.py" dialog "$H4" "$service" "$tmp/$name.in" "$@" \
        >"$tmp/$name.out"
    eval "talk_$name=$bg_pid"
    eval "exec {in_$name}>\"$tmp/$name.in\""
    wait_for 5 test -s "$tmp/$name.out"
}
ask() { # NAME WORD
    local fd
    eval "fd=\$in_$1"
    echo "$2" >&"$fd"
}
# answered NAME LINE TIMES: so many answers with that line so far
answered() { [ "$(tail -n +2 "$tmp/$1.out" | grep -c "$2")" -eq "$3" ]; }
talk_port() { head -1 "$tmp/$1.out"; } # NAME
hang_up() { # NAME
    local fd pid
    eval "fd=\$in_$1 pid=\$talk_$1"
    echo >&"$fd" # the others have it open, too
    exec {fd}>&-
    wait "$pid" || fail "$1 ended with $?"
}
