#!/bin/sh
# `kan reproduce`, killed with SIGKILL at five random moments and resumed: test_reproduce_killed.sh KAN SEEDS [--quick].
# It ends in the table of a run that nothing disturbed, times aside, and repeats no finished run; Ctrl-C ends it in good
# order.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
LC_ALL=C
export LC_ALL
kan=$1 seeds=$2 quick=${3-}
n_runs=$((4 * seeds))
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() {
    echo "FAILED: $*"
    exit 1
}

# The experiment, into folder $1 with what is left of the arguments.
reproduce() {
    folder=$1
    shift
    "$kan" reproduce continual $quick --seeds $seeds --threads 2 --out "$folder" --json "$folder.json" "$@"
}

# A record without what the clock says.
without_times() {
    grep -v 'seconds"' "$1" | grep -v '"interrupted"'
}

reproduce whole >whole.txt 2>err || fail "undisturbed: $(cat err)"
runs=$(wc -l <whole/runs.jsonl)
[ "$runs" -eq $n_runs ] || fail "$n_runs runs, not $runs"
seconds=$(sed -n 's/.*; \([0-9]*\) s$/\1/p' whole.txt)
[ -n "$seconds" ] || fail "no time in: $(tail -1 whole.txt)"

mkdir cut && : >cut/runs.jsonl
killed=0
for attempt in 1 2 3 4 5; do
    # not by the function: $! would be a shell, and killing that leaves the program alive
    "$kan" reproduce continual $quick --seeds $seeds --threads 2 --out cut --json cut.json --resume >out 2>err &
    pid=$!
    # a tenth to a third of the undisturbed time and at least a twentieth of a second, so that five fit
    wait_for=$(od -An -N2 -tu2 /dev/urandom | awk -v t="$seconds" '{ printf "%.3f", 0.05 + $1 / 65536 * (t + 0.5) / 5 }')
    sleep "$wait_for"
    kill -KILL $pid 2>/dev/null && killed=$((killed + 1))
    wait $pid 2>/dev/null
    # where no kill tears a line, this one is torn by hand
    [ $attempt -eq 3 ] && printf '{"key":"0123' >>cut/runs.jsonl
done
[ $killed -gt 0 ] || fail "nothing was killed"
kept=$(grep -c '}$' cut/runs.jsonl)
reproduce cut --resume >cut.txt 2>err || fail "resumed: $(cat err)"
grep -q "$n_runs runs, $kept of them" cut.txt || fail "$kept runs were kept, but: $(tail -1 cut.txt)"
[ "$(cut -d'"' -f4 cut/runs.jsonl | sort | uniq -d | wc -l)" -eq 0 ] || fail "a run was repeated"
without_times whole.json >a
without_times cut.json >b
cmp a b || fail "another table after five kills"

# a second time without --resume is refused, with a changed recipe nothing old is taken
reproduce cut >out 2>err && fail "old results would be overwritten"
grep -q -- --resume err || fail "no advice in: $(cat err)"
"$kan" reproduce continual $quick --seeds $seeds --budget 100 --threads 2 --out cut --resume >out 2>err || fail "$(cat err)"
grep -q "$n_runs runs, 0 of them" out || fail "lines of another recipe were taken: $(tail -1 out)"

"$kan" reproduce continual $quick --seeds $seeds --threads 2 --out stopped >out 2>err &
pid=$!
sleep 0.1
kill -TERM $pid
wait $pid
status=$?
[ $status -eq 130 ] || [ $status -eq 0 ] || fail "exit status $status after a signal"
[ $status -eq 0 ] || grep -q 'Interrupted' out || fail "no word of the interruption"
echo "killed $killed times, $kept of $n_runs runs kept"
