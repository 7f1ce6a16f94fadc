#!/bin/sh
# The Debian packages: test_debian.sh ROOT. Built from what git has of the tree, looked at by lintian, unpacked into a
# folder, and used from there: the program, its pages, and an outside project.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
root=$1
for tool in dpkg-buildpackage dh lintian git man; do
    command -v $tool >/dev/null || { echo "skipped: there is no $tool" && exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}

mkdir "$work/kan"
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf -) | tar -C "$work/kan" -xf -
(cd "$work/kan" && dpkg-buildpackage -us -uc -b) >"$work/log" 2>&1 || { tail -n 40 "$work/log" && fail 'no package'; }
cd "$work"
lintian --fail-on error ./*.changes || fail 'lintian has errors'

for package in kan libkan0 libkan-dev; do dpkg-deb -x ${package}_*.deb usr-root; done
usr=$work/usr-root/usr
version=$(sed -n 's/^kan (\(.*\)).*/\1/p;q' "$root/debian/changelog")
libraries=$(dirname "$(find "$usr" -name libkan.so.0)")
said=$(LD_LIBRARY_PATH=$libraries "$usr/bin/kan" --version)
[ "$said" = "kan $version" ] || fail "kan --version: $said, and the package is $version"
man -M "$usr/share/man" kan-train | grep -q 'resume' || fail 'man kan-train'
man -M "$usr/share/man" 3 kan | grep -q 'find_package' || fail 'man 3 kan'
sh "$root/tests/consumer/run.sh" --installed cc "$usr"
