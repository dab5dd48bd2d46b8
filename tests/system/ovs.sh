# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Open vSwitch as the peer's switch; sourced after lib.sh, never run.

vs() { timeout -k 1 10 ip netns exec "$P" "$1" --db="unix:$tmp/db.sock" "${@:2}"; }
appctl() { timeout -k 1 10 ovs-appctl -t "$tmp/vswitchd.ctl" "$@"; }

# peer_ovs: a bridge of all p*, and the peer's address on its own port
peer_ovs() {
    local i kind
    need ovs-vswitchd ovsdb-server ovsdb-tool ovs-vsctl ovs-appctl
    export OVS_RUNDIR=$tmp OVS_LOGDIR=$tmp OVS_DBDIR=$tmp
    ovsdb-tool create "$tmp/conf.db" /usr/share/openvswitch/vswitch.ovsschema
    bg ip netns exec "$P" ovsdb-server "$tmp/conf.db" --remote="punix:$tmp/db.sock" \
        --unixctl="$tmp/db.ctl" --log-file="$tmp/ovsdb.log"
    wait_for 10 vs ovs-vsctl --no-wait init
    bg ip netns exec "$P" ovs-vswitchd "unix:$tmp/db.sock" --unixctl="$tmp/vswitchd.ctl" \
        --log-file="$tmp/vswitchd.log" --disable-system
    wait_for 20 appctl version
    for ((i = 0; i < nb_members; i++)); do
        # With a datapath in userspace the kernel behind a port hears all, too: it must not answer
        # for the bridge's address, or the host sends to a MAC that goes with that link.
        p sysctl -qw "net.ipv4.conf.p$i.arp_ignore=8" "net.ipv6.conf.p$i.disable_ipv6=1"
        p ip link set "p$i" mtu 1500 up
    done
    for kind in system netdev; do
        vs ovs-vsctl --timeout=8 -- --if-exists del-br br0 -- add-br br0 -- \
            set bridge br0 datapath_type=$kind other-config:hwaddr="$PEER_MAC" fail-mode=standalone &&
            wait_for 2 p ip link show br0 && break
    done 2>>"$tmp/vsctl.log"
    p ip link show br0 >/dev/null 2>&1 ||
        skip "neither the kernel's nor the userspace datapath of Open vSwitch works here"
    for ((i = 0; i < nb_members; i++)); do vs ovs-vsctl --timeout=8 add-port br0 "p$i"; done
    p ethtool -K br0 tx off >/dev/null 2>&1 || true
    p ip link set br0 mtu 1500 up
    p ip addr add "$P4/24" dev br0
    p ip addr add "$P6/64" dev br0 nodad
    note "datapath $kind"
}
