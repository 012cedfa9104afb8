#!/bin/sh
# What tests of the OpenCL back end need: a device (PoCL, which is the processor) and, for `device.sh oclgrind`, the
# simulator that sees what compilers do not. Installed where that is possible; where it is not, the tests say that they
# were skipped.
want=''
ls /etc/OpenCL/vendors/*.icd >/dev/null 2>&1 || want='pocl-opencl-icd'
[ "${1:-}" != oclgrind ] || command -v oclgrind >/dev/null 2>&1 || want="$want oclgrind"
[ -n "$want" ] || exit 0
if command -v apt-get >/dev/null 2>&1; then
    as_root=none
    [ "$(id -u)" != 0 ] || as_root=''
    [ "$as_root" != none ] || ! sudo -n true 2>/dev/null || as_root='sudo'
    if [ "$as_root" != none ]; then
        echo "installing for the tests: $want" >&2
        DEBIAN_FRONTEND=noninteractive
        export DEBIAN_FRONTEND
        line="apt-get install -y --no-install-recommends $want -qq"
        $as_root $line >/dev/null 2>&1 || { $as_root apt-get update -qq && $as_root $line >/dev/null; } && exit 0
    fi
fi
echo "not installed, so some tests will be skipped: $want" >&2
exit 0
