#!/bin/sh
# The program with its k-th allocation failing, for k = FIRST, FIRST + STRIDE, ..: it ends with status 1 and a line on
# standard error, or, where it can do without, with its work done; never by a signal, and a file that was there stays whole.
# (jansson 2.14 itself aborts where the buffer of its lexer cannot grow, which nobody outside can prevent: these are counted.)
#
#     test_memory.sh PROGRAM FAIL_ALLOC.so FIRST STRIDE
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
program=$1 shim=$2 first=$3 stride=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
bad=0 runs=0 jansson=0

awk 'BEGIN { srand(1); print "a,b,y"; for (s = 0; s < 40; ++s) { a = rand(); b = rand(); print a "," b "," a * b + a } }' >d.csv
"$program" train d.csv --steps 2 --kan 2,2,1 -o old.kan >/dev/null || exit 1

each() {
    k=$first
    while :; do
        rm -f happened
        cp old.kan m.kan
        # without a PATH: gnuplot, too, would get the failure
        KAN_FAIL_AT=$k KAN_FAIL_FILE=happened PATH=$folder LD_PRELOAD=$shim "$program" "$@" >out 2>err
        status=$?
        runs=$((runs + 1))
        if [ ! -f happened ]; then
            [ $status -eq 0 ] || { echo "kan $*: status $status without a failure"; bad=1; }
            break
        fi
        case $status in
        0) ;;
        1) [ -s err ] || { echo "kan $*: allocation $k: no message"; bad=1; } ;;
        134) if grep -q jansson happened; then jansson=$((jansson + 1)); else echo "kan $*: allocation $k: $(head -c 300 err)"; bad=1; fi ;;
        *) echo "kan $*: allocation $k: status $status: $(head -c 300 err)"; bad=1 ;;
        esac
        [ -f m.kan ] && "$program" info m.kan >/dev/null 2>&1 || { echo "kan $*: allocation $k: the model is lost"; bad=1; }
        k=$((k + stride))
    done
}

each train d.csv --steps 2 --kan 2,2,1 -o m.kan --optimizer lbfgs
each train d.csv --steps 2 --kan 2,2,1 -o m.kan --optimizer adam --checkpoint c --every 0 --json j
each train d.csv --steps 2 --kan 2,2,1 -o m.kan --optimizer lm
each train d.csv --steps 2 --mlp 2,2,1 -o m.kan
"$program" train d.csv --steps 9 --kan 2,2,1 --checkpoint c --every 0 >/dev/null || bad=1
each train d.csv --steps 9 --kan 2,2,1 --resume c -o m.kan
each predict m.kan d.csv -o p.csv
each info m.kan
each train 'fn:exp(sin(pi*x)/2)+y^2' --rows 20 --steps 2 -o m.kan
each data 'fn:exp(sin(pi*x)/2)+y^2' --rows 20 -o p.csv
stride=$((stride < 97 ? 97 : stride)) # the search for a formula allocates thousands of times
each compare d.csv --steps 2 --kan 2,1 --mlp 2,1 --seeds 1 --report r.html
echo "$runs runs with an allocation that failed, $jansson of them in the lexer of jansson, which aborted"
exit $bad
