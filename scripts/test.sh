#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Build in every way and run all tests: scripts/test.sh [--quick|--long] [SUITE...]
# The last line is 'N passed, N failed, N skipped'; exit 1 when one failed.
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian's own tools first: they know the packages that setup.sh installs.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

if ! scripts/setup.sh --quiet; then
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
exec python3 tests/run.py "$@"
