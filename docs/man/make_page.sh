#!/bin/sh
# Makes one manual page (make_page.awk says how):
#
#     make_page.sh KAN PAGE SOURCE VERSION DATE DOCDIR [COMMAND]          DATE as 2025-05-01
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
LC_ALL=C
export LC_ALL
kan=$1 page=$2 source=$3 version=$4 date=$5 docdir=$6 command=${7-}

mkdir -p "$(dirname "$page")"
month=$(echo January February March April May June July August September October November December |
    cut -d ' ' -f "$(echo "$date" | cut -d - -f 2)")
day=$(echo "$date" | cut -d - -f 3)
# shellcheck disable=SC2086 # without a command there is no word
ARGP_HELP_FMT=rmargin=9999 "$kan" $command --help >"$page.help"
awk -v command="$command" -v date="$month ${day#0}, ${date%%-*}" -v version="$version" -v docdir="$docdir" \
    -f "$(dirname "$0")/make_page.awk" "$page.help" "$source" >"$page.new"
rm "$page.help"
mv "$page.new" "$page"
