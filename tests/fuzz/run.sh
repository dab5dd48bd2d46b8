#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Build every fuzzer with clang and run each: tests/fuzz/run.sh [SECONDS [NAME...]]
# A fuzzer is a line in meson.build. What it finds lies in build-fuzz/findings.
# The last line is 'N passed, N failed, N skipped'.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-20}
shift || true
build=build-fuzz
if ! command -v clang >/dev/null; then
    echo "no clang"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
if [ ! -f $build/build.ninja ]; then
    CC=clang meson setup $build --buildtype=debugoptimized -Db_ndebug=false -Dfuzz=enabled \
        -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
fi
ninja -C $build fuzz >$build/build.log || {
    cat $build/build.log
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}

export LSAN_OPTIONS=print_suppressions=0:suppressions=$PWD/tests/lsan.supp
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
passed=0 failed=0
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    found=$build/findings/$name
    mkdir -p "$found"
    corpora=("$found") # new inputs go to the first
    [ ! -d "tests/fuzz/corpus/$name" ] || corpora+=("tests/fuzz/corpus/$name")
    if $build/tests/fuzz/fuzz_"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 \
        -artifact_prefix="$found/crash-" "${corpora[@]}" >"$found.log" 2>&1; then
        echo "ok   $name: $(grep '^Done' "$found.log")"
        passed=$((passed + 1))
    else
        echo "FAIL $name: see $found.log"
        grep -E "ERROR|runtime error|: not |SUMMARY" "$found.log" || tail -n 5 "$found.log"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
