#!/bin/sh
# Tables that nobody would want, through `train`, `compare` and `formula`: test_hostile.sh PATH-OF-KAN. Each ends in an
# error of one line that names what is wrong, or in a result whose numbers are numbers.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
LC_ALL=C
export LC_ALL
kan=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0
checks=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*"
}

# refused STATUS 'WORD|WORD|..' ARGUMENTS..: that status, one line beside warnings that holds every word, no m.kan, no m.json
refused() {
    status=$1 words=$2
    shift 2
    checks=$((checks + 1))
    rm -f m.kan m.json
    "$kan" "$@" >out 2>err </dev/null
    got=$?
    [ "$got" = "$status" ] || fail "kan $*: exit status $got, not $status: $(head -c 300 err)"
    grep -v '^kan: warning: ' err >lines
    [ "$(wc -l <lines)" -eq 1 ] || fail "kan $*: not one line: $(head -c 300 err)"
    old_ifs=$IFS
    IFS='|'
    for word in $words; do
        grep -qF -- "$word" lines || fail "kan $*: no '$word' in: $(head -c 300 lines)"
    done
    IFS=$old_ifs
    [ ! -e m.kan ] && [ ! -e m.json ] || fail "kan $*: left a file behind"
}

# sane ARGUMENTS..: status 0, and neither a NaN nor an infinity among the numbers in its tables
sane() {
    checks=$((checks + 1))
    "$kan" "$@" >out 2>err </dev/null || fail "kan $*: exit status $?: $(head -c 300 err)"
    ! grep -qwiE -- '-?(nan|inf)' out || fail "kan $*: $(grep -wiE -- '-?(nan|inf)' out | head -n 1)"
}

# all_sane TABLE: through all three commands, the models as small as they can be
all_sane() {
    sane train "$1" --kan 2,2,1 --steps 15 -o m.kan --json m.json
    sane predict m.kan "$1" -o p.csv
    sane train "$1" --mlp 2,2,1 --optimizer lm --steps 15
    sane compare "$1" --kan 2,1 --mlp 2,2,1 --steps 5 --seeds 2
    sane formula "$1" --budget 0.1
}

# all_refused 'WORDS' TABLE
all_refused() {
    refused 1 "$1" train "$2" -o m.kan --json m.json
    refused 1 "$1" compare "$2" --json m.json
    refused 1 "$1" formula "$2" --json m.json
}

# table FILE A B Y: 60 rows of a, b uniform in -1 .. 1 and y = a b + a, written with these formats
table() {
    awk -v file="$1" -v a_form="$2" -v b_form="$3" -v y_form="$4" 'BEGIN { srand(2385); print "a,b,y" > file
        for (s = 0; s < 60; ++s) { a = 2 * rand() - 1; b = 2 * rand() - 1
            printf a_form "," b_form "," y_form "\n", a, b, a * b + a > file } }'
}

# ---- numbers that are none ------------------------------------------------------------------------------
table plain.csv %.9f %.9f %.9f
for word in nan NaN inf -inf Infinity 1e999 -1e400; do
    awk -F, -v OFS=, -v word="$word" 'NR == 31 { $2 = word } { print }' plain.csv >column.csv
    all_refused "column.csv|line 31|'b'|'$word'|not finite" column.csv
    awk -F, -v OFS=, -v word="$word" 'NR == 61 { $3 = word } { print }' plain.csv >target.csv
    refused 1 "target.csv|line 61|'y'|'$word'|not finite" train target.csv -o m.kan
done

# ---- huge, tiny and denormal ones -----------------------------------------------------------------------
all_sane plain.csv
table huge_inputs.csv %.9fe300 %.9fe-300 %.9f
table denormal_inputs.csv %.9fe-312 %.9f %.9f
for name in huge_inputs denormal_inputs; do all_sane $name.csv; done
table huge_targets.csv %.9f %.9f %.9fe300
table denormal_targets.csv %.9f %.9f %.9fe-310
for name in huge_targets denormal_targets; do
    sane train $name.csv --kan 2,2,1 --optimizer lm --steps 15 -o m.kan
    sane predict m.kan $name.csv -o p.csv
    sane compare $name.csv --kan 2,1 --mlp 2,2,1 --steps 5 --seeds 2
    refused 1 "$name.csv|units" formula $name.csv
done
for name in plain huge_targets; do # the unit of the target must not matter but for rounding
    "$kan" train $name.csv --kan 2,2,1 --optimizer lm --steps 15 | sed -n 's/^best.* r2 \([-0-9.]*\) .*/\1/p' >r2.$name
done
checks=$((checks + 1))
paste -d ' ' r2.plain r2.huge_targets | awk 'NF != 2 || ($1 - $2) ^ 2 > 1e-6 || $1 < 0.9 { exit 1 }' ||
    fail "targets in units of 1e300: R2 $(cat r2.huge_targets), not $(cat r2.plain)"
awk -F, -v OFS=, 'NR == 31 { $3 = "1e300" } { print }' plain.csv >outlier.csv
sane train outlier.csv --kan 2,2,1 --steps 15
awk 'BEGIN { print "a,b,y"; for (s = 0; s < 60; ++s) print (s % 2 ? "" : "-") "1.7e308," s % 7 "," s % 5 }' >ends.csv
all_refused "ends.csv|'a'|-1.7e+308|too large" ends.csv
awk 'BEGIN { print "a,b,y"; for (s = 0; s < 60; ++s) print s % 3 "," s % 7 "," (s % 2 ? "" : "-") "1.7e308" }' >ends_y.csv
all_refused "ends_y.csv|'y'|1.7e+308|too large" ends_y.csv
awk -F, -v OFS=, 'NR == 1 || NR == 9 { if (NR == 9) $2 = "1.5e308"; print }' plain.csv >far_test.csv
refused 1 "'b'|1.5e+308|too large" train plain.csv --test far_test.csv -o m.kan

# ---- columns that say nothing ---------------------------------------------------------------------------
awk -F, -v OFS=, 'NR > 1 { $1 = 3; $2 = -1e300 } { print }' plain.csv >constant.csv
all_sane constant.csv
checks=$((checks + 1))
grep -q 'constant input columns: a, b' err || fail "no warning of constant columns: $(cat err)"
awk -F, -v OFS=, 'NR > 1 { $2 = $1 } { print }' plain.csv >twins.csv
all_sane twins.csv
for optimizer in adam lbfgs lm; do
    sane train twins.csv --kan 2,3,1 --optimizer $optimizer --steps 40
    sane train constant.csv --mlp 2,3,1 --optimizer $optimizer --steps 40
done
awk -F, -v OFS=, 'NR > 1 { $3 = -0.1 } { print }' plain.csv >constant_target.csv
all_refused "constant_target.csv|'y'|-0.1" constant_target.csv
awk 'BEGIN { srand(7); for (i = 1; i <= 60; ++i) printf "x%d,", i; print "y"
    for (s = 0; s < 25; ++s) { for (i = 1; i <= 60; ++i) { x = rand(); if (i == 1) first = x; printf "%.6f,", x }
        print first } }' >wide.csv
sane train wide.csv --steps 15 # more inputs than rows
sane compare wide.csv --kan 60,1 --mlp 60,2,1 --steps 5 --seeds 2
sane formula wide.csv --budget 0.1

# ---- classes --------------------------------------------------------------------------------------------
awk -F, -v OFS=, 'NR > 1 { $3 = "same" } { print }' plain.csv >one_class.csv
refused 1 "one_class.csv|'same'" train one_class.csv -o m.kan
refused 1 "one_class.csv|'same'" compare one_class.csv --json m.json
refused 1 "one_class.csv|'same'" formula one_class.csv --json m.json
awk -F, -v OFS=, 'NR > 1 { $2 = $1; $3 = $3 > 0 ? "p" : "q" } { print }' plain.csv >twin_classes.csv
for optimizer in adam lbfgs lm; do sane train twin_classes.csv --kan 2,2,2 --optimizer $optimizer --steps 15; done
awk 'BEGIN { print "a,b,y"; for (s = 0; s < 12000; ++s) print s % 97 "," s % 89 ",c" s % 10000 }' >many.csv
sane train many.csv --mlp 2,1,10000 --optimizer adam --batch 100 --steps 2 -o m.kan
sane info m.kan
refused 1 'many.csv|numbers as targets' formula many.csv

# ---- steps that are too large ----------------------------------------------------------------------------
awk 'BEGIN { print "a,b,y"; for (s = 0; s < 40; ++s) print s % 7 / 7 "," s % 5 / 5 "," (s % 2 ? 1 : -1) * s }' >steep.csv
for rate in 1 10; do
    "$kan" train steep.csv --kan 2,8,8,1 --optimizer adam --rate $rate --steps 40 -o m.kan >out 2>err
    got=$?
    checks=$((checks + 1))
    [ $got -eq 0 ] || [ $got -eq 3 ] || fail "rate $rate: exit status $got: $(cat err)"
    [ $got -eq 0 ] || grep -q 'diverged\|exploded\|not finite' err || fail "rate $rate: $(cat err)"
done

# single precision ends at 3e38, and twelve layers are beyond that after one step: what there was before is kept, if it was better than
# nothing
deep="--kan 2,20,20,20,20,20,20,20,20,20,20,20,20,1 --optimizer adam --rate 10 --steps 20 --precision single"
explodes() { # data, whether a model is left
    rm -f deep.kan
    "$kan" train "$1" $deep -o deep.kan >out 2>err
    got=$?
    checks=$((checks + 1))
    [ $got -eq 3 ] && grep -q 'seed 0: training: the gradient is not finite in step 2' err && grep -q "$2" err ||
        fail "layers that explode on $1: exit status $got: $(cat err)"
}
explodes steep.csv 'the best model before that, written'
sane info deep.kan
explodes fn:hello 'no model to show or to write'
[ ! -e deep.kan ] || fail "a model of no step was written"

echo "$checks checks, $failures failures"
[ "$failures" -eq 0 ] && [ "$checks" -gt 90 ]
