#!/usr/bin/env python3
"""The seed corpora tests/fuzz/seeds/TARGET/: sound little files of every kind, from tests/hostile/formats.py and the
small ones of tests/golden/containers/. python3 tests/fuzz/make_seeds.py"""
import os
import shutil
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, '..', 'hostile'))
sys.dont_write_bytecode = True
import formats as f  # noqa: E402
from formats import name_of, obj, ordered, pickle, raw, storage, tensor  # noqa: E402

golden = os.path.join(here, '..', 'golden', 'containers')


def put(target, name, data):
    folder = os.path.join(here, 'seeds', target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as out:
        out.write(data)


def of_golden(name):
    with open(os.path.join(golden, name), 'rb') as file:
        return file.read()


def safetensors():
    for dtype in ('F32', 'F16', 'BF16', 'F64'):
        put('safetensors', 'net-' + dtype, f.safetensors_of(f.state(dtype)))
    put('safetensors', 'dtypes', of_golden('dtypes.safetensors'))
    e = f.entries([('module.a', 'I64', [2], b'\0' * 16), ('module.b', 'BOOL', [], b'\1'), ('module.c', 'F16', [0, 4], b'')])
    put('safetensors', 'small', f.safetensors(dict(e, __metadata__={'format': 'pt', 'act_type': 'relu'}), b'\0' * 17))


def modules():
    """A pickled module with one inside."""
    cls = name_of('net', 'Net')
    weight = tensor(storage('0', 4), [2, 2], [1, 2])
    parameter = raw(name_of('torch._utils', '_rebuild_parameter') + obj((weight, True, raw(name_of('collections', 'OrderedDict') + b')R'))) + b'R')

    def module(parameters, inner):
        state = {'training': False, '_parameters': ordered(parameters), '_buffers': ordered([]), '_modules': ordered(inner),
                 '_non_persistent_buffers_set': raw(name_of('builtins', 'set') + obj(([],)) + b'R')}
        return raw(cls + b')\x81' + obj(state) + b'b')
    return module([], [('conv', module([('weight', parameter), ('bias', None)], []))]), [('0', 4, b'\0' * 16)]


def torch():
    net = f.torch_parts(f.state())
    half = f.torch_parts(f.state('F16'), **{'conv1.weight': {'function': '_rebuild_tensor'}})
    shared = storage('0', 12)
    views = (ordered([('a', tensor(shared, [2, 3], [1, 2], 1)), ('b', tensor(shared, [4])), ('c', tensor(shared, [0, 5])),
                      ('d', tensor(shared, [], [], 11))]), [('0', 12, b'\0' * 48)])
    wrapped = ({'iter': 7, 'lr': 1e-4, 'params_ema': net[0], 'name': 'x', 'opt': {'a': [1, 2.5, None, True, (1,)]}}, net[1])
    objects = {'net': net, 'half': half, 'views': views, 'wrapped': wrapped, 'module': modules()}
    for name, (what, stores) in objects.items():
        put('pickle', name, pickle(what))
        put('pth_legacy', name, f.legacy(what, stores))
        put('pth_zip', name, f.pth(what, stores))
    put('pth_zip', 'deflated', f.pth(*net, method=8))
    put('pickle', 'memo', b'\x80\x02]q\0(h\0h\0\x86q\1h\1h\1\x86r\x10\0\0\0j\x10\0\0\0K\1M\1\1J\1\0\0\x80e.')
    put('pickle', 'protocol4', b'\x80\x04\x95\x20\0\0\0\0\0\0\0}\x94(\x8c\1a\x94\x8f\x94(K\1K\2\x90\x8c\1b\x8c\1c\x8c\1d\x93)R\x94C\2xyu.')
    for name in ('bare_zip.pth', 'nested_zip.pth'):
        put('pth_zip', name, of_golden(name))
    for name in ('bare_legacy.pth', 'nested_legacy.pth'):
        put('pth_legacy', name, of_golden(name))


def pair(param, bin_):
    return f.u32(len(param)) + param + bin_


def foreign():
    for name, tag in (('f32', 0), ('f16', f.TAG_F16), ('table', 7)):
        put('ncnn', name, pair(f.ncnn_param(), f.ncnn_bin(tag)))
    lines = ['Input data 0 1 data', 'Deconvolution up 1 1 data a 0=1 1=4 2=1 3=2 4=1 5=1 6=16', 'Pooling p 1 1 a b 0=1 4=1',
             'InnerProduct ip 1 1 b c 0=1 1=1 2=1', 'Sigmoid s 1 1 c d', 'Scale m 2 1 a d e 0=-233', 'Clip k 1 1 e out 0=0.0 1=1.0',
             'Crop z 1 1 out q -23309=2,1,1', 'Eltwise w 2 1 q q r 0=1 -23301=2,0.2,1.0', 'Concat x 2 1 r q y 0=0']
    put('ncnn', 'others', pair(f.ncnn_param(lines), f.u32(0) + b'\0' * 68 + f.u32(0) + b'\0' * 8))
    put('ncnn', 'srvgg.param', pair(of_golden('srvgg.param'), b'\0' * 64))
    put('ncnn', 'rrdb_split.param', pair(of_golden('rrdb_split.param'), b''))
    net = f.mat_net()
    put('mat', 'net', f.mat(*net))
    put('mat', 'packed', f.mat(*[f.packed(v) for v in net]))
    one = f.encode(f.values([3, 3, 1, 1]), 'F64')
    cells = f.cell('', (1, 3), [f.matrix('', (3, 3, 1, 1), one) for _ in range(3)])
    bias = f.cell('', (1, 3), [f.matrix('', (1, 1), b'\0' * 8) for _ in range(3)])
    put('mat', 'cells', f.mat(f.struct_of('model', [('weight', cells), ('bias', bias)])))
    put('mat', 'integers', f.mat(f.matrix('a', (2, 2), b'\1\2\3\4', kind='u8'), f.matrix('b', (1, 2), b'\0' * 4, 7, kind='i16'),
                                 f.element('matrix', f.mat_head('c', (1, 1), 8) + f.small('i8', b'\5'))))
    put('mat', 'vdsr_cell.mat', of_golden('vdsr_cell.mat'))
    layers = f.waifu2x()
    put('waifu2x_json', 'net', f.dump(layers))
    put('waifu2x_json', 'packed', f.gz(f.dump(layers)))
    old = [{k: v for k, v in layers[1].items() if k in ('weight', 'bias', 'nInputPlane', 'nOutputPlane', 'kW', 'kH')}]
    put('waifu2x_json', 'old', f.dump(old))
    put('waifu2x_json', 'old-packed', f.gz(f.dump(old)))


shutil.rmtree(os.path.join(here, 'seeds'), ignore_errors=True)
for make in (safetensors, torch, foreign):
    make()
