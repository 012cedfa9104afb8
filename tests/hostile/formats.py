"""Sound weight files of every format, small, with a place for each lie. Standard library only; no clock, no chance:
the same call gives the same bytes."""
import json
import struct
import zlib

u8, u16, u32, u64 = (struct.Struct('<' + c).pack for c in 'BHIQ')

# The smallest SRCNN: a picture through three convolutions. name, shape
NET = [('conv1.weight', [1, 1, 3, 3]), ('conv1.bias', [1]), ('conv2.weight', [1, 1, 1, 1]), ('conv2.bias', [1]),
       ('conv3.weight', [1, 1, 3, 3]), ('conv3.bias', [1])]
SIZES = {'F32': 4, 'F16': 2, 'BF16': 2, 'F64': 8, 'I64': 8, 'I32': 4, 'I16': 2, 'I8': 1, 'U8': 1, 'BOOL': 1}


def product(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def values(shape, at=0):
    """Small numbers that half floats hold exactly."""
    return [((i * 7 + at * 3) % 33 - 16) / 64 for i in range(product(shape))]


def encode(numbers, dtype):
    if dtype == 'BF16':
        return b''.join(struct.pack('<f', v)[2:] for v in numbers)
    return struct.pack('<%d%s' % (len(numbers), {'F32': 'f', 'F16': 'e', 'F64': 'd'}[dtype]), *numbers)


def state(dtype='F32', net=NET, changed=None):
    """[(name, dtype, shape, bytes)]; changed: name -> numbers."""
    out = []
    for i, (name, shape) in enumerate(net):
        numbers = (changed or {}).get(name) or values(shape, i)
        out.append((name, dtype, shape, encode(numbers, dtype)))
    return out


# ---- safetensors --------------------------------------------------------------------------------------

def entries(tensors):
    out, at = {}, 0
    for name, dtype, shape, data in tensors:
        out[name] = {'dtype': dtype, 'shape': list(shape), 'data_offsets': [at, at + len(data)]}
        at += len(data)
    return out


def safetensors(header, data=b'', claimed=None):
    """header: a dict, text or bytes."""
    if isinstance(header, dict):
        header = json.dumps(header, separators=(',', ':'))
    if isinstance(header, str):
        header = header.encode('utf-8', 'surrogatepass')
    return u64(len(header) if claimed is None else claimed & 2**64 - 1) + header + data


def safetensors_of(tensors):
    return safetensors(entries(tensors), b''.join(t[3] for t in tensors))


# ---- pickle -------------------------------------------------------------------------------------------

class raw(bytes):
    """Opcodes that are put as they are."""


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return b'X' + u32(len(s)) + s


def number(n):
    if 0 <= n < 256:
        return b'K' + u8(n)
    if 0 <= n < 65536:
        return b'M' + u16(n)
    if -2**31 <= n < 2**31:
        return b'J' + struct.pack('<i', n)
    size = (n if n >= 0 else ~n).bit_length() // 8 + 1
    return b'\x8a' + u8(size) + n.to_bytes(size, 'little', signed=True)


def name_of(module, name):
    return b'c' + module.encode() + b'\n' + name.encode() + b'\n'


def obj(x):
    if isinstance(x, raw):
        return bytes(x)
    if x is None:
        return b'N'
    if isinstance(x, bool):
        return b'\x88' if x else b'\x89'
    if isinstance(x, int):
        return number(x)
    if isinstance(x, float):
        return b'G' + struct.pack('>d', x)
    if isinstance(x, (str, bytes)):
        return text(x)
    if isinstance(x, tuple):
        return b'(' + b''.join(map(obj, x)) + b't' if x else b')'
    if isinstance(x, list):
        return b'](' + b''.join(map(obj, x)) + b'e'
    if isinstance(x, dict):
        return b'}(' + b''.join(obj(k) + obj(v) for k, v in x.items()) + b'u'
    raise TypeError(x)


def pickle(x, protocol=2):
    return b'\x80' + u8(protocol) + obj(x) + b'.'


STORAGES = {'F32': 'FloatStorage', 'F16': 'HalfStorage', 'BF16': 'BFloat16Storage', 'F64': 'DoubleStorage',
            'I64': 'LongStorage', 'I32': 'IntStorage', 'I16': 'ShortStorage', 'I8': 'CharStorage',
            'U8': 'ByteStorage', 'BOOL': 'BoolStorage'}


def strides(shape):
    out = []
    for i in range(len(shape)):
        out.append(product(shape[i + 1:]))
    return out


def storage(key='0', count=1, kind=name_of('torch', 'FloatStorage'), word='storage', device='cpu', legacy=False):
    parts = (word, raw(kind), key, device, count) + ((None,) if legacy else ())
    return raw(obj(parts) + b'Q')


def tensor(store, shape, stride=None, offset=0, function='_rebuild_tensor_v2', module='torch._utils'):
    stride = strides(shape) if stride is None else stride
    hooks = raw(name_of('collections', 'OrderedDict') + b')R')
    args = (store, offset, tuple(shape), tuple(stride)) + ((False, hooks) if function.endswith('v2') else ())
    return raw(name_of(module, function) + obj(args) + b'R')


def ordered(pairs):
    """An OrderedDict of (key, value)."""
    return raw(name_of('collections', 'OrderedDict') + b')R(' + b''.join(obj(k) + obj(v) for k, v in pairs) + b'u')


def torch_parts(tensors, legacy=False, **change):
    """The object that is saved, and its storages: [(key, count, bytes)]. change: name -> dict for tensor()."""
    pairs, stores = [], []
    for i, (name, dtype, shape, data) in enumerate(tensors):
        count = len(data) // SIZES[dtype]
        kind = name_of('torch', STORAGES[dtype])
        pairs.append((name, tensor(storage(str(i), count, kind, legacy=legacy), shape, **change.get(name, {}))))
        stores.append((str(i), count, data))
    return ordered(pairs), stores


# ---- the two forms of .pth ----------------------------------------------------------------------------

MAGIC = 0x1950a86a20f9469cfc6c
SYSTEM = {'protocol_version': 1001, 'little_endian': True, 'type_sizes': {'short': 2, 'int': 4, 'long': 4}}


def legacy(object_, stores, magic=MAGIC, version=1001, system=SYSTEM, keys=None, tail=b''):
    out = pickle(magic) + pickle(version) + pickle(system) + pickle(object_)
    out += pickle([s[0] for s in stores] if keys is None else keys)
    for _, count, data in stores:
        out += u64(count & 2**64 - 1) + data
    return out + tail


class member:
    """A member of an archive. Fields set in local{} and central{} stand in the file instead of the truth."""

    def __init__(self, name, data, method=0, packed=None, local=None, central=None, local_name=None):
        self.name, self.data, self.method = name, data, method
        self.packed = packed if packed is not None else deflate(data) if method == 8 else data
        self.local, self.central, self.local_name = local or {}, central or {}, local_name
        self.at = None  # set: where its header stands, of another member; nothing of it is written


def deflate(data):
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush()


LOCAL = [('magic', 'I', 0x04034b50), ('need', 'H', 20), ('flags', 'H', 0), ('method', 'H', 0), ('time', 'H', 0),
         ('date', 'H', 33), ('crc', 'I', 0), ('packed', 'I', 0), ('size', 'I', 0), ('name', 'H', 0), ('extra', 'H', 0)]
CENTRAL = [('magic', 'I', 0x02014b50), ('by', 'H', 20), ('need', 'H', 20), ('flags', 'H', 0), ('method', 'H', 0),
           ('time', 'H', 0), ('date', 'H', 33), ('crc', 'I', 0), ('packed', 'I', 0), ('size', 'I', 0), ('name', 'H', 0),
           ('extra', 'H', 0), ('comment', 'H', 0), ('disk', 'H', 0), ('inner', 'H', 0), ('outer', 'I', 0),
           ('at', 'I', 0)]
END = [('magic', 'I', 0x06054b50), ('disk', 'H', 0), ('first', 'H', 0), ('here', 'H', 0), ('count', 'H', 0),
       ('size', 'I', 0), ('at', 'I', 0), ('comment', 'H', 0)]
MASK = {'H': 0xffff, 'I': 0xffffffff}


def record(fields, truth, lies):
    got = dict(truth, **lies)
    return b''.join(struct.pack('<' + c, got.get(name, usual) & MASK[c]) for name, c, usual in fields)


def archive(members, end=None, extra=b'', comment=b''):
    body, directory = b'', b''
    for m in members:
        name = m.name if isinstance(m.name, bytes) else m.name.encode()
        truth = {'method': m.method, 'crc': zlib.crc32(m.data), 'packed': len(m.packed), 'size': len(m.data),
                 'name': len(name), 'extra': len(extra)}
        at = m.at
        if at is None:
            at = len(body)
            body += record(LOCAL, truth, m.local) + (m.local_name or name) + extra + m.packed
        truth = dict(truth, extra=0, at=at)
        directory += record(CENTRAL, truth, m.central) + name
    truth = {'here': len(members), 'count': len(members), 'size': len(directory), 'at': len(body),
             'comment': len(comment)}
    return body + directory + record(END, truth, end or {}) + comment


def zip_members(object_, stores, method=0, root='m'):
    """object_: what is saved, or a raw pickle."""
    data = object_ if isinstance(object_, bytes) and not isinstance(object_, raw) else pickle(object_)
    return ([member(root + '/data.pkl', data, method)] +
            [member('%s/data/%s' % (root, key), data, method) for key, _, data in stores] +
            [member(root + '/version', b'3\n', method)])


def pth(object_, stores, method=0):
    return archive(zip_members(object_, stores, method))


# ---- ncnn ---------------------------------------------------------------------------------------------

TAG_F16, TAG_INT8 = 0x01306B47, 0x000D4B38

# the smallest SRVGGNetCompact, x2: lines of the .param, and of each what is in the .bin
NCNN = [('Input data 0 1 data', None), ('Split split 1 2 data a b', None),
        ('Convolution conv0 1 1 b c 0=2 1=3 4=1 5=1 6=54', (54, 2)), ('PReLU act1 1 1 c d 0=2', (0, 2)),
        ('Convolution conv2 1 1 d e 0=12 1=3 4=1 5=1 6=216', (216, 12)), ('PixelShuffle shuf 1 1 e f 0=2', None),
        ('Interp near 1 1 a g 0=1 1=2.0 2=2.0', None), ('BinaryOp add 2 1 f g output', None)]


def ncnn_param(lines=None, layers=None, blobs=None, magic='7767517'):
    lines = [line for line, _ in NCNN] if lines is None else lines
    made = sum(int(line.split()[3]) for line in lines if len(line.split()) > 3 and line.split()[3].isdigit()) if blobs is None else blobs
    return ('%s\n%s %s\n' % (magic, len(lines) if layers is None else layers, made) + ''.join(line + '\n' for line in lines)).encode()


def ncnn_bin(tag=0, changed=None):
    """changed: number of the array, counted weights and biases and slopes -> numbers."""
    out, i = b'', 0
    for _, sizes in NCNN:
        for n, tagged in zip(sizes or (), (True, False)):
            if not n:
                continue
            numbers = (changed or {}).get(i) or values([n], i)
            i += 1
            if tagged and tag == TAG_F16:
                data = encode(numbers, 'F16')
                out += u32(tag) + data + b'\0' * (-len(data) % 4)
            elif tagged and tag not in (0, 0x0002C056):
                table = sorted(set(numbers))
                out += u32(tag) + encode(table + [0] * (256 - len(table)), 'F32')
                out += bytes(table.index(v) for v in numbers) + b'\0' * (-n % 4)
            else:
                out += (u32(tag) if tagged else b'') + encode(numbers, 'F32')
    return out


# ---- MATLAB -------------------------------------------------------------------------------------------

MI = {'i8': 1, 'u8': 2, 'i16': 3, 'u16': 4, 'i32': 5, 'u32': 6, 'f32': 7, 'f64': 9, 'i64': 12, 'u64': 13, 'matrix': 14, 'zlib': 15}


def element(kind, payload, size=None):
    kind = MI.get(kind, kind)
    pad = b'' if kind == 15 else b'\0' * (-len(payload) % 8)
    return u32(kind & 0xffffffff) + u32((len(payload) if size is None else size) & 0xffffffff) + payload + pad


def small(kind, payload, size=None):
    return u16(MI.get(kind, kind)) + u16(len(payload) if size is None else size) + payload.ljust(4, b'\0')[:4]


def mat_head(name, dims, class_=6, flags=0):
    return (element('u32', u32(class_ | flags) + u32(0)) +
            element('i32', b''.join(u32(d & 0xffffffff) for d in dims)) + element('i8', name.encode()))


def matrix(name, dims, data, class_=6, flags=0, kind='f64'):
    return element('matrix', mat_head(name, dims, class_, flags) + element(kind, data))


def cell(name, dims, entries):
    return element('matrix', mat_head(name, dims, 1) + b''.join(entries))


def struct_of(name, fields, dims=(1, 1), width=8):
    names = b''.join(n.encode().ljust(width, b'\0') for n, _ in fields)
    return element('matrix', mat_head(name, dims, 2) + small('i32', u32(width)) + element('i8', names) + b''.join(e for _, e in fields))


def packed(variable, level=9):
    return element('zlib', zlib.compress(variable, level))


def mat(*variables, text=b'MATLAB 5.0 MAT-file', version=b'\0\1', order=b'IM'):
    return text.ljust(116, b' ') + b'\0' * 8 + version + order + b''.join(variables)


# the smallest SRCNN as its authors store it: dimensions, name
MAT = [('weights_conv1', (9, 1)), ('biases_conv1', (1, 1)), ('weights_conv2', (1, 1, 1)), ('biases_conv2', (1, 1)),
       ('weights_conv3', (1, 9)), ('biases_conv3', (1, 1))]


def mat_net(changed=None, **kw):
    return [matrix(name, dims, encode((changed or {}).get(name) or values(dims, i), 'F64'), **kw) for i, (name, dims) in enumerate(MAT)]


# ---- waifu2x JSON -------------------------------------------------------------------------------------

def nested(numbers, shape):
    if not shape:
        return numbers[0]
    step = len(numbers) // shape[0]
    return [nested(numbers[i * step:(i + 1) * step], shape[1:]) for i in range(shape[0])]


def waifu2x():
    """upconv_7 with two channels everywhere."""
    out = []
    for i in range(7):
        n_in, n_out = 3 if i == 0 else 2, 3 if i == 6 else 2
        k, name = (4, 'nn.SpatialFullConvolution') if i == 6 else (3, 'nn.SpatialConvolutionMM')
        shape = [n_in, n_out, k, k] if i == 6 else [n_out, n_in, k, k]
        out.append({'nInputPlane': n_in, 'nOutputPlane': n_out, 'kW': k, 'kH': k, 'dW': 2 if i == 6 else 1, 'dH': 2 if i == 6 else 1,
                    'padW': 3 if i == 6 else 0, 'padH': 3 if i == 6 else 0, 'class_name': name, 'weight': nested(values(shape, i), shape),
                    'bias': values([n_out], i)})
    out[0]['model_config'] = {'arch_name': 'upconv_7', 'channels': 3, 'offset': 14, 'scale_factor': 2, 'resize': True}
    return out


def dump(x):
    return json.dumps(x, separators=(',', ':')).encode()


def gz(data, **kw):
    """Always the same bytes: no name, no time."""
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    truth = dict({'crc': zlib.crc32(data), 'size': len(data)}, **kw)
    return b'\x1f\x8b\x08\0\0\0\0\0\2\xff' + c.compress(data) + c.flush() + u32(truth['crc']) + u32(truth['size'] & 0xffffffff)
