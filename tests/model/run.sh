#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# Check the protocol models: tests/model/run.sh [MODEL...]
# Each model lists its cases in its head. A check must hold over its whole state
# space; each mutation, which takes one safeguard away, must be caught. With
# TP_TEST_LONG=1 also the cases marked long.
set -u
cd "$(dirname "$0")" || exit 1
here=$PWD

passed=0 failed=0 skipped=0
depth=100000 memory_mb=2048 patience=600

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
	exit
}

for tool in spin gcc; do
	if ! command -v "$tool" >/dev/null; then
		echo "skipped: model: $tool is not installed (scripts/setup.sh installs it)"
		skipped=1
		finish
	fi
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# fail TEXT [LOG]: a case that is not as it should be
fail() {
	failed=$((failed + 1))
	echo "not ok $1"
	[ $# -lt 2 ] || grep -v '^$' "$2" | head -n 12 | sed 's/^/    | /'
}

# verify NAME MODEL MODE OPTIMISE FLAG...: pan's output to $work/out; 1 if pan could not be made or run
verify() {
	local name=$1 model=$2 mode=$3 optimise=$4 log=$work/out
	local define=(-DSAFETY) run=()
	shift 4
	if [ "$mode" = live ]; then
		define=(-DNFAIR=6) run=(-a -f)
		set -- -DLIVE "$@"
	fi
	rm -f "$work"/pan* "$log"
	# spin leaves its files where it runs
	if ! (cd "$work" && spin "$@" -a "$here/$model.pml" &&
		gcc -w "$optimise" -DCOLLAPSE -DMEMLIM=$memory_mb "${define[@]}" -o pan pan.c) >"$log" 2>&1; then
		fail "$name (does not compile)" "$log"
		return 1
	fi
	(cd "$work" && timeout "$patience" ./pan -m"$depth" "${run[@]}") >"$log" 2>&1
	if ! grep -q 'errors: [0-9]' "$log" || grep -q 'too small\|MEMLIM bound\|out of memory' "$log"; then
		fail "$name (search not finished)" "$log"
		return 1
	fi
}

# check MODEL NAME MODE FLAG...: no error in the whole state space
check() {
	local model=$1 name="model/$1 $2" states
	local mode=$3
	shift 3
	verify "$name" "$model" "$mode" -O2 "$@" || return
	if ! grep -q 'errors: 0' "$work/out"; then
		fail "$name" "$work/out"
		return
	fi
	passed=$((passed + 1))
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/out")
	printf 'ok %s (%s: %.0f states)\n' "$name" "$mode" "$states"
}

# mutation MODEL NAME MODE FLAG...: an error of the kind that the mode looks for
mutation() {
	local model=$1 name="model/$1 -D$2" mode=$3 why
	local define=-D$2 kind='assertion violated'
	[ "$mode" = safety ] || kind='acceptance cycle'
	shift 3
	verify "$name" "$model" "$mode" -O0 "$define" "$@" || return
	why=$(sed -n "s/^pan:1: \($kind.*\) (at depth [0-9]*)/\1/p" "$work/out")
	if [ -z "$why" ]; then
		fail "$name not caught" "$work/out"
		return
	fi
	passed=$((passed + 1))
	echo "ok $name caught ($why)"
}

# base MODEL MODE FLAG: the flags of the first check of that mode that has the flag, if one is named
base() {
	awk -v mode="$2" -v flag="$3" '
		$2 == "check" && $4 == mode && (flag == "" || index($0 " ", " " flag " ")) {
			for (i = 5; i <= NF; i++) printf "%s ", $i
			exit
		}' "$1.pml"
}

# each mutation that the text of a model knows is listed, and the other way round
complete() {
	local model=$1 listed known
	listed=$(sed -n 's/^ \* mutation \(MUT_[A-Z_]*\) .*/\1/p' "$model.pml" | sort)
	known=$(sed -n '/^#.*MUT_/p' "$model.pml" | grep -o 'MUT_[A-Z_]*' | sort -u)
	if [ -z "$listed" ] || [ "$listed" != "$known" ]; then
		fail "model/$model: mutations in its head and in its text differ"
		diff <(echo "$listed") <(echo "$known") | sed 's/^/    | /'
	fi
}

# cases MODEL: all that its head lists
cases() {
	local model=$1 word name mode rest flag
	while read -r word name mode rest; do
		case $word in
		check) check "$model" "$name" "$mode" $rest ;;
		long) [ -z "${TP_TEST_LONG:-}" ] || check "$model" "$name" "$mode" $rest ;;
		mutation)
			flag=
			[[ $rest != -D* ]] || flag=${rest%% *}
			mutation "$model" "$name" "$mode" $(base "$model" "$mode" "$flag")
			;;
		esac
	done < <(sed -n '/^ \*\//q; s/^ \* \(\(check\|long\|mutation\) .*\)/\1/p' "$model.pml")
}

for model in "${@:-handover drain quiesce migrate}"; do
	for m in $model; do
		if [ ! -f "$m.pml" ]; then
			fail "model/$m: no such model"
			continue
		fi
		complete "$m"
		cases "$m"
	done
done
finish
