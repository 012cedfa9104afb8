"""Pixel-level pre/post-processing: MATLAB-compatible bicubic and YCbCr, padding, tiling, self-ensemble.

Images are numpy float64 arrays (H, W) or (H, W, C) in RGB order unless a function says otherwise;
network-level helpers work on torch tensors (1, C, H, W).
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

# ---------------------------------------------------------------- MATLAB imresize


def _cubic(x):
    a = np.abs(x)
    return np.where(a <= 1, (1.5 * a - 2.5) * a * a + 1, np.where(a <= 2, ((-0.5 * a + 2.5) * a - 4) * a + 2, 0.0))


def resize_taps(n_in, n_out, scale):
    """(indices, weights), both (n_out, taps): bicubic (a = -0.5), widened when shrinking, edges mirrored."""
    width = 4.0
    k = 1.0
    if scale < 1:                                          # antialiasing
        k, width = scale, 4.0 / scale
    x = np.arange(1, n_out + 1, dtype=np.float64)
    u = x / scale + 0.5 * (1 - 1 / scale)
    left = np.floor(u - width / 2)
    taps = int(math.ceil(width)) + 2
    idx = left[:, None] + np.arange(taps)[None]
    w = k * _cubic(k * (u[:, None] - idx))
    w /= w.sum(1, keepdims=True)
    period = np.concatenate([np.arange(n_in), np.arange(n_in)[::-1]])     # half-sample symmetric
    idx = period[((idx - 1) % (2 * n_in)).astype(int)]
    keep = (w != 0).any(0)
    return idx[:, keep], w[:, keep]


def imresize(img, scale=None, size=None):
    """MATLAB imresize(img, scale, 'bicubic') or imresize(img, [h w], 'bicubic'), double precision, no rounding.

    Output size is ceil(scale * n); the axis with the smaller scale goes first (rows when equal).
    """
    img = np.asarray(img, np.float64)
    h, w = img.shape[:2]
    if size is None:
        size = (math.ceil(h * scale), math.ceil(w * scale))
        sc = (scale, scale)
    else:
        sc = (size[0] / h, size[1] / w)
    for ax in sorted((0, 1), key=lambda a: sc[a]):
        idx, wt = resize_taps(img.shape[ax], size[ax], sc[ax])
        m = np.moveaxis(img, ax, 0)
        img = np.moveaxis(np.einsum("ot,ot...->o...", wt, m[idx]), 0, ax)
    return img


def modcrop(img, m):
    return img[:img.shape[0] - img.shape[0] % m, :img.shape[1] - img.shape[1] % m]


# ---------------------------------------------------------------- colour

# MATLAB rgb2ycbcr, float images in [0,1]: ycbcr = (M rgb + [16,128,128]) / 255
YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
OFFSET = np.array([16.0, 128.0, 128.0])


def rgb2ycbcr(rgb):
    return (np.asarray(rgb, np.float64) @ YCBCR.T + OFFSET) / 255


def ycbcr2rgb(ycc):
    """Exact inverse of rgb2ycbcr, then clamped to [0,1] as MATLAB does."""
    return np.clip((255 * np.asarray(ycc, np.float64) - OFFSET) @ np.linalg.inv(YCBCR).T, 0, 1)


def rgb2ycbcr_u8(rgb):
    """uint8 in, uint8 out: scaled in double precision, rounded half away from zero."""
    y = np.asarray(rgb, np.float64) @ (YCBCR / 255).T + OFFSET
    return np.clip(np.floor(y + 0.5), 0, 255).astype(np.uint8)


def ycbcr2rgb_u8(ycc):
    r = (np.asarray(ycc, np.float64) - OFFSET) @ (255 * np.linalg.inv(YCBCR)).T
    return np.clip(np.floor(r + 0.5), 0, 255).astype(np.uint8)


def luma601(rgb):
    """Full-range luma used for gray outputs (OpenCV and Torch rgb2y)."""
    return np.asarray(rgb, np.float64) @ np.array([0.299, 0.587, 0.114])


# torch `image` package rgb2yuv / yuv2rgb, used by waifu2x one-channel models
TORCH_YUV = np.array([[0.299, 0.587, 0.114], [-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]])
TORCH_RGB = np.array([[1.0, 0.0, 1.13983], [1.0, -0.39465, -0.58060], [1.0, 2.03211, 0.0]])

# ---------------------------------------------------------------- 8/16 bit


def to_float(img):
    """uint8 -> /255, uint16 -> /65535, as float32 (the script's arithmetic)."""
    return np.asarray(img, np.float32) / np.float32(65535 if img.dtype == np.uint16 else 255)


def to_int(x, bits=8, half_even=True):
    """Clamp to [0,1], scale, round. numpy/torch `round` is half-to-even; waifu2x uses floor(v + 0.5)."""
    top = (1 << bits) - 1
    v = np.clip(np.asarray(x), 0, 1) * x.dtype.type(top)
    v = np.rint(v) if half_even else np.floor(v + x.dtype.type(0.5))
    return v.astype(np.uint16 if bits > 8 else np.uint8)


# ---------------------------------------------------------------- network-level helpers (torch)


def d4(x, k):
    """Self-ensemble transform k of 0..7: bit 0 flips x, bit 1 flips y, bit 2 then transposes."""
    if k & 1:
        x = x.flip(-1)
    if k & 2:
        x = x.flip(-2)
    return x.transpose(-1, -2) if k & 4 else x


def d4_inv(x, k):
    if k & 4:
        x = x.transpose(-1, -2)
    if k & 2:
        x = x.flip(-2)
    return x.flip(-1) if k & 1 else x


def tta8(f, x):
    return sum(d4_inv(f(d4(x, k).contiguous()), k) for k in range(8)) / 8


def tile_pad(f, x, scale, tile, pad=10):
    """Real-ESRGAN tiling: tiles of `tile` input pixels, each run with up to `pad` real neighbours, no blending."""
    _, c, h, w = x.shape
    out = None
    for y0 in range(0, h, tile):
        for x0 in range(0, w, tile):
            y1, x1 = min(y0 + tile, h), min(x0 + tile, w)
            a, b, p, q = max(y0 - pad, 0), min(y1 + pad, h), max(x0 - pad, 0), min(x1 + pad, w)
            o = f(x[:, :, a:b, p:q])
            if out is None:
                out = x.new_zeros(1, o.shape[1], h * scale, w * scale)
            out[:, :, y0 * scale:y1 * scale, x0 * scale:x1 * scale] = \
                o[:, :, (y0 - a) * scale:(y1 - a) * scale, (x0 - p) * scale:(x1 - p) * scale]
    return out


def realesrgan(f, x, scale, pre_pad=0, tile=0, pad=10):
    """Whole-image driver: reflect pre-pad, reflect to a multiple of 2 (x2) or 4 (x1), run, crop."""
    m = {2: 2, 1: 4}.get(scale, 1)
    h, w = x.shape[2:]
    if pre_pad:
        x = F.pad(x, (0, pre_pad, 0, pre_pad), "reflect")
    x = F.pad(x, (0, -x.shape[3] % m, 0, -x.shape[2] % m), "reflect")
    y = tile_pad(f, x, scale, tile, pad) if tile else f(x)
    return y[:, :, :h * scale, :w * scale]


def waifu2x_blocks(net, x, block=256):
    """waifu2x driver: replicate-pad by the input offset, run equal square blocks, paste their outputs side by side.

    Networks with squeeze-excitation (cunet) give block-dependent results, so `block` is part of the result.
    """
    s, in_off = net.scale, -(-net.offset // net.scale)
    step = block - 2 * in_off                              # useful input pixels per block
    h, w = x.shape[2:]
    ny, nx = -(-h // step), -(-w // step)
    p = (in_off, nx * step + in_off - w, in_off, ny * step + in_off - h)
    x = F.pad(x, p, "replicate")
    out = x.new_zeros(1, x.shape[1], ny * step * s, nx * step * s)
    for j in range(ny):
        for i in range(nx):
            o = net(x[:, :, j * step:j * step + block, i * step:i * step + block])
            out[:, :, j * step * s:(j + 1) * step * s, i * step * s:(i + 1) * step * s] = o
    return out[:, :, :h * s, :w * s]


def waifu2x_ncnn(net, x, tile=400, prepad=None):
    """The ncnn port: variable-size tiles; odd tiles are padded (replicate) to a multiple of 4 (x1) or 2 (x2)."""
    s = net.scale
    prepad = -(-net.offset // s) if prepad is None else prepad
    h, w = x.shape[2:]
    out = x.new_zeros(1, x.shape[1], h * s, w * s)
    m = 4 if s == 1 else 2
    big = F.pad(x, (prepad, prepad + m, prepad, prepad + m), "replicate")
    for y0 in range(0, h, tile):
        for x0 in range(0, w, tile):
            th, tw = min(tile, h - y0), min(tile, w - x0)
            bh, bw = th + -th % m + 2 * prepad, tw + -tw % m + 2 * prepad
            o = net(big[:, :, y0:y0 + bh, x0:x0 + bw])
            out[:, :, y0 * s:(y0 + th) * s, x0 * s:(x0 + tw) * s] = o[:, :, :th * s, :tw * s]
    return out


def alpha_bleed(rgb, alpha, rounds):
    """waifu2x: fill fully transparent pixels outward from their visible neighbours, `rounds` 3x3 passes."""
    rgb = torch.as_tensor(np.moveaxis(rgb, -1, 0)).double()[:, None].clone()
    mask = (torch.as_tensor(alpha) > 0).double()[None, None]
    rgb *= mask
    k = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    for _ in range(rounds):
        n = F.conv2d(mask, k, padding=1)
        fill = F.conv2d(rgb, k, padding=1) / (n + 1e-7)
        rgb = torch.where(mask > 0, rgb, fill)
        mask = (n > 0).double()
    return np.moveaxis(rgb[:, 0].clamp(0, 1).numpy(), 0, -1)
