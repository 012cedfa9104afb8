#!/usr/bin/env python3
"""Malformed weight files, each with what tintype must answer: tests/hostile/weights.tar.gz and weights.tsv.

    python3 tests/hostile/make_weights.py

weights.tsv: file, exit code, command, a part of the sentence on standard error. A file whose code is 0 is odd but
sound. To add one: a yield in safetensors.py, torch.py ... beside this file. Nothing depends on clock, chance or
machine, so a change of the corpus is a change of these scripts (zlib may pack the same bytes differently)."""
import gzip
import io
import os
import sys
import tarfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
sys.dont_write_bytecode = True
import cases_foreign  # noqa: E402
import cases_safetensors  # noqa: E402
import cases_torch  # noqa: E402
import formats  # noqa: E402

GROUPS = [cases_safetensors, cases_torch, cases_foreign]


def main():
    names, lines = set(), ['# file\tcode\tcommand\tpart of the sentence; written by make_weights.py']
    packed = io.BytesIO()

    def add(tar, name, data):
        assert name not in names, name
        names.add(name)
        info = tarfile.TarInfo(name)
        info.size = len(data)
        info.mode = 0o644
        tar.addfile(info, io.BytesIO(data))

    with gzip.GzipFile(fileobj=packed, mode='wb', compresslevel=9, mtime=0, filename='') as z:
        with tarfile.open(fileobj=z, mode='w', format=tarfile.USTAR_FORMAT) as tar:
            # what `tintype run` is given
            shape = [1, 8, 8]
            add(tar, 'input', formats.safetensors_of([('input', 'F32', shape, formats.encode(formats.values(shape), 'F32'))]))
            for group in GROUPS:
                for case in group.cases():
                    for name, data in case.files.items():
                        add(tar, name, data)
                    lines.append('%s\t%d\t%s\t%s' % (case.name, case.code, case.command, case.words))
    for name, data in (('weights.tar.gz', packed.getvalue()), ('weights.tsv', ('\n'.join(lines) + '\n').encode())):
        with open(os.path.join(here, name), 'wb') as f:
            f.write(data)
    print('%d cases, %d bytes packed' % (len(lines) - 1, len(packed.getvalue())))


main()
