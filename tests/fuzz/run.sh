#!/bin/sh
# Every fuzz target of folder $1 for $2 seconds, two at a time. Working files in $1/run: NAME.log, NAME.corpus (what
# was found new, kept from one run to the next), NAME.found (inputs that are findings). Fails on any finding.
set -eu
bin=$1
seconds=$2
only=${3:-}
here=$(dirname "$0")
work=$bin/run
mkdir -p "$work"
# freed memory is kept from reuse for a while, but not hundreds of megabytes of it
export ASAN_OPTIONS="quarantine_size_mb=32${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

fuzz() {
    name=$1
    corpus=$work/$name.corpus
    mkdir -p "$corpus" "$work/$name.found"
    code=0
    "$bin/fuzz_$name" "$corpus" "$here/seeds/$name" -dict="$here/$name.dict" -max_total_time="$seconds" \
        -max_len=8192 -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 -print_final_stats=1 \
        -artifact_prefix="$work/$name.found/" >"$work/$name.log" 2>&1 || code=$?
    echo $code >"$work/$name.code"
}

report() {
    name=$1
    log=$work/$name.log
    if [ "$(cat "$work/$name.code")" != 0 ]; then
        echo "fuzz $name: a finding, in $work/$name.found:" >&2
        tail -n 60 "$log" >&2
        return 1
    fi
    awk -v name="$name" '
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") cov = $(i + 1); if ($i == "ft:") ft = $(i + 1) } }
        /^Done / { runs = $2; s = $5 }
        END { printf "fuzz %-12s %10d execs in %4d s, %7d a second, coverage %d edges, %d features\n",
                     name, runs, s, s ? runs / s : runs, cov, ft }' "$log"
}

set -f
list=$(cd "$bin" && ls | sed -n 's/^fuzz_\([a-z0-9_]*\)$/\1/p')
[ -z "$only" ] || list=$only
bad=0
set -- $list
while [ $# -gt 0 ]; do
    first=$1 second=${2:-}
    shift
    rm -f "$work/$first.code" "$work/$second.code"
    fuzz "$first" & a=$!
    if [ -n "$second" ]; then
        shift
        fuzz "$second" & b=$!
        wait $b || true
    fi
    wait $a || true
    for name in $first $second; do
        report "$name" || bad=1
    done
done
exit $bad
