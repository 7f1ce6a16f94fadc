#!/bin/sh
# Reports as people get them: test_report.sh PATH-OF-KAN. Pages are well-formed, stand on their own, begin with the
# verdict and say how to run the same again; with and without gnuplot.
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
mkdir nothing

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*"
}

# has FILE TEXT: a line with that text
has() {
    grep -qF -- "$2" "$1" || fail "$1: no '$2'"
}

# Well-formed by whichever parser is there.
well_formed() {
    if command -v xmllint >/dev/null; then
        xmllint --noout "$1" 2>err || fail "$1: $(head -n 3 err)"
    elif command -v python3 >/dev/null; then
        python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$1" 2>err ||
            fail "$1: $(tail -n 1 err)"
    else
        echo "skipped: neither xmllint nor python3 to see whether $1 is well-formed"
    fi
}

# Nothing is fetched and nothing runs: only names of namespaces have an address, and links stay in the page.
stands_alone() {
    sed 's/xmlns[:a-z]*="[^"]*"//g' "$1" >plain
    grep -q '://' plain && fail "$1: an address: $(grep -n '://' plain | head -n 1 | cut -c1-120)"
    grep -qiE '<(script|link|iframe|img|object|embed)|@import| on[a-z]+=' plain && fail "$1: not only a page"
    grep -oE "(href|src)=[\"'][^#]" plain | grep -q . && fail "$1: a reference out of the page"
}

# The verdict is the first thing below the title.
verdict_first() {
    awk '/<h1>/ { seen = 1 } seen && /class="verdict"/ { good = 1; exit } seen && /<(table|h2|svg)/ { exit }
        END { exit !good }' "$1" || fail "$1: the verdict does not come first"
}

page() {
    well_formed "$1"
    stands_alone "$1"
    verdict_first "$1"
}

# A page without what the clock says.
without_times() {
    awk '/<figcaption>Error over the time/ { skip = 1 } !skip && !/ (m?s|min|h)<\/td>/ { print } /<\/figure>/ { skip = 0 }' "$1"
}

# ---- numbers, with names that mean something in HTML ------------------------------------------------------
odd='a<b>&"c'
awk -v odd='"x<script>",y&amp;,"p""<b>"' 'BEGIN { srand(1); print odd
    for (i = 0; i < 150; ++i) { x = rand(); y = rand(); printf "%.6f,%.6f,%.6f\n", x, y, sin(6 * x) * y } }' >"$odd.csv"
sum=$(sha256sum "$odd.csv" | cut -d' ' -f1)
compare() {
    "$kan" compare "$odd.csv" --kan 2,2,1 --kan 2,1 --mlp 2,6,1 --steps 30 --seeds 2 --report "$@" >out 2>err ||
        fail "compare: $(cat err)"
}
compare a.html --json a.json
page a.html
grep -qE "kan compare '?.*a&#60;b&#62;&#38;&#34;c\.csv.* --steps 30 --seeds 2 --report a.html" a.html || fail "no command line"
has a.html "$sum"
has a.html 'SHA-256'
has a.html '>p&#34;&#60;b&#62;</text>'
has a.html '>x&#60;script&#62;</text>'
for text in 'Seeds of the trainings: 0 to 1' 'Error over parameters' 'Loss over steps' 'Predicted against true' \
    'Errors over the test rows' 'Test errors over seeds' 'The best KAN' 'What was tried' 'instruction set' \
    'prefers-color-scheme:dark' '@media print' 'max-width:34rem'; do
    has a.html "$text"
done
verdict=$(sed -n 's/.*"verdict": "At their best: \(.*\)\. At equal.*/\1/p' a.json)
[ -n "$verdict" ] || fail "no verdict in a.json"
has a.html "$verdict"
if command -v gnuplot >/dev/null; then
    [ "$(grep -c '<svg' a.html)" -ge 6 ] || fail "too few pictures"
    grep -q 'need gnuplot' a.html && fail "gnuplot is there, and the page says it is not"
    [ "$(grep -oE "id=['\"][^'\"]*['\"]" a.html | sort | uniq -d | wc -l)" -eq 0 ] || fail "an id twice"
else
    echo "skipped: no gnuplot to draw charts"
fi

# ---- without gnuplot; the same page twice -----------------------------------------------------------------------
path=$PATH
PATH=$work/nothing
compare b.html
PATH=$path
page b.html
[ "$(grep -c 'Charts need gnuplot' b.html)" -eq 1 ] || fail "not one line about gnuplot"
[ "$(grep -c '<details open' b.html)" -ge 5 ] || fail "numbers are hidden where there are no charts"
[ "$(grep -c '<svg' b.html)" -eq 1 ] || fail "the network is not there"
mkdir twice && mv a.html twice/
compare a.html --threads 2 --json a.json
sed 's/ --threads 2//' a.html >c.html
without_times twice/a.html >first
without_times c.html >second
cmp first second || fail "another page the second time: $(diff first second | head -n 5)"
[ "$(wc -l <first)" -gt 200 ] || fail "the comparison of pages saw only $(wc -l <first) lines"

# ---- classes ------------------------------------------------------------------------------------------------------
"$kan" compare fn:blobs --rows 120 --kan 2,3,3 --mlp 2,5,3 --steps 40 --seeds 1 --report classes.html >out 2>err ||
    fail "classes: $(cat err)"
page classes.html
has classes.html 'Confusion matrix of the KAN'
has classes.html 'Confusion matrix of the MLP'
has classes.html 'macro F1'
has classes.html 'generated rows'

# ---- a formula, where the edges of the network can be functions ------------------------------------------------
"$kan" compare fn:hello --rows 300 --kan 2,1,1 --mlp 2,4,1 --steps 200 --seeds 1 --report formula.html \
    >out 2>err ||
    fail "formula: $(cat err)"
page formula.html
has formula.html '<pre class="formula">exp(y^2 + sin(pi*x))</pre>'

# ---- a page that cannot be written is refused before anything is trained ---------------------------------------
"$kan" compare fn:hello --report nowhere/r.html >out 2>err && fail "a folder that is not there is no error"
grep -q 'nowhere/r.html' err || fail "no file name in: $(cat err)"
[ -s out ] && fail "something was computed before"

# ---- experiments ----------------------------------------------------------------------------------------------------
"$kan" reproduce fair --quick --budget 0.02 --out published --threads 2 >out 2>err || fail "$(cat err)"
page published/report.html
has published/report.html 'kan reproduce fair --quick --budget 0.02 --out published --threads 2'
for text in '7.78e-05' 'published KAN' 'This is the quick form' 'arXiv 2407.16674' 'First seed: 0' \
    'SHA-256 of the rows' 'Data: fn:sph_harm0' 'opacity: tanh'; do
    has published/report.html "$text"
done
[ -n "$(ls published/evidence)" ] || fail "no evidence"

[ $failures -eq 0 ] && echo "reports are what they should be"
[ $failures -eq 0 ]
