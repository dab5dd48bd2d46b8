#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# The hand-over of connections between real threads, under the thread sanitizer:
# tests/tsan/run.sh, ten minutes with TP_TEST_LONG=1, which it needs. With
# TP_THREADS_SECONDS=N it runs so long, without that too.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$PWD/build-tsan
name=tests/unit/test_toe_threads
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

if [ -z "${TP_TEST_LONG:-}${TP_THREADS_SECONDS:-}" ]; then
	echo "skipped: tsan: a build of its own, with --long only"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
# rte_ring's default barriers are none that the sanitizer knows, and gcc warns of fences.
if [ ! -d "$build" ] && ! meson setup "$build" -Ddebug=true -Doptimization=1 -Db_sanitize=thread \
	-Db_lundef=false -Dc_args='-DRTE_USE_C11_MEM_MODEL -Wno-tsan' >"$log" 2>&1; then
	cat "$log"
	exit 1
fi
ninja -C "$build" "$name" >"$log" 2>&1 || {
	tail -n 20 "$log"
	exit 1
}
# The sanitizer's shadow has no room for all the places that addresses are spread over.
export TP_THREADS_SECONDS=${TP_THREADS_SECONDS:-600}
TSAN_OPTIONS="suppressions=$PWD/tests/tsan/suppressions.txt second_deadlock_stack=1" \
	timeout $((TP_THREADS_SECONDS + 300)) setarch -R "$build/$name"
