#!/bin/sh
# Both branches of the gate between GSL 2.7 and 2.8 compile, and call what that version has: check.sh ROOT C_COMPILER.
# GSL 2.8 is here the declarations of its header; that its numbers are the same is for a machine that has it.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
root=$1 cc=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# NAME OPTION..: the B-spline calls of basis.c
calls() {
    name=$1
    shift
    "$cc" -std=c17 -D_POSIX_C_SOURCE=200809L -Wall -Werror "$@" -I"$root" -c "$root/splines/basis.c" -o "$work/$name.o"
    nm -u "$work/$name.o" | sed -n 's/.* \(gsl_bspline_[a-z_]*\)/\1/p' | sort | tr '\n' ' '
}

new=$(calls new -I"$here")
[ "$new" = 'gsl_bspline_alloc gsl_bspline_basis_deriv gsl_bspline_free ' ] ||
    { echo "FAILED: with 2.8 it calls $new" && exit 1; }
installed=$(calls installed)
if [ "$installed" != "$new" ]; then
    [ "$installed" = 'gsl_bspline_alloc gsl_bspline_deriv_eval_nonzero gsl_bspline_free ' ] ||
        { echo "FAILED: with the installed GSL it calls $installed" && exit 1; }
fi

# No other file may know the version, or call what 2.8 has renamed.
others=$(grep -lE 'gsl_bspline|GSL_M(AJOR|INOR)_VERSION' "$root"/core/*.c "$root"/symbolic/*.c "$root"/train/*.c \
    "$root"/kan/*.c "$root"/mlp/*.c "$root"/splines/*.c "$root"/experiments/*.c | grep -v 'splines/basis[.]c$' || :)
[ -z "$others" ] || { echo "FAILED: the gate is in splines/basis.c only, but see $others" && exit 1; }
