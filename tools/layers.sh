#!/bin/sh
# Includes point down only: src -> models -> engine -> kernels, written from the top of the tree.
set -eu
bad=0
# layer, what it may include
while read -r layer allowed; do
    found=$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' "$layer" --include='*.[ch]' |
        grep -vE "\"($allowed)/" || true)
    if [ -n "$found" ]; then
        echo "$layer may include only from $allowed:" >&2
        echo "$found" >&2
        bad=1
    fi
done <<'END'
kernels kernels
engine engine|kernels
models models|engine|kernels
src src|models|engine|kernels|bench
bench bench|src|models|engine|kernels
END
# only the bench command knows the bench
if grep -rln '"bench/' src --include='*.[ch]' | grep -v '^src/cmd_bench.c$' >&2; then
    echo "only src/cmd_bench.c may include from bench" >&2
    bad=1
fi
# only engine/cl calls OpenCL
if grep -rlE '<CL/|\bcl[A-Z][A-Za-z]+ *\(' engine models src bench --include='*.[ch]' | grep -v '^engine/cl/' >&2; then
    echo "only engine/cl may call OpenCL" >&2
    bad=1
fi
# nothing but main prints to the terminal or ends the process; kernels neither allocate nor lock
if grep -rnE '\b(exit|_exit|abort|printf|puts|perror) *\(' engine kernels models --include='*.c' | grep -vE '(sn|f)printf' >&2; then
    echo "the library neither prints nor exits" >&2
    bad=1
fi
if grep -rnE '\b(malloc|calloc|realloc|free|pthread_[a-z_]+) *\(' kernels --include='*.[ch]' >&2; then
    echo "a kernel neither allocates nor locks" >&2
    bad=1
fi
exit $bad
