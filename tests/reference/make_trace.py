#!/usr/bin/env python3
"""Write what every convolution gives, layer by layer, for some of the golden sets.

  make_trace.py --golden ../golden [--out ../golden/traces] [--size 12x10] [rrdb/body_x4 ...]

NAME.safetensors (slashes become underscores) holds `case.input`, `case.output` and, under the convolution's
name in the weight file, its output before any activation, (1,C,H,W); of SwinIR also what its layer norms and
the linear layers of its MLPs give (those of the attention see windows, not pictures). Computed in float64 from the set's
float32 weights, stored as float32. A layer larger than --most values keeps only its first channels, so that
a trace stays a small file.
"""
import argparse
import json
import os

import torch
import torch.nn as nn

import safetensors_io as st
from make_golden import NETS, channels, test_image

SETS = {  # name: size, the smallest that reaches every part
    "srcnn/955": (12, 10), "srcnn/955_zero": (12, 10), "vdsr/nobias": (12, 10), "waifu2x/vgg_7": (18, 16),
    "waifu2x/upconv_7": (18, 16), "waifu2x/cunet": (60, 64), "waifu2x/upcunet": (42, 40),
    "rrdb/body_x4": (6, 5), "rrdb/body_x2": (8, 6), "rrdb/trunk_x2": (6, 5), "rrdb/old_x4_plus": (6, 5),
    "srvgg/x4": (12, 10), "swinir/classical_x4": (11, 9), "swinir/real_l_x4": (11, 9), "swinir/jpeg_color": (10, 15)}


def trace(golden, name, size, most):
    with open(os.path.join(golden, name, "config.json")) as f:
        cfg = json.load(f)
    net, kw = cfg["network"], cfg["config"]
    model = NETS[net](**kw).double().eval()
    weights = st.load(os.path.join(golden, name, "weights.safetensors"))
    model.load_state_dict({k: torch.tensor(v).double() for k, v in weights.items()}, strict=True)
    x = test_image(channels(net, kw), *size, 1)
    kept = {"case.input": x.numpy()}

    def keep(layer):
        def hook(module, args, result):
            if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                if result.dim() != 4:
                    return
                result = result.permute(0, 3, 1, 2)
            n = max(1, min(result.shape[1], most // (result.shape[2] * result.shape[3])))
            kept[layer] = result[:, :n].float().numpy()
        return hook

    for layer, m in model.named_modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.LayerNorm)):
            m.register_forward_hook(keep(layer))
    with torch.no_grad():
        kept["case.output"] = model(x.double()).float().numpy()
    return kept


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("sets", nargs="*")
    ap.add_argument("--golden", required=True)
    ap.add_argument("--out")
    ap.add_argument("--size")
    ap.add_argument("--most", type=int, default=4096)
    a = ap.parse_args()
    out = a.out or os.path.join(a.golden, "traces")
    os.makedirs(out, exist_ok=True)
    for name in a.sets or SETS:
        size = tuple(map(int, a.size.split("x"))) if a.size else SETS[name]
        kept = trace(a.golden, name, size, a.most)
        path = os.path.join(out, name.replace("/", "_") + ".safetensors")
        st.save(path, kept)
        print(f"{path}: {len(kept) - 2} layers, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
