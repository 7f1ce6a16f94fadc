#!/bin/sh
# Installs the library and builds the program of this folder against it, by CMake and by pkg-config.
#
#     run.sh BUILD_FOLDER C_COMPILER          CFLAGS are handed on
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu

build=$1
cc=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The prefix is another than the one configured: what is installed can be moved.
cmake --install "$build" --prefix "$work/prefix" >/dev/null

# The build tool of the library: there may be no other.
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
cmake -G "$generator" -S "$here" -B "$work/cmake" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" 2>&1 &&
    cmake --build "$work/cmake" >>"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
echo "find_package: $("$work/cmake/consumer")"

pc=$(find "$work/prefix" -name kan.pc)
export PKG_CONFIG_PATH="${pc%/kan.pc}${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
# Word splitting is meant: both are lists of options.
"$cc" -std=c17 ${CFLAGS:-} $(pkg-config --cflags kan) "$here/main.c" -o "$work/consumer" \
    $(pkg-config --static --libs kan) -Wl,-rpath,"$(pkg-config --variable=libdir kan)"
echo "pkg-config: $("$work/consumer")"
