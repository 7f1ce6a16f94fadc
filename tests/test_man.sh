#!/bin/sh
# The manual pages: test_man.sh KAN MAN_FOLDER. Each command has one, with all sections; it names the options that
# --help names and no others; mandoc and groff have nothing to say against it; its examples run.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
LC_ALL=C
export LC_ALL
kan=$1 pages=$2
command -v mandoc >/dev/null || { echo "skipped: there is no mandoc"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*"
}

commands=$("$kan" --help | sed -n 's/^  kan \([a-z]*\)  *[^ -].*/\1/p')
[ "$(echo "$commands" | wc -w)" -ge 10 ] || fail "kan --help names too few commands: $commands"

# What both sides call an option stands at the beginning of a line, before a gap or the end.
options_of() {
    sed -n 's/^ *\(-.*\)/\1/p' | sed 's/  .*//' | tr ', ' '[\n*]' | grep '^-' | sort
}

for command in '' $commands; do
    page=$pages/kan${command:+-$command}.1
    [ -f "$page" ] || { fail "kan $command has no page $page (docs/man/CMakeLists.txt)"; continue; }
    mandoc -T ascii -O width=200 "$page" | col -bx >"$work/text"
    for section in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' FILES EXAMPLES 'SEE ALSO'; do
        grep -qx "$section" "$work/text" || fail "$page has no section $section"
    done
    if [ -n "$command" ]; then
        "$kan" "$command" --help | grep '^ \{2,6\}-' | options_of >"$work/help"
        sed -n '/^OPTIONS$/,/^EXIT STATUS$/{/^ \{5\}-/p;}' "$work/text" | options_of >"$work/page"
        [ "$(wc -l <"$work/help")" -ge 3 ] || fail "kan $command --help: too few options to compare"
        diff "$work/help" "$work/page" >"$work/diff" || fail "options of kan $command: < help, > page: $(cat "$work/diff")"
    else
        for other in $commands; do
            grep -q "kan-$other(1)" "$work/text" || fail "kan(1) does not name kan-$other(1)"
        done
    fi
    mandoc -T lint -W warning "$page" >"$work/lint" 2>&1 || fail "mandoc: $(cat "$work/lint")"
    if command -v man >/dev/null; then
        MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null | grep . && fail "man --warnings: $page"
    fi

    # Examples: lines that begin with "$ " in the section EXAMPLES, one after the other in a folder of their own.
    sed -n '/^EXAMPLES$/,/^SEE ALSO$/s/^ *\$ //p' "$work/text" >"$work/examples"
    [ -s "$work/examples" ] || fail "$page has no examples"
    mkdir "$work/run"
    (cd "$work/run" && PATH=$(dirname "$kan"):$PATH sh -eux "$work/examples" >"$work/out" 2>&1) ||
        fail "examples of $page: $(tail -n 5 "$work/out")"
    rm -rf "$work/run"
done
[ "$failures" -eq 0 ]
