#!/bin/sh
# Whether programs that were linked with the last release go on to work with this library.
#
#     check.sh symbols LIBKAN.SO            what symbols.txt names is exported, and nothing but kan_*
#     check.sh types LIBKAN.SO HEADERS      what types.txt says of functions, structures, enumerations stands
#     check.sh freeze LIBKAN.SO HEADERS     writes both files; docs/packaging.md says when that is allowed
#     check.sh self-test LIBKAN.SO
#
# Both files begin with the SONAME that they hold for; under another one everything may differ, but they must be
# written anew. What is new may be there. The types want the tool abidw, Python, and debug information.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
what=$1 library=$2 headers=${3-}
frozen=${KAN_FROZEN:-$here}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

soname() {
    objdump -p "$library" | sed -n 's/^ *SONAME *//p'
}

symbols() {
    soname
    nm -D --defined-only "$library" | sed 's/.* //; s/@.*//' | sort
}

types() {
    soname
    abidw --headers-dir "$headers" "$library" | python3 "$here/abi.py"
}

# NAME: what it is now against what is frozen
compare() {
    if [ "$(head -n 1 "$work/now")" != "$(head -n 1 "$frozen/$1")" ]; then
        echo "FAILED: $frozen/$1 is of another SONAME: freeze anew ($0 freeze)"
        return 1
    fi
    sort "$frozen/$1" >"$work/then"
    sort "$work/now" | comm -23 "$work/then" - >"$work/gone"
    [ -s "$work/gone" ] || return 0
    echo "FAILED: gone or changed, and the SONAME is still $(soname):"
    cat "$work/gone"
    echo "Raise kan_soversion in CMakeLists.txt if the last release had these, then $0 freeze"
    return 1
}

case $what in
symbols)
    symbols >"$work/now"
    [ "$(wc -l <"$work/now")" -ge 100 ] || { echo "FAILED: hardly any symbols" && exit 1; }
    leaks=$(sed 1d "$work/now" | grep -v '^kan_' || :)
    [ -z "$leaks" ] || { echo "FAILED: exported, and not of the API: $leaks" && exit 1; }
    compare symbols.txt
    ;;
types)
    command -v abidw >/dev/null && command -v python3 >/dev/null || { echo "skipped: no abidw or python3" && exit 77; }
    types >"$work/now"
    [ "$(wc -l <"$work/now")" -ge 300 ] || { echo "FAILED: hardly any types: no debug information?" && exit 1; }
    compare types.txt
    ;;
freeze)
    symbols >"$work/symbols.txt"
    types >"$work/types.txt"
    cp "$work/symbols.txt" "$work/types.txt" "$here"
    ;;
self-test)
    KAN_FROZEN=$work/frozen
    export KAN_FROZEN
    mkdir "$KAN_FROZEN"
    symbols >"$KAN_FROZEN/symbols.txt"
    sh "$0" symbols "$library"
    sed -i '$d' "$KAN_FROZEN/symbols.txt" # as if the last one were new
    sh "$0" symbols "$library"
    echo kan_gone >>"$KAN_FROZEN/symbols.txt"
    ! sh "$0" symbols "$library" >"$work/said" && grep -q '^kan_gone$' "$work/said"
    sed -i 1s/.*/libkan.so.older/ "$KAN_FROZEN/symbols.txt"
    ! sh "$0" symbols "$library" >"$work/said" && grep -q 'another SONAME' "$work/said"
    ;;
esac
