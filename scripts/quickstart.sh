#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# A team of two ports carries real traffic and loses its primary's link in mid-transfer.
#
#   namespace tpq-host                          namespace tpq-peer
#   kernel stack 10.77.0.1                      kernel stack 10.77.0.2
#        | team0 (net_tap)                           ^
#   teampmd ---- m0 (net_af_packet) ------ p0 -------+  two equal-cost routes: the peer
#        \------ m1 (net_af_packet) ------ p1 -------+  hashes its flows over both links
#
# Then the team itself serves TCP at the same address: what comes to port 80 is its offload
# engine's, everything else the kernel's. At last links are cut, restored and flapped under one
# connection to it, which goes where its packets arrive.
#
# Usage: scripts/quickstart.sh [--mode hash|active-backup] [--size SIZE] [--serve SIZE] [--keep]
#   --mode   how the team sends (hash)
#   --size   what each side sends to the other: 64M, 1G; a plain number is MiB (256M)
#   --serve  what the peer fetches from the team itself (1G)
#   --keep   keep the logs
# Needs nothing but Debian 12; as an ordinary user it runs inside a user namespace where the
# system allows that, else it balances a pcap file (without links to cut).
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

mode=hash
size=256M
serve_size=1G
keep=false
args=("$@")
while [ $# -gt 0 ]; do
    case "$1" in
    --mode) mode=${2:?--mode needs a value}; shift ;;
    --size) size=${2:?--size needs a value}; shift ;;
    --serve) serve_size=${2:?--serve needs a value}; shift ;;
    --keep) keep=true ;;
    -h | --help) sed -n '/^# Usage/,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "quickstart.sh: unknown argument '$1' (there are --mode, --size, --serve and --keep; see --help)" >&2; exit 2 ;;
    esac
    shift
done
[[ $size =~ ^[1-9][0-9]{0,5}[MG]?$ ]] || {
    echo "quickstart.sh: --size $size: not a size like 64M or 1G" >&2; exit 2; }
case $size in
*G) size_mib=$((${size%G} * 1024)) ;;
*) size_mib=${size%M} ;;
esac
[[ $serve_size =~ ^[1-9][0-9]*[KMG]?$ ]] || {
    echo "quickstart.sh: --serve $serve_size: not a size like 64M or 1G" >&2; exit 2; }
case "$mode" in hash | active-backup) ;; *)
    echo "quickstart.sh: --mode $mode: not one of hash, active-backup" >&2; exit 2 ;;
esac

say() { printf '%s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

# ---- build --------------------------------------------------------------------

if [ -z "${TP_QUICKSTART_BUILT:-}" ]; then
    scripts/setup.sh --quiet || die "setup.sh could not install what is missing"
    [ -x build-release/app/teampmd ] && word= || word=", which takes minutes the first time"
    say "building (build-release)$word ..."
    log=$(mktemp)
    if ! { [ -f build-release/build.ninja ] || meson setup build-release --buildtype=release; } >"$log" 2>&1 ||
        ! ninja -C build-release app/teampmd app/teamctl >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "the build failed"
    fi
    rm -f "$log"
fi
teampmd=$PWD/build-release/app/teampmd
teamctl=$PWD/build-release/app/teamctl

# ---- as an ordinary user: a user namespace, else pcap files -----------------------

if [ "$(id -u)" -ne 0 ]; then
    export TP_QUICKSTART_BUILT=1
    if unshare --user --map-root-user --net --mount true 2>/dev/null && [ -r /dev/net/tun ] && [ -w /dev/net/tun ]; then
        exec unshare --user --map-root-user --net --mount --fork "$0" "${args[@]}"
    fi
    say "this system gives ordinary users no namespaces: balancing a pcap file instead"
    exec scripts/quickstart_pcap.sh "$teampmd"
fi

# ---- the two hosts ------------------------------------------------------------------

tmp=$(mktemp -d /tmp/tpq.XXXXXX)
host=tpq-host-$$ peer=tpq-peer-$$
pids=()

cleanup() {
    local status=$?
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    # In a user namespace of our own /run/netns is a private mount.
    ip netns del "$host" 2>/dev/null || true
    ip netns del "$peer" 2>/dev/null || true
    if $keep || { [ $status -ne 0 ] && [ -s "$tmp/teampmd.log" ]; }; then
        say "logs are in $tmp"
    else
        rm -rf "$tmp"
    fi
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if [ -n "${TP_QUICKSTART_BUILT:-}" ]; then
    mount -t tmpfs tmpfs /run
    mkdir -p /run/netns
fi

in_host() { ip netns exec "$host" "$@"; }
in_peer() { ip netns exec "$peer" "$@"; }

make_networks() {
    ip netns add "$host"
    ip netns add "$peer"
    for i in 0 1; do
        # The kernel tells of a veth's carrier at once only if its index is not its peer's.
        ip link add "m$i" netns "$host" index $((1000 + i)) type veth peer name "p$i" netns "$peer"
        # The kernel behind a member is no second host, and veth must not hand over
        # segments with checksums yet to be filled in.
        in_host sysctl -qw "net.ipv6.conf.m$i.disable_ipv6=1" "net.ipv4.conf.m$i.rp_filter=1"
        in_host ethtool -K "m$i" tx off rx off tso off gso off gro off >/dev/null 2>&1
        in_peer ethtool -K "p$i" tx off rx off tso off gso off gro off >/dev/null 2>&1
        in_host ip link set "m$i" up
    done
    in_host ip link set lo up
    in_peer ip link set lo up
}

# Independent switch ports: a bridge in the peer's namespace.
peer_bridge() {
    in_peer ip link add br0 type bridge
    for i in 0 1; do
        in_peer ip link set "p$i" master br0
        in_peer ip link set "p$i" up
    done
    in_peer ip link set br0 up
    in_peer ip addr add 10.77.0.2/24 dev br0
    in_peer ip addr add fd77::2/64 dev br0 nodad
}

# Static aggregation: one address behind both links, and a route that hashes flows over those
# links that have carrier.
peer_multipath() {
    in_peer sysctl -qw net.ipv4.fib_multipath_hash_policy=1
    in_peer sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=1
    in_peer sysctl -qw net.ipv4.conf.all.rp_filter=2
    in_peer ip addr add 10.77.0.2/32 dev lo
    for i in 0 1; do
        in_peer sysctl -qw "net.ipv4.conf.p$i.ignore_routes_with_linkdown=1"
        in_peer sysctl -qw "net.ipv4.conf.p$i.rp_filter=2"
        in_peer ip link set "p$i" address 02:77:00:00:00:02 up
        in_peer ip addr add fd77::2/128 dev "p$i" nodad
    done
    in_peer ip route add 10.77.0.1/32 src 10.77.0.2 nexthop dev p0 nexthop dev p1
    in_peer sysctl -qw net.ipv6.fib_multipath_hash_policy=1
    in_peer sysctl -qw net.ipv6.conf.p0.keep_addr_on_down=1 net.ipv6.conf.p1.keep_addr_on_down=1
    peer_routes_v6
}

peer_routes_v6() {
    in_peer ip -6 route replace fd77::1/128 src fd77::2 \
        nexthop via fd77::1 dev p0 onlink nexthop via fd77::1 dev p1 onlink
}

start_team() {
    ip netns exec "$host" "$teampmd" --no-huge -m 512 --no-pci --no-telemetry --file-prefix "tpq$$" \
        --vdev net_af_packet0,iface=m0 --vdev net_af_packet1,iface=m1 \
        --vdev net_tap0,iface=team0 --log-level lib.eal:warning \
        -- --host net_tap0 --mode "$mode" --ip 10.77.0.1/24 --ip fd77::1/64 --service http:80 \
        --control-socket "$tmp/control" \
        >"$tmp/teampmd.log" 2>&1 &
    daemon=$!
    pids+=("$daemon")
    for _ in $(seq 100); do
        ctl show team >/dev/null 2>&1 && break
        kill -0 "$daemon" 2>/dev/null || { cat "$tmp/teampmd.log" >&2; die "teampmd did not start"; }
        sleep 0.1
    done
    in_host ip addr add 10.77.0.1/24 dev team0
    in_host ip addr add fd77::1/64 dev team0 nodad
    in_host ip link set team0 up
}

ctl() { "$teamctl" -s "$tmp/control" "$@"; }

wait_ping() {
    for _ in $(seq 50); do
        in_host ping -c 1 -W 1 10.77.0.2 >/dev/null 2>&1 && return
    done
    die "the peer does not answer"
}

# ---- the transfers --------------------------------------------------------------------

serve() { # namespace address directory
    ip netns exec "$1" python3 -m http.server --bind "$2" --directory "$3" 8080 >/dev/null 2>&1 &
    pids+=($!)
    for _ in $(seq 100); do
        ip netns exec "$1" curl -s -o /dev/null "http://$2:8080/" && return
        sleep 0.1
    done
    die "the web server at $2 does not answer"
}

main() {
    say "setting up: two namespaces, two links, a team of two ports ($mode) ..."
    make_networks
    if [ "$mode" = hash ]; then peer_multipath; else peer_bridge; fi
    start_team
    wait_ping
    mkdir "$tmp/at-host" "$tmp/at-peer"
    # Four streams at once, so that some of them use the link that is cut.
    for i in 0 1 2 3; do
        head -c "$((size_mib << 18))" /dev/urandom >"$tmp/at-peer/down$i"
        head -c "$((size_mib << 18))" /dev/urandom >"$tmp/at-host/up$i"
    done
    serve "$peer" 10.77.0.2 "$tmp/at-peer"
    serve "$host" 10.77.0.1 "$tmp/at-host"
    python3 scripts/quickstart_run.py --host "$host" --peer "$peer" --dir "$tmp" \
        --teamctl "$teamctl" --socket "$tmp/control" --mode "$mode"
    rm -f "$tmp"/at-*/* "$tmp"/got-*
    if [ "$mode" = hash ]; then
        peer_routes_v6 # a link that went down took its next hop along
    fi
    python3 scripts/quickstart_serve.py --peer "$peer" --dir "$tmp" --teamctl "$teamctl" \
        --socket "$tmp/control" --size "$serve_size" http://10.77.0.1 "http://[fd77::1]"
    python3 scripts/quickstart_move.py --peer "$peer" --teamctl "$teamctl" \
        --socket "$tmp/control" --mode "$mode" --size "$serve_size" --host 10.77.0.1
    say "stopping the daemon ..."
    kill -TERM "$daemon"
    local code=0
    wait "$daemon" || code=$?
    say "teampmd ended with exit code $code"
    [ "$code" -eq 0 ] || die "the daemon did not stop cleanly: see $tmp/teampmd.log"
}

main
