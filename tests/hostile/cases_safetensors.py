"""safetensors."""
import copy
import json
import struct

import formats as f
from case import case, sweep


def st(name, *args, **kw):
    return case('st-%s.safetensors' % name, *args, **kw)


def lengths(tensors):
    sound = f.safetensors_of(tensors)
    header = json.dumps(f.entries(tensors), separators=(',', ':')).encode()
    data = sound[8 + len(header):]
    for label, n in sweep(len(header), len(sound)) + [('2g', 2**31), ('4g', 2**32), ('16m+1', 2**24 + 1), ('sign', 2**63)]:
        yield st('length-' + label, f.u64(n) + header + data)
    for label, n in (('2g', 2**31), ('16m', 2**24), ('max', 2**64 - 1)):
        yield st('only-length-' + label, f.u64(n) + b'{', 65, 'header of')
    # cut at every border: length, each bracket and comma of the header, each tensor
    borders = {1, 7, 8, 9, len(sound) - 1}
    borders |= {8 + i for i, c in enumerate(header) if c in b'{}[]'}
    at = 8 + len(header)
    for t in tensors:
        borders |= {at, at + len(t[3]) - 1}
        at += len(t[3])
    for n in sorted(borders):
        yield st('cut-%04d' % n, sound[:n])
    yield st('trailing-byte', sound + b'\0', 65, 'belong to no tensor')
    yield st('trailing-copy', sound + sound, 65, 'belong to no tensor')
    yield st('empty-header', f.u64(0), 65)
    yield st('spaces-before', f.safetensors(b' ' + header, data), 65)
    yield st('spaces-after', f.safetensors(header + b'   ', data), 0)
    yield st('zeros-after', f.safetensors(header + b'\0\0', data), 65, 'JSON')
    yield st('bom', f.safetensors(b'\xef\xbb\xbf' + header, data), 65)
    yield st('two-objects', f.safetensors(header + b',{}', data), 65)
    yield st('array', f.safetensors(b'[' + header + b']', data), 65)


def fields(tensors):
    base, data = f.entries(tensors), b''.join(t[3] for t in tensors)
    size = len(f.safetensors_of(tensors))

    def changed(name, key, value):
        e = copy.deepcopy(base)
        e[name][key] = value
        return f.safetensors(e, data)

    for name, dtype, shape, _ in tensors[:3]:
        short = name.replace('.weight', '')
        for i, d in enumerate(shape):
            for label, n in sweep(d, size, 63):
                # a longer side of a one-pixel window is the wrong size; 1 x 1 is always right
                yield st('%s-shape%d-%s' % (short, i, label), changed(name, 'shape', shape[:i] + [n] + shape[i + 1:]))
            for label, n in (('-1', -1), ('2^63', 2**63), ('2^64', 2**64), ('float', 1.0), ('text', '1'), ('null', None),
                             ('list', [1]), ('true', True)):
                yield st('%s-shape%d-%s' % (short, i, label), changed(name, 'shape', shape[:i] + [n] + shape[i + 1:]))
        for i in range(2):
            now = base[name]['data_offsets']
            for label, n in sweep(now[i], size, 63) + [('-1', -1), ('2^63', 2**63), ('2^64+', 2**64 + now[i])]:
                yield st('%s-offset%d-%s' % (short, i, label), changed(name, 'data_offsets', now[:i] + [n] + now[i + 1:]))
    name = 'conv1.weight'
    for key in ('dtype', 'shape', 'data_offsets'):
        for label, v in (('null', None), ('true', True), ('number', 3), ('float', 1.5), ('text', 'x'), ('list', []),
                         ('object', {}), ('nested', [[3]])):
            yield st('%s-is-%s' % (key, label), changed(name, key, v))
        e = copy.deepcopy(base)
        del e[name][key]
        yield st('no-' + key, f.safetensors(e, data), 65, 'no ' + key)
    for label, v in (('f8', 'F8_E4M3'), ('lower', 'f32'), ('space', 'F32 '), ('empty', ''), ('zero', 'F32\0'), ('c64', 'C64'),
                     ('u16', 'U16'), ('long', 'F' * 70000)):
        yield st('dtype-' + label, changed(name, 'dtype', v))
    for d in f.SIZES:
        if d not in ('F32', 'I32'):
            yield st('dtype-wrong-' + d, changed(name, 'dtype', d))
    yield st('dtype-i32-network', changed(name, 'dtype', 'I32'), 65, 'of I32')
    yield st('rank-9', changed(name, 'shape', [1] * 7 + [3, 3]), 65, 'dimensions')
    yield st('rank-100', changed(name, 'shape', [1] * 98 + [3, 3]), 65, 'dimensions')
    yield st('rank-0', changed(name, 'shape', []))
    yield st('offsets-three', changed(name, 'data_offsets', [0, 36, 36]))
    yield st('offsets-one', changed(name, 'data_offsets', [36]))
    yield st('offsets-swapped', changed(name, 'data_offsets', [36, 0]))
    yield st('product-overflow', changed(name, 'shape', [2**32, 2**32, 1, 9]))
    yield st('product-overflow-to-9', changed(name, 'shape', [2**62, 4, 9]))
    yield st('bytes-overflow', changed(name, 'shape', [2**62, 4]))
    yield st('zero-and-overflow', changed(name, 'shape', [0, 2**62, 2**62]))


def places(tensors):
    data = b''.join(t[3] for t in tensors)
    e = f.entries(tensors)
    e['conv1.bias']['data_offsets'] = [32, 36]
    yield st('overlap-4', f.safetensors(e, data), 65, 'overlaps')
    e = f.entries(tensors)
    e['conv3.weight']['data_offsets'] = e['conv1.weight']['data_offsets']
    yield st('overlap-all', f.safetensors(e, data), 65)
    e = f.entries(tensors)
    for t in e:
        e[t]['data_offsets'] = [n + 4 for n in e[t]['data_offsets']]
    yield st('hole-first', f.safetensors(e, b'\0\0\0\0' + data), 65, 'does not follow')
    e = f.entries(tensors)
    for t in list(e)[3:]:
        e[t]['data_offsets'] = [n + 1 for n in e[t]['data_offsets']]
    yield st('hole-middle', f.safetensors(e, data[:44] + b'\0' + data[44:]), 65, 'does not follow')
    yield st('no-tensors-data', f.safetensors({}, data), 65, 'belong to no tensor')
    yield st('no-tensors', f.safetensors({}, b''), 0)
    yield st('metadata-only', f.safetensors({'__metadata__': {'a': 'b'}}, b''), 0)
    yield st('empty-tensor', f.safetensors({'a': {'dtype': 'F32', 'shape': [0, 3], 'data_offsets': [0, 0]}}, b''), 0)
    yield st('scalar', f.safetensors({'a': {'dtype': 'F32', 'shape': [], 'data_offsets': [0, 4]}}, b'\0' * 4), 0)


def names(tensors):
    data = b''.join(t[3] for t in tensors)
    header = json.dumps(f.entries(tensors), separators=(',', ':'))
    one = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    yield st('name-twice', f.safetensors(header[:-1] + ',"conv1.bias":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}', data), 65,
             'duplicate')
    yield st('name-twice-escaped', f.safetensors('{"a":%s,"\\u0061":%s}' % (one, one), b'\0' * 4), 65, 'duplicate')
    yield st('field-twice', f.safetensors('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b'\0' * 4), 65,
             'duplicate')
    yield st('field-unknown', f.safetensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', b'\0' * 4), 65, 'unknown field')
    yield st('metadata-twice', f.safetensors('{"__metadata__":{},"__metadata__":{}}'), 65, 'duplicate')
    yield st('prefix-twice', f.safetensors_of([('module.a', 'F32', [1], b'\0' * 4), ('module.module.a', 'F32', [1], b'\0' * 4)]), 0)
    for label, raw in (('lone-continuation', b'\x80'), ('overlong', b'\xc0\xaf'), ('surrogate', b'\xed\xa0\x80'),
                       ('five-bytes', b'\xf8\x88\x80\x80\x80'), ('too-high', b'\xf4\x90\x80\x80'), ('cut', b'\xe2\x82'), ('ff', b'\xff'),
                       ('control', b'\x01'), ('newline', b'\n'), ('zero', b'\0'), ('escaped-zero', b'\\u0000'),
                       ('escaped-surrogate', b'\\ud800'), ('escape-cut', b'\\u12'), ('escape-unknown', b'\\x41')):
        yield st('name-' + label, f.safetensors(b'{"a' + raw + b'":' + one.encode() + b'}', b'\0' * 4), 65, 'JSON')
    yield st('name-513', f.safetensors('{"%s":%s}' % ('n' * 513, one), b'\0' * 4), 65, 'its name has 513 bytes')
    yield st('name-70000', f.safetensors('{"%s":%s}' % ('n' * 70000, one), b'\0' * 4), 65, 'longer than any tensor')
    yield st('name-512', f.safetensors('{"%s":%s}' % ('n' * 512, one), b'\0' * 4), 0)
    yield st('name-escape-sequence', f.safetensors('{"\\u001b[31m":{}}'), 65, '\\x1b[31m')
    for label, v in (('null', 'null'), ('list', '[]'), ('number', '3'), ('text', '"x"'), ('true', 'true')):
        yield st('entry-is-' + label, f.safetensors('{"a":%s}' % v))
        yield st('metadata-is-' + label, f.safetensors('{"__metadata__":%s}' % v))
        if label != 'text':
            yield st('metadata-value-' + label, f.safetensors('{"__metadata__":{"a":%s}}' % v))


def syntax():
    for label, text in (('unclosed', '{"a":{"dtype":"F32"'), ('open-string', '{"a'), ('open-escape', '{"a\\'), ('comma', '{,}'),
                        ('trailing-comma', '{"a":{},}'), ('single-quotes', "{'a':{}}"), ('nan', '{"a":NaN}'),
                        ('comment', '{/**/}'), ('no-colon', '{"a"{}}'), ('number-name', '{1:{}}'), ('huge-number', '{"a":1e400}'),
                        ('long-number', '{"a":%s}' % ('9' * 3000)), ('number-70000', '{"a":%s}' % ('9' * 70000)), ('minus', '{"a":-}'),
                        ('leading-zero', '{"a":01}'), ('only-brace', '{')):
        yield st('json-' + label, f.safetensors(text))
    for label, deep in (('4', 4), ('64', 64), ('3000', 3000), ('10^6', 10**6)):
        yield st('depth-' + label, f.safetensors('{"a":' + '[' * deep), 65)
        yield st('depth-objects-' + label, f.safetensors('{"a":' * deep), 65)
    yield st('depth-closed', f.safetensors('{"a":' + '[' * 1000 + ']' * 1000 + '}'), 65, 'nested deeper')
    yield st('many-arrays', f.safetensors('{"a":[' + '[],' * 300000 + '[]]}'), 65, 'more objects and arrays')
    yield st('many-values', f.safetensors('{"a":{"dtype":"F32","shape":[' + '1,' * 1100000 + '1]}}'), 65, 'more values')


def nonfinite():
    for name, shape in f.NET:
        for label, bits in (('nan', 0x7fc00000), ('-nan', 0xffc00000), ('nan-quiet', 0x7f800001), ('inf', 0x7f800000), ('-inf', 0xff800000)):
            t = f.state()
            for i, x in enumerate(t):
                if x[0] == name:
                    t[i] = x[:3] + (x[3][:-4] + f.u32(bits),)
            for command in ('info', 'run') if label in ('nan', 'inf') else ('info',):
                yield st('%s-%s-%s' % (label, name, command), f.safetensors_of(t), 70, "tensor '%s'" % name, command)
    for dtype, words in (('F16', ((0x7c00, 'inf'), (0x7e00, 'nan'), (0x7c01, 'nan-quiet'), (0xfc00, '-inf'))),
                         ('BF16', ((0x7f80, 'inf'), (0x7fc0, 'nan'), (0x7f81, 'nan-quiet'), (0xff80, '-inf')))):
        for bits, label in words:
            t = f.state(dtype)
            t[0] = t[0][:3] + (f.u16(bits) + t[0][3][2:],)
            yield st('%s-%s' % (dtype, label), f.safetensors_of(t), 70, "tensor 'conv1.weight'", 'run')
    for label, v in (('nan', float('nan')), ('inf', float('inf')), ('-inf', float('-inf')), ('1e39', 1e39), ('-1e308', -1e308)):
        t = f.state('F64')
        t[4] = t[4][:3] + (t[4][3][:-8] + struct.pack('<d', v),)
        yield st('F64-' + label, f.safetensors_of(t), 70, "tensor 'conv3.weight'", 'run')
    for dtype in ('F32', 'F16', 'BF16', 'F64'):
        yield st('sound-' + dtype, f.safetensors_of(f.state(dtype)), 0)
        yield st('sound-run-' + dtype, f.safetensors_of(f.state(dtype)), 0, '', 'run')


def neither():
    """No weight file at all."""
    for label, data in (('empty', b''), ('one-byte', b'\0'), ('zeros', b'\0' * 4000), ('ff', b'\xff' * 4000), ('text', b'hello, world\n' * 9),
                        ('letters-and-brace', b'abcdefgh{"a":1}'), ('elf', b'\x7fELF\2\1\1' + b'\0' * 57), ('gguf', b'GGUF\3\0\0\0' + b'\xff' * 16),
                        ('hdf5', b'\x89HDF\r\n\x1a\n' + b'\0' * 64), ('onnx', b'\x08\x07\x12\x07pytorch' + b'\0' * 32)):
        yield case('neither-%s.bytes' % label, data)


def cases():
    tensors = f.state()
    for group in (lengths(tensors), fields(tensors), places(tensors), names(tensors), syntax(), nonfinite(), neither()):
        yield from group
