#!/bin/sh
# The table "may include" of the architecture, as a test.
#
#     check_includes.sh ROOT          every #include in the source folders of ROOT; lists the wrong ones
#     check_includes.sh --self-test   plants wrong and right ones and sees whether it tells them apart
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu

check() {
    cd "$1"
    # Public headers are those that CMakeLists.txt installs, shared ones those that folders share besides.
    shared=$(sed -n '/^set(kan_shared_headers/,/)/p' CMakeLists.txt | tr -s '() ' '\n\n\n' | grep '\.h$' || :)
    public=$(sed -n '/^set(kan_public_headers/,/)/p' CMakeLists.txt | tr -s '() ' '\n\n\n' | grep '\.h$' || :)
    find core splines symbolic train kan mlp experiments -name '*.[ch]' | sort | xargs awk -v public="$public" -v shared="$shared" '
    BEGIN {
        may["core"]        = "jansson omp zlib"
        may["splines"]     = "core gsl bspline"
        may["symbolic"]    = "core gsl"
        may["train"]       = "core gsl cblas zlib"
        may["kan"]         = "core splines symbolic train cblas"
        may["mlp"]         = "core train cblas"
        may["experiments"] = "core splines symbolic train kan mlp argp jansson cblas gsl_programs"
        # What only some files of a folder may.
        only["core zlib"]       = "^core/file"
        only["core jansson"]    = "^core/file"
        only["core omp"]        = "^core/parallel[.]"
        only["splines bspline"] = "^splines/basis[.]c$"
        n = split(public, names)
        for (j = 1; j <= n; ++j) is_public[names[j]] = 1
        n = split(shared, names)
        for (j = 1; j <= n; ++j) is_shared[names[j]] = 1
    }

    # The word of the table for a header; "" for the C library and the system.
    function word_of(header, folder) {
        if (header ~ /^(core|splines|symbolic|train|kan|mlp|experiments|tests)\//) return substr(header, 1, index(header, "/") - 1)
        if (header == "gsl/gsl_bspline.h") return "bspline"
        if (header ~ /^(gsl\/gsl_)?cblas/ || header ~ /^openblas/) return "cblas"
        if (folder == "experiments" && header ~ /^gsl\/gsl_(errno|version|cdf|statistics.*)[.]h$/) return "gsl_programs"
        if (header ~ /^gsl\//) return "gsl"
        if (header ~ /^(jansson|omp|argp|zlib)[.]h$/) return substr(header, 1, index(header, ".") - 1)
        return ""
    }

    function reason(file, folder, header, quoted,    word, own) {
        word = word_of(header, folder)
        own = word == folder
        if (word == "") return quoted ? "is not written from the root" : ""
        if (!own && index(" " may[folder] " ", " " word " ") == 0) return "may not be included in " folder "/"
        if (!own && word in may && !(header in is_public) && !(header in is_shared && folder != "experiments")) return "is private to " word "/"
        if ((folder " " word) in only && file !~ only[folder " " word]) return "may not be included in this file"
        if (file in is_public && (header !~ "^" word "/" || header in is_shared)) return "may not be included in a public header"
        return ""
    }

    /^[ \t]*#[ \t]*include[ \t]*["<]/ {
        quoted = $0 ~ /include[ \t]*"/
        header = $0
        sub(/^[^"<]*["<]/, "", header)
        sub(/[">].*$/, "", header)
        folder = substr(FILENAME, 1, index(FILENAME, "/") - 1)
        wrong = reason(FILENAME, folder, header, quoted)
        if (wrong != "") { print FILENAME ":" FNR ": " header " " wrong; bad = 1 }
        ++seen
    }

    END {
        if (!seen) print "no #include was found"
        exit bad || !seen
    }'
}

# One planted #include a line: file, header, right or wrong.
planted() {
    cat <<'END'
core/file.c        <zlib.h>                     right
core/file_image.h  <jansson.h>                  right
core/file.h        "core/status.h"              right
core/parallel.c    <omp.h>                      right
core/random.c      <stdint.h>                   right
core/random.c      <zlib.h>                     wrong
core/random.c      <jansson.h>                  wrong
core/file.h        <jansson.h>                  wrong
core/model.c       "train/loss.h"               wrong
core/work.c        <gsl/gsl_math.h>             wrong
core/work.c        "work.h"                     wrong
core/status.c      "tests/support/alloc.h"      wrong
splines/basis.c    <gsl/gsl_bspline.h>          right
splines/basis.c    "core/work.h"                right
splines/spline.c   <gsl/gsl_bspline.h>          wrong
splines/spline.c   "kan/net.h"                  wrong
splines/spline.c   <cblas.h>                    wrong
symbolic/a.c       <gsl/gsl_sf_gamma.h>         right
symbolic/a.c       "splines/basis.h"            wrong
train/loss.c       <gsl/gsl_cblas.h>            right
train/loss.c       <zlib.h>                     right
train/loss.c       "train/input.h"              right
train/loss.c       "core/file_image.h"          wrong
train/loss.c       "mlp/mlp.h"                  wrong
train/loss.c       <omp.h>                      wrong
kan/net.c          "symbolic/special.h"         right
kan/net.c          "kan/layer.h"                right
kan/net.c          <cblas.h>                    right
kan/net.c          <gsl/gsl_vector.h>           wrong
kan/net.c          "mlp/mlp.h"                  wrong
kan/net.c          <jansson.h>                  wrong
mlp/mlp.c          "train/loss.h"               right
mlp/mlp.c          "kan/net.h"                  wrong
mlp/mlp.c          <gsl/gsl_bspline.h>          wrong
experiments/main.c "kan/net.h"                  right
experiments/main.c "experiments/report.h"       right
experiments/main.c <gsl/gsl_statistics_double.h> right
experiments/main.c <gsl/gsl_vector.h>           wrong
experiments/main.c "kan/layer.h"                wrong
kan/layer.c        "core/kernel.h"              right
kan/net.h          "core/kernel.h"              wrong
experiments/main.c "core/kernel.h"              wrong
END
}

self_test() {
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    for folder in core splines symbolic train kan mlp experiments; do mkdir "$tree/$folder"; done
    echo 'set(kan_public_headers core/file.h core/status.h core/work.h splines/basis.h symbolic/special.h
        train/loss.h kan/net.h mlp/mlp.h)
set(kan_shared_headers core/kernel.h)' >"$tree/CMakeLists.txt"
    planted | while read -r file header verdict; do
        printf '/* %s */\n # include %s /* %s */\n' "$file" "$header" "$verdict" >>"$tree/$file"
    done
    (cd "$tree" && grep -n wrong -r . | sed 's|^\./||; s/\(:[0-9]*\):.*/\1/' | sort) >"$tree/expected"
    (check "$tree" || :) | cut -d: -f1,2 | sort >"$tree/found"
    if check "$tree" >"$tree/listing"; then echo "planted violations did not fail the check" && exit 1; fi
    diff "$tree/expected" "$tree/found"
    echo "$(wc -l <"$tree/found") planted violations found"
}

case ${1:-} in
--self-test) self_test ;;
?*) check "$1" ;;
*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
