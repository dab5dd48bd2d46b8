#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Install the Debian packages that building, testing and the examples need.
# Safe to repeat: when all are there it returns at once and asks for nothing.
# None of their services needs to run.
#
# Usage: scripts/setup.sh [--quiet] [--list]
# --quiet says only what goes wrong, --list prints the packages.
set -euo pipefail

# libdpdk-dev pulls in every PMD that Debian builds (net_tap, net_af_packet,
# net_af_xdp, net_memif, net_vhost, net_virtio_user, net_pcap, net_ring,
# net_null, net_bonding among them); dpdk-dev has testpmd and the telemetry
# client. libc6-dev is only recommended by gcc.
build=(
    gcc libc6-dev clang libclang-rt-14-dev clang-format
    meson ninja-build pkg-config
    libdpdk-dev dpdk dpdk-dev libnuma-dev libpcap-dev libmnl-dev libjansson-dev libhttp-parser-dev
    libcmocka-dev scdoc
)
testing=(
    git ca-certificates procps python3 python3-scapy spin
    iproute2 iputils-ping ethtool tcpdump tshark iperf3 curl jq netcat-openbsd
    wrk nghttp2-client redis-tools python3-crcmod babeltrace2
    openvswitch-switch
)
packages=("${build[@]}" "${testing[@]}")

quiet=false
for arg; do
    case "$arg" in
    --quiet) quiet=true ;;
    -h | --help)
        sed -n '5,/^[^#]/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    --list)
        printf '%s\n' "${packages[@]}"
        exit 0
        ;;
    *)
        echo "setup.sh: unknown argument '$arg' (there are --quiet and --list)" >&2
        exit 2
        ;;
    esac
done

say() { $quiet || echo "setup: $*"; }

missing=()
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
for package in "${packages[@]}"; do
    grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    say "all ${#packages[@]} packages are installed"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    # Without a terminal nobody could type a password.
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root=(sudo)
    else
        echo "setup.sh: needs root to install: ${missing[*]}; run 'scripts/setup.sh' as root once" >&2
        exit 1
    fi
fi

# One log for both apt runs, shown when they fail (and live unless --quiet).
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    # Noninteractive: tshark asks whether users may capture; the default (no) is fine.
    local command=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get -q -y -o DPkg::Lock::Timeout=300 "$@")
    if $quiet; then
        "${command[@]}" >>"$log" 2>&1 </dev/null
    else
        "${command[@]}" </dev/null
    fi
}

say "installing ${missing[*]}"
# A third-party source that does not answer must not stop us.
apt update || say "apt-get update reported an error, trying with the lists at hand"
if ! apt install --no-install-recommends "${missing[@]}"; then
    tail -n 20 "$log" >&2
    echo "setup.sh: apt-get could not install: ${missing[*]}" >&2
    exit 1
fi
say "done"
