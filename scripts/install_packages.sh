# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# To be sourced. install_packages PACKAGE..: installs those that are missing, as root or by sudo; nothing
# is fetched when all are there.

build_packages=(gcc libc6-dev cmake ninja-build pkg-config libgsl-dev libopenblas-dev libjansson-dev zlib1g-dev)

install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "No apt-get here: the equivalents of these packages are taken to be installed: $*" >&2
        return
    fi
    local missing=() sudo=() package
    for package; do
        [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) == ?i* ]] || missing+=("$package")
    done
    ((${#missing[@]} > 0)) || return 0
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get update
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${missing[@]}"
}
