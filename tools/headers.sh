#!/bin/sh
# Each header compiles alone, and carries the guard that its path names.
set -eu
bad=0
for h in $(find engine kernels models src bench -name '*.h' | sort); do
    if ! printf '#include "%s"\n' "$h" | ${CC:-cc} ${FLAGS:--std=c11 -I.} -Wall -Werror -fsyntax-only -x c -; then
        echo "$h does not compile alone" >&2
        bad=1
    fi
    guard=TT_$(echo "$h" | tr 'a-z/.' 'A-Z__')
    [ "$h" = src/tintype.h ] && guard=TINTYPE_H
    if ! grep -q "^#ifndef $guard\$" "$h"; then
        echo "$h has no guard $guard" >&2
        bad=1
    fi
done
exit $bad
