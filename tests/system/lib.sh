# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# What every system test is made of; sourced, never run.
#
#   namespace $H ("host")                      namespace $P ("peer")
#   kernel stack 10.77.0.1, fd77::1            kernel stack 10.77.0.2, fd77::2
#        | team0 (net_tap)                            ^
#   teampmd --- m0 (net_af_packet) ------ p0 ---------+  a bridge (independent switch ports),
#        \----- m1 (net_af_packet) ------ p1 ---------+  or equal-cost routes (static aggregation)
#
# A test is functions, each run by `testcase NAME FUNCTION` in a subshell with namespaces of its own.
# There the first command that fails ends the case; what it started is ended whatever happens.

set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${TP_BUILD:-$here/../../build-release}
teampmd=$build/app/teampmd
teamctl=$build/app/teamctl
topic=$(basename "$0" _test.sh)

H4=10.77.0.1 P4=10.77.0.2 H6=fd77::1 P6=fd77::2
PEER_MAC=02:77:00:00:00:02

failed_cases=0

# ---- cases ------------------------------------------------------------------------

# testcase NAME FUNCTION [ARGUMENT...]
testcase() {
    wanted "$1" || return 0
    local log
    log=$(mktemp /tmp/tp-sys.XXXXXX)
    run_case "$log" "${@:2}"
    report_case "$log" "$1"
    rm -f "$log"
}

# timed_case NAME FUNCTION [ARGUMENT...]: one that holds wall time against a limit, which somebody
# else on the machine can spoil. It may try again; the report says so, and counts it.
timed_case() {
    wanted "$1" || return 0
    local log again=
    log=$(mktemp /tmp/tp-sys.XXXXXX)
    run_case "$log" "${@:2}"
    if [ "$case_status" -ne 0 ] && [ "$case_status" -ne 77 ]; then
        echo "# $topic: $1: the first run failed:"
        diagnostics "$log"
        again=" # passed at the second run; first: $(sed -n 's/^# //p' "$log" | head -1)"
        quiet_moment
        run_case "$log" "${@:2}"
    fi
    report_case "$log" "$1" "$again"
    rm -f "$log"
}

# A moment in which nobody keeps us from a CPU, or as good as it gets within half a minute.
quiet_moment() {
    local i
    for ((i = 0; i < 15; i++)); do
        [ "$(tool waits)" -gt 20 ] || return 0
        sleep 1
    done
}

wanted() { [ -z "${TP_CASE:-}" ] || [[ $1 == *$TP_CASE* ]]; } # NAME

run_case() { # LOG FUNCTION [ARGUMENT...]: result in $case_status
    local log=$1
    shift
    set +e
    (
        set -eE
        shopt -s extdebug # for the arguments of what was called
        case_start
        trap 'tell_failure $? "$BASH_COMMAND" >&2' ERR
        trap 'case_end $?' EXIT
        trap 'exit 143' TERM INT HUP
        "$@"
    ) >"$log" 2>&1
    case_status=$?
    set -e
}

# tell_failure STATUS COMMAND: which command, in which function with which arguments, called from
# where, up to the line of the case
tell_failure() {
    local status=$1 command=$2 i j at=${BASH_ARGC[0]} words how=
    case $status:$command in
    124:timeout* | 137:timeout*) how=", stopped by timeout" ;;
    12[89]:* | 1[3-9]?:*) how=", signal $((status - 128))" ;;
    esac
    echo "# ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: after $((SECONDS - case_begun)) s: exit code $status$how: $command"
    for ((i = 1; i < ${#FUNCNAME[@]}; i++)); do
        [ "${FUNCNAME[i]}" != run_case ] || return 0
        words=
        for ((j = BASH_ARGC[i] - 1; j >= 0; j--)); do words+=" ${BASH_ARGV[at + j]}"; done
        at=$((at + BASH_ARGC[i]))
        echo "#   in ${FUNCNAME[i]}${words:0:300}, from ${BASH_SOURCE[i + 1]##*/}:${BASH_LINENO[i]}"
    done
}

report_case() { # LOG NAME [REMARK]
    case $case_status in
    0) echo "ok - $topic: $2$(notes "$1")${3:-}" ;;
    77) echo "ok - $topic: $2 # SKIP $(sed -n 's/^skip: //p' "$1" | tail -1)" ;;
    *)
        echo "not ok - $topic: $2"
        diagnostics "$1"
        failed_cases=$((failed_cases + 1))
        ;;
    esac
    [ -z "${TP_VERBOSE:-}" ] || sed 's/^/    # /' "$1"
}

# What failed, what was said before it, and the state that case_end tells. The end of a run repeats
# the first rows only.
diagnostics() { # LOG
    local before
    before=$(sed "/^$ended\$/,\$d" "$1")
    {
        if [ "$(wc -l <<<"$before")" -gt 15 ]; then
            grep '^# ' <<<"$before" | tail -n 10 || true
            grep -v '^# ' <<<"$before" | tail -n 5 | cut -c1-300 || true
            echo ----
        fi
        tail -n 40 <<<"$before"
        sed "1,/^$ended\$/d" "$1" | tail -n 60
    } | sed 's/^/    # /'
}
ended='---- the case has ended ----'

notes() { sed -n 's/^note: //p' "$1" | paste -sd';' | sed 's/;/; /g; s/^/ (/; s/$/)/; s/^ ()$//'; }

# Figures that belong on the line of the result.
note() { echo "note: $*"; }
skip() {
    echo "skip: $*"
    exit 77
}
fail() {
    echo "# $*"
    return 1
}

finish() { exit $((failed_cases > 0)); }

case_start() {
    id=$BASHPID
    case_begun=$SECONDS
    H=tp-sys-$id-host P=tp-sys-$id-peer
    tmp=$(mktemp -d /tmp/tp-sys-$id.XXXXXX)
    S=$tmp/control
    pids=()
    daemon=
    extra_ns=()
    nb_members=0
    nb_veths=0
    team_mode=
    ring=
    cut_routes=:
}

case_end() {
    local status=$1 pid
    trap - ERR EXIT
    set +e
    echo "$ended"
    if [ -n "$daemon" ]; then
        if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
            timeout -k 1 3 "$teamctl" -s "$S" show team 2>/dev/null | tail -40
        fi
        kill -CONT "$daemon" 2>/dev/null
        kill -TERM "$daemon" 2>/dev/null
        gone "$daemon" || kill -KILL "$daemon" 2>/dev/null
    fi
    pids+=($(jobs -p))
    for pid in "${pids[@]}"; do kill -CONT "$pid" && kill -TERM "$pid"; done 2>/dev/null
    for pid in "${pids[@]}"; do gone "$pid" || kill -KILL "$pid"; done 2>/dev/null
    for ns in "$H" "$P" "${extra_ns[@]}"; do ip netns del "$ns" 2>/dev/null; done
    if [ "$status" -ne 0 ] && [ "$status" -ne 77 ] && [ -s "$tmp/teampmd.log" ]; then
        echo "# teampmd's log:"
        tail -n 30 "$tmp/teampmd.log"
    fi
    rm -rf "$tmp" "/var/run/dpdk/tpsys$id" "/var/run/dpdk/tpsysp$id"
    exit "$status"
}

# Wait up to 5 s until a child has ended.
gone() {
    local i
    for i in $(seq 50); do
        alive "$1" || return 0
        sleep 0.1
    done
    return 1
}

# Not ended, and no zombie.
alive() { [ -d "/proc/$1" ] && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }

# bg COMMAND...: in the background until the case ends; its pid is in $bg_pid. It dies with us.
bg() {
    setpriv --pdeathsig KILL "$@" &
    bg_pid=$!
    pids+=("$bg_pid")
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
    local end=$((SECONDS + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ $SECONDS -le $end ] || fail "waited in vain for: $*" || return 1
        sleep 0.05
    done
}

# eventually SECONDS 'SHELL TEST': likewise, for a test that is text
eventually() { wait_for "$1" eval "$2"; }

expect() { # NAME ACTUAL OPERATOR WANTED
    [ "$2" "$3" "$4" ] || fail "$1 is $2, not $3 $4"
}

# within NAME VALUE LOW HIGH (may have fractions)
within() {
    awk -v v="$2" -v l="$3" -v h="$4" 'BEGIN { exit !(v >= l && v <= h) }' ||
        fail "$1 is $2, not from $3 to $4"
}

# ---- the two hosts ------------------------------------------------------------------

h() { timeout -k 2 "${T:-40}" ip netns exec "$H" "$@"; }
p() { timeout -k 2 "${T:-40}" ip netns exec "$P" "$@"; }

need() {
    local tool
    for tool; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
}

# A veth that hands over finished frames: no partial checksums, no segments to be cut.
plain_nic() { # NAMESPACE INTERFACE
    ip netns exec "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null 2>&1
}

# add_veth INTERFACE NAMESPACE PEER NAMESPACE. The kernel tells of a carrier at once only where an
# interface's index is not that of its peer, else up to a second after the last change anywhere.
add_veth() {
    ip link add "$1" netns "$2" index $((1000 + nb_veths++)) type veth peer name "$3" netns "$4"
}

make_veth() { # N
    add_veth "m$1" "$H" "p$1" "$P"
    # The kernel behind a member is no second host.
    h sysctl -qw "net.ipv6.conf.m$1.disable_ipv6=1" "net.ipv4.conf.m$1.rp_filter=1"
    plain_nic "$H" "m$1"
    plain_nic "$P" "p$1"
    h ip link set "m$1" mtu 9500 up
    p ip link set "p$1" mtu 9500
}

# make_hosts MEMBERS: both namespaces and so many veths between them
make_hosts() {
    local i
    nb_members=$1
    ip netns add "$H"
    ip netns add "$P"
    h ip link set lo up
    p ip link set lo up
    for ((i = 0; i < nb_members; i++)); do make_veth "$i"; done
}

# Independent switch ports: a bridge in the peer.
peer_bridge() {
    local i
    p ip link add br0 type bridge forward_delay 0 stp_state 0
    for ((i = 0; i < nb_members; i++)); do p ip link set "p$i" mtu 1500 master br0 up; done
    p ip link set br0 address "$PEER_MAC" up
    p ip addr add "$P4/24" dev br0
    p ip addr add "$P6/64" dev br0 nodad
    peer_dev=br0
}

# Static aggregation: addresses behind all links, and routes that hash flows over those with
# carrier. Neighbours are per interface, so replies leave by the member that was asked.
peer_multipath() {
    local i
    p sysctl -qw net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1 \
        net.ipv4.conf.all.ignore_routes_with_linkdown=1 net.ipv4.conf.all.rp_filter=2 \
        net.ipv6.conf.all.ignore_routes_with_linkdown=1 net.ipv6.conf.all.keep_addr_on_down=1
    p ip addr add "$P4/32" dev lo
    for ((i = 0; i < nb_members; i++)); do
        p sysctl -qw "net.ipv4.conf.p$i.ignore_routes_with_linkdown=1" \
            "net.ipv4.conf.p$i.rp_filter=2" "net.ipv6.conf.p$i.ignore_routes_with_linkdown=1" \
            "net.ipv6.conf.p$i.keep_addr_on_down=1" "net.ipv6.conf.p$i.accept_dad=0"
        p ip link set "p$i" mtu 1500 address "$PEER_MAC" up
        p ip addr add "$P6/128" dev "p$i" nodad
    done
    multipath_routes
    cut_routes=multipath_routes
    peer_dev=p0
}

# Setting an interface down takes its next hop away for good.
multipath_routes() {
    local i hops4=() hops6=()
    for ((i = 0; i < nb_members; i++)); do
        p ip link show "p$i" 2>/dev/null | grep -q '[<,]UP[,>]' || continue
        hops4+=(nexthop dev "p$i")
        hops6+=(nexthop via "$H6" dev "p$i" onlink)
    done
    [ ${#hops4[@]} -gt 0 ] || return 0
    p ip route replace "$H4/32" src "$P4" "${hops4[@]}"
    p ip -6 route replace "$H6/128" src "$P6" "${hops6[@]}"
}

# ---- the daemon ------------------------------------------------------------------------

ctl() { timeout -k 1 10 "$teamctl" -s "$S" "$@"; }
# team_json TOPIC JQ-FILTER
get() { ctl -j show $1 | jq -r "$2"; }
member() { get team ".members[] | select(.port == $1) | $2"; }
stat_of() { get "port stats $1" "$2"; }
events() { get events '.[].text'; }
primary() { get team .primary; }
primary_is() { [ "$(primary)" = "$1" ]; }
mbufs_in_use() { get memory '[.pools[].in_use] | add'; }
# has_event REGEX [TIMES]: so many events, at least
has_event() { [ "$(events | grep -Ec "$1")" -ge "${2:-1}" ]; }

# launch EAL-AND-OTHER-OPTIONS...: in $H, log in $tmp/teampmd.log; does not wait
launch() {
    setpriv --pdeathsig KILL ip netns exec "$H" "$teampmd" --no-huge -m 256 --no-pci --no-shconf \
        --no-telemetry --file-prefix "tpsys$id" --log-level lib.eal:warning "$@" \
        >>"$tmp/teampmd.log" 2>&1 </dev/null &
    daemon=$!
}

vdevs() { # MEMBERS; $ring: more of each one's arguments
    local i
    for ((i = 0; i < $1; i++)); do echo "--vdev=net_af_packet$i,iface=m$i$ring"; done
    echo "--vdev=net_tap0,iface=team0"
}

# team_start MODE [OPTION...]: all members, host port team0, addresses
team_start() {
    team_mode=$1
    shift
    launch $(vdevs "$nb_members") -- --host net_tap0 --mode "$team_mode" --control-socket "$S" "$@"
    team_ready
}

team_ready() {
    wait_for 20 daemon_answers_or_died
    alive "$daemon" || fail "the daemon ended"
    h ip addr replace "$H4/24" dev team0
    h ip link set team0 up
    h ip addr replace "$H6/64" dev team0 nodad
    wait_for 10 all_distribute
    mbufs_base=$(mbufs_in_use)
}

daemon_answers() { ctl show version; }
daemon_answers_or_died() { ! alive "$daemon" || daemon_answers; }

all_distribute() { get team '[.members[].link] | all' | grep -q true && [ "$(get team .carrier)" = true ]; }

# Mbufs come back, and the daemon ends as asked.
team_stop() {
    local code=0
    wait_for 5 mbufs_returned || fail "mbufs in use: $(mbufs_in_use), at the start $mbufs_base"
    kill -"${1:-TERM}" "$daemon"
    gone "$daemon" || fail "the daemon does not end"
    wait "$daemon" || code=$?
    daemon=
    expect "exit code" $code -eq 0
}

mbufs_returned() { [ "$(mbufs_in_use)" -le "$mbufs_base" ]; }

worker_tid() { # PORT: thread id of the member's lcore
    local lcore t
    lcore=$(get lcore ".[] | select(.port == $1) | .lcore")
    for t in /proc/"$daemon"/task/*; do
        if grep -qx "\(lcore-worker-\|rte-worker-\|dpdk-worker\)$lcore" "$t/comm"; then
            basename "$t"
            return
        fi
    done
    fail "no thread of lcore $lcore: $(cat /proc/"$daemon"/task/*/comm | paste -sd' ')"
}

# link_cut N, link_restore N: the peer's end of link N
link_cut() { p ip link set "p$1" down; }
link_restore() {
    p ip link set "p$1" up
    $cut_routes
}

# The peer's end forwards again: its kernel takes up to a second, whatever ours says.
peer_forwards() { # N
    [ "$(p cat "/sys/class/net/p$1/operstate")" = up ] &&
        case $(p bridge link show dev "p$1") in *' state '*) p bridge link show dev "p$1" | grep -q 'state forwarding' ;; esac
}

# ---- traffic ------------------------------------------------------------------------------

tool() { timeout -k 2 "${T:-60}" /usr/bin/python3 "$here/tool.py" "$@"; }
in_ns() { local ns=$1; shift; timeout -k 2 "${T:-60}" ip netns exec "$ns" "$@"; }

answers() { h ping -c 1 -W 1 "$1"; }
peer_answers() { p ping -c 1 -W 5 "$1"; }
ping_both() { wait_for 5 answers "$P4" && wait_for 5 answers "$P6"; }
url() { case $1 in *:*) echo "http://[$1]:$2" ;; *) echo "http://$1:$2" ;; esac; }

# serve NAMESPACE PORT DIRECTORY: http on all addresses, GET and PUT of files
serve() {
    mkdir -p "$3"
    bg ip netns exec "$1" /usr/bin/python3 "$here/tool.py" httpd "$2" "$3"
    wait_for 5 in_ns "$1" curl -sf -o /dev/null --max-time 1 "http://127.0.0.1:$2/"
}

random_file() { head -c "$1" /dev/urandom >"$2"; }
digest() { sha256sum <"$1" | cut -d' ' -f1; }
same_file() { [ "$(digest "$1")" = "$(digest "$2")" ] || fail "$1 and $2 differ"; }

# files_both_ways PEER-ADDRESS BYTES: a file down and one up, digests compared
files_both_ways() {
    local name=f$RANDOM
    [ -d "$tmp/www" ] || serve "$P" 8080 "$tmp/www"
    random_file "$2" "$tmp/www/$name"
    h curl -sSf --max-time 30 -o "$tmp/$name.down" "$(url "$1" 8080)/$name"
    same_file "$tmp/www/$name" "$tmp/$name.down"
    random_file "$2" "$tmp/$name.src"
    h curl -sSf --max-time 30 -o /dev/null -T "$tmp/$name.src" "$(url "$1" 8080)/$name.up"
    same_file "$tmp/$name.src" "$tmp/www/$name.up"
}

# stream_start NAME FROM-NS TO-NS ADDRESS SECONDS [OPTION...]: numbered datagrams; result by stream_of
stream_start() {
    local name=$1 from=$2 to=$3 address=$4 secs=$5 port=$((20000 + RANDOM % 10000))
    shift 5
    bg ip netns exec "$to" /usr/bin/python3 "$here/tool.py" recv "$address" "$port" "$secs" >"$tmp/stream.$name"
    eval "stream_$name=$bg_pid"
    wait_for 5 in_ns "$to" sh -c "ss -Hlun 'sport = :$port' | grep -q ."
    bg ip netns exec "$from" /usr/bin/python3 "$here/tool.py" send "$address" "$port" "$secs" "$@"
}

# stream_end NAME: wait for the receiver
stream_end() {
    local pid
    eval "pid=\$stream_$1"
    wait "$pid"
    cat "$tmp/stream.$1"
}

# What the kernel itself dropped there: its queues overflow on a busy machine.
kernel_drops() { # NAMESPACE
    local devices sockets
    devices=$(in_ns "$1" ip -s -j link show | jq '[.[].stats64.tx.dropped] | add')
    sockets=$(in_ns "$1" nstat -asz UdpRcvbufErrors Udp6RcvbufErrors | awk '/Rcvbuf/ { n += $2 } END { print n }')
    echo $((devices + sockets))
}

# Others on this machine make pauses too: how long the longest was while streams ran.
noise_start() { stream_start noise "$P" "$P" 127.0.0.1 "$1" --flows=1 --pps=200; } # SECONDS
noise_end() {
    stream_end noise >/dev/null
    noise_ms=$(stream_of noise '.max_gap_ms - 5 | if . < 0 then 0 else floor end')
}

# silence NAME LIMIT-MS: the longest stop of any flow, but for pauses of the whole machine, and for
# what both ends of the stream waited for a CPU
silence() {
    within "longest stop of $1" "$(stream_of "$1" .max_stop_ms)" 0 "$(jq -n "$2 + $noise_ms")"
}

stream_of() { jq -r "$2" "$tmp/stream.$1"; } # NAME FILTER

# capture NAMESPACE INTERFACE NAME [FILTER]: what comes in there, until capture_stop
capture() {
    bg ip netns exec "$1" tcpdump -Z root -i "$2" -Q in --immediate-mode -U -nn -s 256 -w "$tmp/$3.pcap" ${4:+"$4"} \
        2>"$tmp/$3.tcpdump"
    eval "capture_$3=$bg_pid"
    wait_for 5 grep -q 'listening on' "$tmp/$3.tcpdump"
}

capture_stop() { # NAME
    local pid
    eval "pid=\$capture_$1"
    sleep 0.2
    kill -INT "$pid"
    wait "$pid" || true
}

frames() { timeout 20 tcpdump -nn -r "$tmp/$1.pcap" "${2:-}" 2>/dev/null | wc -l; } # NAME [FILTER]
