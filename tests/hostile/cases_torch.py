"""PyTorch: the pickles in both forms of .pth, the zip archive, the stacked form."""
import struct

import formats as f
from case import case, sweep
from formats import archive, member, name_of, number, obj, ordered, pickle, raw, storage, tensor, text, u16, u32, u64

NET = f.state()


def zipped(name, object_, stores=None, *args, **kw):
    return case('zip-%s.pth' % name, f.pth(object_, f.torch_parts(NET)[1] if stores is None else stores), *args, **kw)


def one(kind='FloatStorage', count=4, data=b'\0' * 16, **kw):
    """A dict of one tensor 'a' [4]."""
    args = {'shape': [4]}
    args.update(kw)
    return ordered([('a', tensor(storage('0', count, name_of('torch', kind)), **args))]), [('0', count, data)]


def pickles():
    net, stores = f.torch_parts(NET)
    sound = pickle(net)
    for n in sorted(set(range(0, 60, 3)) | set(range(60, len(sound), 37)) | {len(sound) - 1}):
        yield zipped('pickle-cut-%04d' % n, sound[:n])
    yield zipped('pickle-trailing', sound + b'N.', None, 65, "after the pickle's end")
    yield zipped('pickle-twice', sound + sound)
    for p in (0, 1, 3, 4, 5, 6, 255):
        yield zipped('protocol-%d' % p, pickle(net, p), None, 0 if 2 <= p <= 5 else 65)
    # every opcode, known or not, before STOP, where there is one value on the stack
    known = set(b'(.0BCGJKMNQRTUX]abcehjqrstu})\x80\x81\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x93\x94\x95')
    for op in range(256):
        if op not in known:
            yield zipped('opcode-%02x' % op, b'\x80\x02}' + bytes([op]) + b'\0\0\0\0\n\n.')
    for op in b'(0Rabestu\x81\x85\x86\x87\x90\x91\x93Q\x94q':
        yield zipped('opcode-nothing-to-work-on-%02x' % op, b'\x80\x02' + bytes([op]) + b'\0.')
    for op in b'Rbst\x86\x87\x81\x93u\x91':
        yield zipped('opcode-one-value-%02x' % op, b'\x80\x02}' + bytes([op]) + b'.')
    yield zipped('opcode-across-mark', b'\x80\x02}(K\1s.')
    for op, size in ((b'X', 4), (b'T', 4), (b'B', 4), (b'\x8c', 1), (b'U', 1), (b'C', 1), (b'\x8a', 1)):
        for label, n in sweep(3, 11, 8 * size):
            if n > 8:
                yield zipped('string-%02x-%s' % (op[0], label), b'\x80\x02' + op + n.to_bytes(size, 'little') + b'abc.')
    yield zipped('string-70000', b'\x80\x02}X' + u32(70000) + b'a' * 70000 + b'Ns.')
    yield zipped('name-no-newline', b'\x80\x02ctorch')
    yield zipped('name-one-newline', b'\x80\x02ctorch\nSize')
    for label, at in sweep(0, 2**20, 32):
        if at:
            yield zipped('memo-get-' + label, b'\x80\x02}j' + u32(at) + b'.')
            if at >= 2**20:
                yield zipped('memo-put-' + label, b'\x80\x02}r' + u32(at) + b'.')
    yield zipped('no-proto', obj(net) + b'.', None, 65)
    yield zipped('empty-pickle', b'')
    yield zipped('only-stop', b'.')
    yield zipped('two-values-left', b'\x80\x02}}.')
    yield zipped('mark-left', b'\x80\x02}(.')


def bombs():
    # what is beside the tensors is inert, however large it would be written out: 2^60 leaves
    good = bytes(obj(tensor(storage('0', 4), [4])))

    def beside(name, opcodes):
        return zipped('bomb-' + name, b'\x80\x02}(' + text('a') + good + text('x') + b'(' + opcodes + b'tu.', [('0', 4, b'\0' * 16)], 0)
    yield beside('doubling', b')q\0' + b''.join(b'h%ch%c\x86q%c' % (i, i, i + 1) for i in range(60)))
    yield beside('doubling-lists', b']q\0' + b''.join(b'](h%ch%ceq%c' % (i, i, i + 1) for i in range(60)))
    yield beside('doubling-dicts', b'}q\0' + b''.join(b'}(%sh%c%sh%cuq%c' % (text('params'), i, text('net'), i, i + 1) for i in range(60)))
    grown = b'}q\0(' + b'K\1K\2' * 500 + b'u'
    for i in range(20):
        grown += name_of('collections', 'OrderedDict') + b'h%c\x85R(' % i + b'K\3h%cuq%c' % (i, i + 1)
    yield beside('ordered-dicts', grown)
    yield zipped('bomb-self-list', b'\x80\x02]q\0h\0a.')
    yield zipped('bomb-self-dict', b'\x80\x02}q\0X\1\0\0\0ah\0s.')
    yield zipped('bomb-self-dict-wrapped', b'\x80\x02}q\0X\6\0\0\0paramsh\0s.')
    yield zipped('bomb-deep-tuples', b'\x80\x02)' + b'\x85' * 100000 + b'.')
    yield zipped('bomb-deep-lists', b'\x80\x02' + b'](' * 3000 + b'.', None)
    yield zipped('bomb-marks', b'\x80\x02' + b'(' * 100000 + b'.')
    yield zipped('bomb-values', b'\x80\x02(' + b'N' * 2000000 + b't.')
    yield zipped('bomb-nodes', b'\x80\x02' + b'}0' * 1100000 + b'}.')
    yield zipped('bomb-get-pop', b'\x80\x02}q\0' + b'h\0000' * 600000 + b'.')
    yield zipped('bomb-stack', b'\x80\x02}q\0' + b'h\0' * 1100000 + b'.')
    # a module that holds the next twice, 60 times over, and one whose buffers are all named among those not to keep
    cls = name_of('n', 'N')

    def module(modules, buffers=raw(b'}'), passing=raw(b']')):
        return raw(cls + b')\x81' + obj({'_modules': modules, '_parameters': raw(b'}'), '_buffers': buffers,
                                         '_non_persistent_buffers_set': passing}) + b'b')

    def twice(inner, i):
        return raw(b'}(' + text('a') + inner + b'q%c' % i + text('b') + b'h%cu' % i)
    deep = module({})
    for i in range(60):
        deep = module(twice(deep, i))
    yield zipped('bomb-modules', deep, words='too often')
    store = tensor(storage('0', 1), [1])
    names = ['n' * 300 + '%04d' % i for i in range(1000)]
    buffers = raw(b'}(' + b''.join(text(n) + (b'h\xfe' if i else store + b'q\xfe') for i, n in enumerate(names)) + b'uq\xfc')
    passing = raw(b'](' + b''.join(map(text, ['n' * 303 + '%d' % (i % 10) for i in range(24)] + names[::-1])) + b'eq\xfd')
    wide = module({}, buffers, passing)
    for i in range(20):
        wide = module(twice(wide, i), raw(b'h\xfc'), raw(b'h\xfd'))
    yield zipped('bomb-modules-buffers', wide, [('0', 1, b'\0' * 4)], words='too often')
    # 200,000 storages that are one, under a name of 60,000 letters
    store = obj(storage('k' * 60000, 4))[:-1]
    yield zipped('bomb-storages', b'\x80\x02}(' + text('a') + store + b'q\1Q' + b'0h\1Q' * 200000 + text('b') + b'Nu.', words='60000 bytes')
    # 60,000 tensors, each to be copied into order
    view = bytes(obj(tensor(raw(b'h\1'), [2, 2], [1, 2])))
    head, tail = view.split(b'h\1')
    many = b''.join(text('%05d' % i) + (view.replace(b'h\1', obj(storage('0', 4)) + b'q\1') if not i else view) for i in range(2000))
    yield zipped('bomb-copies', b'\x80\x02}(' + many + b'u.', [('0', 4, b'\0' * 16)], 0)
    # one value seen as 2^40 of them
    yield zipped('bomb-stride-0', *one(shape=[2**20, 2**20], stride=[0, 0]))
    yield zipped('bomb-stride-0-32m', *one(shape=[2**13, 2**12], stride=[0, 0]))


def views():
    """A tensor that is not what it should be, and storages of the wrong size."""
    for label, n in sweep(4, 16, 63) + [('-1', -1), ('2^63', 2**63), ('2^80', 2**80)]:
        if n != 1:
            yield zipped('size-' + label, *one(shape=[n]), code=0 if 0 <= n < 4 else 65)
        yield zipped('stride-' + label, *one(stride=[n]), code=0 if n in (0, 1) else 65)
        yield zipped('offset-' + label, *one(offset=n), code=0 if n == 0 else 65)
        what, _ = one(count=n)
        yield zipped('count-' + label, what, [('0', 4, b'\0' * 16)], 65)
    yield zipped('offset-1.5', *one(offset=1.5))
    yield zipped('size-none', *one(shape=[None]))
    yield zipped('size-text', *one(shape=['4']))
    yield zipped('size-true', *one(shape=[True]))
    yield zipped('size-product', *one(shape=[2**32, 2**32], stride=[0, 0]))
    yield zipped('size-product-63', *one(shape=[2**31, 2**31, 2], stride=[0, 0, 0]))
    yield zipped('stride-product', *one(shape=[2**33, 2**33], stride=[2**33, 1]))
    yield zipped('stride-missing', *one(shape=[2, 2], stride=[1]))
    yield zipped('stride-too-many', *one(shape=[4], stride=[1, 1]))
    yield zipped('rank-9', *one(shape=[1] * 8 + [4], stride=[1] * 9), words='dimensions')
    yield zipped('stride-past-the-end', *one(shape=[2, 2], stride=[3, 1]))
    yield zipped('overlapping-view', *one(shape=[3, 2], stride=[1, 1]), code=0)
    for label, data in (('short', b'\0' * 15), ('long', b'\0' * 17), ('none', b''), ('double', b'\0' * 32)):
        yield zipped('storage-' + label, one()[0], [('0', 4, data)])
    yield zipped('storage-missing', one()[0], [])
    yield zipped('storage-other-key', one()[0], [('1', 4, b'\0' * 16)])
    for key in ('../0', '/etc/passwd', '', 'a\0b', 'k' * 600, '%s%n', '\x1b[31m'):
        what = ordered([('a', tensor(storage(key, 4), [4]))])
        yield zipped('storage-key-%s' % key.encode().hex()[:24], what, [('0', 4, b'\0' * 16)])
    for kind in ('UntypedStorage', 'QInt8Storage', 'ComplexFloatStorage', 'floatstorage', ''):
        yield zipped('storage-type-' + kind, *one(kind))
    yield zipped('storage-type-of-numpy', ordered([('a', tensor(storage('0', 4, name_of('numpy', 'FloatStorage')), [4]))]), [('0', 4, b'\0' * 16)])
    yield zipped('storage-no-class', ordered([('a', tensor(storage('0', 4, text('torch.FloatStorage')), [4]))]), [('0', 4, b'\0' * 16)])
    yield zipped('storage-other-word', ordered([('a', tensor(storage('0', 4, word='module'), [4]))]), [('0', 4, b'\0' * 16)])
    short = raw(obj(('storage', raw(name_of('torch', 'FloatStorage')), '0')) + b'Q')
    yield zipped('storage-three-parts', ordered([('a', tensor(short, [4]))]), [('0', 4, b'\0' * 16)])
    yield zipped('storage-is-a-tuple', ordered([('a', tensor(('storage', '0'), [4]))]))
    two = ordered([('a', tensor(storage('0', 4), [4])), ('b', tensor(storage('0', 8), [4]))])
    yield zipped('storage-of-two-sizes', two, [('0', 4, b'\0' * 16)])
    two = ordered([('a', tensor(storage('0', 4), [4])), ('b', tensor(storage('0', 4, name_of('torch', 'IntStorage')), [4]))])
    yield zipped('storage-of-two-types', two, [('0', 4, b'\0' * 16)])


def globals_():
    """Names that Python would import and call."""
    stores = [('0', 4, b'\0' * 16)]
    good = tensor(storage('0', 4), [4])
    for module, name in (('os', 'system'), ('builtins', 'eval'), ('posix', 'system'), ('subprocess', 'Popen'), ('torch', 'load'),
                         ('torch._utils', '_rebuild_qtensor'), ('numpy.core.multiarray', '_reconstruct')):
        bad = raw(name_of(module, name) + obj((good,)) + b'R')
        yield zipped('call-%s-%s' % (module, name), ordered([('a', bad)]), stores)
        yield zipped('call-beside-%s-%s' % (module, name), ordered([('a', good), ('x', raw(name_of(module, name) + obj(('id',)) + b'R'))]),
                     stores, 0)
    for label, what in (('number', 3), ('none', None), ('text', 'hello'), ('list', [1]), ('tuple', (1,)), ('tensor', good), ('empty-dict', {}),
                        ('global', raw(name_of('os', 'system'))), ('call', raw(name_of('os', 'system') + obj(('id',)) + b'R'))):
        yield zipped('root-is-' + label, what, stores)
    yield zipped('call-of-a-number', raw(b'K\1)R'), stores)
    yield zipped('call-without-tuple', raw(name_of('a', 'b') + b'K\1R'), stores)
    yield zipped('dict-odd', raw(b'}(K\1u'), stores)
    yield zipped('dict-items-to-list', raw(b'](K\1K\2u'), stores)
    yield zipped('list-items-to-dict', raw(b'}(K\1e'), stores)
    yield zipped('items-to-number', raw(b'K\1K\2a'), stores)
    yield zipped('state-of-number', raw(b'K\1}b'), stores)
    deep = ordered([('a', good)])
    for i in range(12):
        deep = {'params': deep}
    yield zipped('wrappers-12', deep, stores)
    for label, key in (('empty', ''), ('zero', 'a\0b'), ('not-utf8', b'\xff'), ('surrogate', b'\xed\xa0\x80'), ('513', 'n' * 513), ('number', 3),
                       ('none', None)):
        what = ordered([(key, good)])
        yield zipped('tensor-name-' + label, what, stores)
    yield zipped('tensor-name-twice', ordered([('a', good), ('a', good)]), stores)
    yield zipped('tensor-name-escape-sequence', ordered([('\x1b[31m', tensor(storage('0', 4), [5]))]), stores)


def members(net, stores):
    return f.zip_members(net, stores)


def zips():
    net, stores = f.torch_parts(NET)
    sound = f.pth(net, stores)
    directory = sound.index(b'PK\1\2')
    end = sound.index(b'PK\5\6')
    borders = {1, 3, 4, 5, 29, 30, 31, directory - 1, directory, directory + 1, directory + 45, directory + 46, end - 1, end, end + 1, end + 21}
    for n in sorted(borders):
        yield case('zip-cut-%05d.pth' % n, sound[:n])
    yield case('zip-trailing.pth', sound + b'\0' * 10)
    yield case('zip-before.pth', b'\0' * 10 + sound)
    yield case('zip-twice.pth', sound + sound, 0)  # the directory at the end is of the first
    yield case('zip-only-end.pth', archive([]))
    yield case('zip-sound.pth', sound, 0)
    yield case('zip-sound-run.pth', sound, 0, '', 'run')
    yield case('zip-deflated.pth', f.pth(net, stores, 8), 0)
    yield case('zip-comment.pth', archive(members(net, stores), comment=b'PK\5\6' + b'\0' * 18), 0)
    # the end of the directory
    size = len(sound)
    for field, true, bits in (('disk', 0, 16), ('first', 0, 16), ('here', 8, 16), ('count', 8, 16), ('size', end - directory, 32), ('at', directory, 32),
                              ('comment', 0, 16)):
        for label, n in sweep(true, size, bits):
            yield case('zip-end-%s-%s.pth' % (field, label), archive(members(net, stores), end={field: n}))
    # one member: the pickle, or the first storage
    for index, what in ((0, 'pickle'), (1, 'storage')):
        true = len(members(net, stores)[index].data)
        for field, value, bits in (('packed', true, 32), ('size', true, 32), ('crc', 0, 32), ('name', 10, 16), ('extra', 0, 16), ('method', 0, 16),
                                   ('flags', 0, 16)):
            for label, n in sweep(value, size, bits):
                if field == 'flags' or (field, n) in (('method', 8), ('name', len(members(net, stores)[index].name))):
                    continue
                for place in ('local', 'central'):
                    m = members(net, stores)
                    getattr(m[index], place)[field] = n
                    yield case('zip-%s-%s-%s-%s.pth' % (what, place, field, label), archive(m))
        for label, n in sweep(0, size, 32):
            m = members(net, stores)
            m[index].central['at'] = n
            if not (index == 0 and n == 0):
                yield case('zip-%s-at-%s.pth' % (what, label), archive(m))
    for field, n in (('extra', 4), ('comment', 4), ('comment', 65535), ('extra', 65535), ('disk', 1), ('magic', 0)):
        m = members(net, stores)
        m[1].central[field] = n
        # on which disk of several a member is, nobody asks
        yield case('zip-central-%s-%d.pth' % (field, n), archive(m), 0 if field == 'disk' else 65)
    for label, flags in (('encrypted', 1), ('strong', 0x41), ('masked', 0x2000)):
        m = members(net, stores)
        for x in m:
            x.local['flags'] = x.central['flags'] = flags
        yield case('zip-%s.pth' % label, archive(m), 0 if label == 'masked' else 65)  # masked: nothing is, in fact
    for label, method in (('shrunk', 1), ('bzip2', 12), ('lzma', 14), ('zstd', 93), ('aes', 99)):
        m = members(net, stores)
        m[0].local['method'] = m[0].central['method'] = method
        yield case('zip-%s.pth' % label, archive(m))
    for label, name in (('dotdot', 'm/../../data.pkl'), ('absolute', '/m/data.pkl'), ('backslash', 'm\\data.pkl'), ('no-root', 'data.pkl'),
                        ('zero', 'm/data.pkl\0x'), ('other', 'm/archive.pkl'), ('empty', ''), ('long', 'm' * 600 + '/data.pkl'), ('directory', 'm/data.pkl/')):
        m = members(net, stores)
        m[0].name = name
        yield case('zip-name-%s.pth' % label, archive(m))
    m = members(net, stores)
    m[0].local_name = b'm/data.xxx'
    yield case('zip-names-differ.pth', archive(m))
    m = members(net, stores)
    yield case('zip-name-twice.pth', archive(m + [member('m/data/0', b'\0' * 36)]))
    yield case('zip-two-pickles.pth', archive(m + [member('n/data.pkl', m[0].data)]), 65, 'two members are called data.pkl')
    yield case('zip-dotdot-beside.pth', archive(m + [member('../x', b'')]), 65, 'leads elsewhere')
    yield case('zip-torchscript.pth', archive(m + [member('m/constants.pkl', b'\x80\2).'), member('m/code/x.py', b'')]), 65, 'TorchScript')
    yield case('zip-big-endian.pth', archive(m + [member('m/byteorder', b'big')]), 65, 'big-endian')
    yield case('zip-byteorder-odd.pth', archive(m + [member('m/byteorder', b'middle')]))
    yield case('zip-byteorder-little.pth', archive(m + [member('m/byteorder', b'little')]), 0)
    # two members that are the same bytes
    m = members(net, stores)
    m[2] = member(m[2].name, m[1].data)
    m[2].at = len(archive(m[:1])) - len(archive([])) - 46 - len(m[0].name)
    yield case('zip-overlap.pth', archive(m))
    for label, n, data in (('deflate', 64 << 20, b''), ('deflate-1g', 1 << 30, b'')):
        c = f.zlib.compressobj(9, f.zlib.DEFLATED, -15)
        packed = b''.join(c.compress(b'\0' * (1 << 20)) for _ in range(min(n, 64 << 20) >> 20)) + c.flush()
        lies = {'size': n, 'crc': 0}
        for inside in ('data.pkl', 'data/0'):
            m = members(*one(count=n // 4, shape=[n // 4]))
            m = [x for x in m if x.name != 'm/' + inside]
            m.append(member('m/' + inside, b'', 8, packed, dict(lies), dict(lies)))
            yield case('zip-bomb-%s-%s.pth' % (label, inside.replace('/', '-')), archive(m))
    c = f.zlib.compressobj(9, f.zlib.DEFLATED, -15)
    packed = c.compress(b'\0' * (1 << 22)) + c.flush()
    m = members(*one())
    m[1] = member('m/data/0', b'\0' * 16, 8, packed)
    yield case('zip-more-than-said.pth', archive(m))
    m[1] = member('m/data/0', b'\0' * 16, 8, f.deflate(b'\0' * 8))
    yield case('zip-less-than-said.pth', archive(m))
    for label, packed in (('cut', f.deflate(b'\1\2\3\4' * 4)[:-3]), ('bad-block', b'\7' * 16), ('empty', b''), ('far', b'\x03\x02\x00')):
        m[1] = member('m/data/0', b'\0' * 16, 8, packed)
        yield case('zip-deflate-%s.pth' % label, archive(m))
    many = [member('m/%d' % i, b'') for i in range(3000)]
    yield case('zip-members-3000.pth', archive(m[:1] + many))
    yield case('zip-of-something-else.pth', archive([member('word/document.xml', b'<x/>'), member('[Content_Types].xml', b'')]), 65, 'not of PyTorch')
    yield case('zip-in-zip.pth', archive([member('m/data.pkl', sound)]))


def stacked():
    net, stores = f.torch_parts(NET, legacy=True)

    def legacy(name, *args, code=65, words='', command='info', **kw):
        return case('legacy-%s.pth' % name, f.legacy(*(args or (net, stores)), **kw), code, words, command)
    sound = f.legacy(net, stores)
    yield legacy('sound', code=0)
    yield legacy('sound-run', code=0, command='run')
    object_ = sound.index(b'ccollections')
    values = len(sound) - sum(8 + len(s[2]) for s in stores)
    for n in sorted({1, 2, 3, 13, 14, 15, 20, 30, 60, object_ - 3, object_, object_ + 1, object_ + 100, values - 30, values - 1, values, values + 1,
                     values + 7, values + 8, values + 9, values + 43, values + 44, values + 51, values + 52, len(sound) - 1}):
        yield case('legacy-cut-%04d.pth' % n, sound[:n])
    yield legacy('trailing', tail=b'\0')
    yield legacy('trailing-pickle', tail=pickle(1))
    for label, n in sweep(9, len(sound), 64):
        wrong = [(stores[0][0], n, stores[0][2])] + stores[1:]
        yield legacy('count-first-' + label, net, wrong)
        wrong = stores[:-1] + [(stores[-1][0], n, stores[-1][2])]
        if n != 1:
            yield legacy('count-last-' + label, net, wrong)
    yield legacy('magic-other', magic=f.MAGIC + 1)
    yield legacy('magic-small', magic=1)
    for v in (0, 1, 1000, 1002, -1, 2**31, 2**70, None, '1001'):
        yield legacy('version-%s' % v, version=v)
    for label, system in (('big', dict(f.SYSTEM, little_endian=False)), ('unsaid', {}), ('none', None), ('number', dict(f.SYSTEM, little_endian=1)),
                          ('list', [])):
        yield legacy('system-' + label, system=system)
    keys = [s[0] for s in stores]
    for label, k in (('fewer', keys[:-1]), ('more', keys + ['9']), ('none', []), ('order', keys[::-1]), ('twice', keys[:-1] + keys[:1]), ('numbers', [0, 1]),
                     ('not-a-list', 3), ('dict', {}), ('nested', [keys])):
        yield legacy('keys-' + label, keys=k)
    for label, n in sweep(4, 100, 63) + [('-1', -1)]:
        what = ordered([('a', tensor(storage('0', n, legacy=True), [4]))])
        yield legacy('same-lie-' + label, what, [('0', n, b'\0' * 16)])
    sliced = raw(obj(('storage', raw(name_of('torch', 'FloatStorage')), '0', 'cpu', 4, ('1', 2, 4))) + b'Q')
    yield legacy('slice-beyond', ordered([('a', tensor(sliced, [2]))]), [('0', 4, b'\0' * 16)])
    sliced = raw(obj(('storage', raw(name_of('torch', 'FloatStorage')), '0', 'cpu', 4, ('1', 2**63 - 1, 2**63 - 1))) + b'Q')
    yield legacy('slice-overflow', ordered([('a', tensor(sliced, [2]))]), [('0', 4, b'\0' * 16)])
    tar = bytearray(1024)
    tar[:6] = b'pickle'
    tar[257:262] = b'ustar'
    yield case('legacy-tar.pth', tar, 65, 'tar')


def nonfinite():
    bits = {'F32': (('nan', u32(0x7fc00000)), ('inf', u32(0x7f800000)), ('-inf', u32(0xff800000))), 'F16': (('nan', u16(0x7e00)), ('inf', u16(0x7c00))),
            'BF16': (('nan', u16(0x7fc0)), ('inf', u16(0x7f80))), 'F64': (('nan', struct.pack('<d', float('nan'))), ('1e39', struct.pack('<d', 1e39)))}
    for dtype, words in bits.items():
        for label, value in words:
            for i, (name, _) in enumerate(f.NET):
                t = f.state(dtype)
                t[i] = t[i][:3] + (value + t[i][3][len(value):],)
                what, stores = f.torch_parts(t)
                if i == 0:
                    yield case('zip-%s-%s-%s.pth' % (dtype, label, name), f.pth(what, stores), 70, "tensor '%s'" % name, 'run')
                    what, stores = f.torch_parts(t, legacy=True)
                    yield case('legacy-%s-%s-%s.pth' % (dtype, label, name), f.legacy(what, stores), 70, "tensor '%s'" % name, 'info')
                elif dtype == 'F32':
                    yield case('zip-%s-%s-%s.pth' % (dtype, label, name), f.pth(what, stores), 70, "tensor '%s'" % name, 'info')


def cases():
    for group in (pickles(), bombs(), views(), globals_(), zips(), stacked(), nonfinite()):
        yield from group
