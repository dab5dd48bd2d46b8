#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# The quickstart where no namespaces are allowed: balance a pcap file over two others, then take
# one member away and see its share go to the other. Usage: quickstart_pcap.sh TEAMPMD
set -euo pipefail
cd "$(dirname "$0")/.."

teampmd=${1:?path of teampmd}
teamctl=$(dirname "$teampmd")/teamctl
tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$tmp"' EXIT

# 4096 UDP packets of 256 flows as the host's traffic.
python3 - "$tmp/host.pcap" <<'PY'
import struct
import sys

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff

with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for n in range(4096):
        flow = n % 256
        payload = struct.pack("!II", flow, n // 256).ljust(64, b"\0")
        udp = struct.pack("!HHHH", 1024 + flow, 4789, 8 + len(payload), 0) + payload
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), n, 0, 64, 17, 0,
                           bytes((10, 0, 0, 1)), bytes((10, 0, 1, flow)))
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        frame = bytes.fromhex("020000000002020000000001") + b"\x08\x00" + head + udp
        f.write(struct.pack("<IIII", 0, n, len(frame), len(frame)) + frame)
PY

balance() { # title, command or nothing
    "$teampmd" --no-huge -m 256 --no-pci --no-shconf --no-telemetry --file-prefix "tpq$$" --log-level lib.eal:warning \
        --vdev "net_pcap0,tx_pcap=$tmp/0.pcap" --vdev "net_pcap1,tx_pcap=$tmp/1.pcap" \
        --vdev "net_pcap2,rx_pcap=$tmp/host.pcap,tx_pcap=$tmp/to-host.pcap" \
        -- --host net_pcap2 --no-start --control-socket "$tmp/control" >"$tmp/log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        "$teamctl" -s "$tmp/control" show team >/dev/null 2>&1 && break
        sleep 0.1
    done
    [ $# -eq 1 ] || "$teamctl" -s "$tmp/control" "$2"
    "$teamctl" -s "$tmp/control" start
    sleep 1
    kill -TERM "$pid"
    wait "$pid" || { cat "$tmp/log" >&2; echo "quickstart: teampmd failed" >&2; exit 1; }
    pid=
    echo "$1"
    grep '^port' "$tmp/log"
}

balance "two members:"
balance "the link of port 0 down:" "set link-down port 0"
