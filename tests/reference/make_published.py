#!/usr/bin/env python3
"""Write what the published weights give, computed by the second implementation of each network.

  make_published.py --weights FOLDER [--out ../golden/published] [NAME ...]

FOLDER holds the published files as tests/models/test_published.c names them; they are no part of tintype. A set
NAME.safetensors holds `input` and `output`, (1,C,H,W): small, float64 arithmetic, stored as float32.
"""
import argparse
import gzip
import os
import tempfile

import torch
import torch.nn.functional as F

import containers
import rrdbnet
import safetensors_io as st
import srcnn
import srvgg
import vdsr
import waifu2x
from make_golden import test_image


def load(model, arrays):
    """Weights and biases in the order of the model's parameters."""
    params = list(model.parameters())
    if len(params) != len(arrays):
        raise ValueError(f"{len(arrays)} arrays for {len(params)} parameters")
    with torch.no_grad():
        for p, a in zip(params, arrays):
            p.copy_(torch.tensor(a.copy()).reshape(p.shape))
    return model


def from_ncnn(model, param, bin_):
    arrays = []
    for layer in containers.read_ncnn(param, bin_):
        arrays += [layer[k] for k in ("weight", "bias") if layer.get(k) is not None]
    return load(model, arrays)


def rrdb(path):
    return from_ncnn(rrdbnet.RRDBNet(layout="body"), path + ".param", path + ".bin")


def compact(path, num_conv):
    return from_ncnn(srvgg.SRVGGNetCompact(num_conv=num_conv), path + ".param", path + ".bin")


def reduced(scale):
    """ncnn's Interp of type 3."""
    return lambda model, x: F.interpolate(model(x), scale_factor=scale, mode="bicubic", align_corners=False)


def vgg_7(path):
    with tempfile.NamedTemporaryFile() as f:
        f.write(gzip.open(path + ".json.gz").read())
        f.flush()
        _, layers = containers.read_waifu2x_json(f.name)
    return load(waifu2x.VGG7(), [a for layer in layers for a in layer])


def enlarged_before(model, x):
    """Of the eight pixels that the border of four becomes, the network eats seven."""
    return model(F.interpolate(x, scale_factor=2, mode="nearest")[:, :, 1:-1, 1:-1])


def mat_srcnn(path):
    variables = containers.read_mat(path + ".mat")
    sd = srcnn.state_dict_from_mat(variables)
    model = srcnn.SRCNN(f2=sd["conv2.weight"].shape[2], pad="replicate")
    model.load_state_dict(sd)
    return model


def mat_vdsr(path):
    model = vdsr.VDSR(bias=True)
    m = containers.read_mat(path + ".mat")["model"]
    model.load_state_dict(vdsr.state_dict_from_mat(m["weight"], m["bias"]))
    return model


A, W = "/realesrgan/", "/waifu2x/"
plain = lambda model, x: model(x)
SETS = {  # name: model, how it is run, planes, size
    "realesrgan-x4plus": (lambda d: rrdb(d + A + "realesrgan-x4plus"), plain, 3, (7, 9)),
    "animevideov3-x4": (lambda d: compact(d + A + "realesr-animevideov3-x4", 16), plain, 3, (7, 9)),
    "animevideov3-x2": (lambda d: compact(d + A + "realesr-animevideov3-x4", 16), reduced(0.5), 3, (7, 9)),
    "animevideov3-x3": (lambda d: compact(d + A + "realesr-animevideov3-x4", 16), reduced(0.75), 3, (7, 9)),
    "upscayl-lite-4x": (lambda d: compact(d + A + "upscayl-lite-4x", 32), plain, 3, (7, 9)),
    "upconv_7-art": (lambda d: from_ncnn(waifu2x.UpConv7(), *pair(
        d + W + "models-upconv_7_anime_style_art_rgb/scale2.0x_model")), plain, 3, (19, 21)),
    "upconv_7-photo": (lambda d: from_ncnn(waifu2x.UpConv7(), *pair(
        d + W + "models-upconv_7_photo/noise1_scale2.0x_model")), plain, 3, (19, 21)),
    "cunet": (lambda d: from_ncnn(waifu2x.CUNet(up=True), *pair(
        d + W + "models-cunet/scale2.0x_model")), plain, 3, (44, 46)),
    "vgg_7-noise": (lambda d: vgg_7(d + W + "vgg_7_art/scale2.0x_model"), plain, 3, (20, 22)),
    "vgg_7-scale": (lambda d: vgg_7(d + W + "vgg_7_art/scale2.0x_model"), enlarged_before, 3, (12, 14)),
    "srcnn-915-x3": (lambda d: mat_srcnn(d + "/srcnn/9-1-5_91images_x3"), plain, 1, (12, 14)),
    "srcnn-935-x3": (lambda d: mat_srcnn(d + "/srcnn/9-3-5_ImageNet_x3"), plain, 1, (12, 14)),
    "srcnn-955-x2": (lambda d: mat_srcnn(d + "/srcnn/9-5-5_ImageNet_x2"), plain, 1, (12, 14)),
    "srcnn-955-x3": (lambda d: mat_srcnn(d + "/srcnn/9-5-5_ImageNet_x3"), plain, 1, (12, 14)),
    "srcnn-955-x4": (lambda d: mat_srcnn(d + "/srcnn/9-5-5_ImageNet_x4"), plain, 1, (12, 14)),
    "vdsr": (lambda d: mat_vdsr(d + "/vdsr/VDSR_Official"), plain, 1, (12, 14)),
}


def pair(path):
    return path + ".param", path + ".bin"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    ap = argparse.ArgumentParser()
    ap.add_argument("names", nargs="*")
    ap.add_argument("--weights", required=True)
    ap.add_argument("--out", default=os.path.join(here, "..", "golden", "published"))
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    for name in a.names or SETS:
        make, how, planes, size = SETS[name]
        model = make(a.weights).double().eval()
        x = test_image(planes, *size, 1)
        with torch.no_grad():
            y = how(model, x.double())
        path = os.path.join(a.out, name + ".safetensors")
        st.save(path, {"input": x.float().numpy(), "output": y.float().numpy()})
        print(f"{path}: {tuple(y.shape)}, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
