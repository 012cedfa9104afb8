#!/bin/sh
# Find what tintype builds with, install what is missing where that is possible, and write the flags to $1.
# `fuzz` as $2: also what `make fuzz` needs.
set -eu
config=$1
goal=${2:-}
. "$(dirname "$0")/install.sh"

# pkg-config module, Debian package, what for
needs='libpng libpng-dev
libjpeg libjpeg-dev
lcms2 liblcms2-dev
jansson libjansson-dev
libzip libzip-dev
libmd libmd-dev
zlib zlib1g-dev
libcurl libcurl4-openssl-dev
openblas libopenblas-dev
OpenCL ocl-icd-opencl-dev
check check'

missing() {
    command -v "${CC:-cc}" >/dev/null 2>&1 && echo '#include <stdio.h>' | ${CC:-cc} -E - >/dev/null 2>&1 ||
        printf ' gcc libc6-dev'
    command -v ar >/dev/null 2>&1 || printf ' binutils'
    if [ "$goal" = fuzz ]; then
        command -v clang-14 >/dev/null 2>&1 || printf ' clang-14'
        ls /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-* >/dev/null 2>&1 || printf ' libclang-rt-14-dev'
    fi
    if ! command -v pkg-config >/dev/null 2>&1; then
        printf ' pkg-config'
        echo "$needs" | while read -r module package; do printf ' %s' "$package"; done
        return
    fi
    echo "$needs" | while read -r module package; do
        pkg-config --exists "$module" || printf ' %s' "$package"
    done
}

want=$(missing)
if [ -n "$want" ]; then
    install_packages $want
    want=$(missing)
    if [ -n "$want" ]; then
        echo "still missing after the installation:$want" >&2
        exit 1
    fi
fi

mkdir -p "$(dirname "$config")"
{
    echo "# written by tools/setup.sh"
    echo "PKG_CFLAGS := $(pkg-config --cflags libpng libjpeg lcms2 jansson libzip zlib libmd libcurl check OpenCL)"
    echo "LIB_LIBS := $(pkg-config --libs libpng libjpeg lcms2 jansson libzip zlib libmd)"
    echo "TEST_LIBS := $(pkg-config --libs check)"
} >"$config.new"
mv "$config.new" "$config"
