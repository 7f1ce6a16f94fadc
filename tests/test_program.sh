#!/bin/sh
# The program as people meet it: test_program.sh PATH-OF-KAN. Bad input first, then the way from a table
# to a saved model and back. What the program computes is computed again by awk.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
LC_ALL=C
export LC_ALL
kan=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/here" && cd "$work/here" || exit 1
failures=0
checks=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*"
}

# ok DESCRIPTION COMMAND...: the command succeeds
ok() {
    what=$1
    shift
    checks=$((checks + 1))
    "$@" || fail "$what"
}

# refused STATUS 'WORD|WORD|..' ARGUMENTS...: that exit status, one line on stderr beside warnings, which
# begins with "kan: " and holds every word; and no new file.
refused() {
    status=$1
    words=$2
    shift 2
    checks=$((checks + 1))
    before=$(ls -A)
    "$kan" "$@" >../out.$$ 2>../err.$$ </dev/null
    got=$?
    grep -v '^kan: warning: ' ../err.$$ >../lines.$$
    [ "$got" = "$status" ] || fail "kan $*: exit status $got, not $status: $(cat ../err.$$)"
    [ "$(wc -l <../lines.$$)" -eq 1 ] || fail "kan $*: not one line: $(cat ../err.$$)"
    grep -q '^kan: ' ../lines.$$ || fail "kan $*: does not begin with kan: $(cat ../err.$$)"
    old_ifs=$IFS
    IFS='|'
    for word in $words; do
        grep -qF -- "$word" ../lines.$$ || fail "kan $*: no '$word' in: $(cat ../lines.$$)"
    done
    IFS=$old_ifs
    [ "$(ls -A)" = "$before" ] || fail "kan $*: left a file behind: $(ls -A)"
    rm -f ../out.$$ ../err.$$ ../lines.$$
}

# accepted ARGUMENTS...: exit status 0; output in ./out and ./err
accepted() {
    checks=$((checks + 1))
    "$kan" "$@" >out 2>err </dev/null || fail "kan $*: exit status $?: $(cat err)"
}

# number FILE KEY: the first number of that key in a JSON file of ours, one key a line
number() {
    sed -n "s/^ *\"$2\": \([-0-9.e+]*\),*$/\1/p" "$1" | head -n 1
}

# The last "test" object's key in the JSON of train (that of "best").
test_number() {
    awk -v key="\"$2\":" '/"test": \{/ { inside = 1 } inside && $1 == key { gsub(",", "", $2); value = $2 }
        /\}/ { inside = 0 } END { print value }' "$1"
}

# ---- tables ---------------------------------------------------------------------------------------
# price = exp(sin(pi a)/2) + b^2, kind = whether b lies above a; 300 rows of a, b uniform in -1 .. 1
awk 'BEGIN { srand(2385); pi = atan2(0, -1); print "a,b,price" > "good.csv"; print "a,b,kind" > "kinds.csv"
    for (s = 0; s < 300; ++s) { a = 2 * rand() - 1; b = 2 * rand() - 1
        printf "%.17g,%.17g,%.17g\n", a, b, exp(sin(pi * a) / 2) + b * b > "good.csv"
        printf "%.17g,%.17g,%s\n", a, b, (b > a ? "\"above, or on\"" : "below") > "kinds.csv" } }'
awk 'BEGIN { print "test_row"; for (s = 2; s < 300; s += 4) print s }' >rows
mkdir data.csv folder
printf 'a,b,price\n1,2,3\n4,5,6\n7,8\n9,1,2\n' >ragged.csv
printf 'a,b,price\n1,2,3\n4,five,6\n7,8,9\n' >text.csv
printf 'a,b,price\n1,2,3\n4,5,6\n7,nan,9\n' >nan.csv
printf 'a,b,price\n1,2,3\n4,5,6\n7,,9\n' >hole.csv
: >empty.csv
printf 'a,b,price\n' >header.csv
printf 'a,b,price\n1,2,3\n' >one_row.csv
printf 'a,b,price\n1,2,3\n2,4,5\n3,5,8\n' >three_rows.csv
awk 'BEGIN { print "a,b,price"; for (s = 0; s < 20; ++s) print s ","s * s % 7 ",2.5" }' >constant.csv
awk 'BEGIN { print "a,b,kind"; for (s = 0; s < 20; ++s) print s ","s * s % 7 ",same" }' >one_class.csv
printf 'a b price\n1\n' >name.txt

# ---- bad data -------------------------------------------------------------------------------------
refused 1 'no_such.csv' train no_such.csv -o m.kan
refused 1 'data.csv' train data.csv -o m.kan
refused 1 'folder' train folder -o m.kan
refused 1 'name.txt' train name.txt -o m.kan
refused 1 'ragged.csv|line 4' train ragged.csv -o m.kan --json m.json
refused 1 "text.csv|line 3|'b'|'five'" train text.csv -o m.kan
refused 1 "nan.csv|line 4|'b'|'nan'" train nan.csv -o m.kan
refused 1 "hole.csv|line 4|'b'" train hole.csv -o m.kan
refused 1 'empty.csv' train empty.csv -o m.kan
refused 1 'header.csv' train header.csv -o m.kan
refused 1 'one_row.csv|too few rows: 1' train one_row.csv -o m.kan
refused 1 'three_rows.csv|too few rows: 3' train three_rows.csv -o m.kan
refused 1 "constant.csv|'price'|2.5" train constant.csv -o m.kan
refused 1 "one_class.csv|'same'" train one_class.csv -o m.kan
refused 1 "good.csv|'cost'" train good.csv --target cost -o m.kan
refused 1 "good.csv|'w'" train good.csv --weight w -o m.kan
refused 1 "kinds.csv|line 2|'kind'" train kinds.csv --task regression -o m.kan
refused 1 'no_rows' train good.csv --test-rows no_rows -o m.kan
refused 1 'good.csv' train good.csv --test-rows good.csv -o m.kan
refused 1 'ragged.csv|line 4' train good.csv --test ragged.csv -o m.kan
refused 1 "fn:sin(pi*x|column" train 'fn:sin(pi*x' -o m.kan
refused 1 'fn:1/0*x' train 'fn:1/0*x' -o m.kan
refused 1 "nothing_like_it" train fn:nothing_like_it -o m.kan
refused 1 'constant' train 'fn:0*x+2' -o m.kan
refused 1 'no_such.csv' compare no_such.csv --json c.json
refused 1 'constant.csv' compare constant.csv --json c.json

# ---- bad command lines ----------------------------------------------------------------------------
refused 64 'command'
refused 64 '--precision' train good.csv --precision single --optimizer lbfgs -o m.kan
refused 64 '--precision' train good.csv --precision single --optimizer lm -o m.kan
refused 64 '--precision half' train good.csv --precision half -o m.kan
refused 64 "'tarin'" tarin good.csv
refused 64 "'--tarin'" --tarin
refused 64 'DATA' train
refused 64 'DATA' predict m.kan
refused 64 "'more.csv'" train good.csv more.csv
refused 64 "'--tagret'" train good.csv --tagret price
refused 64 "'--grid'" train good.csv --grid
refused 64 '--seeds 0' train good.csv --seeds 0 -o m.kan
refused 64 '--rows -5' train fn:hello --rows -5 -o m.kan
refused 64 '--degree 9' train good.csv --degree 9 -o m.kan
refused 64 '--grid 1e99' train good.csv --grid 1e99 -o m.kan
refused 64 '--grid' train good.csv --grid 3,6 -o m.kan
refused 64 '--test-fraction 1.5' train good.csv --test-fraction 1.5 -o m.kan
refused 64 '--test-fraction nan' train good.csv --test-fraction nan -o m.kan
refused 64 '--budget -1' train good.csv --budget -1 -o m.kan
refused 64 '--range 1,-1' train fn:hello --range 1,-1 -o m.kan
refused 64 'range|q' train fn:hello --range q=0,1 -o m.kan
refused 64 '--kan 3,5,1|2 inputs' train good.csv --kan 3,5,1 -o m.kan
refused 64 '--kan 2,5,2|1 output' train good.csv --kan 2,5,2 -o m.kan
refused 64 '--kan 2,five,1' train good.csv --kan 2,five,1 -o m.kan
refused 64 '--kan 2,100000,100000,1|parameters' train good.csv --kan 2,100000,100000,1 -o m.kan
refused 64 '--mlp 2,3+2m,1' train good.csv --mlp 2,3+2m,1 -o m.kan
refused 64 'one model' train good.csv --kan 2,5,1 --mlp 2,5,1 -o m.kan
refused 64 '--grid' train good.csv --mlp 2,5,1 --grid 3 -o m.kan
refused 64 '--activation' train good.csv --activation tanh -o m.kan
refused 64 '--rate|adam' train good.csv --optimizer lbfgs --rate 0.1 -o m.kan
refused 64 '--test-rows' train good.csv --test-rows rows --test-fraction 0.3 -o m.kan
refused 64 '--effort 0' train good.csv --effort 0 -o m.kan
refused 64 '--effort soon' train good.csv --effort soon -o m.kan
refused 64 '--steps|--effort' train good.csv --effort 1 --steps 100 -o m.kan
refused 64 '--budget|--effort' train good.csv --effort 1 --budget 1 -o m.kan
refused 64 '--batch|--effort' train good.csv --effort 1 --batch 10 -o m.kan
refused 64 '--decay|--effort' compare good.csv --effort 1 --decay 0 --json c.json
refused 64 'adam|--effort' train good.csv --effort 1 --optimizer adam -o m.kan
refused 64 'single|--effort' train good.csv --effort 1 --precision single -o m.kan
refused 64 '--roughness|--effort' train good.csv --roughness 1e-9 -o m.kan
refused 64 '--roughness' train good.csv --mlp 2,5,1 --effort 1 --roughness 1e-9 -o m.kan
refused 64 '--roughness -1' train good.csv --effort 1 --roughness -1 -o m.kan
refused 64 '--grid' train good.csv --effort 1 --grid 6,3 -o m.kan
refused 64 '--target' train fn:hello --target x -o m.kan
refused 64 '--noise' train good.csv --noise 0.1 -o m.kan
refused 64 '--seeds|kan predict' predict m.kan good.csv --seeds 3
refused 64 '--rows' data --rows 5
refused 64 '--seeds 0' compare fn:hello --seeds 0 --json c.json
refused 64 "--only laers|'laers'" bench --only laers
refused 64 "--only layers,|''" bench --only layers, --json b.json
refused 64 "'--only'" bench --only
refused 64 '--data|--only nets' bench --data . --only nets
refused 64 '--threads 0' bench --threads 0
refused 64 '--steps|kan bench' bench --steps 5
refused 64 '--quick|kan train' train good.csv --quick
refused 64 "'more'" bench more

# ---- places that cannot be written ------------------------------------------------------------------
refused 1 'nowhere/m.kan' train good.csv -o nowhere/m.kan
refused 1 'folder' train good.csv -o folder
refused 1 'good.csv/m.json' train good.csv --json good.csv/m.json
refused 1 'nowhere/c.json' compare fn:hello --json nowhere/c.json
refused 1 'nowhere/b.json' bench --quick --json nowhere/b.json
if [ -c /dev/full ]; then
    refused 1 '/dev/full' data hello -o /dev/full
fi

# ---- from a table to a model and back ---------------------------------------------------------------
accepted train good.csv --test-rows rows --steps 60 --seeds 2 -o good.kan --json train.json
ok 'train leaves the model and its record only' [ "$(ls good.kan* train.json*)" = "good.kan
train.json" ]
ok 'two seeds make two runs' [ "$(grep -c '"evaluations"' train.json)" -eq 3 ]

# the test rows alone, with the columns in another order and one more; then without the target
awk -F, 'NR == FNR { if (FNR > 1) listed[$1] = 1; next }
    FNR == 1 || (FNR - 2) in listed { print $3 "," $2 ",0.5," $1 }' rows good.csv | sed '1s/0.5/unused/' >test.csv
awk -F, '{ print $2 "," $4 }' test.csv >no_target.csv
awk -F, '{ print $4 "," $2 }' test.csv >inputs.csv
accepted predict good.kan test.csv -o predicted.csv --json predict.json
accepted predict good.kan no_target.csv -o blind.csv --json blind.json
for key in rmse mae r2; do
    ok "predict repeats what train said of the test rows ($key)" \
        [ "$(number predict.json $key)" = "$(test_number train.json $key)" ]
done
ok 'the target is not needed' cmp -s predicted.csv blind.csv
ok 'without a target there are no metrics' grep -q '"metrics": null' blind.json
ok 'predictions have the name of the target' [ "$(head -n 1 predicted.csv)" = price ]
paste -d, test.csv predicted.csv | awk -F, -v said="$(number predict.json rmse)" '
    NR > 1 { sum += ($1 - $5) ^ 2; ++n }
    END { rmse = sqrt(sum / n); exit !(n == 75 && said > 0 && (rmse / said - 1) ^ 2 < 1e-20) }'
ok 'the RMSE is that of the file that was written' [ $? -eq 0 ]
ok 'the model learned something' awk -v rmse="$(number predict.json rmse)" 'BEGIN { exit !(rmse < 0.1) }'
"$kan" predict good.kan test.csv >shown 2>metrics
ok 'without -o predictions go to standard output' cmp -s shown predicted.csv
ok 'and the metrics to standard error' grep -q '^75 rows: rmse' metrics
accepted train good.csv --test-rows rows --steps 60 --seeds 2 --threads 1 -o again.kan --json again.json
accepted predict again.kan test.csv -o again.csv
ok 'the same command makes the same model' cmp -s again.csv predicted.csv

accepted info good.kan --json info.json
for word in 'kan' '2,5,1' '5 cells, degree 3' 'silu' 'regression' 'a, b' 'price' '--seeds 2'; do
    ok "info says $word" grep -qF -- "$word" out
done
ok 'info has the parameters of train' [ "$(number info.json parameters)" = "$(number train.json parameters)" ]

# ---- searches -----------------------------------------------------------------------------------------
accepted train good.csv --test-rows rows --kan 2,1,1 --effort 0.3 -o effort.kan --json effort.json
accepted predict effort.kan test.csv -o effort.csv --json effort_predict.json
ok 'predict repeats what a search said of the test rows' \
    [ "$(number effort_predict.json rmse)" = "$(test_number effort.json rmse)" ]
ok 'a search is better than one training' awk -v rmse="$(number effort_predict.json rmse)" \
    'BEGIN { exit !(rmse < 1e-4) }'
accepted train fn:velocities --kan 2,1,1 --effort 0.2 --seeds 2 --grid 2,4,8 --degree 4 --json seeds.json
# exported MODEL TABLE PREDICTIONS FIRST: as C it gives the numbers of `predict` from column FIRST on, to 1e-12
compiler=${CC:-cc}
exported() {
    command -v "$compiler" >/dev/null || return 0
    accepted export "$1" --c -o model.c
    ok "$1 as C compiles without a warning" \
        "$compiler" -std=c99 -pedantic -Wall -Wextra -Werror -DMODEL_MAIN model.c -o model -lm
    tail -n +2 "$2" | ./model >said
    tail -n +2 "$3" | cut -d, -f"$4"- | paste -d, said - | awk -F, '
        { for (j = 1; j <= NF / 2; ++j) {
              d = $j - $(j + NF / 2); scale = $j < 0 ? 1 - $j : 1 + $j
              if (d < 0) d = -d
              if (!(d <= 1e-12 * scale)) bad = 1 } }
        END { exit bad || NR < 5 || NF % 2 }' || fail "$1: its C program says something else"
}
exported good.kan inputs.csv predicted.csv 1
accepted train good.csv --test-rows rows --steps 60 --lamb 1e-2 --reg-metric edge_backward -o sparse.kan
accepted predict sparse.kan test.csv -o sparse.csv
accepted info sparse.kan --json sparse.json
ok 'info says what the penalty was' grep -q '^penalty *0.01 of l1 1, entropy 2; edge_backward$' out
ok 'and so does its record' grep -q '"metric": "edge_backward"' sparse.json
ok 'a penalty makes another model' [ "$(cmp -s sparse.csv predicted.csv; echo $?)" = 1 ]
accepted formula 'fn:x*y' --seeds 2 --json formula.json
ok 'a formula is found exactly' grep -q '"exact": true' formula.json
accepted formula fn:hello --latex
accepted formula good.csv --budget 0.5 --sympy --json formula_csv.json
ok 'a file has no formula to be exact about' grep -q '"exact": null' formula_csv.json
refused 1 'kinds|numbers as targets' formula kinds.csv
accepted train fn:hello --kan 2,1,1 --effort 1 -o hello.kan
accepted formula hello.kan fn:hello --json formula_net.json
ok 'the formula of a network is found exactly' grep -q '"exact": true' formula_net.json
ok 'and its edges have names' grep -q '"function": "exp"' formula_net.json
accepted formula hello.kan
ok 'without data its own predictions serve' grep -q '^target = exp(.*sin(pi' out
accepted formula good.kan no_target.csv --budget 1
refused 1 'no_such.kan' formula no_such.kan
refused 64 'good.csv|saved model' formula good.csv good.kan
refused 64 '--seeds|saved model' formula good.kan --seeds 2
refused 64 'DATA' formula
refused 64 '--effort|kan formula' formula good.csv --effort 3
refused 1 'no_such.csv' formula no_such.csv
accepted plot good.kan -o good.svg
ok 'a picture has a box for every edge' [ "$(grep -c 'fill="#ffffff"/>$' good.svg)" -eq 16 ]
for word in '>a</text>' '>b</text>' '>price</text>' 'over 1000 points'; do
    ok "the picture shows $word" grep -qF -- "$word" good.svg
done
accepted plot good.kan --data no_target.csv -o rows.svg
ok 'scores come from rows' grep -q 'over the .* rows of no_target.csv' rows.svg
accepted plot good.kan
ok 'without -o the picture goes to standard output' cmp -s out good.svg
# A useless column goes; what is left says what the larger model said, and takes the same columns.
awk 'BEGIN { srand(3); print "p,q,useless,y"
    for (s = 0; s < 300; ++s) { p = 2 * rand() - 1; q = 2 * rand() - 1; u = 2 * rand() - 1
        printf "%.17g,%.17g,%.17g,%.17g\n", p, q, u, p * p + 2 * q } }' >prunable.csv
accepted train prunable.csv --kan 3,4,1 --steps 300 --lamb 1e-3 -o wide.kan --json wide.json
accepted prune wide.kan -o small.kan --data prunable.csv --json pruned.json
ok 'prune says what nothing looks at' grep -q '^inputs that nothing looks at: useless$' out
ok 'and its record too' grep -q '"useless"' pruned.json
ok 'the smaller model has fewer edges' awk '$1 == "\"edges\":" { gsub(",", "", $2); e[++n] = $2 + 0 }
    END { exit !(n == 2 && e[1] == 16 && e[2] > 0 && e[2] < 16) }' pruned.json
accepted predict small.kan prunable.csv -o small.csv --json small.json
ok 'predict agrees with what prune said of the rows' awk -v said="$(number small.json rmse)" \
    '$1 == "\"rmse\":" && ($2 + 0 - said) ^ 2 < 1e-20 * said ^ 2 { found = 1 } END { exit !found }' pruned.json
accepted info small.kan
ok 'the training is still known' grep -q '^training *lbfgs' out
accepted prune wide.kan -o budget.kan --data prunable.csv --error-budget 0.05 --json budget.json
ok 'an error budget is kept' awk '$1 == "\"rmse\":" { gsub(",", "", $2); e[++n] = $2 + 0 }
    END { exit !(n == 2 && e[2] <= 1.05 * e[1] * (1 + 1e-9)) }' budget.json
accepted prune wide.kan -o blind.kan
ok 'without rows points do' grep -q '^edges *16 ' out
accepted train fn:hello --mlp 2,8,1 --activation tanh --effort 0.2 --json effort_mlp.json
accepted compare fn:xy --rows 100 --kan 2,2,1 --mlp 2,4,1 --effort 0.1 --seeds 2 --json effort_compare.json
if command -v python3 >/dev/null; then
    ok 'records of searches have their stages' python3 - <<'END'
import json, math
def runs(file): return json.load(open(file))["runs"]
both = runs("seeds.json")
assert [run["seed"] for run in both] == [0, 1] and all(run["model"] == "kan" for run in both)
assert both[0]["test"]["rmse"] != both[1]["test"]["rmse"]
for run in both:
    stages = run["stages"]
    assert run["degree"] == 4 and run["n_cells"] == stages[-1]["n_cells"] and stages[-1]["n_cells"] in (2, 4, 8)
    assert stages[-1]["phase"] == "all rows" and stages[-1]["train_rmse"] == run["train"]["rmse"]
    assert math.isclose(stages[-1]["test_rmse"], run["test"]["rmse"], rel_tol=1e-9)
    assert all(a["seconds"] <= b["seconds"] for a, b in zip(stages, stages[1:])) and run["seconds"] < 1
    assert all(a["n_cells"] <= b["n_cells"] for a, b in zip(stages, stages[1:]))
mlp = runs("effort_mlp.json")[0]
assert "n_cells" not in mlp["stages"][0] and mlp["train"]["rmse"] < 0.1 and mlp["parameters"] == 33
assert {run["model"] for run in runs("effort_compare.json")} == {"kan", "mlp"}
END
fi

# ---- classes ------------------------------------------------------------------------------------------
accepted train kinds.csv --mlp 2,8,2 --optimizer adam --steps 400 --test-rows rows -o kinds.kan --json kinds.json
awk 'NR == FNR { if (FNR > 1) listed[$1] = 1; next } FNR == 1 || (FNR - 2) in listed' rows kinds.csv >test_kinds.csv
accepted predict kinds.kan test_kinds.csv -o classes.csv --json classes.json
ok 'a class with a comma is quoted' [ "$(head -n 1 classes.csv)" = 'class,"p_above, or on",p_below' ]
sed 's/"above, or on"/above/' test_kinds.csv | cut -d, -f3 >truth
sed 's/"above, or on"/above/' classes.csv | paste -d, truth - | awk -F, -v said="$(number classes.json accuracy)" '
    NR > 1 { ++n; right += $1 == $2; if (($3 + $4 - 1) ^ 2 > 1e-28 || ($3 > $4) != ($2 == "above")) bad = 1 }
    END { exit !(n == 75 && !bad && said > 0.5 && (right / n - said) ^ 2 < 1e-24) }'
ok 'the accuracy and the probabilities are those of the file' [ $? -eq 0 ]
for key in accuracy macro_f1 cross_entropy; do
    ok "predict repeats what train said of the test rows ($key)" \
        [ "$(number classes.json $key)" = "$(test_number kinds.json $key)" ]
done
cut -d, -f1-2 test_kinds.csv >inputs.csv
sed 's/"above, or on"/above/' classes.csv >plain.csv
exported kinds.kan inputs.csv plain.csv 2
accepted info kinds.kan
ok 'info lists the classes' grep -q 'classes *2: above, or on, below' out

accepted train kinds.csv --mlp 2,8,2 --optimizer lm --steps 20 --test-rows rows -o kinds_lm.kan --json kinds_lm.json
ok 'Levenberg-Marquardt trains a classifier' grep -q 'Levenberg-Marquardt' out
ok 'and it learns' awk -v said="$(test_number kinds_lm.json accuracy)" 'BEGIN { exit !(said > 0.5) }'
accepted info kinds_lm.kan
ok 'info says lm' grep -q '^training *lm,' out

# ---- models that do not fit, and models that are broken -------------------------------------------------
awk -F, '{ print $1 "," $3 }' good.csv >lacking.csv
refused 1 "lacking.csv|'b'" predict good.kan lacking.csv -o p.csv
refused 1 "text.csv|line 3" predict good.kan text.csv -o p.csv
sed 's/below/beside/' kinds.csv >unknown.csv
refused 1 "unknown.csv|line|'beside'" predict kinds.kan unknown.csv -o p.csv
refused 1 'fn:j0' predict good.kan fn:j0 -o p.csv
refused 1 'nowhere/p.csv' predict good.kan good.csv -o nowhere/p.csv
refused 1 'no_such.kan' predict no_such.kan good.csv -o p.csv
refused 1 'good.csv' predict good.csv good.csv -o p.csv
refused 1 'no_such.kan' info no_such.kan --json i.json
refused 64 'MODEL' plot
refused 64 '-o' prune wide.kan
refused 64 '--error-budget|--data' prune wide.kan -o n.kan --error-budget 0.1
refused 64 '--error-budget|--node-threshold' prune wide.kan -o n.kan --data prunable.csv --error-budget 1 --node-threshold 1
refused 1 'no_such.kan' prune no_such.kan -o n.kan
refused 1 'kinds.kan|MLP' prune kinds.kan -o n.kan
refused 1 'nowhere/n.kan' prune good.kan -o nowhere/n.kan
refused 1 'no_target.csv|target' prune good.kan --data no_target.csv --error-budget 0.1 -o n.kan
refused 64 '--lamb-l1|--lamb' train good.csv --lamb-l1 2 -o n.kan
refused 64 '--lamb|--mlp' train good.csv --mlp 2,3,1 --lamb 1e-3 -o n.kan
refused 64 '--reg-metric|edge_backward' train good.csv --lamb 1e-3 --reg-metric edge -o n.kan
refused 64 '--lamb|--effort' train good.csv --effort 1 --lamb 1e-3 -o n.kan
refused 64 '--c' export good.kan -o n.c
refused 1 'no_such.kan' export no_such.kan --c -o n.c
refused 1 'nowhere/n.c' export good.kan --c -o nowhere/n.c
refused 64 '--json|kan plot' plot good.kan --json i.json
refused 1 'no_such.kan' plot no_such.kan -o n.svg
refused 1 'kinds.kan|MLP' plot kinds.kan -o n.svg
refused 1 'nowhere/n.svg' plot good.kan -o nowhere/n.svg
refused 1 "lacking.csv|'b'" formula good.kan lacking.csv
refused 1 "lacking.csv|'b'" plot good.kan --data lacking.csv -o n.svg
size=$(wc -c <good.kan)
for n in 0 7 100 $((size / 2)) $((size - 1)); do
    head -c "$n" good.kan >cut.kan
    refused 1 'cut.kan' info cut.kan --json i.json
done
{ head -c $((size - 20)) good.kan; printf 'X'; tail -c 19 good.kan; } >flipped.kan
refused 1 'flipped.kan|checksum' predict flipped.kan good.csv -o p.csv

# ---- warnings, after which training goes on --------------------------------------------------------------
awk -F, '{ print (NR == 1 ? "unmoved" : 7) "," $0 }' good.csv >unmoved.csv
accepted train unmoved.csv --steps 5 -o unmoved.kan
ok 'one warning names the constant column' [ "$(cat err)" = 'kan: warning: unmoved.csv: constant input column: unmoved' ]
ok 'and the model is written' [ -s unmoved.kan ]
{ cat kinds.csv; echo '0.5,0.25,lonely'; } >lonely.csv
accepted train lonely.csv --steps 5 -o lonely.kan
ok 'one warning names the class with a single row' \
    [ "$(cat err)" = 'kan: warning: lonely.csv: class with a single training row: lonely' ]

# ---- the rest -----------------------------------------------------------------------------------------
accepted data --json data.json
ok 'the list has the first example' grep -q '^fn:hello .*exp(sin(pi\*x)+y^2)' out
accepted data hello --rows 17 --range 0,2 --range y=-3,-2 --data-seed 3 -o hello.csv
awk -F, 'BEGIN { pi = atan2(0, -1) }
    NR > 1 { d = exp(sin(pi * $1) + $2 * $2) / $3 - 1; if (d * d > 1e-24 || $1 < 0 || $1 > 2 || $2 < -3 || $2 > -2) bad = 1 }
    END { exit bad || NR != 18 }' hello.csv
ok 'generated rows follow formula and ranges' [ $? -eq 0 ]
accepted --help
cp out help
for command in compare train predict info formula prune plot export data bench; do
    ok "--help lists $command" grep -q "kan $command " help
    accepted "$command" --help
    ok "$command --help says how it is called" grep -q "^Usage: kan $command" out
done
accepted --version
ok 'the version is one line' [ "$(wc -l <out)" -eq 1 ]

# ---- the measurements -----------------------------------------------------------------------------------
TMPDIR=$work
export TMPDIR
accepted bench --quick --json bench.json
ok 'bench says what it leaves out' grep -q '^tasks: not without --data' out
for key in fma_gflops dgemm_gflops sgemm_gflops exp_ns kan_forward_us kan_step_us mlp_forward_us mlp_step_us \
    ratio_forward ratio_step ratio_step_equal_parameters ns_per_edge_sample work_bytes speedup test_rmse mb_per_s; do
    ok "bench measures $key" awk -v key="\"$key\":" '$1 == key { gsub(",", "", $2); ++n; if (!($2 + 0 > 0)) bad = 1 }
        END { exit bad || !n }' bench.json
done
ok 'bench measures layers in both precisions' [ "$(grep -cE '"precision": "(double|single)"' bench.json)" -ge 6 ]
ok 'no figure is missing' [ "$(grep -c null bench.json)" -eq 0 ]
accepted bench --quick --only nets,optimizers --threads 2 --json part.json
ok 'bench does what it is asked for' grep -q '"ns_per_edge_sample"' part.json
ok 'and nothing else' grep -q '"layers": \[\]' part.json
ok 'bench leaves no temporary tables behind' [ -z "$(ls "$work" | grep kan-bench-)" ]
if command -v python3 >/dev/null; then
    ok 'the record has its documented form' python3 - bench.json <<'END'
import json, math, sys
record = json.load(open(sys.argv[1]))
assert record["command"] == "bench" and record["quick"] is True and record["interrupted"] is False
def numbers(value):
    if isinstance(value, dict): return [n for v in value.values() for n in numbers(v)]
    if isinstance(value, list): return [n for v in value for n in numbers(v)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []
assert all(math.isfinite(n) and n > 0 for n in numbers(record)), "every number is finite and positive"
for l in record["layers"]:
    for key in "precision n_in n_out batch n_cells degree threads".split(): assert key in l, key
    for part in "forward", "step":
        ratio = l[f"kan_{part}_us"] / l[f"mlp_{part}_us"]
        assert abs(l[f"ratio_{part}"] / ratio - 1) < 1e-12
for net in record["nets"]:
    edges = sum(a * b for a, b in zip(net["shape"], net["shape"][1:]))
    assert abs(net["ns_per_edge_sample"] / (1e3 * net["kan_step_us"] / (edges * net["batch"])) - 1) < 1e-12
assert len(record["layers"]) >= 4 and len(record["nets"]) == 2 and len(record["threads"]) == 3
END
fi

# stopped PATTERN ARGUMENTS..: the exit status of a command that is stopped once a line of its output begins with PATTERN
stopped() {
    pattern=$1
    shift
    "$kan" "$@" >out 2>err &
    pid=$!
    for _ in $(seq 200); do
        grep -q "^$pattern" out && break
        sleep 0.1
    done
    kill -TERM "$pid"
    wait "$pid"
}

# a stopped training writes what it has; it has begun when it has said what it trains, and would go on for
# minutes
stopped model train fn:four --rows 40000 --test-count 50 --kan 4,20,20,1 --optimizer lbfgs --steps 10000 \
    -o stopped.kan --json stopped.json
ok 'a stopped training exits with 130' [ $? -eq 130 ]
ok 'and says so in one line' [ "$(grep -c '^kan: interrupted' err)" -eq 1 ]
ok 'and writes its record' grep -q '"interrupted": true' stopped.json
accepted predict stopped.kan fn:four -o stopped.csv
ok 'and a model that can be used' [ "$(wc -l <stopped.csv)" -eq 1001 ]

stopped model train fn:four --rows 2000 --test-count 50 --kan 4,4,2,1 --effort 600 -o stopped_effort.kan \
    --json stopped_effort.json
ok 'a stopped search exits with 130' [ $? -eq 130 ]
ok 'and writes its record' grep -q '"interrupted": true' stopped_effort.json
accepted predict stopped_effort.kan fn:four -o stopped_effort.csv

# ... and so do stopped measurements, which have begun when they have said on what
stopped 'one core' bench --only layers --json stopped_bench.json
ok 'stopped measurements exit with 130' [ $? -eq 130 ]
ok 'and write what was finished' grep -q '"interrupted": true' stopped_bench.json
ok 'with the yardsticks' grep -q '"exp_ns": [0-9]' stopped_bench.json

if command -v python3 >/dev/null; then
    for file in *.json; do ok "$file is JSON" python3 -m json.tool "$file" /dev/null; done
fi

echo "$checks checks, $failures failures"
[ "$failures" -eq 0 ] && [ "$checks" -gt 150 ]
