#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Make docs/cli.md from the commands' help, or see that it is up to date.
# Usage: scripts/gen-cli-doc.sh [--check] [CLIDOC]
# CLIDOC is the program app/clidoc of a build; without it that of $TP_BUILD, or
# of build-release, which is built when it is not there.
set -euo pipefail

check=false
clidoc=
for arg; do
    case "$arg" in
    --check) check=true ;;
    -*) echo "gen-cli-doc.sh: unknown option '$arg' (there is --check)" >&2; exit 2 ;;
    *) clidoc=$(realpath "$arg") ;;
    esac
done
cd "$(dirname "$0")/.."
if [ -z "$clidoc" ]; then
    build=${TP_BUILD:-build-release}
    [ -f "$build/build.ninja" ] || meson setup "$build" >/dev/null
    ninja -C "$build" app/clidoc >/dev/null
    clidoc=$build/app/clidoc
fi
new=$(mktemp)
trap 'rm -f "$new"' EXIT
"$clidoc" >"$new"
if ! $check; then
    cp "$new" docs/cli.md
elif ! diff -u docs/cli.md "$new"; then
    echo "docs/cli.md is out of date: run scripts/gen-cli-doc.sh" >&2
    exit 1
fi
