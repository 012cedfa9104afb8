#!/bin/sh
# What a build for 64-bit ARM on another machine needs; writes the flags to $1, as setup.sh does for this machine.
#
# Compiler and emulator are installed. Libraries are not: apt and dpkg unpack their arm64 packages into a folder beside
# $1, with lists and a cache of their own. The system never hears of a second architecture, what it has installed stays
# as it is, and this part needs no root.
set -eu
config=$1
root=$(dirname "$config")/root
libraries='libc6-dev libpng-dev libjpeg-dev liblcms2-dev libjansson-dev libzip-dev libmd-dev zlib1g-dev
libcurl4-openssl-dev opencl-c-headers check'
. "$(dirname "$0")/install.sh"

missing() {
    command -v aarch64-linux-gnu-gcc >/dev/null 2>&1 || printf ' gcc-aarch64-linux-gnu'
    command -v qemu-aarch64 >/dev/null 2>&1 || printf ' qemu-user'
    command -v pkg-config >/dev/null 2>&1 || printf ' pkg-config'
}

want=$(missing)
[ -z "$want" ] || install_packages $want
want=$(missing)
if [ -n "$want" ]; then
    echo "still missing after the installation:$want" >&2
    exit 1
fi

# An apt that knows no machine but the other one, and thinks that nothing is installed there.
arm_apt() {
    apt-get -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User="$(id -un)" \
        -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" -qq "$@"
}

if [ ! -e "$root/complete-2" ]; then
    if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg >/dev/null 2>&1; then
        echo "tintype gets its arm64 libraries with apt-get and dpkg, which are not here" >&2
        exit 1
    fi
    echo "unpacking arm64 libraries into $root" >&2
    rm -rf "$root"
    mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial"
    root=$(cd "$root" && pwd)
    apt=$root/apt
    : >"$apt/status"
    arm_apt update
    arm_apt install -y --download-only --no-install-recommends $libraries >/dev/null
    for package in "$apt"/archives/*.deb; do
        dpkg -x "$package" "$root"
    done
    rm -r "$apt"
    : >"$root/complete-2"
fi
root=$(cd "$root" && pwd)

arm_pkg() {
    PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH='' \
        PKG_CONFIG_LIBDIR=$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig pkg-config "$@"
}
{
    echo "# written by tools/cross.sh"
    echo "SYSROOT := $root"
    echo "PKG_CFLAGS := $(arm_pkg --cflags libpng libjpeg lcms2 jansson libzip zlib libmd libcurl check)"
    echo "LIB_LIBS := $(arm_pkg --libs libpng libjpeg lcms2 jansson libzip zlib libmd)"
    echo "TEST_LIBS := $(arm_pkg --libs check)"
} >"$config.new"
mv "$config.new" "$config"
