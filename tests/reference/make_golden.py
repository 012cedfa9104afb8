#!/usr/bin/env python3
"""Write golden files for one preset (or all): weights, inputs and float64-computed outputs.

  make_golden.py --list
  make_golden.py rrdb/body_x4 --out golden [--seed 3] [--size 24x20 ...] [--set nb=3 ...] [--pth zip legacy]
  make_golden.py --all --out golden
"""
import argparse
import ast
import json
import math
import os
import zlib

import numpy as np
import torch
import torch.nn as nn

import containers
import detect
import imageproc as ip
import safetensors_io as st
from rrdbnet import RRDBNet
from srcnn import SRCNN
from srvgg import SRVGGNetCompact
from vdsr import VDSR
from waifu2x import CUNet, UpConv7, VGG7

NETS = {"srcnn": SRCNN, "vdsr": VDSR, "vgg_7": VGG7, "upconv_7": UpConv7, "cunet": CUNet, "rrdb": RRDBNet,
        "srvgg": SRVGGNetCompact}

_R = dict(nf=16, nb=2, gc=8)
_RS = dict(nf=12, nb=1, gc=4)
_ODD = ((20, 16), (13, 11))
PRESETS = {                      # name: (network, kwargs, input sizes)
    "srcnn/915": ("srcnn", dict(f2=1), _ODD),
    "srcnn/935": ("srcnn", dict(f2=3), _ODD),
    "srcnn/955": ("srcnn", dict(f2=5), _ODD),
    "srcnn/955_zero": ("srcnn", dict(f2=5, n1=32, n2=16, pad="zero"), _ODD),
    "vdsr/nobias": ("vdsr", dict(nf=16), _ODD),
    "vdsr/bias": ("vdsr", dict(nf=16, bias=True), _ODD),
    "waifu2x/vgg_7": ("vgg_7", dict(widths=(8, 8, 16, 16, 32, 32)), ((34, 30), (27, 33))),
    "waifu2x/vgg_7_y": ("vgg_7", dict(ch=1, widths=(8, 8, 16, 16, 32, 32)), ((34, 30), (27, 33))),
    "waifu2x/upconv_7": ("upconv_7", dict(widths=(8, 8, 16, 32, 32, 64)), ((28, 24), (21, 25))),
    "waifu2x/cunet": ("cunet", dict(w=8), ((76, 84), (64, 60))),
    "waifu2x/upcunet": ("cunet", dict(w=16, up=True), ((52, 60), (44, 40))),
    "waifu2x/upcunet_clip": ("cunet", dict(w=8, up=True, clip_mid=True), ((52, 60), (44, 40))),
    "rrdb/body_x4": ("rrdb", dict(_R), _ODD),
    "rrdb/body_x2": ("rrdb", dict(_R, nb=1, unshuffle=2), ((24, 20), (14, 18))),
    "rrdb/body_x1": ("rrdb", dict(_RS, unshuffle=4), ((24, 20), (12, 16))),
    "rrdb/trunk_x4": ("rrdb", dict(_RS, layout="trunk"), _ODD),
    "rrdb/trunk_x2": ("rrdb", dict(_RS, scale=2, layout="trunk"), _ODD),
    "rrdb/old_x4": ("rrdb", dict(_RS, nb=2, layout="old"), _ODD),
    "rrdb/old_x1": ("rrdb", dict(_RS, scale=1, layout="old"), _ODD),
    "rrdb/old_x2": ("rrdb", dict(_RS, scale=2, layout="old"), _ODD),
    "rrdb/old_x8": ("rrdb", dict(_RS, scale=8, layout="old"), ((12, 16), (9, 7))),
    "rrdb/old_x4_plus": ("rrdb", dict(_R, nb=1, layout="old", plus=True), _ODD),
    "rrdb/old_x2_gray": ("rrdb", dict(_RS, in_ch=1, out_ch=1, scale=2, layout="old"), _ODD),
    "rrdb/old_x4_in12": ("rrdb", dict(_RS, unshuffle=2, layout="old"), ((24, 20), (14, 18))),
    "srvgg/x4": ("srvgg", dict(nf=16, num_conv=4), _ODD),
    "srvgg/x2": ("srvgg", dict(nf=16, num_conv=4, scale=2), _ODD),
    "srvgg/x3": ("srvgg", dict(nf=16, num_conv=3, scale=3), _ODD),
    "srvgg/x1": ("srvgg", dict(nf=16, num_conv=3, scale=1), _ODD),
    "srvgg/x4_relu": ("srvgg", dict(nf=16, num_conv=3, act="relu"), _ODD),
    "srvgg/x4_leakyrelu": ("srvgg", dict(nf=16, num_conv=3, act="leakyrelu"), _ODD),
}


def test_image(ch, h, w, seed):
    """Smooth gradients and gratings plus noise, inside (0.02, 0.98)."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    img = [0.5 + 0.2 * np.sin(2 * np.pi * (g.uniform(-.2, .2) * x + g.uniform(-.2, .2) * y) + g.uniform(0, 6.3))
           + 0.12 * np.sign(np.sin(0.7 * x + 0.4 * y + c)) + 0.08 * g.standard_normal((h, w)) for c in range(ch)]
    return torch.tensor(np.clip(np.stack(img), 0.02, 0.98), dtype=torch.float32)[None]


def init(model, seed):
    g = torch.Generator().manual_seed(seed)
    rn = lambda t: torch.randn(t.shape, generator=g)
    with torch.no_grad():
        for name, m in model.named_modules():
            if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                fan = m.weight[0].numel() if not isinstance(m, nn.ConvTranspose2d) else \
                    m.in_channels * m.kernel_size[0] ** 2 / m.stride[0] ** 2
                gain = 1.0 if isinstance(m, nn.Linear) else 1.3
                m.weight.copy_(rn(m.weight) * gain / math.sqrt(fan))
                if m.bias is not None:
                    m.bias.copy_(rn(m.bias) * 0.1)
            elif isinstance(m, nn.PReLU):
                m.weight.copy_(0.05 + 0.4 * torch.rand(m.weight.shape, generator=g))


def calibrate(model, layer, x, mean, std):
    """Rescale one (linear) layer so that its output over x has about this mean and spread."""
    got = []
    h = layer.register_forward_hook(lambda m, i, o: got.append(o))
    with torch.no_grad():
        model(x)
        h.remove()
        o, b = got[0], layer.bias if layer.bias is not None else 0
        k = std / float(o.std())
        layer.weight.mul_(k)
        if layer.bias is not None:
            m = o.mean((0, 2, 3))
            layer.bias.copy_(mean - k * (m - layer.bias) + 0.1 * std * torch.sin(torch.arange(len(m)).to(m) * 1.7))


def build(net, kw, seed, x):
    model = NETS[net](**kw).double().eval()
    init(model, seed)
    x = x.double()
    if net == "srcnn":
        calibrate(model, model.conv3, x, 0.5, 0.2)
    elif net == "vdsr":
        for layer in list(model.residual_layer)[4::5]:
            calibrate(model, layer.conv, x, 0.1, 0.4)
        calibrate(model, model.output, x, 0.0, 0.2)
    elif net in ("vgg_7", "upconv_7"):
        calibrate(model, model.net[-1], x, 0.5, 0.12)
    elif net == "cunet":
        # clip_mid needs some first-stage values outside [0,1], otherwise none
        calibrate(model, model.unet1.conv_bottom, x, 0.45, 0.35 if kw.get("clip_mid") else 0.12)
        calibrate(model, model.unet2.conv_bottom, x, 0.05, 0.1)
    elif net == "rrdb":
        calibrate(model, model.parts[-1], x, 0.5, 0.25)
    elif net == "srvgg":
        calibrate(model, model.body[-1], x, 0.0, 0.25)
    return model.float()


def channels(net, kw):
    return kw.get("channels", 1) if net in ("srcnn", "vdsr") else kw.get("ch", kw.get("in_ch", 3))


def golden(name, out, seed=None, sizes=None, override=None, pth=()):
    """Write out/<name>/{weights.safetensors, case<i>.safetensors, config.json}; returns a report row."""
    net, kw, default = PRESETS[name]
    kw, sizes = dict(kw, **(override or {})), sizes or default
    seed = zlib.crc32(name.encode()) & 0xFFFF if seed is None else seed
    xs = [test_image(channels(net, kw), h, w, seed + i) for i, (h, w) in enumerate(sizes)]
    model = build(net, kw, seed, xs[0])
    folder = os.path.join(out, name)
    os.makedirs(folder, exist_ok=True)
    sd = {k: v.detach() for k, v in model.state_dict().items()}
    arrays = {k: v.numpy() for k, v in sd.items()}
    found = detect.detect(arrays)
    same = found[0] == net and all(v == kw[k] for k, v in found[1].items() if k in kw)
    st.save(os.path.join(folder, "weights.safetensors"), arrays)
    for kind in pth:
        torch.save({"params_ema": sd}, os.path.join(folder, f"weights_{kind}.pth"),
                   _use_new_zipfile_serialization=kind == "zip")
    err, std, sat = 0.0, 0.0, 0.0
    for i, x in enumerate(xs):
        with torch.no_grad():
            y32 = model(x)
            y = model.double()(x.double())
            model.float()
        err, std = max(err, float((y32 - y).abs().max())), float(y.std())
        sat = max(sat, float(((y <= 0) | (y >= 1)).double().mean())) if net in ("vgg_7", "upconv_7", "cunet") else 0.0
        st.save(os.path.join(folder, f"case{i}.safetensors"), {"input": x.numpy(), "output": y.float().numpy()})
    cfg = dict(network=net, config=kw, seed=seed, f32_max_abs_error=err, output_std=std)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(cfg, f)
        f.write("\n")
    return f"{name:26s} f32-f64 {err:.2e}  std {std:.3f}  clamped {sat:.3f}  detected {'ok' if same else found}"


# ---------------------------------------------------------------- pre/post-processing, drivers, containers


def golden_imageproc(out):
    os.makedirs(out, exist_ok=True)
    x = test_image(3, 19, 24, 11)[0].permute(1, 2, 0).numpy()
    t = {"input": x}
    for s in (2, 3, 4):
        t[f"up{s}"] = ip.imresize(x, s)
        t[f"down{s}"] = ip.imresize(x, 1 / s)
        t[f"down{s}_up{s}"] = ip.imresize(ip.imresize(ip.modcrop(x, s), 1 / s), s)
    t["to_20x50"] = ip.imresize(x, size=(20, 50))
    st.save(os.path.join(out, "matlab_bicubic.safetensors"), {k: v.astype("<f4") for k, v in t.items()})
    g = np.random.default_rng(5)
    u8 = g.integers(0, 256, (16, 17, 3), dtype=np.uint8)
    u8[0, :8] = [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 1, 1], [254, 254, 254], [128, 128, 128]]
    ycc = g.integers(0, 256, (16, 17, 3), dtype=np.uint8)
    f = u8.astype(np.float64) / 255
    st.save(os.path.join(out, "ycbcr.safetensors"), {
        "rgb_u8": u8, "ycbcr_from_rgb_u8": ip.rgb2ycbcr_u8(u8), "ycbcr_u8": ycc, "rgb_from_ycbcr_u8": ip.ycbcr2rgb_u8(ycc),
        "ycbcr_f32": ip.rgb2ycbcr(f).astype("<f4"), "rgb_back_f32": ip.ycbcr2rgb(ip.rgb2ycbcr(f)).astype("<f4"),
        "rgb_from_ycbcr_f32": ip.ycbcr2rgb(ycc.astype(np.float64) / 255).astype("<f4"),
        "luma601_f32": ip.luma601(f).astype("<f4")})
    a = np.zeros((12, 14))
    a[3:8, 4:9] = np.linspace(0.2, 1, 25).reshape(5, 5)
    rgb = test_image(3, 12, 14, 12)[0].permute(1, 2, 0).numpy()
    st.save(os.path.join(out, "alpha_bleed.safetensors"), {"rgb": rgb, "alpha": a.astype("<f4"),
                                                           "output_7": ip.alpha_bleed(rgb.astype(np.float64), a, 7).astype("<f4")})


def golden_drivers(out):
    """Whole-image drivers around small networks; weights repeated in each folder."""
    def run(folder, net, kw, seed, cases):
        """cases: {name: ((h, w), driver)} sharing one set of weights."""
        model = build(net, kw, seed, test_image(channels(net, kw), 80, 80, seed)).double()
        folder = os.path.join(out, folder)
        os.makedirs(folder, exist_ok=True)
        st.save(os.path.join(folder, "weights.safetensors"), {k: v.float().numpy() if v.is_floating_point() else v.numpy()
                                                              for k, v in model.state_dict().items()})
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump(dict(network=net, config=kw, cases=list(cases)), f)
            f.write("\n")
        for i, (name, (size, fn)) in enumerate(cases.items()):
            u8 = ip.to_int(test_image(channels(net, kw), *size, seed + i)[0].permute(1, 2, 0).numpy())
            x = torch.tensor(ip.to_float(u8)).permute(2, 0, 1)[None]
            with torch.no_grad():
                y = fn(model, x.double())[0].permute(1, 2, 0).numpy()
            half_even = net not in ("vgg_7", "upconv_7", "cunet")
            st.save(os.path.join(folder, name + ".safetensors"), {"input": u8, "output": y.astype("<f4"),
                                                                  "output_u8": ip.to_int(y, 8, half_even)})
    rr = dict(nf=12, nb=1, gc=4)
    run("realesrgan_x4", "rrdb", rr, 1, {"tile16_pad10": ((25, 21), lambda m, x: ip.realesrgan(m, x, 4, 0, 16, 10)),
                                         "prepad10_tile12_pad5": ((20, 17), lambda m, x: ip.realesrgan(m, x, 4, 10, 12, 5))})
    run("realesrgan_x2", "rrdb", dict(rr, unshuffle=2), 2, {"odd": ((23, 29), lambda m, x: ip.realesrgan(m, x, 2)),
                                                            "odd_prepad10": ((23, 29), lambda m, x: ip.realesrgan(m, x, 2, 10))})
    run("realesrgan_x1", "rrdb", dict(rr, unshuffle=4), 3, {"odd": ((23, 29), lambda m, x: ip.realesrgan(m, x, 1))})
    run("srvgg_x4", "srvgg", dict(nf=16, num_conv=2), 4, {"tta8": ((14, 11), lambda m, x: ip.tta8(m, x))})
    run("waifu2x_upcunet", "cunet", dict(w=8, up=True), 7, {"blocks64": ((41, 50), lambda m, x: ip.waifu2x_blocks(m, x, 64)),
                                                            "ncnn_tile32": ((41, 50), lambda m, x: ip.waifu2x_ncnn(m, x, 32))})
    run("waifu2x_cunet", "cunet", dict(w=8), 8, {"ncnn_tile32": ((41, 50), lambda m, x: ip.waifu2x_ncnn(m, x, 32))})
    run("waifu2x_upconv_7", "upconv_7", dict(widths=(8, 8, 16, 16, 32, 32)), 9,
        {"blocks40": ((41, 50), lambda m, x: ip.waifu2x_blocks(m, x, 40))})
    # luma pipeline: RGB bytes -> MATLAB bicubic x3 -> network on Y -> merge -> RGB bytes
    x = test_image(3, 15, 18, 13)
    u8 = ip.to_int(x[0].permute(1, 2, 0).numpy())
    folder = os.path.join(out, "vdsr_x3_rgb")
    os.makedirs(folder, exist_ok=True)
    ycc = ip.imresize(ip.rgb2ycbcr(u8.astype(np.float64) / 255), 3)
    y_in = torch.tensor(ycc[..., 0], dtype=torch.float32)[None, None]
    model = build("vdsr", dict(nf=8, bias=True), 14, y_in)
    with torch.no_grad():
        y = model.double()(y_in.double())[0, 0].numpy()
    rgb = ip.ycbcr2rgb(np.dstack([y, ycc[..., 1:]]))
    st.save(os.path.join(folder, "weights.safetensors"), {k: v.float().numpy() for k, v in model.state_dict().items()})
    st.save(os.path.join(folder, "case0.safetensors"), {
        "input": u8, "ycbcr_bicubic": ycc.astype("<f4"), "y_output": y.astype("<f4"), "output": rgb.astype("<f4"),
        "output_u8": np.floor(np.clip(rgb * 255, 0, 255) + 0.5).astype(np.uint8)})


def _ncnn_srvgg(model):
    lines, w, blob = ["Input input 0 1 data", "Split split0 1 2 data data_a data_b"], [], "data_b"
    for i, m in enumerate(model.body):
        if isinstance(m, nn.Conv2d):
            lines.append(f"Convolution conv{i} 1 1 {blob} b{i} 0={m.out_channels} 1=3 4=1 5=1 6={m.weight.numel()}")
            w.append((m.weight.detach().numpy(), m.bias.detach().numpy()))
        else:
            lines.append(f"PReLU act{i} 1 1 {blob} b{i} 0={m.weight.numel()}")
            w.append(("raw", m.weight.detach().numpy()))
        blob = f"b{i}"
    s = model.scale
    lines += [f"PixelShuffle shuf 1 1 {blob} up 0={s}", f"Interp near 1 1 data_a base 0=1 1={s:.6e} 2={s:.6e}",
              "BinaryOp add 2 1 up base output"]
    return lines, w


def _ncnn_rrdb(model, fused):
    """Graph text of an RRDB network: fused = activation and scaled add inside layers (onnx2ncnn + ncnnoptimize),
    otherwise separate ReLU / BinaryOp layers with every default spelled out. Weight order is the same."""
    uses, ops, n = {}, [], [0]

    def emit(kind, ins, params):
        n[0] += 1
        out = f"t{n[0]}"
        for i in ins:
            uses[i] = uses.get(i, 0) + 1
        ops.append((kind, list(ins), out, params))
        return out

    def conv(c, x, act):
        k = f"0={c.out_channels} 1=3 4=1 5=1 6={c.weight.numel()}" if fused else \
            f"0={c.out_channels} 1=3 11=3 2=1 12=1 3=1 13=1 4=1 14=1 15=1 16=1 5=1 6={c.weight.numel()}"
        if fused:
            return emit("Convolution", [x], k + (" 9=2 -23310=1,2.000000e-01" if act else ""))
        y = emit("Convolution", [x], k)
        return emit("ReLU", [y], "0=2.000000e-01") if act else y

    def scaled_add(a, x):
        if fused:
            return emit("Eltwise", [a, x], "0=1 -23301=2,2.000000e-01,1.000000e+00")
        return emit("BinaryOp", [emit("BinaryOp", [a], "0=2 1=1 2=2.000000e-01"), x], "0=0")

    first, body, after, ups, hr, last = model.parts
    f = t = conv(first, "data", False)
    for blk in body:
        start = t
        for j in (1, 2, 3):
            r, feats = getattr(blk, f"rdb{j}"), [t]
            for i in range(1, 6):
                x = emit("Concat", feats, "" if fused else "0=0") if len(feats) > 1 else feats[0]
                feats.append(conv(getattr(r, f"conv{i}"), x, i < 5))
            t = scaled_add(feats[5], t)
        t = scaled_add(t, start)
    y = emit("BinaryOp", [f, conv(after, t, False)], "" if fused else "0=0")
    for u in ups:
        y = conv(u, emit("Interp", [y], "0=1 1=2.0 2=2.0"), True)
    y = conv(last, conv(hr, y, True), False)
    lines, left, nsplit = ["Input input 0 1 data"], {}, 0
    for kind, ins, out, params in ops:                    # ncnn wants an explicit Split per extra consumer
        names = [f"{i}_s{left[i].pop()}" if i in left else i for i in ins]
        lines.append(" ".join([kind, f"{kind}_{out}", str(len(ins)), "1"] + names + ["output" if out == y else out, params]).rstrip())
        if uses.get(out, 0) > 1:
            left[out] = list(range(uses[out]))
            lines.append(" ".join(["Split", f"split{nsplit}", "1", str(uses[out]), out] + [f"{out}_s{i}" for i in range(uses[out])]))
            nsplit += 1
    return lines


def golden_containers(out):
    os.makedirs(out, exist_ok=True)
    p = lambda n: os.path.join(out, n)
    # .pth: wrappers, shared and strided storages, dtypes
    g = torch.Generator().manual_seed(1)
    base = torch.randn(6, 8, generator=g)
    sd = {"module.plain": base, "module.view": base[1:5, 2:6], "module.transposed": base.t(), "module.shared": base.reshape(-1)[3:11],
          "module.half": torch.randn(5, generator=g).half(), "module.bf16": torch.randn(5, generator=g).bfloat16(),
          "module.double": torch.randn(3, generator=g).double(), "module.steps": torch.tensor(12345),
          "module.empty": torch.zeros(0, 4), "module.param": nn.Parameter(torch.randn(2, 3, generator=g))}
    want = {k[7:]: v.detach().float().numpy() if v.dtype == torch.bfloat16 else v.detach().contiguous().numpy() for k, v in sd.items()}
    decoy = {k: torch.zeros(1) for k in sd}
    for kind in ("zip", "legacy"):
        new = kind == "zip"
        torch.save({"iter": 7, "params": decoy, "params_ema": sd, "opt": {"lr": 1e-4, "betas": (0.9, 0.99)}}, p(f"nested_{kind}.pth"),
                   _use_new_zipfile_serialization=new)
        seq = nn.Sequential(nn.Conv2d(2, 3, 3), nn.PReLU(3), nn.Sequential(nn.Linear(4, 2)))
        init(seq, 2)
        torch.save({"epoch": 50, "model": seq}, p(f"module_{kind}.pth"), _use_new_zipfile_serialization=new)
        torch.save({k[7:]: v for k, v in sd.items()}, p(f"bare_{kind}.pth"), _use_new_zipfile_serialization=new)
    st.save(p("nested.expected.safetensors"), want)
    st.save(p("module.expected.safetensors"), {k: v.numpy() for k, v in seq.state_dict().items()})
    raw = {"f32": base.numpy(), "f16": base.half().numpy(), "bf16": st.f32_to_bf16(base.numpy()), "i64": np.arange(3), "scalar": np.array(2.5, "<f4")}
    st.save(p("dtypes.safetensors"), raw, {"format": "pt"}, bf16=("bf16",))
    # ncnn
    model = build("srvgg", dict(nf=16, num_conv=2, scale=2), 3, test_image(3, 16, 16, 3))
    lines, w = _ncnn_srvgg(model)
    blobs = sum(int(l.split()[3]) for l in lines)
    with open(p("srvgg.param"), "w") as f:
        f.write("\n".join(["7767517", f"{len(lines)} {blobs}"] + lines) + "\n")
    for mode in ("f32", "f16", "table"):
        containers.write_ncnn_weights(p(f"srvgg_{mode}.bin"), w, mode)
        got = [l for l in containers.read_ncnn(p("srvgg.param"), p(f"srvgg_{mode}.bin")) if "weight" in l]
        exp, i = {}, 0
        for l in got:
            exp[f"body.{i}.weight"] = np.ascontiguousarray(l["weight"])
            if l.get("bias") is not None:
                exp[f"body.{i}.bias"] = np.ascontiguousarray(l["bias"])
            i += 1
        st.save(p(f"srvgg_{mode}.expected.safetensors"), exp)
    # the same network as two different ncnn graphs over one half-precision .bin
    model = build("rrdb", dict(nf=8, nb=1, gc=4), 6, test_image(3, 12, 12, 6))
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    containers.write_ncnn_weights(p("rrdb_f16.bin"), [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in convs], "f16")
    for name, fused in (("fused", True), ("split", False)):
        lines = _ncnn_rrdb(model, fused)
        blobs = sum(int(l.split()[3]) for l in lines)
        with open(p(f"rrdb_{name}.param"), "w") as f:
            f.write("\n".join(["7767517", f"{len(lines)} {blobs}"] + lines) + "\n")
        net, kw, pairs = detect.detect_ncnn(containers.read_ncnn(p(f"rrdb_{name}.param"), p("rrdb_f16.bin")))
        assert (net, kw["nf"], kw["nb"], kw["gc"], kw["scale"]) == ("rrdb", 8, 1, 4, 4)
        model.load_state_dict(detect.in_order(model, pairs), strict=True)
    st.save(p("rrdb_f16.expected.safetensors"), {k: v.numpy() for k, v in model.state_dict().items()})
    x = test_image(3, 12, 10, 6)
    with torch.no_grad():
        y = model.double()(x.double()).float()
    st.save(p("rrdb_f16.case0.safetensors"), {"input": x.numpy(), "output": y.numpy()})
    # waifu2x JSON and Torch7, one plain chain with a transposed tail
    model = build("upconv_7", dict(widths=(4, 4, 6, 6, 8, 8)), 4, test_image(3, 24, 24, 4))
    convs = [m for m in model.net if hasattr(m, "weight")]
    mods, tree = [], {}
    for i, m in enumerate(convs):
        full = isinstance(m, nn.ConvTranspose2d)
        cls = "nn.SpatialFullConvolution" if full else "nn.SpatialConvolutionMM"
        geo = dict(nInputPlane=m.in_channels, nOutputPlane=m.out_channels, kW=m.kernel_size[1], kH=m.kernel_size[0],
                   dW=m.stride[1], dH=m.stride[0], padW=m.padding[1], padH=m.padding[0])
        w = m.weight.detach().numpy()
        b = np.zeros(m.out_channels, "<f4") if full else m.bias.detach().numpy()       # the original has no bias there
        with torch.no_grad():
            m.bias.copy_(torch.tensor(b))
        mods.append(dict(geo, class_name=cls, weight=[[[[float(v) for v in r] for r in k] for k in o] for o in w], bias=[float(v) for v in b]))
        fields = dict(geo, train=False, weight=w if full else w.reshape(w.shape[0], -1))
        if not full:
            fields["bias"] = b
        tree[len(tree) + 1] = (cls, fields)
        tree[len(tree) + 1] = ("w2nn.InplaceClip01", dict(train=False)) if full else ("nn.LeakyReLU", dict(negval=0.1, inplace=True))
    mods[0]["model_config"] = dict(arch_name="upconv_7", channels=3, offset=14, scale_factor=2, resize=True)
    with open(p("upconv_7.json"), "w") as f:
        json.dump(mods, f, separators=(",", ":"))
    root = ("nn.Sequential", dict(modules=tree, w2nn_arch_name="upconv_7", w2nn_offset=14, w2nn_scale_factor=2, w2nn_channels=3, w2nn_resize=True))
    for mode in ("binary", "ascii"):
        wr = containers.T7Writer(mode == "ascii")
        wr.write(root)
        with open(p(f"upconv_7_{mode}.t7"), "wb") as f:
            f.write(wr.o)
    st.save(p("upconv_7.expected.safetensors"), {k: v.numpy() for k, v in model.state_dict().items()})
    # MATLAB
    for f2 in (1, 5):
        m = build("srcnn", dict(f2=f2, n1=8, n2=6), 5 + f2, test_image(1, 20, 20, 5))
        s = {k: v.detach().numpy().astype(np.float64) for k, v in m.state_dict().items()}
        col = lambda a: a.transpose(0, 1, 3, 2).reshape(a.shape[0], a.shape[1], -1)     # column-major kernels
        v = {"weights_conv1": col(s["conv1.weight"])[:, 0].T, "biases_conv1": s["conv1.bias"][:, None],
             "weights_conv2": col(s["conv2.weight"]).transpose(1, 2, 0), "biases_conv2": s["conv2.bias"][:, None],
             "weights_conv3": col(s["conv3.weight"])[0], "biases_conv3": s["conv3.bias"][:, None]}
        containers.write_mat(p(f"srcnn_9{f2}5.mat"), v, compress=f2 == 5)
        st.save(p(f"srcnn_9{f2}5.expected.safetensors"), {k: x.astype("<f4") for k, x in s.items()})
    m = build("vdsr", dict(nf=4, depth=5, bias=True), 9, test_image(1, 20, 20, 6))
    order = [m.input] + [l.conv for l in m.residual_layer] + [m.output]
    containers.write_mat(p("vdsr_cell.mat"), {"model": {
        "weight": [np.asfortranarray(c.weight.detach().numpy().transpose(2, 3, 1, 0)) for c in order],
        "bias": [c.bias.detach().numpy()[:, None] for c in order]}}, True)
    st.save(p("vdsr_cell.expected.safetensors"), {k: v.numpy() for k, v in m.state_dict().items()})


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("preset", nargs="?")
    ap.add_argument("--list", action="store_true")
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--out", default="golden")
    ap.add_argument("--seed", type=int)
    ap.add_argument("--size", nargs="*", default=[])
    ap.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    ap.add_argument("--pth", nargs="*", default=[], choices=["zip", "legacy"])
    a = ap.parse_args()
    torch.set_num_threads(2)
    if a.list:
        for k, (net, kw, sizes) in PRESETS.items():
            print(k, net, kw, sizes)
    elif a.all:
        for k in PRESETS:
            print(golden(k, a.out), flush=True)
        golden_imageproc(os.path.join(a.out, "imageproc"))
        golden_drivers(os.path.join(a.out, "drivers"))
        golden_containers(os.path.join(a.out, "containers"))
    elif a.preset:
        sizes = [tuple(map(int, s.split("x"))) for s in a.size] or None
        ov = {}
        for kv in a.set:
            k, v = kv.split("=", 1)
            try:
                ov[k] = ast.literal_eval(v)
            except (ValueError, SyntaxError):
                ov[k] = v
        print(golden(a.preset, a.out, a.seed, sizes, ov, a.pth))
    else:
        ap.error("name a preset, or --list or --all")


if __name__ == "__main__":
    main()
