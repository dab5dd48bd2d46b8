#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# scripts/pktgen.sh: its search, its refusals, its cleaning up, and a short run against a team.
# TP_BUILD names the build directory (default: build-release).
set -u
cd "$(dirname "$0")/../.."
export TP_BUILD="${TP_BUILD:-$PWD/build-release}"
exec python3 -B tests/perf/pktgen.py
