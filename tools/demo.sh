#!/bin/sh
# What `make demo` shows: the example picture restored by the network inside the program, and both side by side.
#   demo.sh [PROGRAM [DIRECTORY]]
set -eu
program=${1:-build/tintype}
out=${2:-build/demo}
sample=examples/sample.jpg
[ -f "$sample" ] || sample=$(cd "$(dirname "$0")/.." && pwd)/$sample

if [ ! -x "$program" ]; then
    echo "demo: there is no program $program; run: make" >&2
    exit 1
fi
mkdir -p "$out"

echo "Enlarging the example photograph (examples/sample.jpg, a JPEG of 640x427) to twice its size"
echo "with the network inside the program. The last line says how long it took and how much memory:"
echo
"$program" upscale "$sample" -o "$out/restored.png" --overwrite
"$program" compare "$sample" "$out/restored.png" -o "$out/before-after.png" --overwrite --quiet
echo
echo "Have a look:"
echo "    $out/restored.png        the result"
echo "    $out/before-after.png    on the left the photograph enlarged by bicubic, on the right the result"
echo
echo "And now one of yours:"
echo "    $program upscale PHOTO.jpg"
