# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# What tests of the offload engine share; sourced after lib.sh, never run.

scripts=$here/../../scripts

# The sequence of /bytes/N: digest, and the CRC32C of a file.
sequence_digest() { (cd "$scripts" && /usr/bin/python3 -c "
import quickstart_serve as q
print(q.digest_of_sequence($1))"); }
get_tcp() { get tcp ".$1"; }
conns() { get "conn summary" '[.states | to_entries[] | select(.key != "TIME_WAIT") | .value] | add // 0'; }
no_conns() { [ "$(conns)" -eq 0 ]; }
http_answers() { p curl -sSfg --max-time "${2:-1}" -o /dev/null "$(url "$1" 80)/info"; } # ADDRESS [SECONDS]

toe_start() { # MODE [OPTION...]
    local mode=$1
    shift
    team_start "$mode" --ip "$H4/24" --ip "$H6/64" --service http:80 --service echo:7 \
        --service discard:9 --service chargen:19 "$@"
    wait_for 5 http_answers "$H4"
    wait_for 5 http_answers "$H6"
    premature=$(get_tcp toe_conns_premature) # of probes that gave up before neighbours were known
}

download() { # ADDRESS BYTES [CURL-OPTION...]
    local address=$1 bytes=$2 got
    shift 2
    got=$(p curl -sSfg --max-time 40 "$@" "$(url "$address" 80)/bytes/$bytes" | sha256sum | cut -d' ' -f1)
    [ "$got" = "$(sequence_digest "$bytes")" ] || fail "what $address sent is not the sequence"
}

# No connection is left, and no reset was sent.
clean_end() {
    wait_for 5 no_conns
    expect "resets sent" "$(get_tcp OutRsts)" -eq 0
    expect "premature ends" "$(get_tcp toe_conns_premature)" -eq "$premature"
    team_stop
}
