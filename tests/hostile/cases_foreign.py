"""Files of other programs: ncnn's pairs, MATLAB 5, waifu2x JSON."""
import copy
import struct

import formats as f
from case import case, sweep
from formats import cell, dump, element, encode, gz, mat, mat_head, mat_net, matrix, packed, small, struct_of, u16, u32, values


# ---- ncnn ---------------------------------------------------------------------------------------------

def pair(name, param=None, bin_=None, *args, **kw):
    param = f.ncnn_param() if param is None else param
    bin_ = f.ncnn_bin() if bin_ is None else bin_
    return case('ncnn-%s.param' % name, param, *args, beside={'ncnn-%s.bin' % name: bin_}, **kw)


def replaced(old, new):
    lines = [line for line, _ in f.NCNN]
    assert any(old in line for line in lines), old
    return f.ncnn_param([line.replace(old, new) for line in lines])


def ncnn():
    for label, tag in (('f32', 0), ('f32-scaled', 0x0002C056), ('f16', f.TAG_F16), ('table', 7)):
        yield pair('sound-' + label, None, f.ncnn_bin(tag), 0)
    text, weights = f.ncnn_param(), f.ncnn_bin()
    yield case('ncnn-alone-param.param', text, 66, 'the other is missing')
    yield case('ncnn-alone-bin.bin', weights, 66)
    yield pair('bin-of-nothing', None, b'')
    yield pair('int8', None, f.u32(f.TAG_INT8) + weights[4:], 65, 'int8')
    for label, n in (('1', 1), ('less', len(weights) - 1), ('less-4', len(weights) - 4), ('tag', 4), ('half-a-tag', 2), ('first-array', 4 + 54 * 4),
                     ('first-bias', 4 + 56 * 4)):
        yield pair('bin-cut-' + label, None, weights[:n])
    for extra in (1, 3, 4, 400):
        yield pair('bin-more-%d' % extra, None, weights + b'\0' * extra, 65, 'belong to no layer')
    # cut at each word of the text
    at, words = 0, []
    for i, c in enumerate(text):
        if c in b' \n':
            words.append(i)
    for n in words[1::2]:
        yield pair('cut-%04d' % n, text[:n])
    odd = [('-1', -1), ('2^31', 2**31), ('65537', 65537), ('float', 8.5), ('hex', '0x8'), ('nan', 'nan'), ('plus', '+9'), ('comma', '8,0'),
           ('10^400', '1' + '0' * 400)]
    for true, field in ((8, 'layers'), (9, 'blobs')):
        for label, n in sweep(true, len(text), 32) + odd:
            yield pair('%s-%s' % (field, label), f.ncnn_param(**{field: n}))
    # of the first convolution: a place in its line, the true value, the least wrong one's command. What makes another
    # network of it than is known is told by info (0), and refused by run
    line = 'conv0 1 1 b c 0=2 1=3 4=1 5=1 6=54'
    for field, true, old, command in (('inputs', 1, 'conv0 1', 'info'), ('outputs', 1, 'conv0 1 1', 'info'), ('out', 2, '0=2', 'info'),
                                      ('kernel', 3, '1=3', 'info'), ('count', 54, '6=54', 'info'), ('bias', 1, '5=1', 'info'), ('pad', 1, '4=1', 'run'),
                                      ('stride', 1, '4=1 3=1', 'run'), ('dilation', 1, '4=1 2=1', 'run')):
        base = line.replace('4=1', old) if old.startswith('4=1 ') else line
        for label, n in sweep(true, len(text), 32) + odd:
            new = base.replace(old, old[:len(old) - len(str(true))] + str(n))
            yield pair('%s-%s' % (field, label), replaced(line, new), command=command)
    for field, old in (('shuffle', 'e f 0='), ('slopes', 'c d 0=')):
        for label, n in sweep(2, len(text), 32) + odd:
            yield pair('%s-%s' % (field, label), replaced(old + '2', old + str(n)), command='run')
    for label, key in (('-1', -1), ('32', 32), ('2^31', 2**31), ('-23333', -23333), ('-2^31', -2**31), ('float', 1.5), ('text', 'x'), ('empty', '')):
        yield pair('key-' + label, replaced('6=54', '6=54 %s=1' % key))
    for label, v in (('empty', '='), ('no-number', '=x'), ('none', ''), ('twice', '=54 6=54'), ('array', '=54,54'), ('list-short', '=54 -23310=3,1'),
                     ('list-long', '=54 -23310=1,1,2'), ('list-2^31', '=54 -23310=2147483648,1'), ('list-negative', '=54 -23310=-1'),
                     ('german', '=54,0'), ('int8', '=54 8=1'), ('activation', '=54 9=99'), ('nan', '=nan'), ('inf', '=inf'), ('1e308', '=1e308')):
        # a list of one or two, of which the first counts, is another way of writing it
        yield pair('value-' + label, replaced('6=54', '6' + v), None, 0 if label in ('array', 'german') else 65,
                   command='info' if label in ('array', 'german') else 'run')
    yield pair('unknown-type', replaced('PReLU act1', 'Softmax act1'), None, 65, 'Softmax')
    yield pair('other-type', replaced('PReLU act1', 'ReLU act1'))
    yield pair('scale-with-weights', replaced('PReLU act1 1 1 c d 0=2', 'Scale act1 1 1 c d 0=2'))
    yield pair('blob-unmade', replaced('1 1 c d', '1 1 zz d'), None, 65, 'before any layer makes it')
    yield pair('blob-twice', replaced('1 1 c d', '1 1 c c'))
    yield pair('blob-cycle', replaced('1 1 b c', '1 1 d c'))
    yield pair('name-twice', replaced('conv2', 'conv0'), None, 65)
    yield pair('name-600', replaced('conv0', 'c' * 600))
    yield pair('blob-600', replaced('1 1 b c', '1 1 %s c' % ('b' * 600)))
    yield pair('bytes-zero', text.replace(b'conv0', b'co\0v0'))
    yield pair('bytes-high', text.replace(b'conv0', b'co\xffv0'))
    yield pair('bytes-escape', text.replace(b'conv0', b'co\x1bv0'))
    yield pair('bytes-utf16', text.decode().encode('utf-16'))
    yield pair('windows-lines', text.replace(b'\n', b'\r\n'), None, 0)
    yield pair('old-lines', text.replace(b'\n', b'\r'))
    yield pair('more-lines', text + b'ReLU more 1 1 output x\n')
    yield pair('blank-lines', text.replace(b'\n', b'\n\n'), None, 0)
    yield pair('magic-other', f.ncnn_param(magic='7767518'))
    yield pair('magic-longer', f.ncnn_param(magic='77675170'))
    yield pair('magic-words', f.ncnn_param(magic='7767517 1'))
    yield pair('binary', b'\xdd\x85\x76\x00' + b'\0' * 40, None, 65, 'binary form')
    yield pair('only-magic', b'7767517')
    yield pair('empty-param-of-bin', b'7767517\n0 0\n', b'', 0)
    yield pair('large', f.ncnn_param() + b' ' * (1 << 21))
    yield pair('many-layers', f.ncnn_param(['A b 0 0'] * 60000, blobs=0), b'')
    yield pair('many-inputs', f.ncnn_param(['Input a 0 1 b', 'Concat c 40000 1 ' + 'b ' * 40000 + 'd']), b'', 0)
    yield pair('many-values', f.ncnn_param(['Input a 0 1 b', 'ReLU c 1 1 b d -23300=100000' + ',1' * 100000]), b'', 0)
    # each split into two, which the next reads twice
    lines = ['Input a 0 1 b0'] + ['BinaryOp s%d 2 1 b%d b%d b%d' % (i, i, i, i + 1) for i in range(3000)]
    yield pair('doubling', f.ncnn_param(lines), b'', 0)
    big = ['Input i 0 1 data', 'Convolution c 1 1 data out 0=1048576 1=1024 11=1024 6=2147483647']
    yield pair('terabytes', f.ncnn_param(big), f.u32(0) + b'\0' * 64)
    for i, name in enumerate(('body.0.weight', 'body.0.bias', 'body.1.weight', 'body.2.weight', 'body.2.bias')):
        sizes = (54, 2, 2, 216, 12)
        for label, v in (('nan', float('nan')), ('inf', float('inf'))):
            yield pair('%s-%s' % (label, name), None, f.ncnn_bin(changed={i: values([sizes[i]])[:-1] + [v]}), 70, "tensor '%s'" % name,
                       command='info' if label == 'nan' else 'run')
    half = f.ncnn_bin(f.TAG_F16)
    yield pair('f16-nan', None, half[:4] + u16(0x7e00) + half[6:], 70, "tensor 'body.0.weight'")


# ---- MATLAB -------------------------------------------------------------------------------------------

def m(name, data, *args, **kw):
    return case('mat-%s.mat' % name, data, *args, **kw)


def matlab():
    net = mat_net()
    sound = mat(*net)
    yield m('sound', sound, 0)
    yield m('sound-packed', mat(*map(packed, net)), 0)
    yield m('sound-run', sound, 0, '', 'run')
    yield m('big-endian', mat(version=b'\1\0', order=b'MI'), 65, 'big-endian')
    yield m('v73', b'\x89HDF\r\n\x1a\n' + b'\0' * 600, 65, '7.3')
    yield m('v73-header', mat(*net, version=b'\0\2'), 65, '7.3')
    yield m('version-3', mat(*net, version=b'\0\3'))
    yield m('order', mat(*net, order=b'II'))
    yield m('no-variables', mat(), 0)
    yield m('v4', u32(0) + u32(2) + u32(2) + u32(0) + u32(2) + b'a\0' + b'\0' * 32)
    for n in (8, 127, 129, 132, 135, 136, 144, 151, 152, 168, 176, 190, 200, 207, 208, 250, len(sound) - 60, len(sound) - 9, len(sound) - 1):
        yield m('cut-%04d' % n, sound[:n])
    first = net[0]
    # every number of the first variable: tag, flags, dimensions, name, values
    fields = {'type': 0, 'bytes': 4, 'flags-type': 8, 'flags-bytes': 12, 'flags': 16, 'dims-type': 24, 'dims-bytes': 28, 'dim-0': 32, 'dim-1': 36,
              'name-type': 40, 'name-bytes': 44, 'values-type': 64, 'values-bytes': 68}
    for field, at in fields.items():
        true = struct.unpack('<I', first[at:at + 4])[0]
        for label, n in sweep(true, len(sound), 32) + [('small-4', 4 << 16 | true & 0xffff), ('small-5', 5 << 16 | 1), ('small-ff', 0xffff0001)]:
            if field == 'flags' and (n & 0xff in (6, 7, 8, 9, 10, 11, 12, 13, 14, 15)) and not n & 0x800:
                continue
            # left out: a variable of a class that has no numbers, or of another name; of the flags four bytes count
            code = 0 if (field == 'flags' and n & 0xff not in (1, 2) and not 6 <= n & 0xff <= 15) or \
                (field, label) in (('flags-bytes', 'less'), ('name-bytes', 'less'), ('name-bytes', 'more')) else 65
            changed = first[:at] + u32(n) + first[at + 4:]
            yield m('%s-%s' % (field, label), mat(changed, *net[1:]), code)
            if label in ('0', 'max', 'half', 'more', 'less') and field not in ('type', 'bytes'):
                yield m('packed-%s-%s' % (field, label), mat(packed(changed), *net[1:]), code)
    yield m('complex', mat(matrix('weights_conv1', (9, 1), encode(values((9, 1)), 'F64'), flags=0x800)), 65, 'complex')
    for label, class_ in (('sparse', 5), ('text', 4), ('object', 3), ('function', 16), ('class-255', 255), ('class-0', 0)):
        yield m('class-' + label, mat(matrix('weights_conv1', (9, 1), encode(values((9, 1)), 'F64'), class_), *net[1:]), 0)
    for kind in ('i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'f32', 'i64', 'u64'):
        size = {'8': 1, '6': 2, '2': 4, '4': 8}[kind[-1]]
        yield m('stored-as-' + kind, mat(matrix('a', (3, 1), b'\1' * 3 * size, kind=kind)), 0)
        yield m('stored-as-%s-short' % kind, mat(matrix('a', (3, 1), b'\1' * (3 * size - 1), kind=kind)))
        yield m('stored-as-%s-long' % kind, mat(matrix('a', (3, 1), b'\1' * (4 * size), kind=kind)))
    for kind in (0, 8, 10, 11, 14, 15, 16, 17, 18, 255, 65535):
        yield m('stored-as-%d' % kind, mat(matrix('a', (3, 1), b'\0' * 24, kind=kind)))
    yield m('dims-9', mat(matrix('a', (1,) * 9, b'\0' * 8)), 65, 'dimensions')
    yield m('dims-overflow', mat(matrix('a', (2**31 - 1,) * 4, b'\0' * 8)))
    yield m('dims-overflow-to-1', mat(matrix('a', (2**16, 2**16, 2**16, 2**16), b'\0' * 8)))
    yield m('dims-zero', mat(matrix('a', (0, 2**30), b'')), 0)
    yield m('dims-zero-overflow', mat(matrix('a', (0, 2**31 - 1, 2**31 - 1, 2**31 - 1), b'')))
    yield m('dims-7-bytes', mat(element('matrix', element('u32', u32(6) + u32(0)) + element('i32', b'\1' * 7) + element('i8', b'a') + element('f64', b''))))
    yield m('name-64', mat(matrix('n' * 64, (1, 1), b'\0' * 8)))
    yield m('name-empty', mat(matrix('', (1, 1), b'\0' * 8)))
    yield m('name-not-utf8', mat(element('matrix', element('u32', u32(6) + u32(0)) + element('i32', u32(1) * 2) + element('i8', b'\xff\xfe') + element('f64', b'\0' * 8))), 0)
    yield m('name-twice', mat(net[0], *net))
    yield m('only-flags', mat(element('matrix', element('u32', u32(6) + u32(0)))))
    yield m('empty-matrix', mat(element('matrix', b'')))
    yield m('not-a-matrix', mat(element('f64', b'\0' * 8)))
    yield m('dims-of-others', mat(*[matrix(n, d, encode(values(d), 'F64')) for n, d in (('weights_conv1', (10, 1)), ('weights_conv2', (1, 1, 1)), ('weights_conv3', (1, 9)))]))
    # cells and structs
    one = matrix('', (1, 1), b'\0' * 8)
    for label, dims in (('more', (1, 2)), ('2^31', (2**31 - 1, 1)), ('2^62', (2**31 - 1, 2**31 - 1)), ('2^93', (2**31 - 1,) * 3)):
        yield m('cell-' + label, mat(cell('a', dims, [one])))
        yield m('struct-' + label, mat(struct_of('a', [('x', one)], dims)))
    yield m('cell-empty', mat(cell('a', (0, 0), [])), 0)
    yield m('cell-of-numbers', mat(cell('a', (1, 1), [element('f64', b'\0' * 8)])))
    yield m('cell-of-packed', mat(cell('a', (1, 1), [packed(one)])))
    deep = one
    for i in range(40):
        deep = cell('', (1, 1), [deep])
        if i in (13, 14, 15, 16, 39):
            yield m('cell-deep-%d' % i, mat(deep), 65 if i > 14 else 0)
    for label, width in (('0', 0), ('65', 65), ('-1', 2**32 - 1), ('3', 3)):
        names = b'x'.ljust(8, b'\0')
        yield m('field-width-' + label, mat(element('matrix', mat_head('a', (1, 1), 2) + small('i32', u32(width)) + element('i8', names) + one)))
    yield m('fields-none', mat(struct_of('a', [])), 0)
    yield m('field-twice', mat(struct_of('a', [('x', one), ('x', one)])), 65, 'twice')
    yield m('many-elements', mat(cell('a', (1, 300000), [element('matrix', b'')] * 300000)))
    # compressed
    whole = packed(first)
    for n in (8, 9, 12, len(whole) // 2, len(whole) - 5, len(whole) - 1):
        yield m('packed-cut-%d' % n, mat(whole[:n]))
        yield m('packed-short-%d' % n, mat(element('zlib', whole[8:n])))
    yield m('packed-checksum', mat(whole[:-1] + bytes([whole[-1] ^ 1])))
    yield m('packed-damaged', mat(whole[:20] + bytes([whole[20] ^ 0x55]) + whole[21:]))
    yield m('packed-trailing', mat(element('zlib', whole[8:] + b'\0')))
    yield m('packed-two', mat(packed(first + net[1])))
    yield m('packed-packed', mat(packed(whole)))
    yield m('packed-empty', mat(element('zlib', b'')))
    yield m('packed-nothing', mat(packed(b'')))
    yield m('packed-longer', mat(packed(first + b'\0' * 64)))
    yield m('packed-less', mat(packed(u32(14) + u32(10**6) + first[8:])))
    for label, n in (('20m', 20 << 20), ('1g', 1 << 30), ('4g', 2**32 - 1)):
        yield m('bomb-' + label, mat(packed(u32(14) + u32(n) + b'\0' * min(n, 20 << 20))))
    yield m('bomb-many', mat(*[packed(u32(14) + u32(4 << 20) + mat_head('a%d' % i, (1, 1), 4) + b'\0' * (4 << 20)) for i in range(8)]))
    for i, (name, dims) in enumerate(f.MAT):
        tensor = name.replace('weights_', '').replace('biases_', '') + ('.weight' if 'weights' in name else '.bias')
        for label, v in (('nan', float('nan')), ('inf', float('inf')), ('1e39', 1e39)):
            data = mat(*mat_net({name: values(dims, i)[:-1] + [v]}))
            yield m('%s-%s' % (label, tensor), data, 70, '', 'info' if label == 'nan' else 'run')


# ---- waifu2x JSON -------------------------------------------------------------------------------------

def j(name, data, *args, **kw):
    return case('json-%s.json' % name, data, *args, **kw)


def waifu2x():
    layers = f.waifu2x()
    sound = dump(layers)
    yield j('sound', sound, 0)
    yield j('sound-gz', gz(sound), 0)

    def changed(i, **kw):
        x = copy.deepcopy(layers)
        for k, v in kw.items():
            if v is None:
                del x[i][k]
            else:
                x[i][k] = v
        return dump(x)
    for n in (1, 2, 3, 20, 60, 100, 150, 200, 250, 400, 800, len(sound) // 2, len(sound) - 2, len(sound) - 1):
        yield j('cut-%04d' % n, sound[:n])
    for n in (1, 2, 3, 9, 10, 12, 100, len(gz(sound)) - 9, len(gz(sound)) - 8, len(gz(sound)) - 4, len(gz(sound)) - 1):
        yield j('gz-cut-%04d' % n, gz(sound)[:n])
    yield j('trailing', sound + b'x')
    yield j('trailing-array', sound + sound)
    yield j('gz-trailing', gz(sound) + b'x')
    yield j('gz-crc', gz(sound, crc=1))
    yield j('gz-size', gz(sound, size=1))
    yield j('gz-of-nothing', gz(b''))
    yield j('gz-gz', gz(gz(sound)))
    yield j('gz-not-json', gz(b'hello, world'))
    yield j('gz-flags', b'\x1f\x8b\x08\xff' + gz(sound)[4:])
    yield j('gz-damaged', gz(sound)[:200] + b'\xff\xff\xff' + gz(sound)[203:])
    for field in ('nInputPlane', 'nOutputPlane', 'kW', 'kH', 'dW', 'dH', 'padW', 'padH'):
        for label, n in sweep(layers[0][field], len(sound), 31) + [('-1', -1), ('1e400', None), ('float', 1.5), ('text', '3'), ('list', [3]), ('null', ())]:
            if n == layers[0][field]:
                continue
            data = changed(0, **{field: 12345 if n is None else 54321 if n == () else n})
            yield j('%s-%s' % (field, label), data.replace(b'12345', b'1e400').replace(b'54321', b'null'))
    yield j('no-weight', changed(0, weight=None))
    yield j('no-bias', changed(2, bias=None))
    yield j('bias-short', changed(0, bias=[0.5]))
    yield j('bias-long', changed(0, bias=[0.5] * 3))
    yield j('bias-empty', changed(0, bias=[]))
    yield j('bias-nested', changed(0, bias=[[0.5, 0.5]]))
    yield j('bias-text', changed(0, bias=['0.5', 0.5]))
    yield j('bias-null', dump(layers).replace(b'"bias":[', b'"bias":[null,', 1))
    w = layers[0]['weight']
    for label, x in (('empty', []), ('flat', [1, 2]), ('three-deep', w[0]), ('five-deep', [w]), ('object', {}), ('number', 3), ('ragged-row', [w[0], [w[1][0], w[1][1], [[1], [1, 2], [3]]]]),
                     ('ragged-out', [w[0], w[1][:2]]), ('one-less', w[:1]), ('empties', [[[[]]]])):
        yield j('weight-' + label, changed(0, weight=x))
    yield j('weight-twice', sound.replace(b'"bias"', b'"weight":[[[[1]]]],"bias"', 1), 65, 'twice')
    yield j('bias-twice', sound.replace(b'"class_name"', b'"bias":[1,1],"class_name"', 1), 65, 'twice')
    yield j('plane-twice', sound.replace(b'"kW"', b'"nInputPlane":3,"kW"', 1), 65, 'twice')
    yield j('class-other', changed(0, class_name='nn.Linear'))
    yield j('class-long', changed(0, class_name='n' * 1000))
    yield j('class-null', sound.replace(b'"nn.SpatialConvolutionMM"', b'null', 1))
    for label, x in (('null', b'null'), ('number', b'3'), ('list', b'[]'), ('true', b'true'), ('text', b'"x"')):
        yield j('layer-' + label, b'[{},' + x + b']')
        yield j('config-' + label, b'[{"model_config":' + x + b'}]')
    for label, x in (('arch', {'arch_name': 'x'}), ('arch-number', {'arch_name': 7})):
        yield j('config-' + label, changed(0, model_config=x), 0)
    yield j('config-many', changed(0, model_config={'k%d' % i: i for i in range(100)}), 65, 'more than 64')
    for label, x in (('leading-zero', b'01'), ('plus', b'+1'), ('dot', b'.5'), ('hex', b'0x10'), ('nan', b'NaN'), ('inf', b'Infinity'), ('-inf', b'-Infinity'), ('comma', b'0,5'),
                     ('words', b'tru'), ('minus', b'-'), ('e', b'1e'), ('long', b'1' * 500), ('dots', b'1.2.3'), ('string', b'"1"'), ('bracket', b'[1]')):
        yield j('number-' + label, sound.replace(b'"bias":[', b'"bias":[' + x + b',', 1))
    for label, x in (('comma', b'[,]'), ('trailing-comma', b'[{},]'), ('no-colon', b'[{"a" 1}]'), ('no-quote', b'[{a:1}]'), ('open-string', b'[{"a'), ('open-escape', b'[{"a\\'),
                     ('newline-in-string', b'[{"a\n":1}]'), ('zero-in-string', b'[{"a\0":1}]'), ('not-utf8', b'[{"\xff":\xff}]'), ('bom', b'\xef\xbb\xbf[{}]'), ('two-in-one', b'[{}{}]'),
                     ('mixed', b'[{"a":[1}]}'), ('utf16', '[{}]'.encode('utf-16')), ('empty-layer', b'[{}]'), ('long-name', b'[{"' + b'n' * 1000 + b'":1}]')):
        yield j('syntax-' + label, x)
    for label, n in (('9', 9), ('64', 64), ('10^6', 10**6)):
        yield j('depth-' + label, b'[{"a":' + b'[' * n)
        yield j('depth-objects-' + label, b'[{"a":' + b'{"a":' * n)
        yield j('depth-weight-' + label, b'[{"weight":' + b'[' * n)
    yield j('layers-2000', b'[' + b'{"weight":[[[[1]]]],"bias":[1],"nInputPlane":1,"nOutputPlane":1,"kW":1,"kH":1},' * 2000 + b'{}]')
    flat = b'[{"weight":[[[[' + b'0,' * 3000000
    yield j('many-numbers', flat)
    yield j('bomb-numbers-gz', gz(b'[{"weight":[[[[' + b'0,' * 9000000))
    yield j('bomb-ends-gz', gz(b'[{"bias":[' + b'0,' * 8000000 + b'0]'))
    yield j('bomb-blanks-gz', gz(b'[{' + b' ' * (64 << 20)))
    for label, x in (('1e39', b'1e39'), ('-1e400', b'-1e400'), ('1e99', b'1e99')):
        for i in (0, 3, 6):
            key = b'"bias":['
            at = -1
            for _ in range(i + 1):
                at = sound.index(key, at + 1)
            end = sound.index(b',', at)
            yield j('%s-%d' % (label, i), sound[:at + len(key)] + x + sound[end:], 70, 'bias')


def cases():
    for group in (ncnn(), matlab(), waifu2x()):
        yield from group
