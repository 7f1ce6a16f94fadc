#!/bin/sh
# Installs the library and builds the program of this folder against it, by CMake and by pkg-config, each with the
# shared library and with the static one.
#
#     run.sh BUILD_FOLDER C_COMPILER          CFLAGS are handed on
#     run.sh --installed C_COMPILER [PREFIX]  against what is installed already: there, or where compilers look for it
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu

build=$1
cc=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}

if [ "$build" = --installed ]; then
    generator='Unix Makefiles'
    prefix=${3-}
    [ -z "$prefix" ] || PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name kan.pc)")
    [ -z "$prefix" ] || export PKG_CONFIG_PATH
else
    # The prefix is another than the one configured: what is installed can be moved.
    prefix=$work/prefix
    cmake --install "$build" --prefix "$prefix" >/dev/null
    pc=$(find "$prefix" -name kan.pc)
    export PKG_CONFIG_PATH="${pc%/kan.pc}${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
    # The build tool of the library: there may be no other.
    generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
    for file in include/kan-0/kan/net.h share/doc/kan/guide.md share/bash-completion/completions/kan; do
        [ -f "$prefix/$file" ] || fail "$file was not installed"
    done
fi
libdir=$(pkg-config --variable=libdir kan)

# uses KIND PROGRAM: it runs, with the library of that kind
uses() {
    said=$("$2") || fail "$2: exit status $?"
    needs=$(ldd "$2" | grep -c 'libkan\.so' || :)
    [ "$1" = shared ] && [ "$needs" -eq 0 ] && fail "$2 does not need libkan.so"
    [ "$1" = static ] && [ "$needs" -ne 0 ] && fail "$2 needs libkan.so"
    [ -z "${value:-}" ] || [ "$said" = "$value" ] || fail "$2 says $said, others $value"
    value=$said
}

for kind in shared static; do
    cmake -G "$generator" -S "$here" -B "$work/$kind" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" \
        -DKIND=$kind >"$work/log" 2>&1 && cmake --build "$work/$kind" >>"$work/log" 2>&1 ||
        { cat "$work/log" && exit 1; }
    uses $kind "$work/$kind/consumer"

    # Word splitting is meant: these are lists of options.
    libs=$(pkg-config --libs kan)
    [ $kind = shared ] || libs=$(pkg-config --static --libs kan | sed 's/-lkan\>/-l:libkan.a/')
    # shellcheck disable=SC2046,SC2086
    "$cc" -std=c17 ${CFLAGS:-} $(pkg-config --cflags kan) "$here/main.c" -o "$work/$kind.pc" $libs \
        -Wl,-rpath,"$libdir"
    uses $kind "$work/$kind.pc"
done

# Without a wish it is the shared library, and one that was not asked for is not looked for.
cmake -G "$generator" -S "$here" -B "$work/any" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_DISABLE_FIND_PACKAGE_GSL=ON >"$work/log" 2>&1 && cmake --build "$work/any" >>"$work/log" 2>&1 ||
    { cat "$work/log" && exit 1; }
uses shared "$work/any/consumer"
echo "find_package and pkg-config, shared and static: $value"
