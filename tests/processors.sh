#!/bin/sh
# The same program on processors that can do less, emulated: $1 is the folder of the build, an x86 one.
#
#   Nehalem   2008, no AVX: the kernels' tests, and a picture that has the bytes of TINTYPE_CPU=scalar
#   Haswell   2013, AVX2 and no AVX-512: a picture that has the bytes of TINTYPE_CPU=avx2
#
# An instruction that the processor lacks ends the program. The kernels' tests are not run on Haswell: masked loads of
# qemu 7.2 touch what they must not, which pages without access turn into a crash.
set -eu
out=$1
picture=$(dirname "$0")/processors.png
if ! command -v qemu-x86_64 >/dev/null 2>&1; then
    . "$(dirname "$0")/../tools/install.sh"
    install_packages qemu-user
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# $1 a processor, $2 the level that it should get
same_as() {
    qemu-x86_64 -cpu "$1" "$out/tintype" upscale "$picture" -o "$work/$1.png" 2>"$work/said" || {
        cat "$work/said" >&2
        echo "tintype does not run on a $1" >&2
        exit 1
    }
    TINTYPE_CPU=$2 "$out/tintype" upscale "$picture" -o "$work/$2.png" --quiet
    if ! cmp "$work/$1.png" "$work/$2.png"; then
        echo "a $1 does not give the picture of TINTYPE_CPU=$2" >&2
        exit 1
    fi
    echo "$1: the picture of TINTYPE_CPU=$2"
}

same_as Nehalem scalar
if grep -qw avx2 /proc/cpuinfo; then
    same_as Haswell avx2
else
    echo "Haswell: NOT RUN, this machine has no AVX2 to compare with"
fi
SUITE=kernels_ qemu-x86_64 -cpu Nehalem "$out/tests/runner"
